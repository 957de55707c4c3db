"""Put together what all files say: which picture each sheet means, how its numbers are meant, and what is odd."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from palio.core.errors import InputError
from palio.core.records import Box
from palio.core.words import counted, listed
from palio.data.boxes import settling
from palio.data.boxes.frames import Frame, fits
from palio.data.boxes.meaning import Meaning, Seen, meaning_of
from palio.data.boxes.places import Places, part_in
from palio.data.boxes.settling import Remarks, Unusable, boxes_in
from palio.data.boxes.sheets import Annotations, Notation, Sheet
from palio.data.pictures.layout import PART_WORDS

_MOST_UNUSABLE = 0.5
"""Share of the annotated pictures of which more than this cannot be used: then something is wrong with all."""

_FEW_SHOW = 0.02
"""Share of the boxes that must lie outside of the written size for it to be wrong."""


@dataclass(slots=True)
class Named:
    """What files say of one picture of the album."""

    sheet: Sheet
    notation: Notation | None = None
    """How its boxes were read."""
    boxes: tuple[Box, ...] | None = None
    """None: nobody has looked, or what was said cannot be used."""
    problem: str = ""


@dataclass(slots=True)
class Assembled:
    """What the files of one format say of the boxes in an album."""

    annotations: Annotations
    pictures: dict[str, Named] = field(default_factory=dict)
    """Path of a picture → what is said of it."""
    strangers: list[Sheet] = field(default_factory=list)
    """What is said of pictures that are not there."""
    told: list[str] = field(default_factory=list)
    read: set[str] = field(default_factory=set)
    """Files of annotation."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Number of a class → name, where the files give it none."""
    parts: dict[str, str] = field(default_factory=dict)
    """Path of a picture → the part whose list names it."""


def assembled(annotations: Annotations, places: Places, where: str, names: Sequence[str]) -> Assembled:
    """Give each sheet of one format its picture.

    Args:
        annotations: What the files say.
        places: Finds pictures.
        where: The album, for people.
        names: Of classes that have numbers alone, in their order.

    Raises:
        InputError: two files contradict each other, or no picture is there.
    """
    whole = Assembled(read=set(annotations.read), told=list(annotations.told), annotations=annotations)
    whole.names = _by_number(annotations, names, whole.told, where)
    for sheet in annotations.sheets:
        entry = places.entry(sheet.file, sheet.base, sheet.origin) if sheet.file else None
        if entry is None:
            whole.strangers.append(sheet)
        elif entry.key not in whole.pictures:
            whole.pictures[entry.key] = Named(sheet)
        else:
            _merge(whole.pictures[entry.key], sheet, whole)
    for file, part in annotations.parts.items():
        entry = places.entry(file, "", "")
        if entry is not None:
            whole.parts[entry.key] = part
    _check_there(whole, where)
    return whole


def _by_number(annotations: Annotations, names: Sequence[str], told: list[str], where: str) -> dict[str, str]:
    """Name the classes that the files leave without a name."""
    marks = (mark for sheet in annotations.sheets for mark in sheet.marks if not mark.label and mark.number)
    numbers = Counter(mark.number for mark in marks)
    if not numbers or annotations.names:
        return {}
    if names:
        from palio.data.boxes.formats.classes import check

        given = {str(place): name for place, name in enumerate(names)}
        check(numbers, given, where)
        return given
    ranked = sorted(numbers, key=lambda number: (len(number), number))
    found = {number: f"class {number}" for number in ranked}
    told.append(
        f"{where}: no file names the classes, so they are called {listed(f'`{name}`' for name in found.values())}: "
        "name them in order with --classes, or in a file classes.txt beside the boxes, a name a line"
    )
    return found


def _merge(before: Named, sheet: Sheet, whole: Assembled) -> None:
    """Take in a second sheet of a picture; both must say the same.

    Raises:
        InputError: they are of two files, and differ.
    """
    first = before.sheet
    if not sheet.is_looked_at:
        return
    if not first.is_looked_at:
        before.sheet = sheet
        return
    if _content(first) == _content(sheet):
        whole.told.append(f"{sheet.origin}: {sheet.file} is there twice, and said to hold the same: taken once")
        return
    if first.origin == sheet.origin:
        before.problem = f"{sheet.origin} says two things of {sheet.file}"
        return
    raise InputError(
        f"{first.origin} and {sheet.origin} say different things of {sheet.file}",
        hint="name the file that is right, with the pictures as --images",
    )


