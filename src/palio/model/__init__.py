"""What a model is: a bundle of one ONNX graph from raw columns to predictions, its manifest and its evidence.

Loading and predicting need only numpy, onnxruntime and msgspec; `onnx` and `polars` are imported by the names that
build a graph or read a frame, on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from palio.model.bundle.bundle import Bundle, export, load, open_folder, pack
    from palio.model.bundle.cost import measure_cost
    from palio.model.bundle.golden import Golden, make_golden
    from palio.model.bundle.inspection import verify, verify_bundle, verify_folder, versions
    from palio.model.bundle.parity import check_parity, compare_outputs
    from palio.model.bundle.reference import make_reference, sample_rows
    from palio.model.bundle.signing import (
        PrivateKey,
        PublicKey,
        Trust,
        add_signature,
        make_keys,
        read_private_key,
        read_signatures,
        read_trust,
        signatures_of,
        write_signatures,
    )
    from palio.model.cells.columns import ColumnReader, range_of
    from palio.model.cells.feeds import feeds_from_frame
    from palio.model.cells.names import input_name
    from palio.model.cells.rows import RecordReader
    from palio.model.cells.stress import stress_feeds
    from palio.model.graph.builder import GraphBuilder
    from palio.model.graph.session import MAX_RUN_S, Graph, Outputs
    from palio.model.graph.stages import Stages, stages_of
    from palio.model.graph.watchdog import end_watched_runs
    from palio.model.graph.zipmap import without_zipmap
    from palio.model.tabular.contributions import Contributions, Explainer, explainer
    from palio.model.tabular.linear import emit_constant, emit_linear
    from palio.model.tabular.options import PreprocessingOptions, Style
    from palio.model.tabular.preprocessing import Preprocessing, fit_preprocessing
    from palio.model.tabular.trees import emit_forest, emit_lightgbm

_HOME = {
    "Bundle": "bundle.bundle",
    "ColumnReader": "cells.columns",
    "Contributions": "tabular.contributions",
    "Explainer": "tabular.contributions",
    "Golden": "bundle.golden",
    "Graph": "graph.session",
    "GraphBuilder": "graph.builder",
    "MAX_RUN_S": "graph.session",
    "Outputs": "graph.session",
    "Preprocessing": "tabular.preprocessing",
    "PreprocessingOptions": "tabular.options",
    "PrivateKey": "bundle.signing",
    "PublicKey": "bundle.signing",
    "RecordReader": "cells.rows",
    "Stages": "graph.stages",
    "Style": "tabular.options",
    "Trust": "bundle.signing",
    "add_signature": "bundle.signing",
    "check_parity": "bundle.parity",
    "compare_outputs": "bundle.parity",
    "emit_constant": "tabular.linear",
    "emit_forest": "tabular.trees",
    "emit_lightgbm": "tabular.trees",
    "emit_linear": "tabular.linear",
    "end_watched_runs": "graph.watchdog",
    "explainer": "tabular.contributions",
    "export": "bundle.bundle",
    "feeds_from_frame": "cells.feeds",
    "fit_preprocessing": "tabular.preprocessing",
    "input_name": "cells.names",
    "load": "bundle.bundle",
    "make_golden": "bundle.golden",
    "make_keys": "bundle.signing",
    "make_reference": "bundle.reference",
    "measure_cost": "bundle.cost",
    "open_folder": "bundle.bundle",
    "pack": "bundle.bundle",
    "read_private_key": "bundle.signing",
    "read_signatures": "bundle.signing",
    "range_of": "cells.columns",
    "read_trust": "bundle.signing",
    "sample_rows": "bundle.reference",
    "signatures_of": "bundle.signing",
    "stages_of": "graph.stages",
    "stress_feeds": "cells.stress",
    "verify": "bundle.inspection",
    "verify_bundle": "bundle.inspection",
    "verify_folder": "bundle.inspection",
    "versions": "bundle.inspection",
    "without_zipmap": "graph.zipmap",
    "write_signatures": "bundle.signing",
}
__all__ = [
    "MAX_RUN_S",
    "Bundle",
    "ColumnReader",
    "Contributions",
    "Explainer",
    "Golden",
    "Graph",
    "GraphBuilder",
    "Outputs",
    "Preprocessing",
    "PreprocessingOptions",
    "PrivateKey",
    "PublicKey",
    "RecordReader",
    "Stages",
    "Style",
    "Trust",
    "add_signature",
    "check_parity",
    "compare_outputs",
    "emit_constant",
    "emit_forest",
    "emit_lightgbm",
    "emit_linear",
    "end_watched_runs",
    "explainer",
    "export",
    "feeds_from_frame",
    "fit_preprocessing",
    "input_name",
    "load",
    "make_golden",
    "make_keys",
    "make_reference",
    "measure_cost",
    "open_folder",
    "pack",
    "range_of",
    "read_private_key",
    "read_signatures",
    "read_trust",
    "sample_rows",
    "signatures_of",
    "stages_of",
    "stress_feeds",
    "verify",
    "verify_bundle",
    "verify_folder",
    "versions",
    "without_zipmap",
    "write_signatures",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its module on first use."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
