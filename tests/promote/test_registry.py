from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from palio.core.errors import ConflictError, NotFoundError, RefusedError
from palio.core.ids import digest_of
from palio.core.records import Decision, Evaluation, Gate
from palio.promote import approve, decide, record, release, rollback, story
from palio.store import Store, open_store
from palio.testing.racing import put_bundle

from .conftest import comparison, evaluation

Given = Callable[..., dict[str, Any]]
Judge = Callable[..., Decision]


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with open_store(tmp_path, url=url) as opened:
        yield opened


@pytest.fixture
def judge(store: Store, given: Given) -> Judge:
    """Decide on a bundle against the present champion."""

    def make(name: str, *, gain: float = 0.02, **gate: Any) -> Decision:
        bundle = put_bundle(store, name)
        champion = store.promotions.champion("bank")
        scored = evaluation(bundle=bundle, id="")
        scored = msgspec.structs.replace(scored, id=digest_of(scored))
        store.records.put(scored, key=scored.id)
        if champion is None:
            return decide(scored, gate=Gate(**gate), **given(has_champion=False))
        rival = {
            "comparison": comparison(gain, champion=champion.bundle, challenger=bundle),
            "champion_evaluation": evaluation(bundle=champion.bundle),
        }
        return decide(scored, gate=Gate(**gate), **given(**rival))

    return make


def test_a_yes_goes_live_with_its_evidence_and_a_sentence(store: Store, judge: Judge) -> None:
    decision = judge("a")
    promotion = release(store, decision, model="bank", expected=None, actor="ann")
    assert promotion is not None and promotion == store.promotions.champion("bank")
    assert (promotion.version, promotion.bundle, promotion.decision) == (1, decision.challenger, decision.id)
    evidence = msgspec.json.decode(store.blobs.get(promotion.evidence))
    assert msgspec.convert(evidence["decision"], Decision) == decision
    assert msgspec.convert(evidence["evaluation"], Evaluation).id == decision.evaluation
    assert store.records.require(Decision, decision.id[:8]) == decision
    (line,) = store.ledger.events(kind="promote")
    assert line.text.startswith("Version 1 of bank is the first champion. There is no champion yet, so it must beat")
    release(store, judge("b"), model="bank", expected=1)
    assert "in place of version 1. Better than the champion beyond chance" in store.ledger.events()[-1].text
    store.ledger.verify()


def test_releasing_twice_changes_nothing(store: Store, judge: Judge) -> None:
    decision = judge("a")
    first = release(store, decision, model="bank", expected=None)
    head = store.ledger.head()
    assert release(store, decision, model="bank", expected=None) == first
    assert store.ledger.head() == head


@pytest.mark.parametrize(("gain", "gate"), [(-0.02, {}), (0.02, {"approval": "human"})])
def test_what_is_not_a_yes_is_written_down_once_and_nothing_goes_live(
    store: Store, judge: Judge, gain: float, gate: dict[str, Any]
) -> None:
    release(store, judge("a"), model="bank", expected=None)
    decision = judge("b", gain=gain, **gate)
    for _ in range(2):
        assert release(store, decision, model="bank", expected=1) is None
    (line,) = store.ledger.events(kind="promote.decide")
    assert line.subject == decision.id and line.payload["verdict"] == decision.verdict
    assert decision.reasons[0] in line.text
    assert store.records.require(Decision, decision.id) == decision
    champion = store.promotions.champion("bank")
    assert champion is not None and champion.version == 1


def test_a_decision_against_a_champion_of_yesterday_is_refused(store: Store, judge: Judge) -> None:
    early = judge("early")
    release(store, judge("a"), model="bank", expected=None)
    late = judge("late")
    release(store, judge("b"), model="bank", expected=1)
    for decision, expected in ((early, None), (late, 1), (late, 2)):
        with pytest.raises(ConflictError):
            release(store, decision, model="bank", expected=expected)
    assert [line.version for line in store.promotions.history("bank")] == [1, 2]


