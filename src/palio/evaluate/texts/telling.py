"""Which words speak for a class: those that texts with this answer hold more often, and that weigh when taken out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from palio.core.records import TellingWord
from palio.evaluate.answers import Array
from palio.evaluate.effects import logit
from palio.evaluate.texts.asking import Asked
from palio.evaluate.texts.spans import spans, without, words_in

MAX_TEXTS = 4_000
"""Judged texts whose words are counted."""
N_CANDIDATES, N_TELLING = 20, 8
"""Words of a class that are tried, and that are told."""
MOST_TRIED, FEWEST_TRIED = 20, 3
"""Texts that a word is taken out of."""
MAX_CLASSES = 40
SHARE_OF_TIME = 0.5
"""Of the answers that there is time for."""


def telling_words(asked: Asked, rng: np.random.Generator) -> tuple[tuple[TellingWord, ...], int]:
    """Find the most telling words of each class, with what they are worth to its answers.

    Returns:
        The words, and how many classes there was no time for.

    Source: Monroe, Colaresi and Quinn 2008, Political Analysis 16(4) (log odds with a prior), for what is tried.
    """
    rows = np.sort(rng.permutation(len(asked.texts))[:MAX_TEXTS])
    held = [words_in(asked.texts[row]) for row in rows]
    said = asked.said[rows]
    classes = [label for label in range(len(asked.task.classes)) if (said == label).sum() >= FEWEST_TRIED]
    classes = sorted(classes, key=lambda label: -int((said == label).sum()))[:MAX_CLASSES]
    if not classes or len(set(said.tolist())) < 2:
        return (), 0
    n_tried = int(SHARE_OF_TIME * asked.n_affordable / (len(classes) * N_CANDIDATES))
    n_tried = min(MOST_TRIED, max(FEWEST_TRIED, n_tried))
    found: list[TellingWord] = []
    n_left = 0
    counts = Counter(word for words in held for word in words)
    for label in sorted(classes):
        if asked.is_over:
            n_left += 1
            continue
        tried = []
        for word, own, others in _candidates(held, said == label, counts):
            if asked.is_over:
                n_left += not tried
                break
            holding = [int(row) for row, words in zip(rows, held, strict=True) if word in words]
            drawn = [int(row) for row in rng.permutation(holding) if asked.said[row] == label][:n_tried]
            tried.append(_tried(asked, word, label, drawn, len(holding), (own, others)))
        kept = [one for one in tried if one is not None and one[1].drop > 0]
        kept.sort(key=lambda one: -one[0])
        found += [one for _, one in kept[:N_TELLING]]
    return tuple(found), n_left


def _candidates(held: Sequence[set[str]], is_own: Array, counts: Counter[str]) -> list[tuple[str, float, float]]:
    """Return words with their shares of texts with this answer and of the others, the likeliest first.

    `counts`: in how many of all texts each word is.
    """
    own = Counter(word for at in np.flatnonzero(is_own).tolist() for word in held[at])
    n_own, n_rest = int(is_own.sum()), int((~is_own).sum())
    ranked = []
    for word, n in own.items():
        if n < FEWEST_TRIED or not any(letter.isalnum() for letter in word):
            continue
        a, b = n + 0.5, counts[word] - n + 0.5
        odds = np.log(a / (n_own + 1 - a + 0.5)) - np.log(b / (n_rest + 1 - b + 0.5))
        ranked.append((odds / np.sqrt(1 / a + 1 / b), word))
    ranked.sort(reverse=True)
    return [
        (word, own[word] / max(1, n_own), (counts[word] - own[word]) / max(1, n_rest))
        for z, word in ranked[:N_CANDIDATES]
        if z > 1
    ]


def _tried(
    asked: Asked, word: str, label: int, rows: Sequence[int], n_texts: int, shares: tuple[float, float]
) -> tuple[float, TellingWord] | None:
    """Take a word out of texts that are answered so; return its weight in log odds, and the record."""
    if not rows:
        return None
    texts = [
        without(asked.texts[row], [(s.start, s.end) for s in spans(asked.texts[row]) if s.word == word]) for row in rows
    ]
    said, after = asked.again(rows, texts)
    before = asked.probabilities[rows, label]
    weight = float((logit(before) - logit(after[:, label])).mean())
    return weight, TellingWord(
        word=word,
        label=asked.task.classes[label],
        n_texts=n_texts,
        share_of_class=shares[0],
        share_of_others=shares[1],
        n_tried=len(said),
        drop=float((before - after[:, label]).mean()),
        n_lost=int((said != label).sum()),
    )
