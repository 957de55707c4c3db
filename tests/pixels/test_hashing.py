"""Copies are found however they were saved; strangers are not."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from PIL import ImageEnhance

from palio.pixels import decoded, groups, likeness, near
from tests.pixels.files import saved, soft

COPIES = {
    "recompressed": lambda image: image,
    "halved": lambda image: image.resize((70, 60)),
    "brightened": lambda image: ImageEnhance.Brightness(image).enhance(1.15),
    "grey": lambda image: image.convert("L"),
}


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_is_near(how: str) -> None:
    for seed in range(30):
        copy = decoded(saved(COPIES[how](soft(seed)), "JPEG", quality=60))
        assert near(likeness(np.asarray(soft(seed))), likeness(copy))


def test_strangers_are_not_near() -> None:
    codes = [likeness(np.asarray(soft(seed))) for seed in range(300)]
    assert groups(codes) == []


def test_plain_surfaces_are_copies_of_nothing() -> None:
    codes = [likeness(np.full((50, 50, 3), value, np.uint8)) for value in (0, 100, 255)]
    assert groups(codes) == []


def test_groups_are_those_of_a_search_through_all_pairs() -> None:
    rng = np.random.default_rng(0)
    sources = [int.from_bytes(rng.bytes(16), "big") for _ in range(40)]
    codes = [sources[at] for at in rng.integers(0, 40, 300)]
    for at in range(300):
        for _ in range(rng.integers(0, 10)):
            codes[at] ^= 1 << int(rng.integers(128))
    linked = {at: {at} for at in range(300)}
    for one in range(300):
        for other in range(one):
            if near(codes[one], codes[other]) and linked[one] is not linked[other]:
                merged = linked[one] | linked[other]
                linked |= dict.fromkeys(merged, merged)
    expected = sorted({tuple(sorted(group)) for group in linked.values() if len(group) > 1})
    assert [tuple(group) for group in groups(codes)] == expected


def test_mirror_images_are_found_when_asked_for() -> None:
    flipped = np.asarray(soft(1))[:, ::-1]
    pictures = [np.asarray(soft(0)), np.asarray(soft(1)), np.ascontiguousarray(flipped)]
    codes = [likeness(picture) for picture in pictures]
    mirrored = [likeness(np.ascontiguousarray(picture[:, ::-1])) for picture in pictures]
    assert groups(codes) == []
    assert groups(codes, mirrored) == [[1, 2]]


def test_many_copies_take_little_memory() -> None:
    rng = np.random.default_rng(0)
    codes = [int.from_bytes(rng.bytes(16), "big") for _ in range(1_000)]
    codes += [codes[0] ^ (1 << int(bit)) for bit in rng.integers(0, 128, 4_000)]
    tracemalloc.start()
    found = groups(codes)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found[0]) == 4_001
    assert peak < 5_000_000
