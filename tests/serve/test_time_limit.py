"""A graph that computes for ever stops nothing: not the start, not the server, not a challenger's champion."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from palio import serve
from palio.core.errors import IntegrityError
from palio.core.records import Deployment
from palio.core.serving import Plan
from palio.serve.protocols.foreign import prepare_graph
from palio.serve.served import Served
from tests.serve import foreign_models
from tests.serve.conftest import Wire
from tests.serve.loop_graphs import loop_graph, plain_graph

EVER = 1 << 60
LIMIT_S = 1.0


def ask(turns: int) -> dict[str, Any]:
    return {"records": [{"x": [1.0], "turns": [turns]}]}


@pytest.mark.parametrize("inside", ["", "if"])
def test_an_endless_graph_is_refused_at_start(tmp_path: Path, inside: str) -> None:
    path = foreign_models.write(tmp_path, "endless", loop_graph(times=EVER, inside=inside))
    begin = time.monotonic()
    with pytest.raises(IntegrityError, match=r"warmed up, the model did not answer within 0\.3 s"):
        serve.any_onnx(path, max_run_s=0.3)
    assert time.monotonic() - begin < 10


@pytest.mark.parametrize("inside", ["", "if"])
def test_a_graph_that_loops_never_computes_on_the_event_loop(tmp_path: Path, inside: str) -> None:
    path = foreign_models.write(tmp_path, "loops", loop_graph(inside=inside))
    assert serve.any_onnx(path).served.batching.mode == "pool"


def test_turns_that_a_request_asks_for_end_in_504_and_others_are_answered_meanwhile(tmp_path: Path) -> None:
    path = foreign_models.write(tmp_path, "loops", loop_graph())
    app = serve.create_app(serve.any_onnx(path, max_run_s=LIMIT_S))
    answers: list[tuple[int, bytes, float]] = []

    def hang(url: str) -> None:
        wire, begin = Wire(url), time.monotonic()
        status, _, body = wire("POST", "/predict", ask(EVER))
        answers.append((status, body, time.monotonic() - begin))
        wire.connection.close()

    with serve.background(app) as url:
        threads = [threading.Thread(target=hang, args=(url,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        wire, n_meanwhile = Wire(url), 0
        while not answers:
            assert wire("GET", "/v2/health/live")[0] == 200
            n_meanwhile += 1
        assert n_meanwhile > 1
        for thread in threads:
            thread.join(timeout=30)
        assert [status for status, _, _ in answers] == [504] * 3
        assert all(b"the model did not answer within 1 s" in body for _, body, _ in answers)
        status, answer = wire.json("POST", "/predict", ask(2))
        assert status == 200 and answer["predictions"][0]["prediction"] == 3.0
        for route, body in (("/invocations", {"dataframe_records": ask(EVER)["records"]}), infer(EVER)):
            assert wire("POST", route, body, {"content-type": "application/json"})[0] == 504
        wire.connection.close()


def infer(turns: int) -> tuple[str, dict[str, Any]]:
    values = {"x": ("FP32", 1.0), "turns": ("INT64", turns)}
    inputs = [{"name": n, "datatype": kind, "shape": [1, 1], "data": [v]} for n, (kind, v) in values.items()]
    return "/v2/models/loops/infer", {"inputs": inputs}


@dataclass
class Two:
    """A provider of a champion and its challenger."""

    champion: bytes
    challenger: bytes
    mode: Any

    def current(self) -> Plan:
        champion, challenger = (Deployment(model="two", version=v, bundle=f"{v}" * 64) for v in (1, 2))
        return Plan(champion=champion, challenger=challenger, mode=self.mode)

    def load(self, deployment: Deployment) -> Served:
        data = self.champion if deployment.version == 1 else self.challenger
        return prepare_graph(data, deployment, max_run_s=0.5)

    def refused(self, deployment: Deployment, why: str) -> None:
        """Nobody asks."""


def test_an_endless_challenger_is_refused_and_the_champion_answers() -> None:
    app = serve.create_app(Two(loop_graph(), loop_graph(times=EVER), "shadow"))
    with serve.background(app) as url:
        wire = Wire(url)
        assert wire("POST", "/predict", ask(2))[0] == 200
        detail = msgspec.json.decode(wire("GET", "/v2/health/ready")[2])["detail"]
        assert "version 2 is refused" in detail and "did not answer within 0.5 s" in detail
        wire.connection.close()


def test_a_challenger_that_hangs_on_a_request_delays_nobody() -> None:
    app = serve.create_app(Two(plain_graph(), loop_graph(), "shadow"))
    with serve.background(app) as url:
        wire = Wire(url)
        took = []
        for _ in range(5):
            begin = time.monotonic()
            assert wire("POST", "/predict", ask(EVER))[0] == 200
            took.append(time.monotonic() - begin)
        assert min(took) < 0.4  # a challenger that is waited for takes 0.5 s each time
        challenger = app.registry.state.challenger
        assert challenger is not None and challenger.batching.mode == "pool"
        wire.connection.close()


def test_a_server_that_stops_waits_for_no_loop(tmp_path: Path) -> None:
    path = foreign_models.write(tmp_path, "endless", loop_graph())
    app = serve.create_app(serve.any_onnx(path, max_run_s=60.0))

    def hang(url: str) -> None:
        wire = Wire(url)
        with contextlib.suppress(OSError, http.client.HTTPException):
            wire("POST", "/predict", ask(EVER))
        wire.connection.close()

    with serve.background(app) as url:
        asking = threading.Thread(target=hang, args=(url,))
        asking.start()
        until = time.monotonic() + 10
        while app.status()["in_flight"] == 0:
            assert time.monotonic() < until
        begin = time.monotonic()
    asking.join(timeout=30)
    assert time.monotonic() - begin < 20
