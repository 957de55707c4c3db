"""Read numbers as people write them: thousands marks, units, brackets for negatives, signs of all kinds."""

from __future__ import annotations

import math
import re
import sys
import unicodedata
from typing import Any

from palio.core.cells.cell import FORM, FRACTION, Parsed, Parser, Plain
from palio.core.records import Column

_PLAIN = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?\Z")
_USUAL = re.compile(r"-?[0-9]+(?:\.[0-9]+)?\Z")
_SIGNS: dict[int, str] = {
    **dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d"), "-"),
    ord("\u066b"): ".",
    ord("\u066c"): ",",
    ord("\u02d9"): "'",
    ord("\u00b4"): "'",
}
"""Signs that stand for plain ones: minus, the marks of Arabic digits, and apostrophes that were typed as accents."""
_POWER_OF_TEN = re.compile(r"(?<=\d) ?[x×*·] ?10(?:\^|\*\*)(?P<power>[+-]?\d{1,3})(?!\d)")
_DOUBLE = re.compile(r"(?<=[\d.])[dD](?=[+-]\d{1,3}\b)")
"""The exponent of double precision, as Fortran writes it: `1.5D+03`."""
_FRACTIONS = re.compile("(?P<whole>\\d*) ?(?P<part>[\xbc-\xbe\u2150-\u215e])")
_UNIT = r"[^\d\s()+.,'-](?:[^\d()+,'-]*[^\d\s()+,'-])?"
_PARTS = re.compile(
    rf"(?P<sign>[+-]?) ?(?P<before>{_UNIT})? ?(?P<inner>[+-]?) ?"
    r"(?P<digits>\d[\d.,' ’]*\d|\d|[.,]\d+|\d[.,])(?P<power>[eE][+-]?\d{1,4})?"
    rf" ?(?P<after>{_UNIT}[23]?)? ?(?P<trailing>-?)\Z"
)
_CURRENCIES = (
    "aed ars aud bgn brl cad chf clp cny cop czk dkk dm egp eur fr fr. gbp hkd huf idr ils inr jpy kr kr. krw mxn "
    "myr nok nzd pen php pln r rm ron rs rs. rub rp sar sek sfr sgd thb tl try twd uah us usd vnd zar"
)
_BEFORE = frozenset(_CURRENCIES.split())
"""Words that may stand before a number; any other letter there makes a code of it, as in `A17`."""
_RAISED = re.compile("\\d[\u2070-\u2079\u2080-\u2089\xb9\xb2\xb3]")
"""A digit with a raised or lowered one behind it: a power or a footnote, no digits of one number."""
_TRUE, _FALSE = "true", "false"
_GROUPED = {
    mark: re.compile(rf"\d{{1,3}}(?:(?P<mark>{others})\d{{3}})(?:(?P=mark)\d{{3}})*(?:[{mark}]\d*)?\Z")
    for mark, others in ((".", r"[,' ’]"), (",", r"[.' ’]"))
}
_LAKHS = re.compile(r"\d{1,2}(?:,\d{2})+,\d{3}(?:\.\d*)?\Z")
_SIMPLE = {".": re.compile(r"(?:\d+\.?\d*|\.\d+)\Z"), ",": re.compile(r"(?:\d+,?\d*|,\d+)\Z")}


def is_plain(text: str) -> bool:
    """Tell whether a text is a number as programs write it: every reader of numbers agrees on it."""
    return _PLAIN.match(text) is not None


def parts_of(text: str) -> tuple[str, str, str] | None:
    """Cut a written number into sign, digits (with marks and exponent) and unit; None if it is none.

    Example:
        >>> parts_of("(1,234.50 €)"), parts_of("$-12"), parts_of("12 kg"), parts_of("3 of 4")
        (('-', '1,234.50', '€'), ('-', '12', '$'), ('', '12', 'kg'), None)
        >>> parts_of("€2.50"), parts_of("3.5 €/m²")
        (('', '2.50', '€'), ('', '3.5', '€/m2'))
        >>> parts_of("٣٫٥"), parts_of("1.5D+03"), parts_of("1.5×10^3"), read_text("1 ½")
        (('', '3.5', ''), ('', '1.5e+03', ''), ('', '1.5e3', ''), 1.5)
    """
    if _USUAL.match(text):  # most cells: the rest is for all others
        return ("-", text[1:], "") if text[0] == "-" else ("", text, "")
    if not text.isascii():
        if _RAISED.search(text):
            return None
        text = _FRACTIONS.sub(_with_fraction, text)
    text = _DOUBLE.sub("e", _POWER_OF_TEN.sub(r"e\g<power>", text))
    text = " ".join(unicodedata.normalize("NFKC", text.translate(_SIGNS)).translate(_SIGNS).split())
    in_brackets = text[:1] == "(" and text[-1:] == ")"
    found = _PARTS.match(text[1:-1].strip() if in_brackets else text.removeprefix("'"))
    if found is None:
        found = _bracketed_inside(text)
        in_brackets = found is not None
    if found is None:
        return None
    signs = found["sign"] + found["inner"] + found["trailing"]
    before, after = (found["before"] or "").strip(), (found["after"] or "").strip()
    if len(signs) > 1 or (before and after and before != after) or (in_brackets and signs):
        return None
    if before and not _is_currency(before):
        return None
    digits = "".join(c if not c.isdecimal() else str(unicodedata.decimal(c)) for c in found["digits"])
    negative = in_brackets or signs == "-"
    return "-" if negative else "", digits + (found["power"] or ""), before or after


