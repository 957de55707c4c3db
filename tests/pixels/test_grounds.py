"""Things stand on another ground, and what stood there is gone."""

from __future__ import annotations

import numpy as np
import pytest

from palio import pixels

NONE = np.empty((0, 4))


def test_what_is_kept_is_the_picture_and_the_rest_is_the_ground() -> None:
    rng = np.random.default_rng(0)
    picture, ground = (rng.integers(0, 255, (40, 60, 3), np.uint8) for _ in range(2))
    made = pixels.on_ground(picture, np.array([[0.25, 0.5, 0.5, 1.0]]), ground, NONE)
    assert (made[20:, 15:30] == picture[20:, 15:30]).all()
    rest = np.ones((40, 60), bool)
    rest[20:, 15:30] = False
    assert (made[rest] == ground[rest]).all()


@pytest.mark.parametrize("places", [[[0.0, 0.0, 0.3, 0.3]], [[0.2, 0.0, 0.8, 1.0]], [[0.0, 0.0, 1.0, 0.8]]])
def test_what_stood_there_is_filled_with_ground(places: list[list[float]]) -> None:
    ground = np.tile(np.array([40, 80], np.uint8), 40)[None, :, None].repeat(80, axis=0).repeat(3, axis=2)
    standing, cleared = ground.copy(), np.array(places)
    left, top, right, bottom = (cleared[0] * 80).astype(int)
    standing[top:bottom, left:right] = 255
    made = pixels.on_ground(np.zeros_like(ground), NONE, standing, cleared)
    assert set(np.unique(made)) == {40, 80}


def test_a_ground_that_is_nothing_but_things_stays_as_it_is() -> None:
    ground = np.full((8, 8, 3), 7, np.uint8)
    made = pixels.on_ground(np.zeros((8, 8, 3), np.uint8), NONE, ground, np.array([[0.0, 0.0, 1.0, 1.0]]))
    assert (made == 7).all()


def test_a_ground_of_another_size_is_brought_to_that_of_the_picture() -> None:
    ground = np.repeat(np.array([10, 200], np.uint8), 50)[None, :, None].repeat(30, axis=0).repeat(3, axis=2)
    made = pixels.on_ground(np.zeros((16, 20, 3), np.uint8), NONE, ground, NONE)
    assert made.shape == (16, 20, 3)
    assert (made[:, :10] == 10).all()
    assert (made[:, 10:] == 200).all()
