"""What to do about texts that are wrong and sure of it: relabel, or bring more texts with the words that mislead."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import msgspec
import numpy as np

from palio.core.records import ReadText, TextGallery
from palio.core.words import listed
from palio.evaluate.answers import Array
from palio.evaluate.texts.spans import spans, words_in

NEARLY_THE_SAME = 0.8
"""Of the words of two texts together, those that both have."""
FEWEST_WORDS = 3
LEAST_WEIGHT = 0.1
"""Log odds that a stretch must be worth to be named."""
N_NAMED = 2
MAX_TEXTS = 6_000


class Learned:
    """Texts that were learned from, by their words."""

    def __init__(self, texts: Sequence[str], truth: Array) -> None:
        self._texts, self.truth = texts[:MAX_TEXTS], np.asarray(truth)[:MAX_TEXTS]

    @cached_property
    def held(self) -> list[set[str]]:
        """Return the words of each text."""
        return [words_in(text) for text in self._texts]

    def twin(self, text: str) -> int | None:
        """Return the class of a text that reads nearly the same, if there is one."""
        words = words_in(text)
        if len(words) < FEWEST_WORDS:
            return None
        shares = [len(words & own) / len(words | own) if own else 0.0 for own in self.held]
        best = int(np.argmax(shares)) if shares else 0
        return int(self.truth[best]) if shares and shares[best] >= NEARLY_THE_SAME else None

    def n_with(self, word: str, label: int) -> int:
        """Count the texts of a class that hold a word."""
        return sum(word in own for own, mine in zip(self.held, self.truth == label, strict=True) if mine)


def advised(gallery: TextGallery, learned: Learned, classes: Sequence[str]) -> TextGallery:
    """Add to each text what to do about it."""
    texts = tuple(msgspec.structs.replace(one, remedy=_remedy(one, learned, classes)) for one in gallery.texts)
    return msgspec.structs.replace(gallery, texts=texts)


def _remedy(one: ReadText, learned: Learned, classes: Sequence[str]) -> str:
    said, truth = classes.index(one.prediction), classes.index(one.truth)
    if not one.is_cut and learned.twin(one.text) == said:
        twin = f"A text that it learned from reads nearly the same and is “{one.prediction}”"
        return f"{twin}: one of the two labels is wrong."
    words = _misleading(one)
    if not words:
        return "No single word decides; look whether the label is right." if one.stretches else ""
    told = []
    for word in words:
        n_said, n_truth = learned.n_with(word, said), learned.n_with(word, truth)
        if n_said:
            told.append(f"“{word}” (in {n_said} texts of “{one.prediction}” and {n_truth} of “{one.truth}”)")
    if not told:
        return f"Its words are new: if the label holds, bring more texts of “{one.truth}” like this one."
    return f"It goes by {listed(told)}. If the label holds, bring more texts of “{one.truth}” like this one."


def _misleading(one: ReadText) -> list[str]:
    """Return the words that the answer hangs on most."""
    ranked = sorted(one.stretches, key=lambda stretch: -stretch.weight)
    found: list[str] = []
    for stretch in ranked:
        if stretch.weight < LEAST_WEIGHT or len(found) == N_NAMED:
            break
        own = [span.word for span in spans(one.text[stretch.start : stretch.end]) if span.word.isalnum()]
        if len(own) == 1 and own[0] not in found:
            found.append(own[0])
    return found
