"""Boxes are drawn onto pictures, for people."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from palio.pixels.decoding import image_of
from palio.pixels.limits import Limits
from palio.pixels.opening import pillow

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

SHADES = ("#0b6b73", "#b3461b", "#5b3f9e", "#8a6100", "#a1246b", "#2f6b1f", "#1f4f9e", "#6b3a24")
"""Colours of classes, one after the other; the page for people has the same."""
Mark = tuple[tuple[float, float, float, float], str, int]
"""Left, top, right, bottom in pixels; what is written beside it; which colour it has."""


def drawn(data: bytes, marks: Sequence[Mark], *, limits: Limits = Limits()) -> bytes:  # noqa: B008 - frozen
    """Return a picture as a person sees it, with boxes and what they are, as a JPEG file of its own size.

    Args:
        data: The bytes of the file.
        marks: The last lies on top.
        limits: What is refused before a pixel is decoded.

    Raises:
        InputError: it is no usable picture.
        UnavailableError: Pillow is not installed.
    """
    with pillow():
        from PIL import ImageDraw, ImageFont

        image = image_of(data, least=0, limits=limits)
        pen = ImageDraw.Draw(image)
        stroke = max(2, round(max(image.size) / 320))
        font = ImageFont.load_default(size=max(10, 5 * stroke))
        for box, text, shade in marks:
            _draw(pen, box, text, SHADES[shade % len(SHADES)], stroke, font, width=image.width)
        file = io.BytesIO()
        image.save(file, "JPEG", quality=90)
        return file.getvalue()


def _draw(
    pen: ImageDraw,
    box: tuple[float, float, float, float],
    text: str,
    shade: str,
    stroke: int,
    font: object,
    *,
    width: int,
) -> None:
    left, top, right, bottom = box
    if min(right - left, bottom - top) > 2 * (stroke + 2):  # a line of its colour between two white ones
        pen.rectangle(box, outline="white", width=stroke + 2)
        pen.rectangle((left + 1, top + 1, right - 1, bottom - 1), outline=shade, width=stroke)
    else:
        pen.rectangle(box, outline=shade)
    if not text:
        return
    wide, high = pen.textbbox((0, 0), text, font=font)[2:]  # type: ignore[arg-type]
    top = top - high - stroke if top > high + stroke else top + stroke
    left = max(0.0, min(left, width - wide - 2 * stroke))  # what is written stays in the picture
    pen.rectangle((left, top, left + wide + 2 * stroke, top + high + stroke), fill=shade)
    pen.text((left + stroke, top), text, fill="white", font=font)  # type: ignore[arg-type]
