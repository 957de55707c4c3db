"""Changes of pictures: fixed by seed, epoch and row, and never more than asked for."""

from __future__ import annotations

import numpy as np
import pytest

from palio.train.deep.augment import STRENGTHS, augmented, contact_sheet, relit, resized, shifted, windowed

PICTURES = np.random.default_rng(0).integers(0, 256, (6, 24, 24, 3), dtype=np.uint8)
ROWS = np.arange(6)


@pytest.mark.parametrize("strength", STRENGTHS[1:])
def test_a_change_is_fixed_by_seed_epoch_and_row(strength: int) -> None:
    whole = augmented(PICTURES, ROWS, strength=strength, seed=1, epoch=2)
    part = augmented(PICTURES[3:5], ROWS[3:5], strength=strength, seed=1, epoch=2)
    np.testing.assert_array_equal(whole[3:5], part)
    for other in ({"seed": 2, "epoch": 2}, {"seed": 1, "epoch": 3}):
        assert (augmented(PICTURES, ROWS, strength=strength, **other) != whole).any()


@pytest.mark.parametrize("strength", STRENGTHS)
def test_pictures_keep_their_form_and_are_not_written_to(strength: int) -> None:
    before = PICTURES.copy()
    found = augmented(PICTURES, ROWS, strength=strength, seed=0, epoch=0)
    assert found.shape == PICTURES.shape
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(PICTURES, before)
    assert (strength == 0) == (found is PICTURES)


def test_a_grey_picture_stays_grey_and_even() -> None:
    even = np.full((1, 16, 16, 3), 100, np.uint8)
    for epoch in range(20):
        found = augmented(even, ROWS[:1], strength=3, seed=0, epoch=epoch)
        assert found.max() - found.min() <= 1
    assert (augmented(even, ROWS[:1], strength=1, seed=0, epoch=0) == even).all()


def test_nothing_is_mirrored_that_must_not_be() -> None:
    ramp = np.broadcast_to(np.arange(0, 240, 10, dtype=np.uint8)[None, None, :, None], (1, 24, 24, 3))
    for epoch in range(30):
        found = augmented(ramp, ROWS[:1], strength=1, seed=0, epoch=epoch, mirror=False)[0, 12, 4:-4, 0]
        assert (np.diff(found.astype(int)) > 0).all()


def test_a_shifted_picture_shows_the_mirror_image_of_its_border() -> None:
    rng = np.random.default_rng(3)
    ramp = np.arange(24)
    picture = np.stack([ramp[:, None] + 0 * ramp, ramp + 0 * ramp[:, None], 0 * ramp + 0 * ramp[:, None]], axis=2)
    for _ in range(40):
        found = shifted(picture, rng)
        for axis in (0, 1):
            line = found[:, 0, 0] if axis == 0 else found[0, :, 1]
            assert found.shape == picture.shape
            assert (np.abs(np.diff(line)) == 1).all()  # neighbours stay neighbours
            assert line.min() >= 0
            assert line.max() <= 23


def test_a_whole_window_is_the_picture() -> None:
    np.testing.assert_array_equal(resized(PICTURES[0], 24, 24), PICTURES[0])
    assert windowed(PICTURES[0], np.random.default_rng(0), 0.3).shape == (24, 24, 3)


def test_light_that_does_not_change_leaves_a_picture_as_it_is() -> None:
    np.testing.assert_array_equal(relit(PICTURES[0], np.random.default_rng(0), 0.0), PICTURES[0])


def test_a_contact_sheet_shows_each_picture_and_what_becomes_of_it() -> None:
    sheet = contact_sheet(PICTURES[:2], ROWS[:2], strength=2, seed=0, n_epochs=3, gap=2)
    assert sheet.shape == (2 * 26 + 2, 4 * 26 + 2, 3)
    np.testing.assert_array_equal(sheet[2:26, 2:26], PICTURES[0])
