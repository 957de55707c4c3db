"""Boxes on pictures are seen, in the colour of their class."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from palio import pixels
from palio.pixels.drawing import SHADES


def grey(width: int = 120, height: int = 90) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((height, width, 3), 128, np.uint8)).save(file, "PNG")
    return file.getvalue()


def seen(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), float)


@pytest.mark.parametrize("shade", range(len(SHADES)))
def test_a_box_has_the_colour_of_its_class_between_white_lines(shade: int) -> None:
    drawn = seen(pixels.drawn(grey(), [((20, 30, 100, 80), "", shade)]))
    colour = np.array([int(SHADES[shade][at : at + 2], 16) for at in (1, 3, 5)])
    near = np.abs(drawn - colour).max(axis=2) < 45
    rows, columns = np.nonzero(near)
    assert (columns.min(), rows.min()) == pytest.approx((21, 31), abs=2)
    assert (columns.max(), rows.max()) == pytest.approx((99, 79), abs=2)
    assert (drawn[28:33, 60].min(axis=1) > 190).any(), "white lies beside it"
    assert np.abs(drawn[40:70, 35:85] - 128).max() < 25, "what is inside can be seen"


@pytest.mark.parametrize("box", [(5, 5, 6, 6), (0, 0, 120, 90), (-30, -30, 500, 500), (118.5, 88.5, 120, 90)])
def test_a_box_may_be_tiny_or_reach_beyond_the_picture(box: tuple[float, float, float, float]) -> None:
    assert seen(pixels.drawn(grey(), [(box, "a thing", 0)])).shape == (90, 120, 3)


def test_what_is_written_beside_a_box_at_the_right_edge_stays_in_the_picture() -> None:
    words = "a thing with a long name 97 %"
    left, right = (seen(pixels.drawn(grey(400, 90), [((at, 40, at + 20, 80), words, 0)])) for at in (2, 378))
    colour = np.array([int(SHADES[0][at : at + 2], 16) for at in (1, 3, 5)])
    n_left, n_right = ((np.abs(one[22:38] - colour).max(axis=2) < 45).sum() for one in (left, right))
    assert n_right == pytest.approx(n_left, rel=0.1)
