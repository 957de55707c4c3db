"""Cut a text into words and pieces of words: one fixed rule, in which nobody's regular expression runs.

A word is a run of letters, marks, digits and `_`; any other sign that is seen is a token of its own. In scripts that
put no space between words (Chinese, Japanese, Thai, …) each character is a word, and pieces run across them. Case is
folded as Unicode says, and forms that look alike become one (NFKC). Control characters, marks of direction and halves
of characters count as blanks.

Source: Unicode Standard, section 3.13 (case folding) and Annex 15 (normalisation forms).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from palio.core.scripts import SPACELESS_CLASS

RULE = 1
"""Number of the rule in this module. A reading names the one that it was learned by; another is another reading."""
LONGEST_WORD = 64
"""Characters of a word that its pieces are cut from; of a script without blanks, of a run."""

_MARKS = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0711\u0730-\u074a"
    "\u0900-\u0963\u0966-\u0dff\u0e00-\u0e7f\u0e80-\u0f7e\u1000-\u109f\u1780-\u17dd\u1ab0-\u1aff\u1dc0-\u1dff"
    "\u20d0-\u20ff\u3099\u309a\ufe20-\ufe2f"
)
"""Marks that belong to the letter before them, in blocks; they are no letters, but do not end a word."""
_UNSEEN = "\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufe00-\ufe0f\ufeff\ud800-\udfff"
_PIECES = re.compile(rf"[\w{_MARKS}]+|[^\w\s{_UNSEEN}]")
_WORDS = re.compile(rf"[{SPACELESS_CLASS}]|[^{SPACELESS_CLASS}]+")
_SPACELESS_AT_ALL = re.compile(rf"[{SPACELESS_CLASS}]")
_NOTHING = dict.fromkeys(map(ord, "\u00ad\u200b\u2060\ufeff"))
"""Characters that break a word for the machine, but not for the eye."""


def folded(text: str) -> str:
    """Write a text so that what reads alike is alike.

    Example:
        >>> folded("ﬁve STRASSE Straße"), folded("fr\u00adee")
        ('five strasse strasse', 'free')
    """
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKC", text.translate(_NOTHING)).casefold()
    return unicodedata.normalize("NFKC", text)


def runs_of(text: str) -> list[str]:
    """Cut a folded text into runs of letters and single signs.

    Example:
        >>> runs_of("win £100!! 東京都")
        ['win', '£', '100', '!', '!', '東京都']
    """
    return _PIECES.findall(text)


def words_of(runs: Sequence[str]) -> Sequence[str]:
    """Cut runs into words: as they are, but for scripts without blanks, of which each character is one.

    Example:
        >>> words_of(["win", "東京"])
        ['win', '東', '京']
    """
    if all(map(str.isascii, runs)) or not any(map(_SPACELESS_AT_ALL.search, runs)):
        return runs
    return [word for run in runs for word in ([run] if run.isascii() else _WORDS.findall(run))]


def word_places(text: str) -> list[tuple[int, int]]:
    """Find the words of a text as it is written: start and end of each, in characters.

    Example:
        >>> word_places("Win £5 東京")
        [(0, 3), (4, 5), (5, 6), (7, 8), (8, 9)]
    """
    found: list[tuple[int, int]] = []
    for run in _PIECES.finditer(text):
        start, end = run.span()
        if run.group().isascii():
            found.append((start, end))
        else:
            found += [(start + word.start(), start + word.end()) for word in _WORDS.finditer(run.group())]
    return found


def pieces_of(run: str, low: int, high: int) -> list[str]:
    """Cut a run into its pieces of `low` to `high` characters, its ends marked by a blank.

    Example:
        >>> pieces_of("go", 2, 3)
        [' g', 'go', 'o ', ' go', 'go ']
    """
    padded = f" {run[:LONGEST_WORD]} "
    return [padded[at : at + n] for n in range(low, high + 1) for at in range(len(padded) - n + 1)]
