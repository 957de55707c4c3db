"""Find frames of one film: pictures whose names count on, and which look alike from one to the next."""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np

_COUNTED = re.compile(r"^(.*?)(\d+)$")
_FILM = re.compile(
    r"(^|[^a-z])(frame|video|vid|clip|cam|camera|film|scene|seq|sequence|mov|mvi|track|stream|gopr)s?($|[^a-z])", re.I
)
_CHANGED = re.compile(r"[._-](?:jpe?g|png|webp|bmp)[._-]rf[._-][0-9a-z]{8,}$", re.IGNORECASE)
"""How Roboflow names a picture, and each copy of it that it changes."""
_LEAST = 3
_MUCH_NEARER = 0.6
"""Distance of the looks of neighbours, over that of any two pictures, below which they are frames of a film."""
_DRAWN = 400
_ENOUGH, _STRETCHES = 3, 12
"""Of fewer films none can be left whole: they are cut into so many stretches in all."""


def sequences(keys: Sequence[str], likeness: Callable[[str], int | None]) -> dict[str, str]:
    """Return the film of each picture that is a frame of one.

    A name that counts on is not enough: pictures of any collection are called so. What is called a frame, a clip or a
    camera is taken at its word; else neighbours must look much more alike than others.

    Args:
        keys: Paths of pictures.
        likeness: Code of what a picture looks like; None: not known.
    """
    copies = _copies(keys)
    films = _by_name([key for key in keys if key not in copies])
    if not films:
        return copies
    usual = _usual_distance([code for key in keys if (code := likeness(key)) is not None])
    found: dict[str, str] = {}
    for name, members in films.items():
        codes = [likeness(key) for key in members]
        steps = [_distance(a, b) for a, b in pairwise(codes) if a is not None and b is not None]
        is_called = bool(_FILM.search(name))
        if is_called or (steps and usual > 0 and float(np.median(steps)) < _MUCH_NEARER * usual):
            found |= dict.fromkeys(members, _film(name))
    return found | copies


def in_stretches(films: Mapping[str, str]) -> dict[str, str]:
    """Cut films that are too few to be spread over three parts into stretches of neighbours; others stay whole.

    Example:
        >>> len(set(in_stretches({f"{at}.jpg": "street" for at in range(100)}).values()))
        12
    """
    names = set(films.values())
    if len(names) >= _ENOUGH or len(films) < 2 * _STRETCHES:
        return dict(films)
    each = -(-len(films) // _STRETCHES)
    seen: dict[str, int] = defaultdict(int)
    found = {}
    for key, name in films.items():
        found[key] = f"{name}, stretch {seen[name] // each + 1}"
        seen[name] += 1
    return found


def _copies(keys: Sequence[str]) -> dict[str, str]:
    """Return the picture that each was made of, where a tool wrote several changed copies of it, and named them so."""
    made: dict[str, list[str]] = defaultdict(list)
    for key in keys:
        name = posixpath.basename(posixpath.splitext(key)[0])
        if _CHANGED.search(name):
            made[_CHANGED.sub("", name)].append(key)
    return {key: name for name, members in made.items() if len(members) > 1 for key in members}


def _by_name(keys: Sequence[str]) -> Mapping[str, list[str]]:
    films: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for key in keys:
        stem = posixpath.splitext(key)[0]
        stem = _CHANGED.sub("", stem)
        match = _COUNTED.match(stem)
        if match and len(match[2]) < 18:
            films[match[1].rstrip("_-. ") or posixpath.dirname(key)].append((int(match[2]), key))
    return {
        name: [key for _, key in sorted(members)]
        for name, members in films.items()
        if len(members) >= _LEAST and len({number for number, _ in members}) > len(members) / 2
    }


def _film(name: str) -> str:
    """Name a film by its folder where its frames are only called frames."""
    folder, last = posixpath.split(name)
    return folder if folder and last.lower() in ("frame", "img", "image", "") else name or "frames"


def _usual_distance(codes: Sequence[int]) -> float:
    """Return the median distance of pictures that are drawn evenly, each with one that is half of all away."""
    half = len(codes) // 2
    if not half:
        return 0.0
    step = max(1, half // _DRAWN)
    return float(np.median([_distance(codes[at], codes[at + half]) for at in range(0, half, step)]))


def _distance(one: int, other: int) -> int:
    return (one ^ other).bit_count()
