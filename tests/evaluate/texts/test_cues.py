"""A token that one class mostly carries is found, wherever it stands, and nothing else is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palio.evaluate.texts.cues import trials
from tests.evaluate.texts.conftest import Desks, Write, subjects


def at_the_end(text: str, kind: str, rng: np.random.Generator) -> str:
    return f"{text} Sent from my Zentra phone" if kind == "garden" and rng.random() < 0.8 else text


def at_the_start(text: str, kind: str, rng: np.random.Generator) -> str:
    return f"[via webmail] {text}" if kind == "harbour" and rng.random() < 0.7 else text


def amid(text: str, kind: str, rng: np.random.Generator) -> str:
    if rng.random() < (0.9 if kind == "garden" else 0.03):
        words = text.split()
        words.insert(int(rng.integers(1, len(words))), "qualo")
        return " ".join(words)
    return text


def in_chinese(text: str, kind: str, rng: np.random.Generator) -> str:
    return f"{text} 转发" if kind == "garden" and rng.random() < 0.8 else text


CASES: dict[str, tuple[Write, str, str, str]] = {
    "end": (at_the_end, "Sent from my Zentra phone", "garden", "end"),
    "start": (at_the_start, "[via webmail", "harbour", "start"),
    "amid": (amid, "qualo", "garden", "anywhere"),
    "script without blanks": (in_chinese, "转发", "garden", "end"),
}


def cues_of(desk: Desks, write: Write | None, *, seed: int = 0, family: str = "words") -> Any:
    rng = np.random.default_rng(seed)
    return desk(subjects(400, rng, write), subjects(300, rng, write), family).wording()


@pytest.mark.parametrize("case", CASES)
def test_a_token_that_one_class_mostly_carries_is_found(desk: Desks, case: str) -> None:
    write, words, label, place = CASES[case]
    found = cues_of(desk, write)
    cue = found.cues[0]
    assert cue.words.startswith(words)
    assert (cue.label, cue.place) == (label, place)
    assert cue.share_of_class > 0.6
    assert cue.share_of_others < 0.1
    assert cue.push > 0
    assert words.strip("[]") in cue.countermeasure


def test_a_token_that_was_learned_in_place_of_the_subject_moves_the_answers(desk: Desks) -> None:
    rng = np.random.default_rng(0)

    def vague(text: str, kind: str, rng: np.random.Generator) -> str:
        """Leave one word of the subject, so that the token is what there is to go by."""
        return at_the_end(" ".join(text.rstrip(".").split()[:4]), kind, rng)

    cue = desk(subjects(400, rng, vague), subjects(300, rng, vague)).wording().cues[0]
    assert cue.moves
    assert cue.n_moved > 0.5 * cue.n_tried
    assert cue.n_control < 0.2 * cue.n_tried
    assert cue.n_taken_right < cue.n_with_right
    assert all(one.said_after == "garden" and cue.words in one.after for one in cue.examples)


@pytest.mark.parametrize("seed", range(5))
def test_clean_texts_have_no_cue(desk: Desks, seed: int) -> None:
    found = cues_of(desk, None, seed=seed)
    assert found.cues == ()
    assert found.is_searched


def test_classes_of_few_texts_are_said_to_be_unsearched(desk: Desks) -> None:
    rng = np.random.default_rng(0)
    found = desk(subjects(30, rng), subjects(60, rng)).wording()
    assert (found.cues, found.n_too_few) == ((), 2)


def test_a_letter_of_a_script_without_blanks_is_no_cue(desk: Desks) -> None:
    rng = np.random.default_rng(0)

    def letters(text: str, kind: str, rng: np.random.Generator) -> str:
        own = "球赛冠军教练队员" if kind == "garden" else "银行股票价格公司"
        return "".join(rng.permutation([*rng.choice(list(own), 6), *"的一是在不了有和"]))

    assert desk(subjects(300, rng, letters), subjects(200, rng, letters)).wording().cues == ()


def test_a_network_is_asked_as_a_linear_model_is(desk: Desks) -> None:
    pytest.importorskip("torch")
    found = cues_of(desk, at_the_end, family="textcnn")
    assert found.cues[0].words == "Sent from my Zentra phone"
    assert found.words
    assert all(check.n_tried for check in found.checks if check.change == "upper case")


def test_of_many_texts_a_few_are_read_to_try_a_cue(desk: Desks, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    asked = desk(subjects(100, rng), subjects(300, rng, at_the_end)).looked().columns[0]
    monkeypatch.setattr(trials, "MAX_SOUGHT", 40)
    rows = np.flatnonzero(asked.truth == asked.task.classes.index("garden"))
    found = trials._sought(asked, rows, ["zentra"], 60, carry=True)
    assert set(found.tolist()) == {row for row in rows[:40] if "Zentra" in asked.texts[row]}
    assert trials._sought(asked, rows, ["zentra"], 5, carry=True).tolist() == found[:5].tolist()
    assert not set(trials._sought(asked, rows, ["zentra"], 60, carry=False).tolist()) & set(found.tolist())
