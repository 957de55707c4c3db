"""Pictures of any size become squares."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from palio.core.errors import InputError
from palio.pixels import decoded, fit, fitted, place_of
from tests.pixels.files import GOOD, saved, scene


@pytest.mark.parametrize("how", ["crop", "letterbox", "squash"])
@pytest.mark.parametrize("shape", [(60, 40), (40, 60), (7, 90), (1, 1), (224, 224), (500, 300)])
def test_any_picture_becomes_a_square(how: str, shape: tuple[int, int]) -> None:
    square = fitted(saved(scene(*shape) if min(shape) > 4 else Image.new("RGB", shape), "PNG"), size=32, fit=how)
    assert square.shape == (32, 32, 3)
    assert square.dtype == np.uint8
    assert square.flags.writeable


def test_a_crop_is_the_middle_of_the_picture_after_its_shorter_side_was_made_short() -> None:
    image = scene(300, 200)
    whole = image.resize((96, 64), Image.Resampling.BILINEAR)
    expected = np.asarray(whole.crop((20, 4, 76, 60)))
    assert (fitted(saved(image, "PNG"), size=56, short=64, fit="crop") == expected).all()


def test_a_letterbox_lies_at_the_top_left_on_grey() -> None:
    square = fitted(saved(scene(200, 100), "PNG"), size=64, fit="letterbox")
    assert (square[32:] == 114).all()
    assert (square[:32] == np.asarray(scene(200, 100).resize((64, 32), Image.Resampling.BILINEAR))).all()


def test_a_thin_picture_takes_no_memory_that_nobody_sees() -> None:
    thin = saved(Image.new("RGB", (20_000, 2), "red"), "PNG")
    assert (fitted(thin, size=224, fit="crop") == (255, 0, 0)).all()


@pytest.mark.parametrize("how", ["crop", "letterbox", "squash"])
def test_bytes_and_pixels_are_fitted_alike(how: str) -> None:
    data = GOOD["png"]
    assert (fitted(data, size=24, short=30, fit=how) == fit(decoded(data), size=24, short=30, fit=how)).all()


@pytest.mark.parametrize("how", ["crop", "letterbox", "squash"])
def test_a_large_jpeg_is_fitted_from_a_draft_that_nobody_can_tell_from_the_whole(how: str) -> None:
    data = saved(scene(1600, 1200), "JPEG", quality=90)
    draft = fitted(data, size=100, fit=how).astype(int)
    whole = fit(decoded(data), size=100, fit=how).astype(int)
    assert np.abs(draft - whole).mean() < 1
    assert np.abs(draft - whole).max() <= 12


@pytest.mark.parametrize("shape", [(300, 201), (201, 300), (4001, 2999), (640, 427)])
def test_a_letterbox_lies_where_its_place_says_however_small_it_was_decoded(shape: tuple[int, int]) -> None:
    square = fitted(saved(Image.new("RGB", shape, "white"), "JPEG"), size=64, fit="letterbox")
    place = place_of(*shape, size=64, fit="letterbox")
    wide, high = round(shape[0] * place.across), round(shape[1] * place.down)
    assert (square[:high, :wide] > 250).all()
    assert (square[high:] == 114).all() and (square[:, wide:] == 114).all()


def test_what_cannot_be_is_refused_in_words() -> None:
    with pytest.raises(InputError, match="stretch"):
        fitted(GOOD["png"], size=24, fit="stretch")
    with pytest.raises(InputError, match="at least the size 24"):
        fitted(GOOD["png"], size=24, short=20)
    with pytest.raises(InputError, match="0, 1 to"):
        fitted(GOOD["png"], size=0)
