"""The parameters after the question mark of a path: none that nobody reads goes by in silence."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from urllib.parse import parse_qsl, quote

from palio.serve.protocols.wire import WireError

_NEAR = 0.75
"""Likeness from which on one name is taken for another that was misspelt."""
_LONGEST = 40
_MOST = 8
IGNORED = b"x-palio-ignored"
"""Header that names the parameters that a route has not read."""


def parameters(query: bytes, known: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Read the parameters of a request.

    A name that nearly is one of the known ones is refused. Others are answered without, and told by `ignored`: keys of
    a gateway and marks against caches stand there, too.

    Args:
        query: As it was sent.
        known: Names that the route reads.

    Raises:
        WireError: 400, a known name is misspelt.

    Example:
        >>> parameters(b"explain=1&subscription-key=7", ["explain"])
        [('explain', '1'), ('subscription-key', '7')]
        >>> parameters(b"treshold=.5", ["explain", "threshold"])
        Traceback (most recent call last):
        palio.serve.protocols.wire.WireError: unknown parameter `treshold` in the path: did you mean `threshold`?
    """
    given = _read(query)
    for name, _ in given:
        meant = () if name in known else difflib.get_close_matches(name.lower(), known, n=1, cutoff=_NEAR)
        if meant:
            what = f"unknown parameter `{_shown(name)}` in the path: did you mean `{meant[0]}`?"
            refusal = WireError(400, what)
            refusal.reason = "unknown parameter in the path"
            raise refusal
    return given


def ignored(query: bytes, known: Sequence[str] = ()) -> tuple[tuple[bytes, bytes], ...]:
    """Return the header by which a route says what it has not read; empty if nothing.

    Example:
        >>> ignored(b"verbose&verbose=1&a%20b=2&explain=1", ["explain"])
        ((b'x-palio-ignored', b'verbose,a%20b'),)
    """
    unread = [name for name, _ in _read(query) if name not in known]
    names = list(dict.fromkeys(map(_shown, unread)))[:_MOST]
    return ((IGNORED, ",".join(quote(name, safe="") for name in names).encode()),) if names else ()


def _read(query: bytes) -> list[tuple[str, str]]:
    return parse_qsl(query.decode("latin-1"), keep_blank_values=True) if query else []


def _shown(name: str) -> str:
    return "".join(letter if letter.isprintable() and letter != "`" else "?" for letter in name[:_LONGEST])
