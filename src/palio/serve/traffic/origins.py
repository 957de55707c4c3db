"""Let pages of other origins ask: by default no browser shows them an answer.

Source: Fetch standard, HTTP extensions for CORS (fetch.spec.whatwg.org).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from msgspec.structs import replace

from palio.core.errors import ConfigError
from palio.serve.protocols.wire import Reply, WireError, refuse

ANY = "*"
_NAMES = re.compile(rb"[A-Za-z0-9\-_, ]{1,1000}")
_METHODS = b"GET, HEAD, POST"
_REMEMBER_S = b"600"
_SHOWN = b"x-palio-prediction-id, x-palio-absent, x-palio-ignored, inference-header-content-length, retry-after"
"""Headers of answers that a page may read beside the usual ones."""


class Origins:
    """Which origins may ask, and what a browser has to be told so that it lets them.

    Keys travel in headers that a page sets itself, never in cookies; so credentials of the browser are not allowed.

    Args:
        allowed: Origins as browsers write them, `https://app.example:8443`, or `*` for all.

    Raises:
        ConfigError: one is no origin.

    Example:
        >>> origins = Origins(["https://app.example"])
        >>> origins.told(Reply(200, b"{}"), {b"origin": b"https://app.example"}).headers[0]
        (b'access-control-allow-origin', b'https://app.example')
        >>> origins.told(Reply(200, b"{}"), {b"origin": b"https://other.example"}).headers
        ((b'vary', b'origin'),)
    """

    def __init__(self, allowed: Iterable[str]) -> None:
        self._allowed = frozenset(_origin(text) for text in allowed)
        self._is_open = ANY.encode() in self._allowed

    def told(self, reply: Reply, headers: Mapping[bytes, bytes]) -> Reply:
        """Return a reply with what a browser must read in it."""
        return replace(reply, headers=(*reply.headers, *self.headers(headers)))

    def headers(self, headers: Mapping[bytes, bytes]) -> tuple[tuple[bytes, bytes], ...]:
        """Return what a browser must read in the answer to a request with these headers."""
        if self._is_open:
            return ((b"access-control-allow-origin", b"*"), (b"access-control-expose-headers", _SHOWN))
        origin = headers.get(b"origin", b"")
        if origin.lower() not in self._allowed:
            return ((b"vary", b"origin"),)
        return (
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", _SHOWN),
            (b"vary", b"origin"),
        )

    def preflight(self, headers: Mapping[bytes, bytes]) -> Reply | None:
        """Answer what a browser asks before it sends a request; None if this is no such question."""
        if b"origin" not in headers or b"access-control-request-method" not in headers:
            return None
        told = self.headers(headers)
        if told[0][0] == b"vary":
            return refuse(WireError(403, "pages of this origin may not ask ([serve] origins)", headers=told))
        told += ((b"access-control-allow-methods", _METHODS), (b"access-control-max-age", _REMEMBER_S))
        wanted = headers.get(b"access-control-request-headers", b"")
        if _NAMES.fullmatch(wanted):
            told += ((b"access-control-allow-headers", wanted),)
        if headers.get(b"access-control-request-private-network") == b"true":
            told += ((b"access-control-allow-private-network", b"true"),)
        return Reply(204, b"", headers=told)


def _origin(text: str) -> bytes:
    plain = text.strip().lower().rstrip("/")
    if plain in (ANY, "null"):
        return plain.encode()
    try:
        parts = urlsplit(plain)
        is_origin = bool(parts.scheme and parts.hostname) and plain == f"{parts.scheme}://{parts.netloc}"
        is_origin = is_origin and "@" not in parts.netloc and parts.port != 0  # a port that is none raises
    except ValueError:
        is_origin = False
    if not is_origin or not plain.isascii():
        raise ConfigError(
            f"[serve] origins: {text[:60]!r} is no origin",
            hint="write scheme, host and maybe port, as https://app.example:8443, or * for all",
        )
    return plain.encode()
