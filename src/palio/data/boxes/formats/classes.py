"""Numbers of classes become names: what has none is found, and numbers that are shifted by one are refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from palio.core.errors import InputError
from palio.core.words import counted, listed

_MANY = 0.1
"""Share of the boxes whose class has no name, above which it is not a slip."""


def check(numbers: Mapping[str, int], names: Mapping[str, str], where: str) -> None:
    """Refuse numbers of which many have no name, or that fit the names when counted from another one.

    Args:
        numbers: Number of a class → boxes of it.
        names: Number → name.
        where: The file, for people.

    Raises:
        InputError: so it is.
    """
    unknown = {number: n for number, n in numbers.items() if number not in names}
    if not unknown:
        return
    which = listed(f"`{number}`" for number in sorted(unknown, key=_order))
    are = "is" if len(unknown) == 1 else "are"
    shift = next((by for by in (1, -1) if _fits(numbers, names, by)), 0)
    if shift:
        more = "more" if shift > 0 else "less"
        raise InputError(
            f"{where}: class {which} {are} not named, and every class is if each number is {more} by 1: the boxes "
            "count from another number than the names",
            hint="correct the numbers or the names; COCO counts as its categories say, YOLO from 0",
        )
    n = sum(unknown.values())
    if n > max(1, _MANY * sum(numbers.values())):
        raise InputError(
            f"{where}: {counted(n, 'box')} of class {which}, which no name is given to; named are "
            f"{listed(f'`{number}` ({name})' for number, name in names.items())}",
            hint="add the names, or correct the numbers",
        )


def _fits(numbers: Mapping[str, int], names: Mapping[str, str], by: int) -> bool:
    if not all(number.lstrip("-").isdecimal() for number in numbers):
        return False
    return all(str(int(number) + by) in names for number in numbers)


def never(names: Mapping[str, str], used: Collection[str], where: str) -> list[str]:
    """Say which classes are named, but have no box."""
    idle = [name for number, name in names.items() if number not in used]
    if not idle or len(idle) == len(names):
        return []
    shown = listed(f"`{name}`" for name in idle)
    return [f"{where}: {shown} {'is' if len(idle) == 1 else 'are'} named, but of no box: are the numbers right?"]


def _order(number: str) -> tuple[int, str]:
    return (int(number) if number.lstrip("-").isdecimal() and len(number) < 18 else 0), number
