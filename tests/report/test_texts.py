"""Texts on the page: the words that answers hang on, and what changes of the texts do."""

from __future__ import annotations

import msgspec
import pytest

from palio.core.records import (
    ReadText,
    Stretch,
    Swap,
    TellingWord,
    TextCheck,
    TextGallery,
    WordCue,
    Wording,
)
from palio.report import ReportFacts
from palio.report.advice import MOST_OF_TEXTS, advise
from palio.report.page import render, summary
from palio.report.texts import checked, marked


def a_wording() -> Wording:
    swap = Swap(
        row_id="1", before="a <b>ship</b>", after="A SHIP", truth="harbour", said_before="harbour", said_after="garden"
    )
    check = TextCheck(
        change="upper case", expected="same", n_tried=100, n_changed=40, low=0.3, high=0.5, n_right_before=90,
        n_right_after=55, passed=False, examples=(swap,), countermeasure="Write all texts in one case.",
    )  # fmt: skip
    denied = msgspec.structs.replace(check, change="denied", expected="other", n_changed=2, low=0.0, high=0.1)
    unasked = msgspec.structs.replace(
        check, change="no accents", n_tried=0, n_changed=0, passed=None, examples=(), countermeasure=""
    )
    cue = WordCue(
        words="sent from my Zentra<script>", label="garden", place="end", moves=True, share_of_class=0.8,
        share_of_others=0.01, n_tried=60, n_moved=41, n_control=2, push=0.4, p_value=1e-9, n_with=50, n_with_right=49,
        n_taken_right=20, examples=(swap,), countermeasure="Take it out of all texts.",
    )  # fmt: skip
    word = TellingWord(
        word="anchor",
        label="harbour",
        n_texts=9,
        share_of_class=0.2,
        share_of_others=0.0,
        n_tried=9,
        drop=0.12,
        n_lost=1,
    )
    read = ReadText(
        row_id="1", text="an anchor & a rose", truth="garden", prediction="harbour", probability=0.93,
        stretches=(Stretch(start=3, end=9, drop=0.3, weight=1.2), Stretch(start=14, end=18, drop=-0.2, weight=-0.9)),
        remedy="Bring more texts of garden.",
    )  # fmt: skip
    return Wording(
        column="note",
        n_rows=300,
        words=(word,),
        cues=(cue,),
        n_tries=1,
        checks=(check, denied, unasked),
        galleries=(TextGallery(kind="surely_wrong", n_rows=12, texts=(read,)),),
        languages={"English": 200, "German": 90, "Dutch": 1},
        empty_answer="garden",
        empty_probability=0.55,
    )


@pytest.fixture
def judged(bank: ReportFacts) -> ReportFacts:
    evaluation = msgspec.structs.replace(bank.evaluation, wordings=(a_wording(),))
    return msgspec.structs.replace(bank, evaluation=evaluation, cases="texts")


def with_wordings(facts: ReportFacts, *wordings: Wording) -> ReportFacts:
    return msgspec.structs.replace(facts, evaluation=msgspec.structs.replace(facts.evaluation, wordings=wordings))


def test_a_cue_of_texts_is_told_in_numbers_with_what_to_do(judged: ReportFacts) -> None:
    page = render(judged).replace("\u00a0", " ")
    assert "Of 60 texts of other classes, 41 are called “garden”" in page
    assert "of their own class: 2" in page
    assert "49 are recognised, and 20 once it is taken out" in page
    assert "Take it out of all texts." in page
    assert "41 are called" in summary(judged)
    assert "<script" not in page


def test_checks_that_failed_stand_with_examples_and_what_to_do(judged: ReportFacts) -> None:
    page = render(judged).replace("\u00a0", " ")
    assert "It answers otherwise though nothing that matters changes: all in capitals (40 of 100 change)." in page
    assert "It answers the same though the meaning changes: denied (“not”) (2 of 100 change)." in page
    assert "a &lt;b&gt;ship&lt;/b&gt;" in page
    assert "Write all texts in one case." in page
    assert "Not asked, since no judged text has what would be changed: Without accents." in page


def test_words_and_languages_are_shown(judged: ReportFacts) -> None:
    page = render(judged).replace("\u00a0", " ")
    assert "anchor</bdi> <small>12</small>" in page
    assert "English (200) and German (90)" in page
    assert "Dutch" not in page
    assert "To a text without a word it answers “garden”, 55 % sure." in page
    assert "Bring more texts of garden." in page


def test_what_the_answer_hangs_on_is_tinted_and_nothing_is_markup() -> None:
    read = a_wording().galleries[0].texts[0]
    assert marked(read) == 'an <mark style="--shade:1.00">anchor</mark> &amp; a rose'


def test_only_what_was_checked_is_said_to_hold() -> None:
    moved, still, _ = (msgspec.structs.replace(one, passed=True) for one in a_wording().checks)
    assert checked((moved, still)) == "All 2 checks passed: its answers stay and change where they should."
    assert checked((moved, moved)) == "All 2 checks passed: its answers stay where they should."
    assert checked((still,)) == "The one check that could be made passed: its answers change where they should."


def test_classes_that_are_all_too_small_to_search_leave_no_others(judged: ReportFacts) -> None:
    few = msgspec.structs.replace(a_wording(), cues=(), n_too_few=len(judged.task.classes))
    page = render(with_wordings(judged, few))
    assert "The classes have too few texts to tell whether a word is there by chance." in page
    assert "in the others" not in page


def test_many_columns_of_texts_leave_room_for_other_advice(judged: ReportFacts) -> None:
    names = ("title", "body", "note")
    many = with_wordings(judged, *(msgspec.structs.replace(a_wording(), column=name) for name in names))
    of_texts = {"Take it out of all texts.", "Write all texts in one case."}
    assert sum(one.do in of_texts for one in advise(many)) == MOST_OF_TEXTS
    assert {one.do for one in advise(many)} > of_texts


def test_a_page_without_texts_has_no_such_section(bank: ReportFacts) -> None:
    assert 'id="texts"' not in render(bank)
