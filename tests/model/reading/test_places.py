"""Boxes come back into each picture's own pixels, however it was fitted, and are cut off at its borders."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from palio import model
from palio.core.records import PictureReading

PIL = pytest.importorskip("PIL.Image")


def picture(wide: int, high: int) -> bytes:
    file = io.BytesIO()
    PIL.fromarray(np.zeros((high, wide, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("fit", ["letterbox", "squash", "crop"])
@pytest.mark.parametrize(("wide", "high"), [(200, 100), (90, 170), (64, 64)])
def test_the_whole_picture_comes_back_whole(fit: Any, wide: int, high: int) -> None:
    reader = model.PictureReader(PictureReading(input="photo", size=64, fit=fit))
    places = reader.places([picture(wide, high)])
    across, down, left, top = places[0, :4]
    corners = np.array([[[-left, -top, wide * across - left, high * down - top]]], np.float32)
    found = model.brought_back({"boxes": corners, "scores": np.ones((1, 1)), "classes": np.zeros((1, 1), int)}, places)
    np.testing.assert_allclose(found["boxes"][0, 0], [0, 0, wide, high], atol=1e-3)


def test_what_lies_on_the_grey_is_left_out_and_the_others_move_up() -> None:
    reader = model.PictureReader(PictureReading(input="photo", size=64, fit="letterbox"))
    corners = np.array([[[10, 40, 30, 60], [10, 10, 30, 40]]], np.float32)  # the picture ends at 32
    said = {"boxes": corners, "scores": np.array([[0.9, 0.8]]), "classes": np.array([[1, 2]])}
    found = model.brought_back(said, reader.places([picture(200, 100)]))
    assert found["scores"].tolist() == [[0.8, 0.0]]
    assert found["classes"].tolist() == [[2, 0]]
    np.testing.assert_allclose(found["boxes"][0, 0], [31.25, 31.25, 93.75, 100], atol=1e-3)


def test_pixels_as_the_graph_takes_them_keep_their_place() -> None:
    reader = model.PictureReader(PictureReading(input="photo", size=64, fit="letterbox"))
    assert reader.places([np.zeros((64, 64, 3), np.uint8)])[0].tolist() == [1, 1, 0, 0, 64, 64]
