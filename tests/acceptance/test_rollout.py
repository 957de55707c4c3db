"""A rollout on real data, as a team runs it: `palio serve`, `palio serve rollout`, `palio watch`, load all along."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binom

from palio import model
from palio.core.serving import RolloutState
from palio.renew import standing
from palio.store import Layout, open_store, scan_log
from tests.acceptance.challengers import put_worse, swapped
from tests.acceptance.conftest import CHALLENGER
from tests.acceptance.live import Load, all_say, palio, records, serving, wait_until, watching
from tests.serve.worse_graphs import fail_above, slow_down

pytestmark = pytest.mark.slow

PLAN = """
sticky = "request"

[[steps]]
kind = "shadow"

[[steps]]
kind = "analysis"
analysis = { interval_s = 0.5, min_requests = 200, max_error_rate = 0.03, max_disagreement = 0.3 }

[[steps]]
kind = "set_weight"
weight = 0.5

[[steps]]
kind = "analysis"
analysis = { interval_s = 0.5, min_requests = 200, max_error_rate = 0.03 }

[[steps]]
kind = "promote"
"""


def start(folder: Path, *arguments: str, plan: str = PLAN) -> Any:
    (folder / "plan.toml").write_text(plan)
    more = ("--plan", str(folder / "plan.toml"), *arguments)
    return palio(folder, "serve", "rollout", "start", *more, env=CHALLENGER)


def where(folder: Path) -> RolloutState:
    with open_store(folder) as store:
        found = standing(store, "bank")
    assert found is not None
    return found.state


def wait_for_the_end(folder: Path) -> RolloutState:
    """Wait until the rollout is over; a pause is one only a person can end."""
    wait_until(lambda: where(folder).status != "running", within_s=900, every_s=0.2)
    return where(folder)


def logged(folder: Path, kind: Any = "answers") -> dict[str, list[str]]:
    """Read columns of the prediction log."""
    found: dict[str, list[str]] = defaultdict(list)
    for batch in scan_log(Layout(folder).predictions(""), "bank", kind=kind):
        for name in ("id", "role", "version", "prediction", "reason", "status", "decision"):
            if name in batch:
                found[name] += [str(value) for value in batch[name].tolist()]
    return found


def ids_of(log: dict[str, list[str]], role: str) -> list[str]:
    return [identity for identity, mine in zip(log["id"], log["role"], strict=True) if mine == role]


def test_a_good_challenger_takes_over_and_no_request_fails(project: Path) -> None:
    rows = records(project)
    with serving(project) as server, Load(server.url, rows) as load:
        begun = start(project)
        assert begun["rollout"]["challenger"]["version"] == 0
        with watching(project):
            assert wait_for_the_end(project).status == "promoted", (project / "watch.log").read_text()
        all_say(server.url, lambda wire: wire.version(rows[1]) == 2)
        load.stop()
        assert load.failed == []
    log = logged(project)
    shadows, champions = ids_of(log, "shadow"), set(ids_of(log, "champion"))
    assert len(shadows) >= 200 and set(shadows) <= champions
    answered = {answer.id for answer in load.answers}
    assert not answered & (set(shadows) - champions)
    assert answered <= set(log["id"])

    canary = [a for a in load.answers if a.at >= min(b.at for b in load.answers if b.version == 0)]
    canary = [a for a in canary if a.at <= max(b.at for b in load.answers if b.version == 0)]
    by_key: dict[str, list[int]] = defaultdict(list)
    for answer in canary:
        by_key[answer.key].append(answer.version)
    # Workers learn of a step up to half a second apart; what lies between those two is sticky to the letter.
    middle = canary[len(canary) // 4 : len(canary) * 3 // 4]
    assert all(len({a.version for a in middle if a.key == key}) <= 1 for key in by_key)
    share = sum(by_key[key].count(0) > len(by_key[key]) / 2 for key in by_key)
    low, high = binom.interval(0.9999, len(by_key), 0.5)
    assert low <= share <= high, (share, len(by_key))

    story = [event["text"] for event in palio(project, "log")["events"]]
    for sentence in ("Started rollout", "shadows the champion", "answers 50% of", "takes over", "Version 2 of bank"):
        assert any(sentence in line for line in story), (sentence, story)
    with open_store(project) as store:
        store.ledger.verify()


CANARY = """
sticky = "none"

