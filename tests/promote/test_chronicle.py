from __future__ import annotations

import datetime as dt

from palio.core.records import Event
from palio.promote import story


def line(minute: int, text: str, *, day: int = 4, actor: str = "ann") -> Event:
    at = dt.datetime(2026, 5, day, 9, minute, tzinfo=dt.UTC)
    return Event(
        sequence=1, at=at, actor=actor, kind="a.b", subject="s", text=text, payload={}, previous_hash="", hash=""
    )


def test_a_story_has_days_times_and_sentences() -> None:
    told = story([line(0, "Read bank.csv."), line(5, "Cut it."), line(1, "Promoted.", day=5)])
    assert told.splitlines() == [
        "Monday 4 May 2026, ann",
        "  09:00  Read bank.csv.",
        "  09:05  Cut it.",
        "",
        "Tuesday 5 May 2026, ann",
        "  09:01  Promoted.",
    ]


def test_where_several_people_acted_each_sentence_names_its_own() -> None:
    told = story([line(0, "Trained."), line(1, "Approved.", actor="bob")])
    assert told.splitlines() == ["Monday 4 May 2026", "  09:00  Trained. (ann)", "  09:01  Approved. (bob)"]


def test_what_repeats_is_told_once_with_its_number() -> None:
    assert "  09:00  Retried. (3 times)" in story([line(n, "Retried.") for n in range(3)])


def test_nothing_in_a_line_can_play_tricks_on_a_terminal() -> None:
    told = story([line(0, "Read \x1b[2Jbank\r\n.csv\u202e.", actor="an\x07n")])
    assert told.splitlines()[1] == "  09:00  Read [2Jbank .csv ." and "\x07" not in told


def test_an_empty_ledger_has_a_story_too() -> None:
    assert story([]) == "Nothing has happened yet."
