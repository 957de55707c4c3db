"""Say what is to be known of pictures with boxes: what nobody looked at, what is ignored, parts, films, other files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from palio.core.words import counted, listed
from palio.data.boxes.assembling import Named
from palio.data.pictures.albums import NO_PICTURE, Album, Entry

_MOST_TOLD = 20
"""Classes whose boxes are counted for people."""
_MANY = 1 / 3
"""Share of the boxes that are ignored, above which it is asked whether that is meant."""


class Row(NamedTuple):
    """A picture, and what is said of it."""

    file: str
    entry: Entry | None
    """None: it is not there."""
    cell: str | None
    """Its boxes; None: nobody has looked, or what was said cannot be used."""
    problem: str
    part: str
    sequence: str


def about_rows(rows: Sequence[Row], named: Mapping[str, Named], where: str, *, is_annotated: bool) -> list[str]:
    """Tell of pictures without boxes, boxes that are ignored, and parts."""
    there = [row for row in rows if row.entry is not None and not row.problem]
    empty = [row for row in there if row.cell == "[]"]
    said = []
    if empty:
        said.append(f"{where}: {counted(len(empty), 'picture')} without any box: kept, nothing is there to be found")
    unseen = [row for row in there if row.cell is None]
    if unseen and is_annotated:
        them = "it" if len(unseen) == 1 else "them"
        said.append(
            f"{where}: of {counted(len(unseen), 'picture')} nobody said what is in {them}, e.g. "
            f"{printable(unseen[0].file)}: kept, but not learned from; if there is nothing, say so (an empty text, or "
            "an entry without boxes)"
        )
    held = [box for one in named.values() for box in one.boxes or ()]
    said += _about_things(named, where)
    ignored = sum(box.ignored for box in held)
    if ignored:
        odd = ": is that meant? Some tools mark so what a machine outlined" if ignored > _MANY * len(held) else ""
        said.append(
            f"{where}: {ignored:,} of {counted(len(held), 'box')} are marked as crowds or difficult: neither learned "
            f"nor counted{odd}"
        )
    parts = Counter(row.part for row in rows if row.part)
    if parts:
        counts = ", ".join(f"{part} {parts[part]:,}" for part in ("train", "validation", "test") if parts[part])
        said.append(f"{where}: the pictures came in parts ({counts}); [split] method `given` keeps them")
    return said


def _about_things(named: Mapping[str, Named], where: str) -> list[str]:
    """Count the boxes of each class, and the pictures that they are in."""
    boxes = Counter(box.label for one in named.values() for box in one.boxes or ())
    if len(boxes) < 2:
        return []
    within = Counter(label for one in named.values() for label in {box.label for box in one.boxes or ()})
    most = boxes.most_common(_MOST_TOLD)
    shown = [f"`{label}` {n:,} in {within[label]:,}" for label, n in most]
    rest = f", and {counted(len(boxes) - len(most), 'class', 'classes')} more" if len(boxes) > len(most) else ""
    return [f"{where}: boxes of each class, and the pictures that they are in: {', '.join(shown)}{rest}"]


def about_films(rows: Sequence[Row], where: str) -> list[str]:
    """Tell of pictures that belong together, and of given parts that tear them apart."""
    films: dict[str, set[str]] = {}
    for row in rows:
        if row.sequence:
            films.setdefault(row.sequence, set()).add(row.part)
    if not films:
        return []
    n = sum(bool(row.sequence) for row in rows)
    said = [
        f"{where}: {counted(n, 'picture')} belong together in {counted(len(films), 'group')}, as frames of a film or "
        "changed copies of one picture: [data] group keeps each in one part"
    ]
    torn = [film for film, parts in films.items() if len(parts - {""}) > 1]
    if torn:
        said.append(
            f"{where}: {counted(len(torn), 'group')} of these {'is' if len(torn) == 1 else 'are'} in more than one of "
            f"the given parts, e.g. {torn[0]}: they look alike, so that the test is easier than the world"
        )
    return said


def about_files(album: Album, read: Collection[str], n_masks: int) -> list[str]:
    """Tell of files that were passed over."""
    others = [entry.key for entry in album.others if entry.key not in read]
    left = Counter({why: n for why, n in album.passed_over.items() if why != NO_PICTURE})
    said = [f"{counted(n, 'file')}: {why}, e.g. {printable(album.examples[why])}" for why, n in left.items()]
    if others:
        said.append(f"{counted(len(others), 'file')}: {NO_PICTURE} and no annotation, e.g. {printable(others[0])}")
    if n_masks:
        said.append(f"{counted(n_masks, 'picture')}: in folders of masks, which are called as annotated pictures are")
    return [f"{album.name}: passed over {listed(said)}"] if said else []


def printable(key: str) -> str:
    """Write a path whatever bytes it holds."""
    return key.encode("utf-8", "replace").decode()
