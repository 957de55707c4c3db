"""Find pictures that stand in an album more than once, and say what that means for what is learned from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from palio.core.words import counted, listed
from palio.data.pictures.depths import about_depths
from palio.data.pictures.notes import Note
from palio.pixels import groups, tells_copies

MOST_COMPARED = 50_000
"""More pictures than this are not compared with each other here, but when they are cut into parts."""


_Groups = Sequence[Sequence[int]]
"""Places of pictures that are alike."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What is asked about one picture."""

    file: str
    digest: str
    label: str
    part: str
    note: Note


def about(pictures: Sequence[Picture], where: str, *, is_counted: bool = False) -> list[str]:
    """Say what is odd about pictures, one sentence each.

    Args:
        pictures: All of them.
        where: The album, for people.
        is_counted: Whether labels count what is in pictures: those that look alike may hold other things.

    Raises:
        InputError: all that have 16 bits hold numbers of fewer.
    """
    good = [one for one in pictures if not one.note.problem]
    said = [
        *_about_problems(pictures, where),
        *_about_frames(good, where),
        *about_depths([(one.file, one.note) for one in good], where),
    ]
    by_digest: dict[str, list[int]] = {}
    for at, one in enumerate(good):
        by_digest.setdefault(one.digest, []).append(at)
    exact = [group for group in by_digest.values() if len(group) > 1]
    if exact:
        n = sum(len(group) - 1 for group in exact)
        said.append(
            f"{where}: {counted(n, 'picture')} {_is(n)} a copy of another, byte for byte, e.g. {_shown(good, exact[0])}"
        )
    alike, told = _near(good, exact, where) if len(good) <= MOST_COMPARED else (exact, [])
    said += [*told, *(_about_things if is_counted else _about_labels)(good, exact, alike, where)]
    return [*said, *_about_parts(good, alike, where)]


def _about_problems(pictures: Sequence[Picture], where: str) -> list[str]:
    bad = [one for one in pictures if one.note.problem]
    if not bad:
        return []
    kinds = Counter(one.note.kind for one in bad)
    first = {one.note.kind: one.file for one in reversed(bad)}
    shown = listed(f"{n:,} {_PROBLEMS.get(kind, kind)} ({first[kind]})" for kind, n in kinds.most_common())
    of_all = f"{len(bad):,} of {counted(len(pictures), 'file')}"
    return [f"{where}: {of_all} {_is(len(bad))} set aside, for want of a picture: {shown}"]


_PROBLEMS = {
    "gone": "not to be found",
    "unnamed": "not named",
    "empty": "empty",
    "not a picture": "something else than a picture",
    "format": "of a form that is not read",
    "too large": "too large",
    "truncated": "cut off",
    "damaged": "damaged",
}


def _about_frames(good: Sequence[Picture], where: str) -> list[str]:
    said = []
    moving = [one for one in good if one.note.n_frames > 1]
    if moving:
        n, shown = counted(len(moving), "file"), moving[0].file
        said.append(f"{where}: {n} with several pictures: the first is read, e.g. of {shown}")
    turned = [one for one in good if one.note.orientation != 1]
    if turned:
        n, shown = counted(len(turned), "picture"), turned[0].file
        said.append(f"{where}: {n} turned upright, as the camera noted, e.g. {shown}")
    return said


def _near(good: Sequence[Picture], exact: _Groups, where: str) -> tuple[_Groups, list[str]]:
    """Return which pictures look alike, copies byte for byte among them, and what is to be said of that."""
    near = groups([int(one.note.likeness, 16) for one in good], [int(one.note.mirrored, 16) for one in good])
    if not tells_copies(max(map(len, near), default=0), len(good)):
        why = "too many pictures resemble each other to tell copies (they are small, or the camera stands still)"
        return exact, [f"{where}: {why}: only copies byte for byte count"]
    more = [group for group in near if len({good[at].digest for at in group}) > 1]
    said = []
    if more:
        n = sum(len({good[at].digest for at in group}) - 1 for group in more)
        said.append(
            f"{where}: {counted(n, 'picture')} {_is(n)} much like another (saved anew, scaled or mirrored), "
            f"e.g. {_shown(good, more[0])}: they are kept in one part of a cut"
        )
    return [*near, *(group for group in exact if not any(group[0] in other for other in near))], said


def _about_labels(good: Sequence[Picture], exact: _Groups, alike: _Groups, where: str) -> list[str]:  # noqa: ARG001
    torn = _torn(good, alike)
    if not torn:
        return []
    shown = _contrast(good, torn[0])
    return [f"{where}: {counted(len(torn), 'picture')} under more than one label, e.g. {shown}: correct them"]


def _about_things(good: Sequence[Picture], exact: _Groups, alike: _Groups, where: str) -> list[str]:
    """Tell where copies are said to hold other things: byte for byte that is wrong, else something may have moved."""
    torn, said = _torn(good, exact), []
    if torn:
        n, shown = counted(len(torn), "picture"), _contrast(good, torn[0])
        said.append(f"{where}: {n} with copies that are said to hold other things, e.g. {shown}: correct them")
    maybe = [group for group in _torn(good, alike) if not any(group[0] in other for other in torn)]
    if maybe:
        n, shown = counted(len(maybe), "picture"), _contrast(good, maybe[0])
        said.append(
            f"{where}: {n} {_is(len(maybe))} much like another that is said to hold other things, e.g. {shown}: "
            "was something overlooked?"
        )
    return said


def _about_parts(good: Sequence[Picture], alike: _Groups, where: str) -> list[str]:
    across = [group for group in alike if len({good[at].part for at in group if good[at].part}) > 1]
    if not across:
        return []
    shown = " and ".join(f"{good[at].file}" for at in across[0][:2])
    return [f"{where}: {counted(len(across), 'picture')} in more than one of the given parts, e.g. {shown}"]


def _torn(good: Sequence[Picture], alike: _Groups) -> list[Sequence[int]]:
    return [group for group in alike if len({good[at].label for at in group if good[at].label}) > 1]


def _contrast(good: Sequence[Picture], group: Sequence[int]) -> str:
    return " and ".join(f"{good[at].file} (`{good[at].label}`)" for at in _different(good, group))


def _different(good: Sequence[Picture], group: Sequence[int]) -> list[int]:
    first = {good[at].label: at for at in reversed(group) if good[at].label}
    return sorted(first.values())[:2]


def _shown(good: Sequence[Picture], group: Sequence[int]) -> str:
    return " and ".join(good[at].file for at in group[:2])


def _is(n: int) -> str:
    return "is" if n == 1 else "are"
