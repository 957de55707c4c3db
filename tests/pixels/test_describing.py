"""Nine numbers in which a change of camera shows, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from palio.pixels import STATISTICS, describe, near, statistics
from tests.pixels.files import GOOD, saved, scene, soft


def of(image: Image.Image) -> dict[str, float]:
    return statistics(np.asarray(image))


def compressed(image: Image.Image, quality: int) -> Image.Image:
    return Image.open(BytesIO(saved(image, "JPEG", quality=quality))).convert("RGB")


def noisy(image: Image.Image) -> Image.Image:
    pixels = np.asarray(image) + np.random.default_rng(1).normal(0, 12, np.asarray(image).shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


CHANGES: dict[str, tuple[Callable[[Image.Image], Image.Image], str, int]] = {
    "blur": (lambda image: image.filter(ImageFilter.GaussianBlur(2)), "sharpness", -1),
    "noise": (noisy, "noise", 1),
    "compression": (lambda image: compressed(image, 15), "blockiness", 1),
    "darkness": (lambda image: ImageEnhance.Brightness(image).enhance(0.6), "brightness", -1),
    "fog": (lambda image: ImageEnhance.Contrast(image).enhance(0.4), "contrast", -1),
    "fading": (lambda image: ImageEnhance.Color(image).enhance(0.2), "saturation", -1),
    "evening": (lambda image: image.convert("RGB", (1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0.5, 0)), "warmth", 1),
    "turning": (lambda image: image.transpose(Image.Transpose.ROTATE_90), "aspect", -1),
    "thumbnails": (lambda image: image.resize((60, 40)), "pixels", -1),
}


def test_the_numbers_are_those_that_are_promised() -> None:
    assert tuple(of(scene())) == STATISTICS
    assert all(math.isfinite(value) for value in of(scene()).values())


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_the_camera_shows(change: str) -> None:
    make, name, sign = CHANGES[change]
    image = scene(240, 160).filter(ImageFilter.GaussianBlur(0.5))
    assert sign * (of(make(image))[name] - of(image)[name]) > 0.05


def test_the_right_answers_on_what_is_known() -> None:
    plain = of(Image.new("RGB", (64, 32), (200, 100, 50)))
    assert plain["brightness"] == pytest.approx(0.299 * 200 + 0.587 * 100 + 0.114 * 50, abs=1)
    assert plain["contrast"] == plain["sharpness"] == 0
    assert plain["saturation"] == plain["warmth"] == 150
    assert plain["blockiness"] == 1
    assert plain["aspect"] == pytest.approx(math.log(2))
    assert plain["pixels"] == pytest.approx(math.log(2048))


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (2, 2), (3, 3), (300, 1), (8, 8), (9, 9)])
def test_the_smallest_pictures_have_numbers_too(shape: tuple[int, int]) -> None:
    assert all(math.isfinite(value) for value in of(Image.new("RGB", shape, "red")).values())


def test_numbers_hardly_depend_on_the_format() -> None:
    lossless = [describe(GOOD[name]).statistics for name in ("png", "bmp", "webp", "tiff")]
    assert all(one == lossless[0] for one in lossless)


def test_a_description_tells_copies() -> None:
    one, other = describe(saved(soft(3), "PNG")), describe(saved(soft(3).resize((70, 60)), "JPEG", quality=50))
    flipped = describe(saved(soft(3).transpose(Image.Transpose.FLIP_LEFT_RIGHT), "PNG"))
    assert near(one.likeness, other.likeness)
    assert near(one.likeness, flipped.mirrored)
    assert not near(one.likeness, flipped.likeness)
