"""Cut a text into words without changing a character, so that one can be taken out or written in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from palio import model

LONGEST_HEAD, LONGEST_TAIL = 4_000, 1_000
"""Characters of a long text in which words are sought: its beginning and its end."""
EXCERPT = 320
_BLANKS = re.compile(r"\s+")


class Span(NamedTuple):
    """A word of a text."""

    start: int
    end: int
    word: str
    """Folded: words that read alike are alike."""


def spans(text: str) -> list[Span]:
    """Cut a text by the rule that models read by.

    Example:
        >>> [(span.start, span.end, span.word) for span in spans("Win £5!")]
        [(0, 3, 'win'), (4, 5, '£'), (5, 6, '5'), (6, 7, '!')]
    """
    return [Span(start, end, model.folded(text[start:end])) for start, end in model.word_places(text)]


def words_in(text: str) -> set[str]:
    """Return the different words of a text; of a very long one, those of its beginning and its end."""
    if len(text) > LONGEST_HEAD + LONGEST_TAIL:
        text = f"{text[:LONGEST_HEAD]} {text[-LONGEST_TAIL:]}"
    return {span.word for span in spans(text)}


def without(text: str, places: Iterable[tuple[int, int]]) -> str:
    """Take stretches out of a text, each for one blank.

    Example:
        >>> without("a very good film", [(2, 6), (7, 11)])
        'a film'
    """
    kept, last = [], 0
    for start, end in sorted(places):
        kept.append(text[last:start])
        last = max(last, end)
    kept.append(text[last:])
    return re.sub(r"  +", " ", " ".join(part.strip(" ") for part in kept)).strip(" ")


def places_of(text: str, words: Sequence[str], most: int = 20) -> list[tuple[int, int]]:
    """Find where words stand in a row in a text.

    Example:
        >>> places_of("Buy now, buy NOW!", ["buy", "now"])
        [(0, 7), (9, 16)]
    """
    cut = spans(text)
    found: list[tuple[int, int]] = []
    at = 0
    while at + len(words) <= len(cut) and len(found) < most:
        if all(cut[at + n].word == word for n, word in enumerate(words)):
            found.append((cut[at].start, cut[at + len(words) - 1].end))
            at += len(words)
        else:
            at += 1
    return found


def excerpts(before: str, after: str, *, length: int = EXCERPT) -> tuple[str, str]:
    """Return what can be shown of two texts: around the first place in which they differ."""
    differs = next((at for at, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), None)
    at = min(len(before), len(after)) if differs is None else differs
    return _around(before, at, length), _around(after, at, length)


def _around(text: str, at: int, length: int) -> str:
    if len(text) <= length:
        return text
    start = max(0, min(at - length // 2, len(text) - length))
    cut = text[start : start + length]
    return ("…" if start else "") + cut + ("…" if start + length < len(text) else "")
