"""Who may ask, end to end: two workers, keys and rules from the command line, every wire."""

from __future__ import annotations

import json
import socket
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palio.store import Layout, scan_log
from tests.acceptance.challengers import put_worse, swapped
from tests.acceptance.live import REACH_S, all_say, palio, records, serving, wires
from tests.acceptance.test_rollout import start, where

pytestmark = pytest.mark.slow

WAITING = """
sticky = "caller"

[[headers]]
header = "x-tester"
value = "yes"

[[steps]]
kind = "set_weight"
weight = 0.5

[[steps]]
kind = "pause"
"""


def add_key(folder: Path, name: str, *options: str) -> str:
    return str(palio(folder, "serve", "key", "add", name, *options)["key"])


def set_rules(folder: Path, *rules: str) -> None:
    (folder / "rules.toml").write_text("\n".join(f"[[rules]]\n{rule}" for rule in rules))
    palio(folder, "serve", "policy", "set", str(folder / "rules.toml"))


def failures(folder: Path) -> Counter[tuple[int, str, str, str]]:
    """Count failed requests by status, caller, route and what decided."""
    found: Counter[tuple[int, str, str, str]] = Counter()
    for batch in scan_log(Layout(folder).predictions(""), "bank", kind="failures"):
        names = ("status", "caller", "route", "decision")
        found.update(
            (int(status), str(caller), str(route), str(decision).partition(":")[2])
            for status, caller, route, decision in zip(*(batch[name].tolist() for name in names), strict=True)
        )
    return found


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def test_keys_and_rules_reach_every_worker_within_two_seconds(project: Path) -> None:
    row, took = records(project)[0], {}
    with serving(project) as server:
        assert all_say(server.url, lambda wire: wire.version(row) == 1) == 0
        ann = add_key(project, "ann", "--role", "risk")
        took["first key"] = all_say(server.url, lambda wire: wire.version(row) == -401)
        took["default deny"] = all_say(server.url, lambda wire: wire.version(row) == -403, x_api_key=ann)
        set_rules(project, 'role = "risk"')
        took["allow"] = all_say(server.url, lambda wire: wire.version(row) == 1, x_api_key=ann)
        assert all_say(server.url, lambda wire: wire.version(row) == 1, authorization=f"Bearer {ann}") == 0
        assert all_say(server.url, lambda wire: wire.version(row) == -401, x_api_key="palio_wrong") == 0
        admin = add_key(project, "root", "--admin")
        assert all_say(server.url, lambda wire: wire.version(row) == -401, x_api_key=admin) < REACH_S
        set_rules(project, 'allow = false\nrole = "risk"\nreason = "not today"')
        took["deny"] = all_say(server.url, lambda wire: wire.version(row) == -403, x_api_key=ann)
        with wires(server.url, 1, x_api_key=ann) as (wire,):
            assert wire.predict(row)[1]["error"] == "not today"
        palio(project, "serve", "key", "revoke", "ann")
        took["revoke"] = all_say(server.url, lambda wire: wire.version(row) == -401, x_api_key=ann)
        palio(project, "serve", "key", "revoke", "root")
        assert all_say(server.url, lambda wire: wire.version(row) == -401) == 0, (
            "without a key in force all are refused"
        )
    assert max(took.values()) < REACH_S, took
    told = failures(project)
    assert {told_of[0] for told_of in told} == {401, 403}
    assert told[403, "ann", "predict", "default"] and told[403, "ann", "predict", "0"]
    assert told[401, "anonymous", "predict", "default"] and told[401, "anonymous", "predict", "key"]


def test_workers_share_a_quota_and_what_is_over_it_is_logged(project: Path) -> None:
    rows = records(project)
    ann, bob = add_key(project, "ann"), add_key(project, "bob")
    set_rules(project, 'caller = "ann"\nquota = 30\nper = "day"', 'caller = "bob"\nquota = 5')
    with serving(project) as server:
        with wires(server.url, 12, x_api_key=ann) as opened:
            got = [wire.version(row) for row, wire in zip(rows[:60], opened * 5, strict=True)]
        assert (got.count(1), got.count(-429)) == (30, 30)
        with wires(server.url, 1, x_api_key=bob) as (wire,):
            status, headers, _ = wire("POST", "/predict", {"records": rows[:6]})
            assert status == 429 and "retry-after" not in headers, "so many at once never are allowed"
            while wire.version(rows[0]) == 1:
                pass
            status, headers, _ = wire("POST", "/predict", {"records": rows[:1]})
            assert status == 429 and 0 < int(headers["retry-after"]) <= 12
    told = failures(project)
    assert told[429, "ann", "predict", "0"] == 30 and told[429, "bob", "predict", "1"] == 3


