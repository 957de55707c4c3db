# ruff: noqa: D101, D102 - the names are those that the peer asks for
"""BentoML: one service, without its batching (it costs latency and gains nothing for one row)."""

from __future__ import annotations

from typing import Any

import bentoml
import numpy as np
from session import open_session


@bentoml.service(workers=1, traffic={"timeout": 30}, metrics={"enabled": False}, logging={"access": {"enabled": False}})
class Bench:
    def __init__(self) -> None:
        self.session = open_session()

    @bentoml.api
    def infer(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        rows = np.array(inputs[0]["data"], np.float32).reshape(inputs[0]["shape"])
        labels, probabilities = self.session.run(None, {"x": rows})
        return {"label": labels.tolist(), "probabilities": probabilities.tolist()}
