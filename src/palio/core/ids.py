"""Name things by their content, so that the same thing has the same name everywhere."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import msgspec

_HEX = re.compile(r"[0-9a-f]{64}")
_encoder = msgspec.json.Encoder(order="deterministic")


def canonical_json(value: Any) -> bytes:
    """Encode a record or plain value so that equal values give equal bytes (sorted keys, no spaces)."""
    return _encoder.encode(value)


def digest(data: bytes | bytearray | memoryview) -> str:
    """Return the SHA-256 of `data`, 64 hexadecimal digits: the identity of a blob.

    Example:
        >>> digest(b"")[:8]
        'e3b0c442'
    """
    return hashlib.sha256(data).hexdigest()


def digest_of(value: Any) -> str:
    """Return the identity of a record or plain value: the SHA-256 of its canonical JSON.

    Example:
        >>> digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})
        True
    """
    return digest(canonical_json(value))


def is_digest(text: str) -> bool:
    """Tell whether `text` has the form of an identity (so it is safe to build a path from it)."""
    return _HEX.fullmatch(text) is not None


def short(identity: str) -> str:
    """Shorten an identity for people: the first twelve digits."""
    return identity[:12]