def test_who_answers_is_up_to_header_key_and_rules(project: Path) -> None:
    row, challenger = records(project)[0], put_worse(project, swapped)
    ann, bob = add_key(project, "ann"), add_key(project, "bob")
    set_rules(project, 'caller = "ann"\nversion = "champion"', 'caller = "bob"')
    with serving(project) as server:
        start(project, "--bundle", challenger, plan=WAITING)
        palio(project, "watch", "--once")
        assert where(project).status == "paused"
        all_say(server.url, lambda wire: wire.version(row, x_tester="yes") == 0, x_api_key=bob)
        with wires(server.url, 12, x_api_key=ann) as opened:
            assert {wire.version(row) for wire in opened * 10} == {1}, "no 403 by chance"
            assert {wire.version(row, x_tester="yes") for wire in opened} == {1}
            assert {wire.version(row, x_model_version="challenger") for wire in opened} == {-403}
        with wires(server.url, 12, x_api_key=bob) as opened:
            assert len({wire.version(row) for wire in opened * 10}) == 1, "a caller keeps its model on all workers"
            for version, answered in (("challenger", 0), ("champion", 1), ("1", 1), ("7", -404)):
                assert {wire.version(row, x_model_version=version) for wire in opened} == {answered}
    told = failures(project)
    assert told[403, "ann", "predict", "default"] == 12 and told[404, "bob", "predict", "1"] == 12


def test_a_request_key_keeps_its_model_on_all_workers(project: Path) -> None:
    row, challenger = records(project)[0], put_worse(project, swapped)
    with serving(project) as server:
        start(project, "--bundle", challenger, plan=WAITING.replace('"caller"', '"request"'))
        palio(project, "watch", "--once")
        all_say(server.url, lambda wire: wire.version(row, x_tester="yes") == 0)
        with wires(server.url, 8) as opened:
            by_key = {n: {wire.version(row, x_palio_key=f"key {n}") for wire in opened} for n in range(40)}
    assert all(len(versions) == 1 for versions in by_key.values())
    assert 8 <= sum(versions == {0} for versions in by_key.values()) <= 32


def test_keys_hold_for_grpc_and_for_clients_of_mlflow(project: Path) -> None:
    client: Any = pytest.importorskip("tritonclient.grpc")
    row, port = records(project)[0], free_port()
    ann, bob, eve = (add_key(project, name) for name in ("ann", "bob", "eve"))
    set_rules(project, 'caller = "ann"', 'caller = "bob"\nquota = 3\nper = "day"')
    with serving(project, "--grpc-port", str(port)) as server:
        with wires(server.url, 1) as (wire,):
            asked = {"dataframe_records": [row]}
            sent = {"content_type": "application/json"}
            assert wire("POST", "/invocations", asked, **sent)[0] == 401
            assert wire("POST", "/invocations", asked, **sent, x_api_key=eve)[0] == 403
            assert wire("POST", "/invocations", asked, **sent, x_api_key=ann)[0] == 200
            many = {"dataframe_records": [row] * 4}
            assert wire("POST", "/invocations", many, **sent, x_api_key=bob)[0] == 429
            told = wire("GET", "/v2/models/bank", x_api_key=ann)[2]
        inputs = []
        for name, datatype in ((spec["name"], spec["datatype"]) for spec in json.loads(told)["inputs"]):
            tensor = client.InferInput(name, [1, 1], datatype)
            tensor.set_data_from_numpy(np.array([[row[name]]], np.float64 if datatype == "FP64" else object))
            inputs.append(tensor)
        said: dict[str, list[str]] = {}
        for name, key in (("nobody", ""), ("eve", eve), ("ann", ann), ("bob", bob)):
            said[name] = []
            for _ in range(4):
                with client.InferenceServerClient(f"127.0.0.1:{port}") as triton:
                    try:
                        triton.infer("bank", inputs, headers={"x-api-key": key} if key else None)
                        said[name].append("OK")
                    except client.InferenceServerException as error:
                        said[name].append(error.status().removeprefix("StatusCode."))
    assert said["nobody"] == ["UNAUTHENTICATED"] * 4 and said["eve"] == ["PERMISSION_DENIED"] * 4
    assert said["ann"] == ["OK"] * 4
    assert said["bob"].count("RESOURCE_EXHAUSTED") >= 1 and set(said["bob"]) <= {"OK", "RESOURCE_EXHAUSTED"}
    told_of = failures(project)
    # A stranger's gRPC message is not even read, and leaves no line; who has a key and may not, does.
    assert told_of[403, "eve", "grpc", "default"] == 4 and told_of[401, "anonymous", "invocations", "default"] == 1
    assert told_of[403, "eve", "invocations", "default"] == 1


def test_what_is_shed_is_logged_with_the_decision_that_let_it_in(project: Path) -> None:
    with serving(project, workers=1, env={"PALIO_SERVE_MAX_HELD_MB": "0.001"}) as server:
        host, _, port = server.url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), timeout=10) as large:
            large.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 1200\r\n\r\n" + b" " * 600)
            time.sleep(0.3)
            large.sendall(b" " * 600)
            assert large.recv(4096).startswith(b"HTTP/1.1 503")
        with wires(server.url, 1) as (wire,):
            assert wire.version(records(project)[0]) == 1
    assert failures(project) == {(503, "anonymous", "predict", "open"): 1}
