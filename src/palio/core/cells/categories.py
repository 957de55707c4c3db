"""Read one of some values: a code is the same as text and as number, and spellings are matched, not guessed."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import Any

from palio.core.cells.booleans import pair_of, truth_of
from palio.core.cells.cell import FORM, Parsed, Parser, Plain
from palio.core.cells.numbers import is_plain
from palio.core.records import Column


def label(value: Any) -> str:
    """Write a value as a class label, so that 1, 1.0 and "1" are one class.

    Example:
        >>> label(1.0), label(True), label("yes")
        ('1', 'true', 'yes')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def folded(text: str) -> str:
    """Write a text so that spellings which differ only in case, blanks or how a letter is encoded are equal.

    Example:
        >>> folded("New   York") == folded("new york"), folded("Cafe\u0301") == folded("caf\u00e9\u200b")
        (True, True)
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", encoded_alike(text))
    return " ".join(text.split()).casefold()


def encoded_alike(text: str) -> str:
    """Write a text so that it is equal to all others that nobody can tell from it: accents apart, signs of no width.

    Example:
        >>> encoded_alike("e\u0301") == encoded_alike("\u00e9\u200b"), encoded_alike("E") == encoded_alike("e")
        (True, False)
    """
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", "".join(c for c in text if unicodedata.category(c) != "Cf"))


def one_of_each(values: Iterable[str]) -> tuple[str, ...]:
    """Keep the first of the spellings that differ only in case or blanks.

    Example:
        >>> one_of_each(["no", "yes", "No", "new  york", "New York"])
        ('no', 'yes', 'new  york')
    """
    found: dict[str, str] = {}
    for value in values:
        found.setdefault(folded(value), value)
    return tuple(found.values())


def _by_value(known: Iterable[str]) -> dict[float, str]:
    """Map the number that a code writes to the code, where no two codes write the same."""
    found: dict[float, list[str]] = {}
    for code in known:
        if is_plain(code):
            found.setdefault(float(code), []).append(code)
    return {value: codes[0] for value, codes in found.items() if len(codes) == 1}


def _text_of(cell: Any) -> str | None:
    if isinstance(cell, str):
        return cell
    try:
        return label(cell) if isinstance(cell, int | float) else None
    except ValueError:  # a whole number of thousands of digits
        return None


class Category:
    """One of the values that the contract knows, or another one."""

    expected = "text"
    carries_text = True

    def parser(self, column: Column) -> Parser:
        """Make what reads the cells of a column.

        A value that is known is itself. Otherwise a number stands for the code that writes it (1, 1.0 and `1`), a
        truth value in any spelling for the one of two values that says the same, letters that are encoded in another
        way for those they look like, and with `Column.fold` a spelling for the value that differs from it in case or
        blanks alone. What is left is a value that is not known.
        """
        known = frozenset(column.categories or ())
        codes = _by_value(known)
        pair = pair_of(tuple(column.categories or ()))
        spellings = {folded(value): value for value in reversed(column.categories or ())} if column.fold else {}
        alike = Counter(map(encoded_alike, known))
        encodings = {key: value for value in known if alike[key := encoded_alike(value)] == 1}

        def parse(cell: Any) -> Parsed | None:
            text = _text_of(cell)
            if text is None:
                return None
            if text in known:
                return Parsed(text)
            if spellings and (same := spellings.get(folded(text))) is not None:
                return Parsed(same)
            if not text.isascii() and (same := encodings.get(encoded_alike(text))) is not None:
                return Parsed(same, FORM)
            if codes and is_plain(text) and (code := codes.get(float(text))) is not None:
                return Parsed(code, FORM if text.lstrip("+-")[:1] == "0" != code.lstrip("+-")[:1] else "")
            truth = truth_of(cell) if pair is not None else None
            if pair is not None and truth is not None:
                return Parsed(pair[not truth], FORM)
            return Parsed(text)

        return parse

    def plain(self, column: Column) -> Plain:
        """Name cells that the parser gives back as they are, without a flag."""
        return Plain(texts=None if column.categories is None else frozenset(column.categories))

    def describe(self, column: Column) -> str:
        """Say in a few words how the cells of a column are read."""
        return "category, case and blanks aside" if column.fold else "category"

    def show(self, value: float | str) -> str:
        """Write what was read."""
        return str(value)

    def hard(self, column: Column) -> tuple[Any, ...]:
        """Name cells that are easily misread."""
        first = (column.categories or ("a",))[0]
        spellings = (first, f" {first} ", first.upper(), first.title(), f"{first}\u00a0", f"{first}x", "", "?", "NA")
        return (*spellings, "1", "1.0", "01", "true", "yes", 1, 1.0, 1.5, True, 10**20, 1e20)


class Text:
    """Words of any kind."""

    expected = "text"
    carries_text = True

    def parser(self, column: Column) -> Parser:  # noqa: ARG002 — any text is read alike
        """Make what reads the cells of a column."""

        def parse(cell: Any) -> Parsed | None:
            text = _text_of(cell)
            return None if text is None else Parsed(text)

        return parse

    def plain(self, column: Column) -> Plain:  # noqa: ARG002 — the same for all
        """Name cells that the parser gives back as they are, without a flag."""
        return Plain(texts=None)

    def describe(self, column: Column) -> str:  # noqa: ARG002 — there is one way
        """Say in a few words how the cells of a column are read."""
        return "text"

    def show(self, value: float | str) -> str:
        """Write what was read."""
        return str(value)

    def hard(self, column: Column) -> tuple[Any, ...]:  # noqa: ARG002 — the same for all
        """Name cells that are easily misread."""
        return ("plain words", " blanks around ", "", "?", "NA", "null", "x" * 5000, "a\nb", "\u00a0", 1, 1.0, True)