def _content(sheet: Sheet) -> Counter[tuple[str, str, tuple[float, ...], bool]]:
    return Counter((mark.label, mark.number, mark.place, mark.ignored) for mark in sheet.marks)


def _check_there(whole: Assembled, where: str) -> None:
    strange = [sheet for sheet in whole.strangers if sheet.marks or sheet.is_looked_at]
    if strange and not whole.pictures:
        raise InputError(
            f"{where}: none of the {counted(len(strange), 'picture')} that {strange[0].origin} speaks of is there, "
            f"e.g. {strange[0].file}",
            hint="name the folder of the pictures: --images FOLDER",
        )
    if strange:
        shown = f"e.g. {strange[0].file} ({strange[0].origin})"
        whole.told.append(
            f"{where}: {counted(len(strange), 'picture')} with annotation {'is' if len(strange) == 1 else 'are'} not "
            f"there, {shown}: set aside"
        )


def settle(whole: Assembled, frame_of: Callable[[str], Frame | None], where: str) -> None:
    """Bring all boxes into their pictures.

    Raises:
        InputError: something is wrong with the boxes of many pictures.
    """
    groups: dict[str, list[str]] = {}
    for key, named in whole.pictures.items():
        groups.setdefault(named.sheet.origin if whole.annotations.is_by_file else "", []).append(key)
    remarks = Remarks()
    for origin, keys in groups.items():
        _settle_group(whole, keys, origin or where, frame_of, remarks)
    _check_problems(whole, where)
    whole.told += _sentences(remarks, where)


def _settle_group(
    whole: Assembled,
    keys: Sequence[str],
    where: str,
    frame_of: Callable[[str], Frame | None],
    remarks: Remarks,
) -> None:
    annotations = whole.annotations
    frames = {key: frame for key in keys if (frame := frame_of(key)) is not None}
    seen = [
        Seen(mark.place, frame, f"{key} {mark.where}")
        for key, frame in frames.items()
        for mark in whole.pictures[key].sheet.marks
    ]
    open_ones = annotations.notations.get(whole.pictures[keys[0]].sheet.origin, ())
    meaning: Meaning = meaning_of(seen, annotations.notation, open_ones, where, annotations.format)
    if seen:
        whole.told.append(f"{where}: {annotations.format}, {counted(len(seen), 'box')} read as {meaning.notation}")
    whole.told += meaning.told
    _turn_sizes(whole, frames, meaning.notation, where)
    stored = _stored(whole, frames, meaning.notation, where)
    for key, frame in frames.items():
        named = whole.pictures[key]
        sheet = named.sheet
        named.notation = meaning.notation
        named.problem = named.problem or sheet.problem or ("" if stored[key] is not None else _TORN_FRAME)
        if named.problem or not sheet.is_looked_at:
            continue
        try:
            named.boxes = tuple(
                boxes_in(
                    sheet.marks,
                    meaning.notation,
                    frame,
                    is_stored=bool(stored[key]),
                    names=whole.names,
                    size=sheet.size,
                    file=key,
                    remarks=remarks,
                )
            )
        except Unusable as why:
            named.problem = str(why)


def _turn_sizes(whole: Assembled, frames: Mapping[str, Frame], notation: Notation, where: str) -> None:
    """Leave sizes aside that are written height by width: all are, and boxes show that the pictures are not turned."""
    upright = {key: frame for key, frame in frames.items() if frame.orientation == 1 and len(set(frame.shown)) > 1}
    said = {key: size for key in upright if (size := whole.pictures[key].sheet.size) is not None}
    if (
        notation.unit != "pixels"
        or len(said) < 2
        or any(size != upright[key].shown[::-1] for key, size in said.items())
    ):
        return
    fit = [
        (fits(notation.corners(mark.place, size), size), fits(notation.corners(mark.place, size), upright[key].shown))
        for key, size in said.items()
        for mark in whole.pictures[key].sheet.marks
    ]
    n_shown = sum(real and not written for written, real in fit)
    if n_shown > _FEW_SHOW * len(fit) and not any(written and not real for written, real in fit):
        for key in said:
            whole.pictures[key].sheet.size = None
        whole.told.append(
            f"{where}: the sizes of {counted(len(said), 'picture')} are written height by width, e.g. of "
            f"{next(iter(said))}: {n_shown:,} of {counted(len(fit), 'box')} would lie outside, and all lie in the "
            "pictures as they are"
        )


