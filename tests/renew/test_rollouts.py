from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from palio.core.errors import ConflictError, InputError, NotFoundError, PalioError, RefusedError
from palio.core.ids import digest
from palio.core.records import Comparison, Decision, Metric
from palio.core.serving import HeaderRoute, Observations, Rollout, RolloutState, Step
from palio.promote import approve
from palio.renew import RolloutPlan, act, approved_decision, read_rollout, standing, start, usual_plan, watch_once
from palio.renew import watching as watching_module
from palio.serve.traffic.plan import PlanReader, read_plan
from palio.store import Store, open_store
from palio.testing.racing import Place, make_decision, promote, put_bundle, race

from .conftest import BEGIN, at, observations, seen_role
from .test_observing import Log


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with open_store(tmp_path, url=url) as opened:
        yield opened


def decide(store: Store, name: str = "challenger", verdict: str = "yes") -> Decision:
    """Put a challenger, and let the gate say `verdict` to it against the present champion."""
    champion = store.promotions.champion("bank")
    if champion is None:
        champion = promote(store, put_bundle(store, "champion"), expected=None)
    decision = make_decision(put_bundle(store, name), champion.bundle)
    decision = msgspec.structs.replace(decision, verdict=verdict, id=decision.id[:-3] + f"{len(verdict):03}")
    store.records.put(decision, key=decision.id)
    return decision


def quick(*steps: Step) -> RolloutPlan:
    return RolloutPlan(steps=steps or (Step(kind="shadow"), Step(kind="set_weight", weight=0.5), Step(kind="pause")))


def test_a_rollout_sets_what_the_servers_do(store: Store) -> None:
    decision, reader = decide(store), PlanReader(store, "bank")
    before = reader.read()
    assert before.challenger is None and before.mode == "off" and reader.read() is before
    begun = start(store, "bank", decision, quick())
    assert read_plan(store, "bank").mode == "off", "nothing has been done yet"
    said = watch_once(store, Log(), "bank").said
    assert len(said) == 3
    plan = reader.read()
    assert plan.challenger is not None and plan.challenger.bundle == decision.challenger
    assert (plan.mode, plan.weight, plan.rollout, plan.sticky) == ("canary", 0.5, begun.rollout.id, "request")
    act(store, "bank", "abort", reason="enough", actor="ann")
    assert reader.read().challenger is None
    assert standing(store, "bank").state.reason == "enough"  # type: ignore[union-attr]


