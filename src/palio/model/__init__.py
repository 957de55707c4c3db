"""What a model is: a bundle of one ONNX graph from raw columns to predictions, its manifest and its evidence.

Loading and predicting need only numpy, onnxruntime and msgspec; `onnx` and `polars` are imported by the names that
build a graph or read a frame, on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from palio.model.builder import GraphBuilder
    from palio.model.feeds import feeds_from_frame
    from palio.model.linear import emit_constant, emit_linear
    from palio.model.names import input_name
    from palio.model.preprocessing import Preprocessing, PreprocessingOptions, fit_preprocessing
    from palio.model.session import Graph, Outputs
    from palio.model.trees import emit_forest, emit_lightgbm

_HOME = {
    "Graph": "session",
    "GraphBuilder": "builder",
    "Outputs": "session",
    "Preprocessing": "preprocessing",
    "PreprocessingOptions": "preprocessing",
    "emit_constant": "linear",
    "emit_forest": "trees",
    "emit_lightgbm": "trees",
    "emit_linear": "linear",
    "feeds_from_frame": "feeds",
    "fit_preprocessing": "preprocessing",
    "input_name": "names",
}
__all__ = [
    "Graph",
    "GraphBuilder",
    "Outputs",
    "Preprocessing",
    "PreprocessingOptions",
    "emit_constant",
    "emit_forest",
    "emit_lightgbm",
    "emit_linear",
    "feeds_from_frame",
    "fit_preprocessing",
    "input_name",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its module on first use."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
