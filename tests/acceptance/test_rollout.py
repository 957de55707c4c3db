"""A rollout on real data, as a team runs it: `palio serve`, `palio serve rollout`, `palio watch`, and load all along."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binom

from palio.core.serving import RolloutState
from palio.renew import standing
from palio.store import Layout, open_store, scan_log
from tests.acceptance.live import Load, all_say, palio, records, serving, wait_until, watching

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
    return palio(folder, "serve", "rollout", "start", "--plan", str(folder / "plan.toml"), *arguments)


def where(folder: Path) -> RolloutState:
    with open_store(folder) as store:
        found = standing(store, "bank")
    assert found is not None
    return found.state


def wait_for_the_end(folder: Path) -> RolloutState:
    """Wait until the rollout is over; a pause is one only a person can end."""
    wait_until(lambda: where(folder).status != "running", within_s=120, every_s=0.2)
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
        all_say(server.url, lambda wire: wire.predict(rows[0])[1]["predictions"][0]["version"] == 2)
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
