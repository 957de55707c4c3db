"""Swaps and sudden death under load, with two workers and everything from the command line."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from palio import promote
from palio.core.serving import Rule
from palio.serve.traffic.keys import write_rules
from palio.store import open_store
from palio.testing.racing import make_decision
from tests.acceptance.challengers import put_worse, swapped
from tests.acceptance.live import REACH_S, Load, all_say, records, serving, wait_until
from tests.acceptance.test_rollout import logged
from tests.serve.worse_graphs import slow_down

pytestmark = pytest.mark.slow

N_SWAPS = 50


def test_fifty_swaps_under_load_reach_all_workers_and_fail_no_request(project: Path) -> None:
    rows, took = records(project), []
    challenger = put_worse(project, swapped)
    with open_store(project) as store, serving(project) as server, Load(server.url, rows) as load:
        champion = store.promotions.champion("bank")
        assert champion is not None
        promote.release(store, make_decision(challenger, champion.bundle), model="bank", expected=1)
        for number in range(N_SWAPS):
            version = 2 - number % 2
            if number:
                promote.rollback(store, "bank", to=version)
            took.append(all_say(server.url, lambda wire, v=version: wire.version(rows[0]) == v))  # type: ignore[misc]
        load.stop()
    assert load.failed == [] and {answer.version for answer in load.answers} == {1, 2}
    assert max(took) < REACH_S, sorted(took)[-5:]
    by_id = {answer.id: answer for answer in load.answers}
    log = logged(project)
    assert len(set(log["id"])) == len(log["id"])
    mine = [(identity, v, p) for identity, v, p in zip(log["id"], log["version"], log["prediction"], strict=True)]
    assert sum(identity in by_id for identity, *_ in mine) == len(by_id)
    assert all((by_id[i].version, by_id[i].prediction) == (int(v), p) for i, v, p in mine if i in by_id)


def test_rules_that_change_under_load_reach_all_workers_and_fail_nobody_else(project: Path) -> None:
    rows, took = records(project), []
    no_ads = Rule(allow=False, purpose="ads", reason="no consent")
    with open_store(project) as store, serving(project) as server, Load(server.url, rows) as load:
        for number in range(10):
            write_rules(store, "bank", (no_ads, Rule()) if number % 2 == 0 else (Rule(),))
            expected = -403 if number % 2 == 0 else 1
            took.append(
                all_say(server.url, lambda wire, e=expected: wire.version(rows[0]) == e, x_palio_purpose="ads")  # type: ignore[misc]
            )
        load.stop()
    assert load.failed == []
    assert max(took) < REACH_S, sorted(took)


def prefixes(load: Load, since: int) -> set[str]:
    """Tell workers apart by the ids that they give, from the last hundred answers."""
    answers = load.answers[max(since + 20, len(load.answers) - 100) :]
    return {answer.id.partition("-")[0] for answer in answers if answer.status == 200}


def test_what_was_acknowledged_is_in_the_log_whoever_was_killed(project: Path) -> None:
    rows, chance = records(project), random.Random(0)
    env = {"PALIO_LOG_DURABILITY": "fsync"}
    with serving(project, env=env) as server, Load(server.url, rows, clients=6, per_s=300) as load:
        for _ in range(6):
            time.sleep(chance.uniform(0.3, 1.2))
            os.kill(chance.choice(server.workers()), signal.SIGKILL)
            n_before = len(load.answers)
            wait_until(lambda n=n_before: len(prefixes(load, n)) >= 2)  # type: ignore[misc]
        load.stop()
    acknowledged = [answer.id for answer in load.answers if answer.status == 200]
    assert len(acknowledged) > 300 and {answer.status for answer in load.failed} <= {0}
    ids = logged(project)["id"]
    assert len(set(ids)) == len(ids) and len(set(acknowledged)) == len(acknowledged)
    assert set(acknowledged) <= set(ids)


def test_a_server_told_to_stop_under_load_answers_what_it_has_begun(project: Path) -> None:
    rows = records(project)
    champion = put_worse(project, slow_down)
    with open_store(project) as store:
        before = store.promotions.champion("bank")
        assert before is not None
        promote.release(store, make_decision(champion, before.bundle), model="bank", expected=1)
    with serving(project) as server:
        load = Load(server.url, rows)
        with load:
            wait_until(lambda: len(load.answers) > 20)
            server.process.terminate()
            server.process.wait(20)
    # What was refused came too late; what got a connection and was read was answered.
    assert all("ConnectionRefused" in a.error or "RemoteDisconnected" in a.error for a in load.failed), load.failed[:3]
    answered = {answer.id for answer in load.answers if answer.status == 200}
    assert answered <= set(logged(project)["id"]), "the log was written to its end"
