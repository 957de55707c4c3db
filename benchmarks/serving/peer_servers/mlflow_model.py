"""MLflow: save the file as its ONNX flavour, with the session options of the others."""

from __future__ import annotations

import os
import sys

import mlflow
import numpy as np
import onnx
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec

if __name__ == "__main__":
    mlflow.onnx.save_model(
        onnx.load(os.environ["BENCH_MODEL"]),
        sys.argv[1],
        signature=ModelSignature(inputs=Schema([TensorSpec(np.dtype("float32"), (-1, 30), "x")])),
        onnx_execution_providers=["CPUExecutionProvider"],
        onnx_session_options={
            "intra_op_num_threads": 1,
            "inter_op_num_threads": 1,
            "extra_session_config": {"session.intra_op.allow_spinning": "0"},
        },
    )
