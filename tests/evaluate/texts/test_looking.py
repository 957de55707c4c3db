"""What is told of texts: telling words, checks of behaviour, single answers, slices by language and subject."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from palio.core.ids import canonical_json
from palio.evaluate.texts import topics as topics_of
from palio.evaluate.texts.checks import are_opinions
from palio.evaluate.texts.checks.changes import CHANGES, OF_OPINION
from palio.evaluate.texts.galleries import occlusion
from palio.evaluate.texts.languages import language
from palio.evaluate.texts.spans import places_of, spans, without, words_in
from palio.evaluate.texts.topics import topics
from tests.evaluate.texts.conftest import SUBJECTS, Desks, subjects

GOOD, BAD = ("good", "great", "wonderful"), ("bad", "terrible", "awful")


def reviews(n: int, rng: np.random.Generator) -> pl.DataFrame:
    rows = []
    for at in range(n):
        word = rng.choice(GOOD if at % 2 else BAD)
        rows.append((f"This {rng.choice(['film', 'play', 'book'])} is {word} for {rng.integers(3, 99)} people", at % 2))
    kinds = [("bad", "good")[kind] for _, kind in rows]
    return pl.DataFrame({"note": [text for text, _ in rows], "kind": kinds})


def test_telling_words_are_those_of_the_subject(desk: Desks) -> None:
    rng = np.random.default_rng(0)
    found = desk(subjects(400, rng), subjects(300, rng)).wording()
    for label, own in SUBJECTS.items():
        words = [one.word for one in found.words if one.label == label]
        assert len(words) >= 5
        assert set(words) <= set(own)
    assert all(one.share_of_class > one.share_of_others for one in found.words)


def test_a_model_of_opinions_that_ignores_denial_is_told_so(desk: Desks) -> None:
    rng = np.random.default_rng(0)
    found = desk(reviews(300, rng), reviews(200, rng)).wording()
    checks = {one.change: one for one in found.checks}
    assert checks["denied"].expected == "other"
    assert checks["denied"].passed is False
    assert "not " in checks["denied"].examples[0].after
    assert checks["denied"].countermeasure
    assert checks["opposite words"].passed is True
    assert checks["upper case"].passed is True
    assert checks["no accents"].n_tried == 0


def test_what_should_not_matter_and_does_is_told_with_examples(desk: Desks) -> None:
    rng = np.random.default_rng(0)

    def by_name(text: str, kind: str, rng: np.random.Generator) -> str:
        who = rng.choice(["Petra", "Sabine"] if kind == "garden" else ["Carlos", "Juan"])
        return f"{who} writes {' '.join(text.split()[:2])}"

    found = desk(subjects(400, rng, by_name), subjects(300, rng, by_name)).wording()
    check = next(one for one in found.checks if one.change == "other names")
    assert check.passed is False
    assert check.n_changed > 0.1 * check.n_tried
    assert check.examples[0].said_before != check.examples[0].said_after
    assert "placeholder" in check.countermeasure


def test_sure_mistakes_say_what_misled_and_what_to_do(desk: Desks) -> None:
    rng = np.random.default_rng(0)
    judged = subjects(300, rng)
    wrong = judged.with_columns(
        pl.when(pl.int_range(pl.len()) < 4)
        .then(pl.col("kind").replace({"garden": "harbour", "harbour": "garden"}))
        .otherwise("kind")
        .alias("kind")
    )
    found = desk(subjects(400, rng), wrong).wording()
    gallery = next(one for one in found.galleries if one.kind == "surely_wrong")
    assert gallery.n_rows >= 3
    for one in gallery.texts:
        best = max(one.stretches, key=lambda stretch: stretch.weight)
        assert one.text[best.start : best.end].lower() in SUBJECTS[one.prediction]
        assert "It goes by" in one.remedy


def test_a_text_of_which_a_twin_was_learned_with_the_other_label_is_suspected(desk: Desks) -> None:
    rng = np.random.default_rng(0)
    learned, judged = subjects(400, rng), subjects(300, rng)
    twin = learned.head(1).with_columns(pl.lit("harbour").alias("kind"))
    found = desk(learned, pl.concat([twin, judged])).wording()
    gallery = next(one for one in found.galleries if one.kind == "surely_wrong")
    assert any("one of the two labels is wrong" in one.remedy for one in gallery.texts)


def test_long_texts_are_shown_where_the_answer_lies(desk: Desks) -> None:
    rng = np.random.default_rng(0)
    judged = subjects(24, rng).with_columns(pl.lit("the a of and " * 300).alias("pad"))
    judged = judged.select(pl.concat_str("pad", "note").alias("note"), "kind")
    found = desk(subjects(400, rng), judged).wording()
    shown = next(one for one in found.galleries if one.kind == "right").texts
    assert all(one.is_cut and len(one.text) <= 320 for one in shown)
    assert all(set(one.text.lower().strip(".").split()) & set(SUBJECTS[one.truth]) for one in shown)


def test_a_slow_model_is_asked_about_few_stretches_of_a_text(desk: Desks) -> None:
    rng = np.random.default_rng(0)
    asked = desk(subjects(100, rng), subjects(100, rng)).looked().columns[0]
    assert len(occlusion(asked, 0)) == 16  # fifteen words and a full stop
    slow = replace(asked, deadline=time.monotonic() + 60, pace=100.0)
    assert len(occlusion(slow, 0)) == 8


def test_what_there_is_no_time_for_is_left_out_and_said(desk: Desks) -> None:
    rng = np.random.default_rng(0)
    found = desk(subjects(400, rng), subjects(300, rng)).wording(deadline=time.monotonic() - 60)
    assert found.galleries
    assert found.n_rows == 300


def test_the_same_texts_give_the_same_findings(desk: Desks) -> None:
    rng = np.random.default_rng(0)
    made = desk(subjects(200, rng), subjects(100, rng))
    assert canonical_json(made.wording()) == canonical_json(made.wording())


def test_slices_by_language_and_subject_are_cut(desk: Desks) -> None:
    rng = np.random.default_rng(0)

    def translated(text: str, kind: str, rng: np.random.Generator) -> str:
        return f"Das ist nicht der und die mit {text} auch auf ein" if rng.random() < 0.4 else f"This is not the {text}"

    segments = desk(subjects(400, rng), subjects(300, rng, translated)).looked().segments
    told = {segment.condition: segment.rows for segment in segments}
    assert told["in German"].sum() > 60
    assert told["in English"].sum() > 60
    assert any(condition.startswith("about ") for condition in told)


def test_what_no_words_set_apart_is_about_other_things() -> None:
    rng = np.random.default_rng(0)
    names = ["".join(chr(97 + int(at)) for at in rng.integers(0, 26, 8)) for _ in range(120)]
    texts = [*subjects(200, rng).get_column("note").to_list(), *names]  # each of these is a word of its own
    told = {one.condition: one.rows for one in topics("note", texts)}
    others = told.pop("about other things")
    assert not others[:200].any()
    assert len(told) >= 2
    for condition, rows in told.items():
        words = set(condition.removeprefix("about ").split(", "))
        held = [bool(words & words_in(text)) for text in texts]
        assert np.mean(np.array(held)[rows]) >= topics_of.LEAST_NAMED


def test_the_words_of_many_long_texts_are_read_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    texts = subjects(200, rng).get_column("note").to_list()
    lengths: list[int] = []
    monkeypatch.setattr(topics_of, "MOST_READ", 200 * 600)
    monkeypatch.setattr(topics_of, "spans", lambda text: lengths.append(len(text)) or spans(text))
    topics("note", [text * 100 for text in texts])
    assert set(lengths) == {600}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("The train was late and I did not get a seat on it.", "English"),
        ("Der Zug war zu spät und ich habe keinen Platz mehr bekommen.", "German"),
        ("Le train était en retard et je n'ai pas eu de place dans la voiture.", "French"),
        ("El tren llegó tarde y no había un asiento para mí en el vagón.", "Spanish"),
        ("火车晚点了，我没有座位。", "Chinese"),
        ("電車が遅れて、席がありませんでした。", "Japanese"),
        ("Поезд опоздал", "Cyrillic"),
        ("I will come tomorrow di", "unknown"),
        ("Si si. Ok ok ok!", "unknown"),
        ("👍👍", "unknown"),
        ("", "unknown"),
        ("ok", "unknown"),
    ],
)
def test_the_language_is_told_by_script_and_common_words(text: str, told: str) -> None:
    assert language(text) == told


@pytest.mark.parametrize(
    "text", ["", " ", "a", "😀", "漢字", "x" * 50_000, "<b>HTML</b>\n\n", "e\u0301te\u0301", "\ud800 x"]
)
def test_every_change_takes_every_text(text: str) -> None:
    rng = np.random.default_rng(0)
    for change in (*CHANGES, *OF_OPINION):
        assert isinstance(change.make(text, rng), str)


def test_classes_are_opinions_where_good_and_bad_words_part_them() -> None:
    texts = ["a good day", "a bad day"] * 40
    assert are_opinions(texts, np.arange(80) % 2)
    assert not are_opinions(texts, np.arange(80) // 2 % 2)
    assert not are_opinions(["a ship", "a rose"] * 40, np.arange(80) % 2)


def test_words_are_taken_out_and_found_as_they_are_written() -> None:
    text = "Buy NOW, buy now! 東京"
    assert [text[span.start : span.end] for span in spans(text)] == ["Buy", "NOW", ",", "buy", "now", "!", "東", "京"]
    assert without(text, places_of(text, ["buy", "now"])) == ", ! 東京"


def test_what_there_was_no_time_for_is_told(desk: Desks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("palio.evaluate.texts.looking.LEAST_S", 0.0)
    rng = np.random.default_rng(0)
    asked = desk(subjects(300, rng), subjects(200, rng))
    found = asked.wording(deadline=time.monotonic())
    assert not found.is_searched
    assert len(found.left_out) == 4
    assert not asked.wording().left_out


def test_it_is_told_which_texts_are_not_read_to_their_end(desk: Desks) -> None:
    rng = np.random.default_rng(0)

    def long(text: str, _: str, rng: np.random.Generator) -> str:
        return text + " and then some more" * (1_200 if rng.random() < 0.5 else 1)

    found = desk(subjects(200, rng), subjects(100, rng, long)).wording()
    assert 25 <= found.n_cut <= 75
    assert found.reads == "20,000 characters"
    assert desk(subjects(200, rng), subjects(100, rng)).wording().n_cut == 0


def test_a_slow_model_is_asked_about_few_texts_at_once(desk: Desks) -> None:
    rng = np.random.default_rng(0)
    asked = desk(subjects(200, rng), subjects(60, rng)).looked().columns[0]
    assert [replace(asked, pace=pace).at_once for pace in (0.0, 0.1, 5.0)] == [64, 10, 4]
