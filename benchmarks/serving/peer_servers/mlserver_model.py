# ruff: noqa: D101, D102 - the names are those that the peer asks for
"""MLServer: a runtime of its own kind, as its documentation shows."""

from __future__ import annotations

import numpy as np
from mlserver import MLModel
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput
from session import open_session


class OnnxModel(MLModel):
    async def load(self) -> bool:
        self.session = open_session()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        tensor = payload.inputs[0]
        rows = np.array(tensor.data.root, np.float32).reshape(tensor.shape)
        labels, probabilities = self.session.run(None, {"x": rows})
        return InferenceResponse(
            model_name=self.name,
            outputs=[
                ResponseOutput(name="label", shape=list(labels.shape), datatype="INT64", data=labels.tolist()),
                ResponseOutput(
                    name="probabilities",
                    shape=list(probabilities.shape),
                    datatype="FP32",
                    data=probabilities.reshape(-1).tolist(),
                ),
            ],
        )
