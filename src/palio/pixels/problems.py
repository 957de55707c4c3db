"""What can be wrong with the bytes of a picture, in the words that people are told."""

from __future__ import annotations

from palio.core.errors import InputError

PROBLEMS = ("empty", "not a picture", "format", "too large", "truncated", "damaged")
_HINTS = {
    "empty": "upload or export the picture again",
    "not a picture": "give the bytes of a JPEG, PNG, WebP, BMP, GIF or TIFF file",
    "format": "save it as JPEG or PNG",
    "too large": "make the picture smaller",
    "truncated": "copy the picture again: its end is missing",
    "damaged": "open the picture in a viewer and save it again",
}


def problem(kind: str, said: str, *, hint: str = "") -> InputError:
    """Make the error for bytes that are no usable picture; `facts["problem"]` is one of `PROBLEMS`.

    Example:
        >>> problem("empty", "0 bytes").message
        'picture: 0 bytes'
    """
    return InputError(f"picture: {said}", hint=hint or _HINTS[kind], facts={"problem": kind})
