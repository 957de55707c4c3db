"""Keep long texts out of the prediction log: their beginning stands for them, with length and digest behind it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

_MARK = re.compile(r"… \[(\d+) characters, SHA-256 [0-9a-f]{64}\]\Z")
_MARK_LENGTH = 120
"""No mark is longer."""


def cut_texts(texts: Sequence[str], most: int) -> Sequence[str]:
    """Cut the texts that have more than `most` characters; equal ones stay equal, different ones different.

    Raises:
        TypeError: something else is among them.

    Example:
        >>> cut_texts(["short", "x" * 30], 6)[1]
        'xxxxxx… [30 characters, SHA-256 666a596df2cf2181e69835c4f812f7c6117ecbe5136a3a6be2a07ef4aaccd343]'
    """
    if len("".join(texts)) <= most or max(map(len, texts)) <= most:  # to join them takes a third of the time
        return texts
    return [text if len(text) <= most else _cut(text, most) for text in texts]


def is_cut(text: object) -> bool:
    """Tell whether a text of the log is only the beginning of what was sent.

    Example:
        >>> is_cut(cut_texts(["x" * 30], 6)[0]), is_cut("x" * 30)
        (True, False)
    """
    return isinstance(text, str) and text.endswith("]") and _MARK.search(text[-_MARK_LENGTH:]) is not None


def length_of(text: str) -> int:
    """Return how many characters a text had that may have been cut.

    Example:
        >>> length_of(cut_texts(["x" * 30], 6)[0]), length_of("abc")
        (30, 3)
    """
    found = _MARK.search(text[-_MARK_LENGTH:]) if text.endswith("]") else None
    return len(text) if found is None else int(found[1])


def _cut(text: str, most: int) -> str:
    digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
    return f"{text[:most]}… [{len(text)} characters, SHA-256 {digest}]"
