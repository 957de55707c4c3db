"""What a model is: a bundle of one ONNX graph from raw columns to predictions, its manifest and its evidence.

Loading and predicting need only numpy, onnxruntime and msgspec; `onnx` and `polars` are imported by the names that
build a graph or read a frame, on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from palio.model.builder import GraphBuilder
    from palio.model.bundle import Bundle, export, load, open_folder, pack
    from palio.model.cells import ColumnReader, range_of
    from palio.model.contributions import Contributions, Explainer, explainer
    from palio.model.cost import measure_cost
    from palio.model.feeds import feeds_from_frame
    from palio.model.golden import Golden, make_golden
    from palio.model.inspection import verify, verify_bundle, verify_folder, versions
    from palio.model.linear import emit_constant, emit_linear
    from palio.model.names import input_name
    from palio.model.options import PreprocessingOptions, Style
    from palio.model.parity import check_parity, compare_outputs
    from palio.model.preprocessing import Preprocessing, fit_preprocessing
    from palio.model.reference import make_reference, sample_rows
    from palio.model.rows import RecordReader
    from palio.model.session import MAX_RUN_S, Graph, Outputs
    from palio.model.signing import (
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
    from palio.model.stages import Stages, stages_of
    from palio.model.stress import stress_feeds
    from palio.model.trees import emit_forest, emit_lightgbm
    from palio.model.watchdog import end_watched_runs
    from palio.model.zipmap import without_zipmap

_HOME = {
    "Bundle": "bundle",
    "ColumnReader": "cells",
    "Contributions": "contributions",
    "Explainer": "contributions",
    "Golden": "golden",
    "Graph": "session",
    "GraphBuilder": "builder",
    "MAX_RUN_S": "session",
    "Outputs": "session",
    "Preprocessing": "preprocessing",
    "PreprocessingOptions": "options",
    "PrivateKey": "signing",
    "PublicKey": "signing",
    "RecordReader": "rows",
    "Stages": "stages",
    "Style": "options",
    "Trust": "signing",
    "add_signature": "signing",
    "check_parity": "parity",
    "compare_outputs": "parity",
    "emit_constant": "linear",
    "emit_forest": "trees",
    "emit_lightgbm": "trees",
    "emit_linear": "linear",
    "end_watched_runs": "watchdog",
    "explainer": "contributions",
    "export": "bundle",
    "feeds_from_frame": "feeds",
    "fit_preprocessing": "preprocessing",
    "input_name": "names",
    "load": "bundle",
    "make_golden": "golden",
    "make_keys": "signing",
    "make_reference": "reference",
    "measure_cost": "cost",
    "open_folder": "bundle",
    "pack": "bundle",
    "read_private_key": "signing",
    "read_signatures": "signing",
    "range_of": "cells",
    "read_trust": "signing",
    "sample_rows": "reference",
    "signatures_of": "signing",
    "stages_of": "stages",
    "stress_feeds": "stress",
    "verify": "inspection",
    "verify_bundle": "inspection",
    "verify_folder": "inspection",
    "versions": "inspection",
    "without_zipmap": "zipmap",
    "write_signatures": "signing",
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
