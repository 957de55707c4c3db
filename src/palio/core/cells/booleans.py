"""Read truth values in every usual spelling."""

from __future__ import annotations

from typing import Any

from palio.core.cells.cell import FORM, Parsed, Parser, Plain
from palio.core.records import Column

PAIRS = (
    ("true", "false"),
    ("t", "f"),
    ("yes", "no"),
    ("y", "n"),
    ("on", "off"),
    ("1", "0"),
    ("wahr", "falsch"),
    ("ja", "nein"),
    ("j", "n"),
    ("vrai", "faux"),
    ("oui", "non"),
    ("o", "n"),
    ("sí", "no"),
    ("si", "no"),
    ("s", "n"),
    ("verdadero", "falso"),
    ("vero", "falso"),
    ("sim", "não"),
    ("verdadeiro", "falso"),
    ("ja", "nee"),
    ("waar", "onwaar"),
    ("da", "net"),
    ("да", "нет"),
    ("истина", "ложь"),
    ("是", "否"),
)
"""How languages and programs write "true" and "false", in lower case."""
_TRUE = frozenset(true for true, _ in PAIRS)
_FALSE = frozenset(false for _, false in PAIRS)


def truth_of(cell: Any) -> bool | None:
    """Tell what a cell says, if it is a truth value in any spelling; None: it is none.

    Example:
        >>> truth_of("YES"), truth_of(0), truth_of("1.0"), truth_of("maybe"), truth_of(2)
        (True, False, True, None, None)
    """
    if isinstance(cell, bool):
        return cell
    if isinstance(cell, int | float):
        return bool(cell) if cell in (0, 1) else None
    if not isinstance(cell, str):
        return None
    word = cell.casefold()
    word = word[:-2] if word in ("1.0", "0.0") else word
    return True if word in _TRUE else False if word in _FALSE else None


def pair_of(words: tuple[str, ...]) -> tuple[str, str] | None:
    """Return the two words of a column that says true and false, the true one first; None if it says something else.

    Example:
        >>> pair_of(("No", "Yes")), pair_of(("red", "green"))
        (('Yes', 'No'), None)
    """
    if len(words) != 2:
        return None
    lower = tuple(word.casefold() for word in words)
    for true, false in PAIRS:
        if {true, false} == set(lower):
            return words[lower.index(true)], words[lower.index(false)]
    return None


class Boolean:
    """True or false."""

    expected = "true or false"
    carries_text = True

    def parser(self, column: Column) -> Parser:  # noqa: ARG002 — every column says true and false alike
        """Make what reads the cells of a column; a spelling that is not `true` or `false` is flagged."""

        def parse(cell: Any) -> Parsed | None:
            truth = truth_of(cell)
            if truth is None:
                return None
            usual = isinstance(cell, bool) or (isinstance(cell, str) and cell.lower() in ("true", "false"))
            return Parsed("true" if truth else "false", "" if usual else FORM)

        return parse

    def plain(self, column: Column) -> Plain:  # noqa: ARG002 — the same for all
        """Name cells that the parser gives back as they are, without a flag."""
        return Plain(texts=frozenset(("true", "false")))

    def describe(self, column: Column) -> str:  # noqa: ARG002 — there is one way
        """Say in a few words how the cells of a column are read."""
        return "true or false"

    def show(self, value: float | str) -> str:
        """Write what was read."""
        return str(value)

    def hard(self, column: Column) -> tuple[Any, ...]:  # noqa: ARG002 — the same for all
        """Name cells that are easily misread."""
        words = ("true", "True", "TRUE", "t", "yes", "No", "1", "0", "1.0", "wahr", "maybe", "2", "")
        return (*words, True, False, 1, 0, 1.0, 2, 0.5)
