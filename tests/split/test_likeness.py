"""Near copies of texts stay together, whatever was done to them; other texts do not."""

from __future__ import annotations

import msgspec
import numpy as np
import polars as pl
import pytest

from palio import data, split
from palio.core.records import Column, Parts, Schema, Task
from palio.split.likeness import first_alike, signs_of
from tests.split.conftest import Bench

WORDS = [f"{a}{b}{c}" for a in "bdfgklm" for b in ("ar", "el", "in", "ot") for c in ("a", "en", "is", "op")]
TASK = Task(kind="classification", target="y", classes=("a", "b"), positive="b")


def sentence(rng: np.random.Generator, n: int = 20) -> list[str]:
    return [str(word) for word in rng.choice(WORDS, n)]


CHANGES = {
    "capitals": lambda words: [word.upper() for word in words],
    "blanks": lambda words: ["", *words, "", "\n"],
    "signs": lambda words: [word + "," for word in words],
    "one word": lambda words: [*words[:7], "other", *words[8:]],
    "an end": lambda words: [*words, "sent", "again"],
    "a beginning": lambda words: ["Re:", *words],
    "cut": lambda words: words[:-2],
}


@pytest.mark.parametrize("change", sorted(CHANGES))
def test_a_text_that_was_changed_a_little_is_found(change: str) -> None:
    rng = np.random.default_rng(0)
    texts = [sentence(rng) for _ in range(200)]
    first = first_alike(*signs_of(" ".join(words) for words in [*texts, *map(CHANGES[change], texts)]))
    assert (first[:200] == np.arange(200)).all()
    assert (first[200:] == np.arange(200)).mean() >= 0.97


def test_only_the_digits_of_numbers_may_differ() -> None:
    texts = [f"your order number {n} was sent to the house at {n % 7} o clock sharp" for n in (17, 2_300)]
    assert first_alike(*signs_of(texts)).tolist() == [0, 0]


def test_texts_of_one_subject_are_no_copies_and_short_ones_never_are() -> None:
    rng = np.random.default_rng(1)
    texts = [" ".join(rng.choice(WORDS[:30], 15)) for _ in range(1_000)]
    first = first_alike(*signs_of(texts))
    assert (first != np.arange(1_000)).sum() <= 1
    assert first_alike(*signs_of(["thanks a lot"] * 3 + ["", " "])).tolist() == [0, 1, 2, 3, 4]


def test_later_texts_change_nothing_for_earlier_ones() -> None:
    rng = np.random.default_rng(2)
    texts = [" ".join(sentence(rng, 12)) for _ in range(60)]
    texts += [text.upper() for text in texts[::2]]
    texts = [texts[at] for at in rng.permutation(len(texts))]
    whole = first_alike(*signs_of(texts))
    assert first_alike(*signs_of(texts[:50])).tolist() == whole[:50].tolist()


def table(n: int, *, n_copies: int = 3, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(n):
        words, label = sentence(rng), str(rng.choice(["a", "b"]))
        rows += [(" ".join([*words, str(rng.integers(10**6))]), label) for _ in range(n_copies)]
    return pl.DataFrame(rows, schema=["note", "y"], orient="row")


def snapshot_of(bench: Bench, frame: pl.DataFrame) -> data.Snapshot:
    schema = Schema(
        columns=(Column(name="note", type="text"), Column(name="y", type="category", feature=False)), target="y"
    )
    bench.n_made += 1
    file = bench.folder / f"texts-{bench.n_made}.parquet"
    frame.write_parquet(file)
    return data.ingest(data.open_source(str(file)), store=bench.store, schema=schema)


def parts_of(bench: Bench, parts: Parts) -> np.ndarray:
    return bench.assignment(parts).reshape(-1, 3)


def test_near_copies_are_in_one_part_and_one_fold_and_it_is_told(bench: Bench) -> None:
    frame = table(120)
    snapshot = snapshot_of(bench, frame)
    parts = split.cut(bench.store, snapshot, task=TASK)
    placed = parts_of(bench, parts)
    assert (placed == placed[:, :1]).all()
    assert any("240 texts nearly repeat an earlier one" in warning for warning in parts.warnings)
    fold = np.zeros(frame.height, int)
    for number, (_, valid) in enumerate(split.folds(frame, parts, TASK, schema=snapshot.schema)):
        fold[valid] = number
    assert (fold.reshape(-1, 3) == fold.reshape(-1, 3)[:, :1]).all()


def test_rows_keep_their_part_when_copies_come_later(bench: Bench) -> None:
    frame = table(150)
    early = pl.concat([frame[::3], frame[1::3][:20]])
    parts = split.cut(bench.store, snapshot_of(bench, early), task=TASK)
    later = split.cut(bench.store, snapshot_of(bench, pl.concat([early, frame[2::3]])), task=TASK, previous=parts)
    before, after = bench.assignment(parts), bench.assignment(later)
    assert (after[: early.height] == before).all()
    assert (after[early.height :] == before[:150]).all()


def test_a_cut_that_has_parted_copies_is_kept(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = snapshot_of(bench, table(120))
    with monkeypatch.context() as patched:
        patched.setattr("palio.split.likeness.MOST_TEXTS", 10)
        parts = split.cut(bench.store, snapshot, task=TASK)
    assert any("not compared" in warning for warning in parts.warnings)
    assert (parts_of(bench, parts) != parts_of(bench, parts)[:, :1]).any()
    again = split.cut(bench.store, snapshot, task=TASK, previous=msgspec.structs.replace(parts))
    assert (bench.assignment(again) == bench.assignment(parts)).all()
    assert any("stay where an earlier cut put them" in warning for warning in again.warnings)


def test_a_template_is_no_copy(bench: Bench) -> None:
    rng = np.random.default_rng(0)
    notes = [f"the parcel with the number {n} was left at the door of house {n} on day {n}" for n in range(300)]
    frame = pl.DataFrame({"note": notes, "y": rng.choice(["a", "b"], 300)})
    parts = split.cut(bench.store, snapshot_of(bench, frame), task=TASK)
    assert parts.counts["train"] > 200
    assert any("written by a template" in warning for warning in parts.warnings)
