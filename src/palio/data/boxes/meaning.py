"""Find out how the numbers of boxes are meant: pixels or fractions, corners or centres; what contradicts is refused.

By definition each format is written in one way. Files are not always so. What is not as it is defined shows where
boxes do not lie in their pictures, or have no size; it is read in another way only where that one way fits all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from palio.core.errors import InputError
from palio.core.words import counted
from palio.data.boxes.frames import Frame, fits
from palio.data.boxes.sheets import Form, Notation, Place, Unit

FRACTION = 1.5
"""A box none of whose numbers is larger is in fractions: in pixels it would be a speck in the corner."""
_CLEAR = 0.9
_FEW = 0.1
_LEAST = 0.05
_MOST = 20_000
_FORMS: tuple[Form, ...] = ("corners", "corner and size", "centre and size")


class Seen(NamedTuple):
    """A box as it is written, and the frame of its picture."""

    place: Place
    frame: Frame
    where: str


class Meaning(NamedTuple):
    """How boxes are meant, and why."""

    notation: Notation
    told: tuple[str, ...] = ()


def meaning_of(seen: Sequence[Seen], own: Notation, open_ones: Sequence[Notation], where: str, what: str) -> Meaning:
    """Tell how the boxes of a file, or of files that are written alike, are meant.

    Args:
        seen: Boxes.
        own: As the format defines.
        open_ones: Notations that the form leaves open, the likeliest first; none: the definition counts.
        where: The file, for people.
        what: The format, for people.

    Raises:
        InputError: some are in pixels and some in fractions; or many lie in no picture, however they are read.
    """
    some = [one for one in seen[:: 1 + len(seen) // _MOST] if _is_whole(one.place)]
    if not some:
        return Meaning(open_ones[0] if open_ones else own)
    unit = _unit(some, own.unit, where)
    forms = list(dict.fromkeys(one.form for one in open_ones)) or [own.form]
    first = Notation(unit, forms[0])
    bad = _misfits(some, first)
    told = []
    if unit != own.unit:
        said = f"{where}: the boxes are read in {unit}, which their numbers are"
        told.append(said if open_ones else f"{said}, and not in {own.unit}, as {what} has them")
    if not bad:
        others = [form for form in forms[1:] if not _misfits(some, Notation(unit, form))]
        if others:
            told.append(
                f"{where}: the boxes are read as {first}; as {others[0]} they would lie in their pictures, too: look "
                "at some of them"
            )
        return Meaning(first, tuple(told))
    share = len(bad) / len(some)
    others = [form for form in (forms[1:] or _FORMS) if form != first.form and not _misfits(some, Notation(unit, form))]
    is_clear = len(some) >= 3 and len(bad) > 1 and share >= _LEAST
    if is_clear and (len(others) == 1 or (open_ones and others)):
        found = Notation(unit, others[0])
        told.append(
            f"{where}: the boxes are read as {found}, which fits all of them: as {first}"
            + ("" if open_ones else f", which {what} has,")
            + f" {len(bad):,} of {len(some):,} would not lie in their pictures, e.g. {bad[0].where}"
        )
        return Meaning(found, tuple(told))
    if len(bad) > 1 and share > _FEW:
        raise _refusal(some, bad, first, where)
    return Meaning(first, tuple(told))


def _unit(some: Sequence[Seen], own: Unit, where: str) -> Unit:
    like_fractions = [one for one in some if largest(one.place) <= FRACTION]
    share = len(like_fractions) / len(some)
    if share >= _CLEAR:
        return "fractions"
    if share > _FEW:
        other = next(one for one in some if largest(one.place) > FRACTION)
        raise InputError(
            f"{where}: {len(like_fractions):,} of {counted(len(some), 'box')} are written in fractions, the others are "
            f"not, e.g. {like_fractions[0].where} and {other.where}",
            hint="write all of them in one unit",
        )
    if own == "percent":
        beyond = sum(largest(one.place) > 102 for one in some)
        return "pixels" if beyond > _FEW * len(some) else "percent"
    return "pixels"


def largest(place: Place) -> float:
    """Return the largest of four numbers, whatever its sign."""
    return max(map(abs, place))


def _is_whole(place: Place) -> bool:
    return all(map(math.isfinite, place)) and any(place)


def _misfits(some: Sequence[Seen], notation: Notation) -> list[Seen]:
    """Return the boxes that lie in their pictures neither as these are shown nor as they are stored."""
    return [one for one in some if not _lies(one, notation)]


def _lies(one: Seen, notation: Notation) -> bool:
    frame = one.frame
    return fits(notation.corners(one.place, frame.shown), frame.shown) or (
        frame.orientation >= 5 and fits(notation.corners(one.place, frame.stored), frame.stored)
    )


def _refusal(some: Sequence[Seen], bad: Sequence[Seen], notation: Notation, where: str) -> InputError:
    """Say what is wrong with boxes of which many lie in no picture, and what may have happened."""
    hint = "look at the pictures that are named; are these the pictures that were annotated?"
    swapped = [one._replace(place=(one.place[1], one.place[0], one.place[3], one.place[2])) for one in some]
    if not _misfits(swapped, notation):
        hint = "they would if x and y were exchanged: correct the file"
    elif any(not _misfits(some, Notation(notation.unit, form)) for form in _FORMS):
        hint = "they fit otherwise read, but not in one way alone: say in the file what its numbers are"
    elif notation.unit == "pixels":
        wide = max(max(notation.corners(one.place, one.frame.shown)[2:]) for one in some)
        hint = f"they reach up to {wide:,.0f} pixels: were the pictures of another size when they were annotated?"
    return InputError(
        f"{where}: {len(bad):,} of {counted(len(some), 'box')}, read as {notation}, do not lie in their pictures or "
        f"have no size, e.g. {bad[0].where}: {', '.join(f'{number:g}' for number in bad[0].place)} in a picture of "
        f"{bad[0].frame.shown[0]} × {bad[0].frame.shown[1]} pixels",
        hint=hint,
    )