_TORN_FRAME = "it cannot be told whether its boxes are those of the picture as it is stored or as it is shown"


def _stored(whole: Assembled, frames: Mapping[str, Frame], notation: Notation, where: str) -> dict[str, bool | None]:
    """Tell for each picture whether its boxes were made on it as it is stored; None: that cannot be told.

    What shows it is the size that the file says, or a box that fits only one of the two. Others follow these.
    """
    turned = {key: frame for key, frame in frames.items() if frame.orientation != 1}
    shows = {key: _shows(whole.pictures[key].sheet, frame, notation) for key, frame in turned.items()}
    votes = Counter(shows.values())
    others: bool | None = False if not votes[True] else None if votes[False] else True
    found: dict[str, bool | None] = dict.fromkeys(frames, False)
    for key, shown in shows.items():
        found[key] = shown if shown is not None else others if whole.pictures[key].sheet.marks else False
    n = sum(bool(found[key]) for key in turned)
    if n:
        example = next(key for key in turned if found[key])
        whole.told.append(
            f"{where}: the boxes of {counted(n, 'picture')} that the camera turned fit {'it' if n == 1 else 'them'} as "
            f"stored, not as shown, e.g. {example}: they are turned, too"
        )
    unsure = [
        key for key, shown in shows.items() if shown is None and found[key] is False and whole.pictures[key].sheet.marks
    ]
    if unsure and not votes[False]:
        whole.told.append(
            f"{where}: {counted(len(unsure), 'picture')} {'is' if len(unsure) == 1 else 'are'} turned by the camera, "
            f"and the boxes fit both as stored and as shown; taken as shown: look at one, e.g. {unsure[0]}"
        )
    return found


def _shows(sheet: Sheet, frame: Frame, notation: Notation) -> bool | None:
    if frame.stored == frame.shown:
        return None
    if sheet.size in (frame.stored, frame.shown):
        return sheet.size == frame.stored
    fit = [
        all(fits(notation.corners(mark.place, size), size) for mark in sheet.marks)
        for size in (frame.stored, frame.shown)
    ]
    return None if fit[0] == fit[1] else fit[0]


def _check_problems(whole: Assembled, where: str) -> None:
    annotated = [key for key, named in whole.pictures.items() if named.sheet.is_looked_at]
    bad = [key for key in annotated if whole.pictures[key].problem]
    if not bad:
        return
    shown = f"e.g. {bad[0]}: {whole.pictures[bad[0]].problem}"
    if len(bad) > max(1, _MOST_UNUSABLE * len(annotated)):
        raise InputError(
            f"{where}: what is said of {len(bad):,} of {counted(len(annotated), 'annotated picture')} cannot be used, "
            f"{shown}",
            hint="correct the files, or name the one that is right, with the pictures as --images",
        )
    whole.told.append(
        f"{where}: what is said of {counted(len(bad), 'picture')} cannot be used, "
        f"{'it is' if len(bad) == 1 else 'they are'} set aside, {shown}"
    )


_SAID = {
    settling.CUT: "{n} reached beyond the edge of the picture and {is_} cut off there, e.g. {e}",
    settling.TWICE: "{n} {is_} there twice, e.g. {e}: taken once",
    settling.NEARLY: "{n} {is_} nearly the same as another of its class, e.g. {e}: is it one thing twice?",
    settling.TORN: "{n} {is_} exactly that of another class, too, e.g. {e}: which is right?",
    settling.SPECK: "{n} {is_} smaller than a pixel, e.g. {e}",
    settling.WHOLE: "{n} {is_} as large as the picture, e.g. {e}",
}


def _sentences(remarks: Remarks, where: str) -> list[str]:
    return [
        f"{where}: " + _SAID[what].format(n=counted(n, "box"), is_="is" if n == 1 else "are", e=remarks.examples[what])
        for what, n in remarks.counts.items()
    ]


def part_of(key: str, sheet: Sheet | None, listed_parts: Mapping[str, str]) -> str:
    """Return the part that a picture was given: by its file of annotation, a list, its folders, or that file's name."""
    said = PART_WORDS.get(sheet.part.lower(), "") if sheet is not None else ""
    return said or listed_parts.get(key, "") or part_in(key) or (part_in(sheet.origin, names=True) if sheet else "")
