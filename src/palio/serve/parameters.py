"""The parameters after the question mark of a path: none that nobody reads goes by in silence."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import parse_qsl, quote

from palio.core.errors import did_you_mean
from palio.serve.protocols.wire import WireError

_LONGEST = 40
_MOST = 8
IGNORED = b"x-palio-ignored"
"""Header that names the parameters that a route has not read."""


def parameters(query: bytes, known: Iterable[str] = ()) -> list[tuple[str, str]]:
    """Read the parameters of a request that computes, keeps or changes something.

    Args:
        query: As it was sent.
        known: Names that the route reads.

    Raises:
        WireError: 400, another name is there.

    Example:
        >>> parameters(b"explain=1", ["explain"])
        [('explain', '1')]
        >>> parameters(b"treshold=.5", ["explain", "threshold"])
        Traceback (most recent call last):
        palio.serve.protocols.wire.WireError: unknown parameter `treshold` in the path: did you mean `threshold`?
    """
    given, names = _read(query), tuple(known)
    unknown = next((name for name, _ in given if name not in names), None)
    if unknown is not None:
        known_ones = did_you_mean(unknown.lower(), names) if names else "this route reads none"
        refusal = WireError(400, f"unknown parameter `{_shown(unknown)}` in the path: {known_ones}")
        refusal.reason = "unknown parameter in the path"
        raise refusal
    return given


def ignored(query: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """Return the header by which a route that only tells something says what it has not read; empty if nothing.

    Probes and scrapers add parameters of their own, and pages get them from links: none of these is refused.

    Example:
        >>> ignored(b"verbose&verbose=1&a%20b=2")
        ((b'x-palio-ignored', b'verbose,a%20b'),)
    """
    names = list(dict.fromkeys(_shown(name) for name, _ in _read(query)))[:_MOST]
    return ((IGNORED, ",".join(quote(name, safe="") for name in names).encode()),) if names else ()


def _read(query: bytes) -> list[tuple[str, str]]:
    return parse_qsl(query.decode("latin-1"), keep_blank_values=True) if query else []


def _shown(name: str) -> str:
    return "".join(letter if letter.isprintable() and letter != "`" else "?" for letter in name[:_LONGEST])
