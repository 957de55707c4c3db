"""Graphs as torch exports them: single values, places, states of a recurrent network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palio import serve
from tests.serve.in_process import ask


def models(torch: Any) -> dict[str, tuple[Any, tuple[Any, ...]]]:
    """Make modules, each with what it is to be asked; torch is not imported where its tests are only collected."""

    class Scaled(torch.nn.Module):  # type: ignore[misc, name-defined]
        def forward(self, x: Any, rate: Any) -> Any:
            return x.sum(1) / rate, x.mean()

    class Sorted(torch.nn.Module):  # type: ignore[misc, name-defined]
        def forward(self, x: Any, length: Any) -> Any:
            return x.sort(1).values, (x > length).long().argmax(1)

    class Recurrent(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.cell = torch.nn.GRU(2, 3, batch_first=True)

        def forward(self, x: Any, state: Any) -> Any:
            return self.cell(x, state)

    return {
        "rows and a single number": (Scaled(), (torch.ones(2, 4), torch.tensor(2.0))),
        "places": (Sorted(), (torch.arange(8.0).reshape(2, 4), torch.tensor([2.0]))),
        "a state": (Recurrent().eval(), (torch.ones(2, 5, 2), torch.zeros(1, 2, 3))),
    }


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["rows and a single number", "places", "a state"])
def test_what_torch_exports_is_served_and_answers_as_torch_does(tmp_path: Path, name: str) -> None:
    torch = pytest.importorskip("torch")
    module, given = models(torch)[name]
    path = tmp_path / "graph.onnx"
    torch.onnx.export(module, given, str(path), input_names=["a", "b"], dynamo=False)
    app = serve.create_app(serve.any_onnx(path))
    app.refresh()
    kinds = {torch.float32: "FP32", torch.int64: "INT64"}
    form = [
        {"name": n, "datatype": kinds[v.dtype], "shape": list(v.shape), "data": v.ravel().tolist()}
        for n, v in zip("ab", given, strict=True)
    ]
    answer = ask(app, "POST", "/v2/models/graph/infer", {"inputs": form})
    assert answer.status == 200, answer.body
    told = module(*given)
    for one, wanted in zip(answer.json["outputs"], told if isinstance(told, tuple) else (told,), strict=True):
        np.testing.assert_allclose(np.reshape(one["data"], one["shape"]), wanted.detach().numpy(), rtol=1e-4)
