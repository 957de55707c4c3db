"""TIFF: the tags of the first page that pixels need; the others, and further pages, are cut off.

Source: Adobe 1992, TIFF 6.0, section 2.
"""

from __future__ import annotations

import struct

from palio.pixels.formats.essence import Essence
from palio.pixels.problems import problem

_KEPT = {
    *(256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284),  # size, kind and place of the pixels
    *(292, 293, 317, 320, 322, 323, 324, 325, 338, 339, 347),  # fax, predictor, palette, tiles, alpha, format, tables
    *(530, 531, 532),  # YCbCr
}
_ORIENTATION, _BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLE_FORMAT = 274, 258, 259, 262, 339
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_MAX_TAGS = 500
_MAX_PAGES = 1_000
_MAX_STRIPS = 65_536


def tiff(data: bytes) -> Essence:
    """Keep the first page of a TIFF file, upright: its orientation is told, not applied."""
    order = "<" if data[:2] == b"II" else ">"
    try:
        (start,) = struct.unpack_from(f"{order}I", data, 4)
        tags, following = _tags(data, start, order)
        n_pages = 1 + _count_pages(data, following, order, {start})
        values = [struct.unpack_from(f"{order}{'H' if kind == 3 else 'I'}", data, at + 8)[0] for _, kind, _, at in tags]
    except struct.error as error:
        raise problem("truncated", "the TIFF file ends early") from error
    entries, used, small = [], 0, dict[int, int]()
    for (tag, kind, count, at), value in zip(tags, values, strict=True):
        small[tag] = value if count == 1 else -1
        if tag in _KEPT:
            used += count * _SIZES.get(kind, 8)
            entries.append(data[at : at + 12])
        if tag in {273, 324} and count > _MAX_STRIPS:
            raise problem("too large", f"a TIFF file in {count:,} pieces; at most {_MAX_STRIPS:,} are read")
    if used > len(data):
        raise problem("damaged", "the TIFF file says that it holds more than it does")
    _check_readable(small)
    page = struct.pack(f"{order}H", len(entries)) + b"".join(entries) + bytes(4)  # never longer than it was
    upright = data[:start] + page + data[start + len(page) :]
    turned = small.get(_ORIENTATION, 1)
    depth = max((_depth(data, order, *one) for one in zip(tags, values, strict=True)), default=8)
    return Essence("TIFF", upright, turned if 1 <= turned <= 8 else 1, n_pages, depth=depth)


def _depth(data: bytes, order: str, tag: tuple[int, int, int, int], value: int) -> int:
    """Return how many bits a number has, if this tag says so; of several colours those of the first."""
    name, kind, count, at = tag
    if name != _BITS or kind != 3:
        return 0
    place = at + 8 if count <= 2 else struct.unpack_from(f"{order}I", data, at + 8)[0]
    found = data[place : place + 2]
    return int(struct.unpack(f"{order}H", found)[0]) if len(found) == 2 else value


def _tags(data: bytes, start: int, order: str) -> tuple[list[tuple[int, int, int, int]], int]:
    """Return tag, type, count and place of each entry of a page, and where the next page is."""
    (n_tags,) = struct.unpack_from(f"{order}H", data, start)
    if n_tags > _MAX_TAGS:
        raise problem("too large", f"a TIFF file with {n_tags:,} tags on a page; at most {_MAX_TAGS} are read")
    places = [start + 2 + 12 * index for index in range(n_tags)]
    tags = [(*struct.unpack_from(f"{order}HHI", data, at), at) for at in places]
    after = data[start + 2 + 12 * n_tags :][:4]
    return tags, struct.unpack(f"{order}I", after)[0] if len(after) == 4 else 0


def _count_pages(data: bytes, at: int, order: str, seen: set[int]) -> int:
    while at and at not in seen and at + 6 <= len(data) and len(seen) < _MAX_PAGES:
        seen.add(at)
        (n_tags,) = struct.unpack_from(f"{order}H", data, at)
        link = at + 2 + 12 * n_tags
        at = struct.unpack_from(f"{order}I", data, link)[0] if link + 4 <= len(data) else 0
    return len(seen) - 1


def _check_readable(small: dict[int, int]) -> None:
    """Refuse what has no agreed brightness, which a decoder would show as something."""
    if small.get(_SAMPLE_FORMAT, 1) not in {1, -1} or small.get(_BITS, 1) in {12, 24, 32, 64}:
        raise problem("format", "a TIFF file of numbers that are no brightness (signed, fractions, 12 or 32 bits)")
    if small.get(_PHOTOMETRIC) == 0 and small.get(_BITS) == 16:
        raise problem("format", "a TIFF file with 16 bits that count from white")
    if small.get(_COMPRESSION) == 6:
        raise problem("format", "a TIFF file with JPEG of the kind that was given up in 1995")
