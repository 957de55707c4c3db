"""The first picture of any file, as a person sees it."""

from __future__ import annotations

import warnings
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageFile

from palio.core.errors import InputError
from palio.pixels import PROBLEMS, Limits, decoded, look
from tests.pixels.files import BAD, GOOD, SCENE, animated, chunk, png_of, saved, scene, turned

COLOURLESS = {name for name in GOOD if name.startswith(("grey", "bilevel", "16-bit"))}
COARSE = {"bilevel png", "bilevel tiff", "gif", "animated gif", "palette png with a hole"}


@pytest.mark.parametrize("name", GOOD)
def test_a_file_of_any_kind_shows_the_picture(name: str) -> None:
    pixels = decoded(GOOD[name])
    assert pixels.shape == (SCENE[1], SCENE[0], 3)
    assert pixels.dtype == np.uint8
    assert pixels.flags.writeable
    assert pixels.flags.c_contiguous
    if name in COARSE:
        return
    truth = np.asarray(scene().convert("L").convert("RGB") if name in COLOURLESS else scene()).astype(int)
    assert np.abs(pixels - truth).mean() < (25 if "cmyk" in name else 7)
    header = look(GOOD[name])
    assert (header.width, header.height) == SCENE
    assert header.n_frames == (5 if name in {"animated gif", "animated webp", "animated png", "tiff of pages"} else 1)


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_usable_picture_is_refused_in_words(name: str) -> None:
    data, kind = BAD[name]
    with pytest.raises(InputError) as caught:
        decoded(data)
    assert caught.value.facts["problem"] == kind
    assert kind in PROBLEMS
    assert caught.value.message.startswith("picture: ")
    assert caught.value.hint
    assert "<" not in caught.value.message  # nothing of Pillow's own objects


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_turned_camera_is_turned_back(orientation: int, format: str) -> None:
    data = turned(orientation, format)
    pixels = decoded(data)
    assert pixels.shape == (SCENE[1], SCENE[0], 3)
    assert np.abs(pixels - np.asarray(scene()).astype(int)).mean() < 4
    header = look(data)
    assert (header.width, header.height, header.orientation) == (*SCENE, orientation)


def test_a_packed_tiff_is_turned_back_too() -> None:
    data = turned(6, "TIFF")
    repacked = saved(Image.open(BytesIO(data)), "TIFF", compression="tiff_lzw")
    assert decoded(repacked).shape == (SCENE[1], SCENE[0], 3)


def test_what_is_transparent_lies_on_white() -> None:
    clear = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    clear.putpixel((0, 0), (10, 20, 30, 255))
    pixels = decoded(saved(clear, "PNG"))
    assert pixels[0, 0].tolist() == [10, 20, 30]
    assert (pixels[1:] == 255).all()


def test_sixteen_bits_keep_their_upper_eight() -> None:
    ramp = np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16)
    for format in ("PNG", "TIFF"):
        assert decoded(saved(Image.fromarray(ramp), format))[..., 0].ravel().tolist() == list(range(256))


def test_a_large_jpeg_is_decoded_at_a_fraction_that_is_twice_what_is_needed() -> None:
    data = saved(scene(1600, 1200), "JPEG")
    assert decoded(data).shape == (1200, 1600, 3)
    assert decoded(data, least=100).shape == (300, 400, 3)
    assert decoded(data, least=300).shape == (600, 800, 3)
    assert decoded(data, least=301).shape == (1200, 1600, 3)


def test_the_limits_are_held() -> None:
    data = GOOD["png"]
    assert decoded(data, limits=Limits(max_pixels=2400)).shape == (40, 60, 3)
    for limits in (Limits(max_pixels=2399), Limits(max_bytes=len(data) - 1)):
        with pytest.raises(InputError) as caught:
            decoded(data, limits=limits)
        assert caught.value.facts["problem"] == "too large"
    with pytest.raises(InputError) as caught:
        decoded(data, limits=Limits(formats=("JPEG",)))
    assert caught.value.facts["problem"] == "format"


def test_a_limit_above_that_of_the_process_is_ours_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decoded(GOOD["png"]).shape == (40, 60, 3)


def test_nothing_of_the_process_is_changed() -> None:
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters)
    decoded(palette := GOOD["palette png with a hole"])
    assert palette
    assert (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters)) == before


def test_an_orientation_after_the_pixels_counts() -> None:
    exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0"
    data = saved(scene(), "PNG")
    late = data[:-12] + chunk(b"eXIf", exif) + data[-12:]
    assert decoded(late).shape == (SCENE[0], SCENE[1], 3)
    assert look(late).width == SCENE[1]


def test_a_picture_of_one_pixel_is_a_picture() -> None:
    assert decoded(png_of(1, 1, rows=b"\0\x07")).tolist() == [[[7, 7, 7]]]


def test_frames_of_an_animation_are_counted_and_the_first_is_read() -> None:
    data = animated("GIF", 7)
    assert look(data).n_frames == 7
    assert (decoded(data) == decoded(animated("GIF", 1))).mean() > 0.9
