"""Ways to change a text, and what each should do to the answer."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from palio.core.records.wording import Expected
from palio.evaluate.texts.checks.lists import (
    BAD,
    BEFORE_VERBS,
    COPULAS,
    DENIALS,
    DENYING,
    GIVEN_NAMES,
    GOOD,
    PLACES,
    TITLES,
    TURNED,
)
from palio.evaluate.texts.languages import language
from palio.evaluate.texts.spans import Span, spans

READ = 4_000
"""Characters of a text in which words are exchanged; what is behind them stays."""
ONE_IN = 10
"""Words of which one is mistyped."""
LEAST_LETTERS = 4


class Change(NamedTuple):
    """One way to change a text; a text that comes back as it was is not asked about."""

    name: str
    expected: Expected
    make: Callable[[str, np.random.Generator], str]
    countermeasure: str


def rewritten(text: str, written: dict[int, str], cut: list[Span]) -> str:
    """Write other words in the place of some, by their number."""
    out, last = [], 0
    for at in sorted(written):
        out += [text[last : cut[at].start], written[at]]
        last = cut[at].end
    return "".join([*out, text[last:]])


def _trailing(text: str) -> str:
    return f"  {text} \n"


def _doubled(text: str) -> str:
    return "  ".join(text.split(" ")) if " " in text.strip() else text


def _final_sign(text: str) -> str:
    bare = text.rstrip()
    cut = bare.rstrip(".!?。！？…")
    return cut.rstrip() if cut != bare else f"{bare}."


def _no_signs(text: str) -> str:
    return "".join(" " if letter in '.,;:!?"()[]«»„“”。，、！？' else letter for letter in text)


def _typos(text: str, rng: np.random.Generator) -> str:
    """Exchange two letters inside of one word of ten."""
    cut = spans(text[:READ])
    long = [at for at, span in enumerate(cut) if span.end - span.start >= LEAST_LETTERS and span.word.isalpha()]
    if not long:
        return text
    written = {}
    for at in rng.permutation(long)[: max(1, len(cut) // ONE_IN)].tolist():
        word = text[cut[at].start : cut[at].end]
        where = int(rng.integers(1, len(word) - 2))
        written[at] = word[:where] + word[where + 1] + word[where] + word[where + 2 :]
    return rewritten(text, written, cut)


def _accents(text: str) -> str:
    bare = unicodedata.normalize("NFD", text)
    kept = "".join(c for c in bare if not ("\u0300" <= c <= "\u036f"))
    return unicodedata.normalize("NFC", kept)


def _exchanged(text: str, rng: np.random.Generator, known: tuple[str, ...]) -> str:
    """Write another of a list for each word on it, the same one for the same word."""
    folded = {word.casefold(): word for word in known}
    cut = spans(text[:READ])
    is_cased = any(letter.isupper() for letter in text)
    written: dict[int, str] = {}
    chosen: dict[str, str] = {}
    for at, span in enumerate(cut):
        own = text[span.start : span.end]
        follows_title = known is GIVEN_NAMES and at > 0 and _titled(cut, at) and own[:1].isupper()
        if not follows_title and (span.word not in folded or (is_cased and not own[:1].isupper())):
            continue
        if span.word not in chosen:
            others = [word for word in known if word.casefold() != span.word]
            chosen[span.word] = others[int(rng.integers(len(others)))]
        new = chosen[span.word]
        written[at] = new.upper() if own.isupper() else new if is_cased else new.lower()
    return rewritten(text, written, cut)


def _titled(cut: list[Span], at: int) -> bool:
    before = cut[at - 1].word if cut[at - 1].word != "." else cut[max(0, at - 2)].word
    return before in TITLES


def _shuffled(text: str, rng: np.random.Generator) -> str:
    words = text[:READ].split()
    return " ".join(words[at] for at in rng.permutation(len(words))) + text[READ:] if len(words) > 2 else text


def polarity(text: str) -> int:
    """Tell whether all words of opinion in a text are good (1) or bad (-1); 0: none, or both, or one is denied."""
    words = [span.word for span in spans(text[:READ])]
    good, bad = sum(word in GOOD for word in words), sum(word in BAD for word in words)
    if (good > 0) == (bad > 0) or any(word in DENYING for word in words):
        return 0
    return 1 if good else -1


def _denied(text: str) -> str:
    """Deny each word of opinion, where all go one way."""
    denial = _denial(text)
    if not polarity(text) or not denial:
        return text
    cut = spans(text[:READ])
    written = {}
    for at, span in enumerate(cut):
        if span.word in GOOD | BAD:
            own = text[span.start : span.end]
            written[at] = f"{denial.upper() if own.isupper() else denial} {own}"
    return rewritten(text, written, cut)


def _denied_verb(text: str) -> str:
    """Deny the first verb that can be, where nothing is denied."""
    cut = spans(text[:READ])
    denial = _denial(text)
    if not denial or any(span.word in DENYING for span in cut):
        return text
    at = next((n for n, span in enumerate(cut) if span.word in COPULAS), None)
    if at is None:
        return text
    own = text[cut[at].start : cut[at].end]
    return rewritten(text, {at: f"{denial} {own}" if denial in BEFORE_VERBS else f"{own} {denial}"}, cut)


def _denial(text: str) -> str:
    """Return the word that denies in the language of a text; a short text of Latin letters is taken for English."""
    told = language(text)
    return DENIALS.get(told, DENIALS["English"] if told == "unknown" and text.isascii() else "")


def _opposite(text: str) -> str:
    """Write the opposite for each word of opinion; only where all of them have one and go one way."""
    if not polarity(text):
        return text
    cut = spans(text[:READ])
    written: dict[int, str] = {}
    for at, span in enumerate(cut):
        if span.word in GOOD | BAD:
            if span.word not in TURNED:
                return text
            own, new = text[span.start : span.end], TURNED[span.word]
            written[at] = new.upper() if own.isupper() else new.capitalize() if own[:1].isupper() else new
    return rewritten(text, written, cut)


_CASE = "Write all texts in one case before they are ingested and before they are asked, or bring texts in both."
_BLANKS = "Strip and single the blanks of all texts, in training and where it is asked."
_SIGNS = "Take final signs out of all texts, in training and where it is asked, or bring texts with and without them."
_NAMES = "Write a placeholder for names in all texts, in training and where it is asked; or bring more texts by others."
CHANGES = (
    Change("upper case", "same", lambda text, _: text.upper(), _CASE),
    Change("lower case", "same", lambda text, _: text.lower(), _CASE),
    Change("blanks around", "same", lambda text, _: _trailing(text), _BLANKS),
    Change("doubled blanks", "same", lambda text, _: _doubled(text), _BLANKS),
    Change("final sign", "same", lambda text, _: _final_sign(text), _SIGNS),
    Change("no punctuation", "same", lambda text, _: _no_signs(text), _SIGNS),
    Change("typos", "same", _typos, "Bring texts as people type them, with their mistakes; or correct before asking."),
    Change("other names", "same", lambda text, rng: _exchanged(text, rng, GIVEN_NAMES), _NAMES),
    Change("other places", "same", lambda text, rng: _exchanged(text, rng, PLACES), _NAMES.replace("names", "places")),
    Change(
        "no accents",
        "same",
        lambda text, _: _accents(text),
        "Bring texts typed without accents, or write them without in all texts.",
    ),
)
"""What should not matter."""
_DENIED = (
    "Bring more texts that deny (“not good”, “not bad”), of every class; a network that reads words in their order "
    "can learn it."
)
OF_OPINION = (
    Change("denied", "other", lambda text, _: _denied(text), _DENIED),
    Change(
        "opposite words",
        "other",
        lambda text, _: _opposite(text),
        "Bring texts with these words; the model does not go by them.",
    ),
)
"""What should matter where classes are opinions."""
OF_OTHERS = (Change("denied", "unknown", lambda text, _: _denied_verb(text), ""),)
TOLD = (Change("shuffled words", "unknown", _shuffled, ""),)
"""What is told without a verdict."""
