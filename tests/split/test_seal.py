"""The seal: test rows come only after a line in the ledger, and not more often than agreed."""

from __future__ import annotations

import pytest

from palio import split
from palio.core.errors import InputError, SealError
from palio.core.records import Parts, Snapshot, Task

from .conftest import Bench, Rows, without


@pytest.fixture
def cut(bench: Bench, make_rows: Rows, yes_no: Task) -> tuple[Snapshot, Parts]:
    snapshot = bench.snapshot(make_rows(400))
    return snapshot, split.cut(bench.store, snapshot, task=yes_no, policy="60-20-20", looks=2)


def test_train_and_validation_are_read_freely(bench: Bench, cut: tuple[Snapshot, Parts]) -> None:
    snapshot, parts = cut
    train = split.read(bench.store, snapshot, parts, "train")
    validation = split.read(bench.store, snapshot, parts, "validation", columns=["x"])
    assert (train.height, validation.shape) == (240, (80, 1))
    assert split.looks(bench.store, parts) == 0


def test_the_test_part_cannot_be_read(bench: Bench, cut: tuple[Snapshot, Parts]) -> None:
    snapshot, parts = cut
    with pytest.raises(SealError, match="sealed") as caught:
        split.read(bench.store, snapshot, parts, "test")
    assert "palio evaluate" in caught.value.hint


def test_a_look_leaves_a_line_before_it_gives_rows(bench: Bench, cut: tuple[Snapshot, Parts]) -> None:
    snapshot, parts = cut
    look = split.open_test(bench.store, snapshot, parts, candidate="a" * 64, why="gate", actor="ada")
    assert look.rows.height == 80
    (event,) = bench.store.ledger.events(kind="evaluate.look")
    assert (event.subject, event.actor) == (parts.test_id, "ada")
    assert event.sequence == look.number
    assert event.payload == {
        "candidate": "a" * 64,
        "why": "gate",
        "parts": parts.id,
        "rows": 80,
        "will_close": False,
    }


def test_repeated_looks_count_and_the_budget_ends(bench: Bench, cut: tuple[Snapshot, Parts]) -> None:
    snapshot, parts = cut
    for _ in range(2):
        split.open_test(bench.store, snapshot, parts, candidate="same", why="same")
    assert split.looks(bench.store, parts) == 2
    with pytest.raises(SealError, match="budget of 2 looks is used up") as caught:
        split.open_test(bench.store, snapshot, parts, candidate="same", why="same")
    assert "looks" in caught.value.hint
    assert split.looks(bench.store, parts) == 2


def test_cutting_again_does_not_renew_the_budget(bench: Bench, cut: tuple[Snapshot, Parts], yes_no: Task) -> None:
    snapshot, parts = cut
    split.open_test(bench.store, snapshot, parts, candidate="c", why="w")
    again = split.cut(bench.store, snapshot, task=yes_no, policy="60-20-20", looks=1)
    assert again.id != parts.id
    with pytest.raises(SealError, match="budget of 1 look is"):
        split.open_test(bench.store, snapshot, again, candidate="c", why="w")


@pytest.mark.parametrize(("candidate", "why"), [("", "gate"), ("c", "  ")])
def test_a_look_needs_a_candidate_and_a_reason(
    bench: Bench, cut: tuple[Snapshot, Parts], candidate: str, why: str
) -> None:
    with pytest.raises(SealError, match="needs a candidate and a reason"):
        split.open_test(bench.store, *cut, candidate=candidate, why=why)
    assert split.looks(bench.store, cut[1]) == 0


def test_parts_of_another_snapshot_are_refused_without_a_look(bench: Bench, cut: tuple[Snapshot, Parts]) -> None:
    snapshot, parts = cut
    foreign = without(parts, snapshot="f" * 64)
    with pytest.raises(InputError, match="they cut snapshot ffff"):
        split.open_test(bench.store, snapshot, foreign, candidate="c", why="w")
    with pytest.raises(InputError, match="they cut snapshot ffff"):
        split.read(bench.store, snapshot, foreign, "train")
    assert split.looks(bench.store, parts) == 0


def test_an_unknown_part_is_refused(bench: Bench, cut: tuple[Snapshot, Parts]) -> None:
    with pytest.raises(InputError, match="part: got `holdout`"):
        split.read(bench.store, *cut, "holdout")


def test_an_interrupted_look_is_gone_on_with_only_by_who_promised_to_close_it(
    bench: Bench, cut: tuple[Snapshot, Parts]
) -> None:
    def look(**how: bool) -> int:
        return split.open_test(bench.store, *cut, candidate="c", why="w", **how).number

    first = look()
    second = look(will_close=True)
    assert look(will_close=True) == second > first
    bench.store.ledger.append("evaluate.score", "e", "Told.", payload={"look": second})
    with pytest.raises(SealError, match="budget of 2 looks"):
        look(will_close=True)
    (resumed,) = bench.store.ledger.events(kind="evaluate.resume")
    assert resumed.payload["look"] == second


def test_a_line_that_was_refused_is_not_gone_on_with(bench: Bench, cut: tuple[Snapshot, Parts]) -> None:
    snapshot, parts = cut
    for _ in range(2):
        split.open_test(bench.store, snapshot, parts, candidate="a", why="w")
    line = {"candidate": "b", "why": "w", "parts": parts.id, "rows": 80, "will_close": True}  # as a racer leaves it
    bench.store.ledger.append("evaluate.look", parts.test_id, "Opened.", payload=line)
    with pytest.raises(SealError, match="budget of 2 looks"):
        split.open_test(bench.store, snapshot, parts, candidate="b", why="w", will_close=True)
    assert bench.store.ledger.events(kind="evaluate.resume") == []