[[steps]]
kind = "set_weight"
weight = 0.5

[[steps]]
kind = "analysis"
analysis = { interval_s = 0.5, min_requests = 30, max_error_rate = 0.03 }

[[steps]]
kind = "promote"
"""


BAD = {
    "worse": (PLAN, swapped, "rows got another answer"),
    "slow": (CANARY, slow_down, "answers took longer than"),
    "failing": (CANARY, lambda graph: fail_above(graph, "age", 100.0), "requests failed"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_challenger_is_rolled_back_by_itself_and_the_ledger_says_why(project: Path, kind: str) -> None:
    plan, spoil, reason = BAD[kind]
    rows = records(project)
    if kind == "failing":  # the golden rows, which a server asks for before anybody else, must not fail
        rows = [row | {"age": 101} if number % 5 == 0 else row for number, row in enumerate(rows)]
    identity = put_worse(project, spoil)
    with serving(project) as server, Load(server.url, rows) as load:
        start(project, "--bundle", identity, plan=plan)
        with watching(project):
            state = wait_for_the_end(project)
        assert state.status == "rolled back" and reason in state.reason, (project / "watch.log").read_text()
        took_s = all_say(server.url, lambda wire: wire.version(rows[1]) == 1)
        n_after = len(load.answers) + 100  # what had begun with the challenger ends with it
        wait_until(lambda: len(load.answers) > n_after + 200)
        load.stop()
        assert {answer.version for answer in load.answers[n_after:]} == {1}
        assert took_s < 2
    log = logged(project)
    assert ids_of(log, "shadow" if kind == "worse" else "challenger")
    if kind == "failing":
        assert {answer.status for answer in load.failed} == {500}
        failures = logged(project, "failures")
        assert set(failures["role"]) == {"challenger"} and set(failures["reason"]) == {"the model failed on these rows"}
    else:
        assert load.failed == []
    assert any("Rolled back" in event["text"] and reason in event["text"] for event in palio(project, "log")["events"])


def test_watchers_and_workers_may_be_killed_at_any_moment(project: Path) -> None:
    rows, chance = records(project), random.Random(0)
    with serving(project) as server, Load(server.url, rows) as load:
        start(project)
        for turn in range(100):
            with watching(project):
                time.sleep(chance.uniform(0.7, 2.5))
            if turn % 3 == 1:
                os.kill(chance.choice(server.workers()), signal.SIGKILL)
            if where(project).status != "running":
                break
        assert where(project).status == "promoted", (project / "watch.log").read_text()
        wait_until(lambda: len(server.workers()) == 2)
        all_say(server.url, lambda wire: wire.version(rows[1]) == 2, within_s=10)
        load.stop()
    assert all(answer.status == 0 for answer in load.failed), "only who was connected to a killed worker"
    assert len(load.failed) <= 4 * (turn // 3 + 1)
    with open_store(project) as store:
        store.ledger.verify()
        assert [line.version for line in store.promotions.history("bank")] == [1, 2]
        lines = store.ledger.events(kind="renew.rollout")
        steps = [line.payload["state"]["step"] for line in lines]
        assert steps == sorted(steps) and [line.kind for line in lines].count("renew.rollout.promote") == 1


def test_a_challenger_that_is_damaged_on_disk_is_refused_and_rolled_back(project: Path) -> None:
    rows = records(project)
    identity = put_worse(project, slow_down)
    with open_store(project) as store:
        graph = store.blobs.local_path(model.load(store, identity).manifest.files["model.onnx"])
    assert graph is not None
    graph.chmod(0o600)
    graph.write_bytes(graph.read_bytes()[:-1])
    with serving(project) as server, Load(server.url, rows) as load:
        start(project, "--bundle", identity, plan=CANARY)
        with watching(project):
            state = wait_for_the_end(project)
        load.stop()
    assert state.status == "rolled back" and "a server refused the challenger: model.onnx" in state.reason, state
    assert load.failed == [] and {answer.version for answer in load.answers} == {1}
