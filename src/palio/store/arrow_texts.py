"""Decode the texts of a column: those of which few are different without a loop over all."""

from __future__ import annotations

import itertools

import numpy as np

from palio.store.arrow import Array

_WORD = 8
_MASKS = np.array([(1 << (8 * size)) - 1 for size in range(_WORD + 1)], np.uint64)
_ODD = np.uint64(0x9E3779B97F4A7C15)
_SLOT_BITS = 14
_TURNS = 4
_LONGEST_FEW = 40
"""Bytes of texts that are looked for repetition."""
_FEWEST_FEW = 512
_PROBE = 256
"""If more than half of so many first texts are different, they hardly repeat."""


def read_texts(places: Array, data: bytes) -> Array:
    """Decode texts, each from its place up to the next; those that repeat are decoded once.

    Example:
        >>> read_texts(np.array([0, 2, 2, 5], np.int32), b"yesno").tolist()
        ['ye', '', 'sno']
    """
    repeated = _few_texts(places, data)
    if repeated is not None:
        return repeated
    offsets = places.tolist()
    values = np.empty(len(offsets) - 1, object)
    if data.isascii():  # then places in the text are places in the bytes
        text = data.decode("ascii")
        values[:] = [text[a:b] for a, b in itertools.pairwise(offsets)]
    else:
        values[:] = [data[a:b].decode("utf-8", "replace") for a, b in itertools.pairwise(offsets)]
    return values


def _few_texts(places: Array, data: bytes) -> Array | None:
    """Decode texts of which few are different, each once; None if they are many, long or hold zero bytes.

    Texts are compared as words of eight bytes in a table without chains: where two different ones meet, it is given up.
    """
    sizes = np.diff(places)
    longest = int(sizes.max(initial=0))
    if longest > _LONGEST_FEW or len(sizes) < _FEWEST_FEW or b"\0" in data:
        return None
    padded = data + bytes(longest + _WORD)
    words = np.ndarray((len(data) + longest + 1,), "<u8", padded, strides=(1,))
    keys = []
    for start in range(0, max(longest, 1), _WORD):
        left = np.clip(sizes - start, 0, _WORD)
        keys.append(words[places[:-1] + start] & _MASKS[left])
    if len(set(zip(*(key[:_PROBE].tolist() for key in keys), strict=True))) > _PROBE // 2:
        return None
    mixed = np.zeros(len(sizes), np.uint64)
    for key in keys:
        mixed = (mixed ^ key) * _ODD
        mixed ^= mixed >> np.uint64(29)
    rows = np.full(1 << _SLOT_BITS, -1, np.int64)
    for turn in range(_TURNS):
        slots = ((mixed * (_ODD + np.uint64(2 * turn))) >> np.uint64(64 - _SLOT_BITS)).astype(np.int64)
        rows[slots] = np.arange(len(sizes))
        same = rows[slots]
        if all((key[same] == key).all() for key in keys):
            break
        rows[slots] = -1
    else:
        return None
    texts = np.empty(1 << _SLOT_BITS, object)
    for slot in np.flatnonzero(rows >= 0).tolist():
        row = rows[slot]
        texts[slot] = data[places[row] : places[row + 1]].decode("utf-8", "replace")
    return texts[slots]