class TestApproval:
    def test_a_person_approves_and_the_approval_is_a_check(self, store: Store, judge: Judge) -> None:
        waiting = judge("a", approval="human")
        release(store, waiting, model="bank", expected=None)
        approved = approve(store, waiting.id[:10], model="bank", reason="The board agreed.", actor="bob")
        champion = store.promotions.champion("bank")
        assert champion is not None and (champion.decision, champion.actor) == (approved.id, "bob")
        assert approved.verdict == "yes" and approved.id != waiting.id
        assert approved.checks[-1].reason == approved.reasons[0] == "Approved by bob: The board agreed."
        assert not any("must approve" in reason for reason in approved.reasons)
        assert "Approved by bob: The board agreed." in store.ledger.events()[-1].text

    def test_approving_twice_changes_nothing(self, store: Store, judge: Judge) -> None:
        waiting = judge("a", approval="human")
        release(store, waiting, model="bank", expected=None)
        assert approve(store, waiting.id, model="bank") == approve(store, waiting.id, model="bank")
        assert len(store.promotions.history("bank")) == 1

    def test_a_no_cannot_be_approved(self, store: Store, judge: Judge) -> None:
        release(store, judge("a"), model="bank", expected=None)
        refused = judge("b", gain=-0.02)
        release(store, refused, model="bank", expected=1)
        with pytest.raises(RefusedError, match="refused by the gate: Worse than the champion"):
            approve(store, refused.id, model="bank")

    def test_an_approval_that_comes_too_late_is_refused(self, store: Store, judge: Judge) -> None:
        release(store, judge("a"), model="bank", expected=None)
        waiting = judge("b", approval="human")
        release(store, waiting, model="bank", expected=1)
        release(store, judge("c"), model="bank", expected=1)
        with pytest.raises(ConflictError, match="is live now"):
            approve(store, waiting.id, model="bank")

    def test_an_unknown_decision_is_not_found(self, store: Store) -> None:
        with pytest.raises(NotFoundError, match="decision"):
            approve(store, "ab" * 32, model="bank")


class TestRollback:
    @pytest.fixture
    def three(self, store: Store, judge: Judge) -> Store:
        for version, name in enumerate("abc"):
            release(store, judge(name), model="bank", expected=version or None)
        return store

    def test_it_walks_back_step_by_step(self, three: Store) -> None:
        assert rollback(three, "bank", reason="It was slow.", actor="bob").version == 2
        line = three.ledger.events()[-1]
        assert line.kind == "promote.rollback" and line.actor == "bob"
        assert line.text == "Rolled back bank from version 3 to version 2: It was slow."
        restored = rollback(three, "bank")
        champion = three.promotions.champion("bank")
        assert restored.version == 1 and champion is not None and champion.bundle == put_bundle(three, "a")
        with pytest.raises(RefusedError, match="nothing to go back to"):
            rollback(three, "bank")
        three.ledger.verify()

    def test_it_may_name_any_version(self, three: Store) -> None:
        assert rollback(three, "bank", to=1).version == 1
        assert rollback(three, "bank", to=3).version == 3
        with pytest.raises(RefusedError, match="champion already"):
            rollback(three, "bank", to=3)
        with pytest.raises(NotFoundError, match="no version 9") as caught:
            rollback(three, "bank", to=9)
        assert caught.value.hint == "choose one of 1, 2, 3"

    def test_without_a_champion_there_is_nothing_to_roll_back(self, store: Store) -> None:
        with pytest.raises(NotFoundError, match="no champion"):
            rollback(store, "bank")

    def test_after_it_the_next_challenger_meets_the_restored_champion(self, three: Store, judge: Judge) -> None:
        rollback(three, "bank")
        promotion = release(three, judge("d"), model="bank", expected=2)
        assert promotion is not None and (promotion.version, promotion.previous) == (4, 2)

    def test_the_log_reads_like_a_story(self, three: Store, judge: Judge) -> None:
        release(three, judge("worse", gain=-0.1), model="bank", expected=3)
        rollback(three, "bank", reason="complaints")
        told = story(three.ledger.events()).splitlines()
        assert [text[9:].split(" ")[0] for text in told[1:]] == ["Version"] * 3 + ["Refused", "Rolled"]


def test_what_the_champion_rests_on_cannot_be_deleted(store: Store, judge: Judge) -> None:
    promotion = release(store, judge("a"), model="bank", expected=None)
    assert promotion is not None
    for identity in (promotion.bundle, promotion.evidence):
        with pytest.raises(RefusedError, match="cannot be deleted"):
            store.blobs.delete(identity)


def test_a_yes_can_be_written_down_without_going_live(store: Store, judge: Judge) -> None:
    release(store, judge("a"), model="bank", expected=None)
    decision = judge("b")
    for _ in range(2):
        record(store, decision, model="bank", actor="ann")
    assert store.promotions.champion("bank").version == 1  # type: ignore[union-attr]
    (line,) = store.ledger.events(kind="promote.decide")
    assert line.text.startswith("Said yes to challenger") and line.payload["verdict"] == "yes"
    promotion = release(store, decision, model="bank", expected=1)
    assert promotion is not None and (promotion.version, promotion.decision) == (2, decision.id)