def test_the_default_rollout_promotes_what_is_good(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    decision, now = decide(store), [0.0]
    start(store, "bank", decision, clock=lambda: BEGIN)
    looks: list[str] = []

    def see(log: object, *, mode: str, since: dt.datetime, until: dt.datetime, tasks: object) -> Observations:
        looks.append(mode)
        return observations()

    monkeypatch.setattr(watching_module, "observe", see)
    for _ in range(5):
        watch_once(store, Log(), "bank", clock=lambda: at(now[0]))
        now[0] += 60
    champion = store.promotions.champion("bank")
    assert champion is not None and (champion.version, champion.decision) == (2, decision.id)
    assert looks == ["shadow", "canary", "canary", "canary"]
    found = standing(store, "bank")
    assert found is not None and found.is_over and found.state.status == "promoted"
    assert read_plan(store, "bank").challenger is None
    assert "It is version 2." in store.ledger.events(kind="renew.rollout.promote")[0].text
    assert watch_once(store, Log(), "bank").said == (), "and nothing more is done"


def test_a_bad_challenger_is_rolled_back_and_the_ledger_says_why(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    start(store, "bank", decide(store), clock=lambda: BEGIN)
    bad = observations(challenger=seen_role(3000, n_errors=600))
    monkeypatch.setattr(watching_module, "observe", lambda *_, **__: bad)
    for seconds in (0, 60):
        watch_once(store, Log(), "bank", clock=lambda seconds=seconds: at(seconds))
    assert read_plan(store, "bank").challenger is None
    (line,) = store.ledger.events(kind="renew.rollout.rollback")
    assert "600 of 3,000 requests failed" in line.text
    assert store.promotions.champion("bank").version == 1  # type: ignore[union-attr]


def test_the_challenger_of_a_rollout_cannot_be_deleted_until_it_is_over(store: Store) -> None:
    decision = decide(store)
    start(store, "bank", decision, quick())
    assert "the challenger of model bank" in store.live()[decision.challenger]
    for identity in (decision.challenger, digest(b"model.onnx of challenger")):
        with pytest.raises(RefusedError, match="challenger of model bank in rollout"):
            store.blobs.delete(identity)
    act(store, "bank", "pause")
    with pytest.raises(RefusedError, match="challenger"):
        store.blobs.delete(decision.challenger)
    act(store, "bank", "abort")
    store.blobs.delete(decision.challenger)
    with pytest.raises(NotFoundError, match="it is not in"):
        start(store, "bank", decision, quick())


def test_a_challenger_that_a_server_refuses_is_rolled_back(store: Store) -> None:
    decision = decide(store)
    store.ledger.append("serve.refuse", decision.challenger, "An old story.", payload={"why": "an old story"})
    start(store, "bank", decision, quick(Step(kind="shadow"), Step(kind="analysis")))
    watch_once(store, Log(), "bank")
    assert standing(store, "bank").state.status == "running"  # type: ignore[union-attr]
    store.ledger.append("serve.refuse", decision.challenger, "It is damaged.", payload={"why": "it is damaged"})
    (said,) = watch_once(store, Log(), "bank").said
    assert said.startswith("Rolled back") and said.endswith("a server refused the challenger: it is damaged.")
    assert read_plan(store, "bank").challenger is None


def test_only_what_is_surely_better_on_the_newest_rows_may_answer_otherwise_than_the_champion(store: Store) -> None:
    def newest(low: float, surely: float | None = None) -> Comparison:
        difference = Metric(value=low + 0.1, low=low, high=low + 0.2, n_rows=60)
        same: dict[str, Any] = {"champion": "a", "challenger": "b", "part": "test", "n_rows": 60, "metric": "ap"}
        return Comparison(**same, difference=difference, p_better=1.0, differences={}, surely=surely)

    decision = decide(store)
    assert usual_plan(decision) == RolloutPlan()
    for low, surely, is_free in ((0.1, None, True), (-0.1, None, False), (0.1, -0.01, False), (-0.01, 0.01, True)):
        plan = usual_plan(msgspec.structs.replace(decision, newest=newest(low, surely)))
        limits = [one.analysis.max_prediction_drift for one in plan.steps if one.analysis is not None]
        assert len(limits) == 4 and all(one > 100 for one in limits) is is_free
        assert [one.kind for one in plan.steps] == [one.kind for one in RolloutPlan().steps]


def test_one_rollout_at_a_time(store: Store) -> None:
    start(store, "bank", decide(store), quick())
    with pytest.raises(ConflictError, match="under way"):
        start(store, "bank", decide(store, "another"), quick())
    act(store, "bank", "abort")
    start(store, "bank", decide(store, "another"), quick())


@pytest.mark.parametrize("verdict", ["no", "needs_approval"])
def test_nothing_goes_past_the_gate(store: Store, verdict: str) -> None:
    decision = decide(store, verdict=verdict)
    with pytest.raises(RefusedError, match="nothing to roll out"):
        start(store, "bank", decision)
    with pytest.raises(RefusedError, match="has not said yes"):
        approved_decision(store, "bank", decision.challenger[:8])


def test_an_approved_decision_may_be_rolled_out(store: Store) -> None:
    waiting = decide(store, verdict="needs_approval")
    approved = approve(store, waiting.id, model="bank", release=False, actor="ann")
    assert store.promotions.champion("bank").version == 1  # type: ignore[union-attr]
    assert approved_decision(store, "bank") == approved
    assert start(store, "bank", approved).rollout.decision == approved.id


def test_an_older_yes_does_not_outweigh_a_newer_no(store: Store) -> None:
    decide(store)
    decide(store, verdict="no")
    with pytest.raises(RefusedError, match="has not said yes"):
        approved_decision(store, "bank")


def test_a_rollout_without_a_decision_cannot_promote(store: Store) -> None:
    begun = start(store, "bank", decide(store), quick(Step(kind="set_weight", weight=1.0), Step(kind="promote")))
    forged = msgspec.structs.replace(begun.rollout, id="forged", decision="0" * 64)
    store.records.put(forged, key="forged")
    store.ledger.append_after(
        "renew.rollout.look", "bank", "Forged.", family="renew.rollout", after=begun.line,
        payload={"state": msgspec.structs.replace(begun.state, rollout="forged")},
    )  # fmt: skip
    watched = watch_once(store, Log(), "bank")
    assert watched.standing is not None and watched.standing.state.status == "paused"
    assert "no yes of the gate" in watched.said[-1]
    with pytest.raises(RefusedError, match="no yes of the gate"):
        act(store, "bank", "promote")
    assert store.promotions.champion("bank").version == 1  # type: ignore[union-attr]


def test_a_champion_that_changes_ends_the_rollout(store: Store) -> None:
    start(store, "bank", decide(store), quick())
    watch_once(store, Log(), "bank")
    promote(store, put_bundle(store, "third"), expected=1)
    plan = read_plan(store, "bank")
    assert plan.challenger is None and plan.champion is not None and plan.champion.version == 2
    act(store, "bank", "resume")
    watched = watch_once(store, Log(), "bank")
    assert watched.standing is not None and watched.standing.state.status == "aborted"
    assert "champion changed meanwhile: it is version 2 now" in watched.said[0]


def test_killed_between_promotion_and_line_the_next_watcher_writes_the_line(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(store, "bank", decide(store), quick(Step(kind="set_weight", weight=0.5), Step(kind="promote")))

    def die(*_: object, **given: object) -> None:
        if given["kind"] == "promote":
            raise KeyboardInterrupt
        genuine(*_, **given)  # type: ignore[arg-type]

    genuine = watching_module.write_state
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(watching_module, "write_state", die)
        watch_once(store, Log(), "bank")
    assert store.promotions.champion("bank").version == 2  # type: ignore[union-attr]
    watched = watch_once(store, Log(), "bank")
    assert watched.standing is not None and watched.standing.state.status == "promoted"
    assert len(store.promotions.history("bank")) == 2


def test_who_aborts_while_it_is_decided_to_promote_is_heard(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    decision = decide(store)
    start(store, "bank", decision, quick(Step(kind="set_weight", weight=0.5), Step(kind="promote")))
    real = watching_module.judge

    def judge(*given: Any) -> Any:
        found = real(*given)
        if found[0].status == "promoted":
            act(store, "bank", "abort", reason="enough")
        return found

    monkeypatch.setattr(watching_module, "judge", judge)
    found = watch_once(store, Log(), "bank").standing
    champion = store.promotions.champion("bank")
    assert found is not None and champion is not None
    assert (found.state.status, champion.version) == ("aborted", 1)


@pytest.mark.parametrize("action", ["abort", "pause"])
def test_what_is_promoted_already_cannot_be_held_up(store: Store, action: Any) -> None:
    decision = decide(store)
    begun = start(store, "bank", decision, quick(Step(kind="set_weight", weight=0.5), Step(kind="promote")))
    watching_module.carry_out(store, begun.rollout)  # and the watcher is killed before it says so
    with pytest.raises(RefusedError, match="champion already, as version 2") as caught:
        act(store, "bank", action)
    assert "palio rollback" in caught.value.hint
    found = watch_once(store, Log(), "bank").standing
    assert found is not None and found.state.status == "promoted"


def test_people_may_pause_resume_and_promote(store: Store) -> None:
    start(store, "bank", decide(store), quick())
    watch_once(store, Log(), "bank")
    with pytest.raises(RefusedError, match="paused already"):
        act(store, "bank", "pause")
    act(store, "bank", "resume")
    assert standing(store, "bank").state.step == 3  # type: ignore[union-attr]
    act(store, "bank", "pause", reason="lunch.")
    assert read_plan(store, "bank").weight == 0.5, "who was answered by the challenger still is"
    act(store, "bank", "promote", reason="it is good", actor="ann")
    assert store.promotions.champion("bank").version == 2  # type: ignore[union-attr]
    with pytest.raises(NotFoundError, match="no rollout is under way"):
        act(store, "bank", "abort")


def test_without_a_champion_there_is_nothing_to_take_over(store: Store) -> None:
    with pytest.raises(NotFoundError, match="no champion"):
        start(store, "bank", make_decision("b" * 64))


PLAN = """
sticky = "caller"
[[headers]]
header = "x-tester"
value = "yes"
[[steps]]
kind = "set_weight"
weight = 0.1
[[steps]]
kind = "analysis"
analysis = { min_requests = 500, max_disagreement = 0.02 }
[[steps]]
kind = "promote"
"""


def test_a_plan_is_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(PLAN)
    plan = read_rollout(tmp_path / "plan.toml")
    assert plan.sticky == "caller" and plan.headers == (HeaderRoute(header="x-tester", value="yes"),)
    assert plan.steps[1].analysis is not None and plan.steps[1].analysis.min_requests == 500
    (tmp_path / "plan.json").write_bytes(msgspec.json.encode(plan))
    assert read_rollout(tmp_path / "plan.json") == plan


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ('kind = "promote"', "not valid|Invalid|expected"),
        ("weight = 0.1\nwieght = 1", "unknown key `wieght`"),
        ("weight = 7", "allowed is above 0 to 1"),
        ("weight = 0.1\nduration_s = 5", "only a pause"),
        ("weight = 0.1\n[[steps]]\nkind = 'promote'", "steps follow it"),
        ("weight = 0.1\n[[steps]]\nkind = 'analysis'\nanalysis = { interval_s = -1 }", "`interval_s`: got -1"),
        ("weight = 0.1\n[[steps]]\nkind = 'analysis'\nanalysis = { interval = 1 }", "unknown key `interval`"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused_with_the_step(tmp_path: Path, changed: str, says: str) -> None:
    (tmp_path / "plan.toml").write_text(PLAN.replace("weight = 0.1", changed))
    with pytest.raises(InputError, match=says) as caught:
        read_rollout(tmp_path / "plan.toml")
    assert caught.value.hint and "plan.toml" in caught.value.message


def test_an_analysis_of_nothing_and_no_steps_are_refused(store: Store) -> None:
    decision = decide(store)
    for plan in (RolloutPlan(steps=()), RolloutPlan(steps=(Step(kind="analysis"),))):
        with pytest.raises(InputError):
            start(store, "bank", decision, plan)


def _start(place: Place, name: str) -> str:
    with place.open() as store:
        return start(store, "bank", decide(store, name), quick()).rollout.id


def _watch(place: Place) -> int:
    with place.open() as store:
        return len(watch_once(store, Log(), "bank").said)


def test_of_rollouts_that_race_one_starts(tmp_path: Path) -> None:
    place = Place(tmp_path)
    with place.open() as store:
        decide(store)
    results = race(_start, [(place, f"challenger {n}") for n in range(5)])
    assert results.count("ConflictError") == 4


def test_watchers_who_race_take_each_step_once(tmp_path: Path) -> None:
    place = Place(tmp_path)
    weights = tuple(Step(kind="set_weight", weight=n / 10) for n in range(1, 10))
    with place.open() as store:
        start(store, "bank", decide(store), RolloutPlan(steps=(*weights, Step(kind="promote"))))
    results = race(_watch, [(place,)] * 5)
    assert sum(results) == 10, "one sentence for each step, whoever took it"
    with place.open() as store:
        states = [msgspec.convert(e.payload["state"], RolloutState) for e in store.ledger.events(kind="renew.rollout")]
        assert [state.step for state in states] == list(range(11))
        assert len(store.promotions.history("bank")) == 2
        assert len(store.records.all(Rollout)) == 1


def test_every_refusal_says_what_to_do(store: Store) -> None:
    for action in ("pause", "resume", "abort", "promote"):
        with pytest.raises(PalioError) as caught:
            act(store, "bank", action)  # type: ignore[arg-type]
        assert caught.value.hint
