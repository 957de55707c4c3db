"""What was read of a model that judges texts: telling words, cues, behavioural checks, and texts to look at."""

from __future__ import annotations

from typing import Literal

import msgspec

from palio.core.records.base import Record
from palio.core.records.looking import GalleryKind

Expected = Literal["same", "other", "unknown"]
WordPlace = Literal["start", "end", "anywhere"]


class Stretch(Record, frozen=True, kw_only=True):
    """A word or a few words of an excerpt, and what they are worth to the answer."""

    start: int
    end: int
    """Characters of the excerpt."""
    drop: float
    """By how much the probability of the answer falls without them."""
    weight: float = 0.0
    """The same in log odds: also of an answer that is too sure for one word to move it."""


class ReadText(Record, frozen=True, kw_only=True):
    """A text, and what was answered to it."""

    row_id: str
    text: str
    """An excerpt, where it is long: what the answer hangs on most is in it."""
    is_cut: bool = False
    truth: str
    prediction: str
    probability: float
    before: str = ""
    """What the champion answers, in a gallery that compares."""
    stretches: tuple[Stretch, ...] = ()
    """What was taken out, one stretch after the other; empty: not asked."""
    remedy: str = ""
    """What to do about it, of an answer that is wrong and sure of it."""


class TextGallery(Record, frozen=True, kw_only=True):
    """Texts of one kind, as galleries of pictures have them."""

    kind: GalleryKind
    n_rows: int
    """Texts of this kind in all."""
    texts: tuple[ReadText, ...]


class TellingWord(Record, frozen=True, kw_only=True):
    """A word that speaks for a class."""

    word: str
    label: str
    """The class."""
    n_texts: int
    """Judged texts that hold it."""
    share_of_class: float
    """Of the texts answered so that hold it."""
    share_of_others: float
    n_tried: int
    """Texts answered so that it was taken out of."""
    drop: float
    """By how much the probability of the class falls then, on average."""
    n_lost: int
    """Of the texts tried, those that get another answer."""


class Swap(Record, frozen=True, kw_only=True):
    """A text before and after a change, and the answers."""

    row_id: str
    before: str
    after: str
    """Both are excerpts around the first place that differs."""
    truth: str
    said_before: str
    said_after: str


class WordCue(Record, frozen=True, kw_only=True):
    """A word, or some in a row, that texts of one class mostly carry and others lack."""

    words: str
    """As it is written in most of the texts."""
    label: str
    place: WordPlace
    moves: bool
    """Whether it moves the answer to this class, beyond chance and by more than a trifle."""
    share_of_class: float
    """Of the texts of the class that carry it, on the rows that were learned from."""
    share_of_others: float
    n_tried: int
    """Texts of other classes, rightly answered, that it was written into."""
    n_moved: int
    """Of these, texts that were then answered with the class."""
    n_control: int
    """The same with another word of their own class in its stead."""
    push: float
    """By how much the probability of the class rises beyond the control, on average."""
    p_value: float
    """Of the push, one-sided, after correction for all that was tried."""
    n_with: int = 0
    """Judged texts of the class that carry it, and how many of them are recognised; then without it."""
    n_with_right: int = 0
    n_taken_right: int = 0
    """Of `n_with`, those still recognised when it is taken out."""
    examples: tuple[Swap, ...] = ()
    countermeasure: str


class TextCheck(Record, frozen=True, kw_only=True):
    """A change of the texts: what it does to the answers, and what it should do."""

    change: str
    """`upper case`, `typos`, `other names`, …"""
    expected: Expected
    """`same`: the answers should stay; `other`: they should change; `unknown`: that depends on what is asked."""
    n_tried: int
    """Texts that it changes; zero: none, so that nothing is known."""
    n_changed: int
    """Of these, texts that get another answer."""
    low: float
    high: float
    """Of the share changed, 95 %."""
    n_right_before: int
    n_right_after: int
    passed: bool | None
    """None where nothing is expected, or too few texts were tried to tell."""
    examples: tuple[Swap, ...] = ()
    """Texts whose answer is not what it should be; where that is unknown, some that changed."""
    countermeasure: str = ""


class Wording(Record, frozen=True, kw_only=True):
    """All that was found of one column of texts."""

    column: str
    n_rows: int
    """Judged texts that were looked at."""
    words: tuple[TellingWord, ...] = ()
    """Class by class, the strongest first."""
    cues: tuple[WordCue, ...] = ()
    """First those that move the answer, the strongest first."""
    n_tries: int = 0
    """Candidates for cues that the model was asked about."""
    is_searched: bool = True
    """Whether the search for cues came to its end in time."""
    n_too_few: int = 0
    """Classes of which too few texts were learned from to seek cues in them."""
    checks: tuple[TextCheck, ...] = ()
    galleries: tuple[TextGallery, ...] = ()
    languages: dict[str, int] = msgspec.field(default_factory=dict)
    """Judged texts of each language, as far as a light rule tells; `unknown` for those that are too short for it."""
    empty_answer: str = ""
    """What is answered to a text without words."""
    empty_probability: float = 0.0
    n_cut: int = 0
    """Judged texts that are longer than what the model reads of a text: their ends say nothing."""
    reads: str = ""
    """What it reads of a text at most, as `20,000 characters` or `128 tokens`; empty: it reads none of this column."""
    left_out: tuple[str, ...] = ()
    """What there was no time for, as it is said."""
