"""Put numbers into sentences: one row, two rows."""

from __future__ import annotations

from collections.abc import Iterable

UNKNOWN = "not known"
"""What is said in place of a number that nobody knows."""
_ES = ("s", "x", "ch", "sh")


def counted(n: int, one: str, many: str = "") -> str:
    """Write a number with its noun, in the singular for one.

    Args:
        n: How many.
        one: The noun for one of them.
        many: For any other number; regular if empty.

    Example:
        >>> counted(1, "row"), counted(1200, "row"), counted(0, "class"), counted(2, "family")
        ('1 row', '1,200 rows', '0 classes', '2 families')
    """
    return f"{n:,} {one if n == 1 else many or _plural(one)}"


def listed(words: Iterable[str], *, at_most: int = 5, last: str = "and") -> str:
    """Write words as they are listed in a sentence, and how many more there are.

    Example:
        >>> listed(["a"]), listed(["a", "b", "c"], last="or"), listed("abcdefgh")
        ('a', 'a, b or c', 'a, b, c, d, e and 3 more')
    """
    known = list(words)
    if len(known) > at_most:
        known = [*known[:at_most], f"{len(known) - at_most:,} more"]
    return known[0] if len(known) == 1 else ", ".join(known[:-1]) + f" {last} {known[-1]}" if known else ""


def _plural(one: str) -> str:
    if one.endswith("y") and one[-2:-1] not in "aeiou":
        return one[:-1] + "ies"
    return one + ("es" if one.endswith(_ES) else "s")


UNMET: dict[str, str] = {
    "unknown_id": "have a prediction id that no answer has",
    "unknown_key": "have a key that no answer has",
    "before_answer": "were known before the answer was given, so they say nothing about it",
    "outside": "hold boxes that lie outside of the picture that was answered: other units, or another picture",
    "after_retention": "are older than what the log still keeps ([log] retention_days)",
    "twice": "say again what is known",
    "corrected": "are corrected by a later one",
}
"""What is said of so many truths, by why they met no answer (`palio.core.monitoring.Unmet`)."""
