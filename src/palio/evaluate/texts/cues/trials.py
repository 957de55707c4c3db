"""Put it to the test: write what texts of one class carry into texts of the others, and take it out of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from palio.core.records import WordCue
from palio.core.records.wording import WordPlace
from palio.evaluate.answers import Array
from palio.evaluate.effects import FEWEST_TARGETS, N_EXAMPLES, N_TARGETS, all_tried, effect
from palio.evaluate.texts.asking import Asked, swap
from palio.evaluate.texts.cues.carried import Carried, Pool
from palio.evaluate.texts.spans import places_of, spans, without

MAX_SOUGHT = 1_000
"""Judged texts among which those that carry a cue, or do not, are sought."""


def tried(candidates: Sequence[Carried], asked: Asked, pool: Pool, rng: np.random.Generator) -> tuple[WordCue, ...]:
    """Try each candidate; tell which move the answer, these first."""
    return all_tried(candidates, asked, lambda one: _tried(one, asked, pool, rng, n_tries=len(candidates)))


def _tried(one: Carried, asked: Asked, pool: Pool, rng: np.random.Generator, *, n_tries: int) -> WordCue | None:
    label = one.label
    n_targets = min(N_TARGETS, max(FEWEST_TARGETS, asked.n_affordable // 4))
    others = rng.permutation(np.flatnonzero(asked.is_right & (asked.truth != label)))
    targets = _sought(asked, others, one.words, n_targets, carry=False)
    if len(targets) < FEWEST_TARGETS:
        return None
    places = [_slot(asked.texts[row], one.place, rng) for row in targets]
    moved = [_written_in(asked.texts[row], one.surface, at) for row, at in zip(targets, places, strict=True)]
    words = [_ordinary(pool, int(asked.truth[row]), rng) for row in targets]
    still = [_written_in(asked.texts[row], w, at) for row, w, at in zip(targets, words, places, strict=True)]
    said, after = asked.again(targets, moved)
    said_control, control = asked.again(targets, still)
    is_moved, is_control = said == label, said_control == label
    done = effect(after[:, label], control[:, label], said=is_moved, said_control=is_control, n_tries=n_tries)
    shown = [at for at in np.argsort(-after[:, label], kind="stable") if is_moved[at]][:N_EXAMPLES]
    mine = _sought(asked, np.flatnonzero(asked.truth == label), one.words, n_targets, carry=True)
    classes = asked.task.classes
    return WordCue(
        words=one.surface,
        label=classes[label],
        place=one.place,
        moves=done.moves,
        share_of_class=one.share_of_class,
        share_of_others=one.share_of_others,
        n_tried=len(targets),
        n_moved=int(is_moved.sum()),
        n_control=int(is_control.sum()),
        push=done.push,
        p_value=done.p_value,
        **_taken_out(asked, one, mine),
        examples=tuple(swap(asked, int(targets[at]), moved[at], int(said[at])) for at in (shown if done.moves else ())),
        countermeasure=_advice(one.surface, classes[label]),
    )


def _sought(asked: Asked, rows: Array, words: Sequence[str], n: int, *, carry: bool) -> Array:
    """Return the first rows whose texts carry words, or do not; a few of many long texts are looked at."""
    found: list[int] = []
    for row in rows[:MAX_SOUGHT].tolist():
        if len(found) == n or (asked.is_over and len(found) >= FEWEST_TARGETS):
            break
        if bool(places_of(asked.texts[row], words, most=1)) == carry:
            found.append(row)
    return np.array(found, np.int64)


def _taken_out(asked: Asked, one: Carried, rows: Array) -> dict[str, int]:
    """Count how many texts of the class that carry it are recognised, with it and without."""
    if not len(rows):
        return {}
    said, _ = asked.again(rows, [without(asked.texts[row], places_of(asked.texts[row], one.words)) for row in rows])
    return {
        "n_with": len(rows),
        "n_with_right": int(asked.is_right[rows].sum()),
        "n_taken_right": int((said == one.label).sum()),
    }


def _slot(text: str, place: WordPlace, rng: np.random.Generator) -> int:
    """Return the character before which something is written in."""
    if place != "anywhere":
        return 0 if place == "start" else len(text)
    cut = spans(text)
    return cut[int(rng.integers(len(cut)))].start if cut else len(text)


def _written_in(text: str, words: str, at: int) -> str:
    return " ".join(part for part in (text[:at].rstrip(), words, text[at:].lstrip()) if part)


def _ordinary(pool: Pool, label: int, rng: np.random.Generator) -> str:
    """Return a word of some text of a class that was learned from."""
    rows = np.flatnonzero(pool.truth == label)
    for _ in range(5):
        text = pool.texts[int(rng.choice(rows))] if len(rows) else ""
        cut = [span for span in spans(text[:2_000]) if span.word.isalnum()]
        if cut:
            chosen = cut[int(rng.integers(len(cut)))]
            return text[chosen.start : chosen.end]
    return "."


def _advice(words: str, label: str) -> str:
    return (
        f"If “{words}” is what makes a text “{label}”, all is well. If it is there by chance or habit (a signature, a "
        f"source, a template), bring texts of “{label}” without it and others with it, or take it out of all texts, of "
        "those to be answered too. Then ingest them and train again."
    )
