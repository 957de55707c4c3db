# ruff: noqa: ARG002, D101, D102 - the names are those that the peer asks for
"""LitServe: one API process, one worker, no batching. It reads the annotations, so they must not be postponed."""

import sys
from typing import Any

import litserve
import numpy as np
from session import open_session


class Api(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.session = open_session()

    def decode_request(self, request: dict[str, Any]) -> Any:
        tensor = request["inputs"][0]
        return np.array(tensor["data"], np.float32).reshape(tensor["shape"])

    def predict(self, rows: Any) -> Any:
        return self.session.run(None, {"x": rows})

    def encode_response(self, output: Any) -> dict[str, Any]:
        return {"label": output[0].tolist(), "probabilities": output[1].tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(Api(), accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        num_api_servers=1,
        generate_client_file=False,
        log_level="error",
        access_log=False,
    )