def _with_fraction(found: re.Match[str]) -> str:
    """Write `1 ½` without a mark before decimals, which may be a point or a comma: 1.5 is 15e-1."""
    return f"{round((int(found['whole'] or 0) + unicodedata.numeric(found['part'])) * 1e12)}e-12"


def _is_currency(text: str) -> bool:
    return text.casefold() in _BEFORE or (len(text) <= 4 and any(unicodedata.category(c) == "Sc" for c in text))


def _bracketed_inside(text: str) -> re.Match[str] | None:
    """Read `$(5.00)` and `(5.00) €`: a unit outside of the brackets that make a number negative."""
    opened, closed = text.find("("), text.rfind(")")
    if not 0 <= opened < closed or (opened > 0) == (closed < len(text) - 1):
        return None
    return _PARTS.match(
        f"{text[:opened].strip()} {text[opened + 1 : closed].strip()} {text[closed + 1 :].strip()}".strip()
    )


def value_of(digits: str, decimal: str) -> float | None:
    """Read digits with their marks; None if they are not grouped as `decimal` wants it.

    Example:
        >>> value_of("1.234,5", ","), value_of("1.234,5", "."), value_of("1,234", "."), value_of("1,234", ",")
        (1234.5, None, 1234.0, 1.234)
        >>> value_of("12,34,567", "."), value_of("1 234", "."), value_of("1,5", ".")
        (1234567.0, 1234.0, None)
    """
    body, power, exponent = digits.replace("E", "e").partition("e")
    if not _SIMPLE[decimal].match(body):
        if not (_GROUPED[decimal].match(body) or (decimal == "." and _LAKHS.match(body))):
            return None
        body = "".join(c for c in body if c.isdecimal() or c == decimal)
    return float(body.replace(",", ".") + power + exponent)


def read_text(text: str, decimal: str = ".", unit: str = "") -> float | None:
    """Read a number as a person writes it; None if it is none, or has another unit.

    A cell without a unit is read where the column has one; digits may be grouped by blanks, apostrophes and the mark
    that is not `decimal`.

    Example:
        >>> read_text("1,234.50"), read_text("−5"), read_text("(5.00)"), read_text("12 kg")
        (1234.5, -5.0, -5.0, None)
        >>> read_text("12 kg", unit="kg"), read_text("A17")
        (12.0, None)
    """
    if _PLAIN.match(text) and (decimal == "." or "." not in text):
        return _finite(float(text))
    found = parts_of(text)
    if found is None:
        return None
    sign, digits, its = found
    if its and its.casefold() != unit.casefold():
        return None
    value = value_of(digits, decimal)
    return None if value is None else _finite(-value if sign else value)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


class Number:
    """A number, held as float64."""

    expected = "a finite number"
    carries_text = False

    def parser(self, column: Column) -> Parser:
        """Make what reads the cells of a column."""
        decimal, unit = column.decimal, column.unit

        def parse(cell: Any) -> Parsed | None:
            if isinstance(cell, str):
                value = read_text(cell, decimal, unit)
                if value is not None:
                    return Parsed(value)
                word = cell.lower()
                return Parsed(float(word == _TRUE), FORM) if word in (_TRUE, _FALSE) else None
            if isinstance(cell, bool):
                return Parsed(float(cell), FORM)
            if not isinstance(cell, int | float):
                return None
            try:
                value = _finite(float(cell))
            except OverflowError:  # a whole number beyond float64
                return None
            return None if value is None else Parsed(value)

        return parse

    def plain(self, column: Column) -> Plain:  # noqa: ARG002 — the same for all
        """Name cells that the parser gives back as they are, without a flag."""
        return Plain(-sys.float_info.max, sys.float_info.max)

    def describe(self, column: Column) -> str:
        """Say in a few words how the cells of a column are read."""
        marks = ["decimal comma"] if column.decimal == "," else []
        marks += [f"in {column.unit}"] if column.unit else []
        return ", ".join(["number", *marks])

    def show(self, value: float | str) -> str:
        """Write what was read."""
        return f"{value:.12g}"

    def hard(self, column: Column) -> tuple[Any, ...]:
        """Name cells that are easily misread."""
        point, mark = column.decimal, "," if column.decimal == "." else "."
        written = (
            f"1{mark}234{point}50",
            f"1{mark}234",
            f"2{point}100",
            f"1{point}5",
            "1 234",
            "1'234",
            "00.00",
            "007",
        )
        signs = ("-0", "+5", "\u22125", "(5)", "5-", ".5", "5.", "1e3", "1E-3", "1e999", "inf", "NaN", "1_000", "0x1f")
        typed = (0, 1, -1, 1.5, True, 10**400, 2**53 + 1, float("nan"), float("inf"))
        return (*written, *signs, *typed, f"12 {column.unit or 'kg'}", f"{column.unit or '$'}12", "12 lb", "1 2", "")


class WholeNumber(Number):
    """A number that was whole in every row of the data."""

    expected = "a whole number"

    def parser(self, column: Column) -> Parser:
        """Make what reads the cells of a column; one that is not whole is read, with a flag."""
        number = super().parser(column)

        def parse(cell: Any) -> Parsed | None:
            found = number(cell)
            if found is None or found.flag or float(found.value).is_integer():
                return found
            return Parsed(found.value, FRACTION)

        return parse

    def plain(self, column: Column) -> Plain:
        """Name cells that the parser gives back as they are, without a flag."""
        return super().plain(column)._replace(is_whole=True)

    def describe(self, column: Column) -> str:
        """Say in a few words how the cells of a column are read."""
        return super().describe(column).replace("number", "whole number", 1)

    def hard(self, column: Column) -> tuple[Any, ...]:
        """Name cells that are easily misread."""
        return (*super().hard(column), "40.0", "40.5", 40.5, 40.0)
