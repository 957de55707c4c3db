"""What a model is: a bundle of one ONNX graph from raw columns to predictions, its manifest and its evidence.

Loading and predicting need only numpy, onnxruntime and msgspec; `onnx` and `polars` are imported by the names that
build a graph or read a frame, on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from palio.core.doors import door

if TYPE_CHECKING:
    from palio.model.bundle.bundle import Bundle as Bundle
    from palio.model.bundle.bundle import export as export
    from palio.model.bundle.bundle import load as load
    from palio.model.bundle.bundle import open_folder as open_folder
    from palio.model.bundle.bundle import pack as pack
    from palio.model.bundle.cost import measure_cost as measure_cost
    from palio.model.bundle.golden import Golden as Golden
    from palio.model.bundle.golden import make_golden as make_golden
    from palio.model.bundle.inspection import verify as verify
    from palio.model.bundle.inspection import verify_bundle as verify_bundle
    from palio.model.bundle.inspection import verify_folder as verify_folder
    from palio.model.bundle.inspection import versions as versions
    from palio.model.bundle.parity import TOLERANCES as TOLERANCES
    from palio.model.bundle.parity import check_parity as check_parity
    from palio.model.bundle.parity import compare_outputs as compare_outputs
    from palio.model.bundle.pictures import picture_statistics as picture_statistics
    from palio.model.bundle.reference import make_reference as make_reference
    from palio.model.bundle.reference import sample_rows as sample_rows
    from palio.model.bundle.signing import PrivateKey as PrivateKey
    from palio.model.bundle.signing import Trust as Trust
    from palio.model.bundle.signing import add_signature as add_signature
    from palio.model.bundle.signing import make_keys as make_keys
    from palio.model.bundle.signing import read_private_key as read_private_key
    from palio.model.bundle.signing import read_signatures as read_signatures
    from palio.model.bundle.signing import read_trust as read_trust
    from palio.model.bundle.signing import write_signatures as write_signatures
    from palio.model.cells.columns import ColumnReader as ColumnReader
    from palio.model.cells.columns import range_of as range_of
    from palio.model.cells.feeds import KeptPicture as KeptPicture
    from palio.model.cells.feeds import feeds_from_frame as feeds_from_frame
    from palio.model.cells.names import input_name as input_name
    from palio.model.cells.pictures import PictureColumn as PictureColumn
    from palio.model.cells.rows import RecordReader as RecordReader
    from palio.model.cells.stress import stress_feeds as stress_feeds
    from palio.model.graph.answers import answers_of as answers_of
    from palio.model.graph.boxes import IOU as IOU
    from palio.model.graph.boxes import MOST_BOXES as MOST_BOXES
    from palio.model.graph.boxes import Candidates as Candidates
    from palio.model.graph.boxes import brought_back as brought_back
    from palio.model.graph.boxes import candidates_of as candidates_of
    from palio.model.graph.boxes import cells_of as cells_of
    from palio.model.graph.boxes import suppressed as suppressed
    from palio.model.graph.boxes import unfitted as unfitted
    from palio.model.graph.builder import GraphBuilder as GraphBuilder
    from palio.model.graph.calibrating import calibrated as calibrated
    from palio.model.graph.calibrating import emit_calibrated as emit_calibrated
    from palio.model.graph.declared import shapeless as shapeless
    from palio.model.graph.external import with_weights as with_weights
    from palio.model.graph.heads import emit_answers as emit_answers
    from palio.model.graph.inlining import at_our_opset as at_our_opset
    from palio.model.graph.inlining import inline as inline
    from palio.model.graph.joining import join as join
    from palio.model.graph.joining import take_in as take_in
    from palio.model.graph.runtime import onnx_runtime as onnx_runtime
    from palio.model.graph.session import MAX_RUN_S as MAX_RUN_S
    from palio.model.graph.session import Graph as Graph
    from palio.model.graph.session import Outputs as Outputs
    from palio.model.graph.stacking import STACK_FLOOR as STACK_FLOOR
    from palio.model.graph.stacking import stacked as stacked
    from palio.model.graph.stages import Stages as Stages
    from palio.model.graph.suppressing import emit_nothing as emit_nothing
    from palio.model.graph.suppressing import emit_suppressed as emit_suppressed
    from palio.model.graph.watchdog import end_watched_runs as end_watched_runs
    from palio.model.graph.zipmap import without_zipmap as without_zipmap
    from palio.model.reading.pictures import PictureReader as PictureReader
    from palio.model.reading.readers import BOX_CLASSES as BOX_CLASSES
    from palio.model.reading.readers import PRECISION as PRECISION
    from palio.model.reading.readers import are_cut as are_cut
    from palio.model.reading.readers import reader_of as reader_of
    from palio.model.reading.tokens import folded as folded
    from palio.model.reading.tokens import word_places as word_places
    from palio.model.tabular.contributions import Contributions as Contributions
    from palio.model.tabular.contributions import Explainer as Explainer
    from palio.model.tabular.contributions import explainer as explainer
    from palio.model.tabular.kernel import KernelSum as KernelSum
    from palio.model.tabular.kernel import emit_kernel as emit_kernel
    from palio.model.tabular.linear import emit_constant as emit_constant
    from palio.model.tabular.linear import emit_linear as emit_linear
    from palio.model.tabular.neighbours import NeighbourVotes as NeighbourVotes
    from palio.model.tabular.neighbours import emit_neighbours as emit_neighbours
    from palio.model.tabular.options import Derived as Derived
    from palio.model.tabular.options import PreprocessingOptions as PreprocessingOptions
    from palio.model.tabular.options import Style as Style
    from palio.model.tabular.perceptron import Perceptrons as Perceptrons
    from palio.model.tabular.perceptron import emit_perceptrons as emit_perceptrons
    from palio.model.tabular.preprocessing import Preprocessing as Preprocessing
    from palio.model.tabular.preprocessing import fit_preprocessing as fit_preprocessing
    from palio.model.tabular.ramps import Ramps as Ramps
    from palio.model.tabular.ramps import fit_ramps as fit_ramps
    from palio.model.tabular.scores import BentInputs as BentInputs
    from palio.model.tabular.scores import Head as Head
    from palio.model.tabular.scores import emit_bent as emit_bent
    from palio.model.tabular.scores import emit_head as emit_head
    from palio.model.tabular.scores import emit_product as emit_product
    from palio.model.tabular.trees.catboost import CatboostModel as CatboostModel
    from palio.model.tabular.trees.catboost import emit_catboost as emit_catboost
    from palio.model.tabular.trees.forest import emit_forest as emit_forest
    from palio.model.tabular.trees.lightgbm import emit_lightgbm as emit_lightgbm
    from palio.model.tabular.trees.xgboost import MAX_FLOAT32 as MAX_FLOAT32
    from palio.model.tabular.trees.xgboost import XgboostModel as XgboostModel
    from palio.model.tabular.trees.xgboost import emit_xgboost as emit_xgboost
    from palio.model.text.vocabulary import count_entries as count_entries
    from palio.model.text.vocabulary import learn_reading as learn_reading
    from palio.model.text.weighing import Weighing as Weighing
    from palio.model.text.weighing import fit_weighing as fit_weighing
else:
    __getattr__, __dir__, __all__ = door(
        __name__,
        {
            "bundle.bundle": "Bundle export load open_folder pack",
            "bundle.cost": "measure_cost",
            "bundle.golden": "Golden make_golden",
            "bundle.inspection": "verify verify_bundle verify_folder versions",
            "bundle.parity": "TOLERANCES check_parity compare_outputs",
            "bundle.pictures": "picture_statistics",
            "bundle.reference": "make_reference sample_rows",
            "bundle.signing": "PrivateKey Trust add_signature make_keys read_private_key read_signatures "
            "read_trust write_signatures",
            "cells.columns": "ColumnReader range_of",
            "cells.feeds": "KeptPicture feeds_from_frame",
            "cells.names": "input_name",
            "cells.pictures": "PictureColumn",
            "cells.rows": "RecordReader",
            "cells.stress": "stress_feeds",
            "graph.answers": "answers_of",
            "graph.boxes": "IOU MOST_BOXES Candidates brought_back candidates_of cells_of suppressed unfitted",
            "graph.builder": "GraphBuilder",
            "graph.calibrating": "calibrated emit_calibrated",
            "graph.heads": "emit_answers",
            "graph.inlining": "at_our_opset inline",
            "graph.joining": "join take_in",
            "graph.runtime": "onnx_runtime",
            "graph.session": "Graph MAX_RUN_S Outputs",
            "graph.stacking": "STACK_FLOOR stacked",
            "graph.stages": "Stages",
            "graph.suppressing": "emit_nothing emit_suppressed",
            "graph.watchdog": "end_watched_runs",
            "graph.declared": "shapeless",
            "graph.external": "with_weights",
            "graph.zipmap": "without_zipmap",
            "reading.pictures": "PictureReader",
            "reading.readers": "BOX_CLASSES PRECISION are_cut reader_of",
            "reading.tokens": "folded word_places",
            "tabular.contributions": "Contributions Explainer explainer",
            "tabular.kernel": "KernelSum emit_kernel",
            "tabular.linear": "emit_constant emit_linear",
            "tabular.options": "Derived PreprocessingOptions Style",
            "tabular.neighbours": "NeighbourVotes emit_neighbours",
            "tabular.perceptron": "Perceptrons emit_perceptrons",
            "tabular.preprocessing": "Preprocessing fit_preprocessing",
            "tabular.trees.catboost": "CatboostModel emit_catboost",
            "tabular.trees.forest": "emit_forest",
            "tabular.trees.lightgbm": "emit_lightgbm",
            "tabular.trees.xgboost": "MAX_FLOAT32 XgboostModel emit_xgboost",
            "text.vocabulary": "count_entries learn_reading",
            "text.weighing": "Weighing fit_weighing",
            "tabular.ramps": "Ramps fit_ramps",
            "tabular.scores": "BentInputs Head emit_bent emit_head emit_product",
        },
    )
