"""Pictures and boxes change together: what a box surrounds stays inside of it; equal chance gives equal pictures."""

from __future__ import annotations

import numpy as np
import pytest

from palio.train.deep.boxes.augment import NONE, Changes, Scene, alone, together

PLAIN = Changes(colour=0.0, grey=0.0)
SIZE = 96


def scene() -> Scene:
    """Return a grey picture with one white thing."""
    pixels = np.full((60, 80, 3), 50, np.uint8)
    pixels[20:40, 30:60] = 255
    return Scene(pixels, np.array([[30.0, 20.0, 60.0, 40.0]]), np.array([[1.0, 0.0]]))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("is_mosaic", [False, True])
def test_boxes_lie_where_the_things_do(seed: int, *, is_mosaic: bool) -> None:
    rng = np.random.default_rng(seed)
    found = together([scene()] * 4, rng, SIZE, PLAIN) if is_mosaic else alone(scene(), rng, SIZE, PLAIN)
    assert found.pixels.shape == (SIZE, SIZE, 3)
    is_white = found.pixels[..., 0] > 170
    inside = np.zeros((SIZE, SIZE), bool)
    for left, top, right, bottom in found.corners:
        assert 0 <= left < right <= SIZE
        assert 0 <= top < bottom <= SIZE
        rows, columns = slice(int(np.ceil(top)), int(bottom)), slice(int(np.ceil(left)), int(right))
        assert is_white[rows, columns].mean(dtype=float) > 0.8
        inside[max(0, int(top) - 2) : int(bottom) + 3, max(0, int(left) - 2) : int(right) + 3] = True
    assert not (is_white & ~inside).any()


def test_nothing_changes_where_nothing_is_to_change() -> None:
    first, second = (alone(scene(), np.random.default_rng(seed), 80, NONE) for seed in (0, 1))
    assert np.array_equal(first.pixels, second.pixels)
    assert np.array_equal(first.pixels[:60, :80], scene().pixels)
    assert np.array_equal(first.corners, scene().corners)


def test_equal_chance_gives_equal_pictures() -> None:
    first, second = (together([scene()] * 4, np.random.default_rng(4), SIZE, Changes()) for _ in range(2))
    assert np.array_equal(first.pixels, second.pixels)
    assert np.array_equal(first.corners, second.corners)


def test_what_is_hardly_seen_is_neither_taught_nor_held_against_anybody() -> None:
    rng, cut = np.random.default_rng(0), 0
    edge = Scene(scene().pixels, np.array([[0.0, 20.0, 8.0, 50.0]]), np.zeros((1, 2)))
    for _ in range(60):
        found = alone(edge, rng, SIZE, PLAIN)
        cut += int((found.kinds[:, 1] == 1).sum())
    assert cut > 0
