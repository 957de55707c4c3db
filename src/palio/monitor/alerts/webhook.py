"""Send an alert to a URL: one POST of JSON, to an address that was checked, without redirects, within a time limit.

HTTP/1.1 is spoken here by hand: of the answer only the status is read, so that nothing that the other side writes is
kept, followed or repeated. Proxies of the environment are not used: they would resolve the name again.
Source: RFC 9112.
"""

from __future__ import annotations

import base64
import re
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

from palio.core.errors import ConfigError, PalioError, RefusedError, UnavailableError
from palio.core.version import __version__
from palio.monitor.alerts.connecting import Deadline, Resolver, check, close, connect, resolve, system_resolver
from palio.monitor.alerts.delivery import Sent, attempt
from palio.monitor.alerts.payload import Payload, as_json

LIMIT_S = 10.0
BACKOFF_S = (1.0, 3.0)
_MAX_HEAD = 65_536
_PORTS = {"http": 80, "https": 443}
_TRY_AGAIN = {408, 425, 429}
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?|[0-9a-f:.]*:[0-9a-f:.]*")
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})(?:[ \r]|$)")


class Target(NamedTuple):
    """A URL, taken apart once: what is resolved, connected to and asked for cannot differ."""

    scheme: str
    host: str
    port: int
    path: str
    authorization: str
    """Of the user and password in the URL; empty without."""

    @property
    def shown(self) -> str:
        """The URL for logs: without user, password, path and query, which often hold a secret."""
        return f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        """Host and port as the Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


class Webhook:
    """A URL that gets alerts."""

    name = "webhook"

    def __init__(
        self,
        url: str,
        *,
        allow_private: bool = False,
        limit_s: float = LIMIT_S,
        backoff_s: Sequence[float] = BACKOFF_S,
        resolver: Resolver = system_resolver,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.target = read_url(url)
        self._allow_private = allow_private
        self._limit_s = limit_s
        self._backoff_s = backoff_s
        self._resolver = resolver
        self._wait = wait

    @property
    def shown(self) -> str:
        """Where it sends to, for people; without secrets."""
        return self.target.shown

    def send(self, payload: Payload) -> Sent:
        """Send, and again after a while if the other side is not there, is too slow or answers 5xx."""
        addresses: list[str] = []
        request = _request(self.target, payload)

        def once() -> str:
            deadline = Deadline(self._limit_s)
            if not addresses:  # resolved once: every attempt goes where the first one went
                found = resolve(self.target.host, self.target.port, deadline, self._resolver)
                check(self.target.host, found, allow_private=self._allow_private)
                addresses.extend(found)
            return _judge(_exchange(self.target, addresses, request, deadline))

        return attempt(once, backoff_s=self._backoff_s, wait=self._wait)


def read_url(url: str, *, where: str = "palio.toml [alert]: `webhook`") -> Target:
    """Take a URL apart; errors do not repeat it, as it may hold a secret.

    Raises:
        ConfigError: it is no plain http or https URL.

    Example:
        >>> read_url("https://ann:secret@hooks.example.com/T0/B1").shown
        'https://hooks.example.com'
    """
    hint = "write it as https://host/path"
    if not url.isascii() or re.search(r"[\x00-\x20\x7f\\]", url):
        raise ConfigError(f"{where}: got a URL with spaces, backslashes or characters beyond ASCII", hint=hint)
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname or "", parts.port
    except ValueError:
        raise ConfigError(f"{where}: got something that is no URL", hint=hint) from None
    if scheme not in _PORTS:
        raise ConfigError(f"{where}: got scheme {scheme[:20]!r}, allowed are http and https", hint=hint)
    if not _NAME.fullmatch(host) or len(host) > 253 or port == 0:
        raise ConfigError(f"{where}: got a URL without a proper host and port", hint=hint)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(scheme, host.rstrip("."), port or _PORTS[scheme], path, _authorization(parts))


def _authorization(parts: SplitResult) -> str:
    if parts.username is None:
        return ""
    user, password = unquote_to_bytes(parts.username), unquote_to_bytes(parts.password or "")
    return "Basic " + base64.b64encode(user + b":" + password).decode()


def _request(target: Target, payload: Payload) -> bytes:
    body = as_json(payload)
    head = [
        f"POST {target.path} HTTP/1.1",
        f"Host: {target.authority}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        f"User-Agent: palio/{__version__}",
        f"Idempotency-Key: {payload.id}",
        "Accept: */*",
        "Connection: close",
    ]
    if target.authorization:
        head.append(f"Authorization: {target.authorization}")
    return "\r\n".join([*head, "", ""]).encode("ascii") + body


def _exchange(target: Target, addresses: Sequence[str], request: bytes, deadline: Deadline) -> int:
    """Send a request to one of the addresses and return the status of the answer."""
    connection = connect(addresses, target.port, deadline)
    try:
        if target.scheme == "https":
            connection.settimeout(deadline.left())
            connection = ssl.create_default_context().wrap_socket(connection, server_hostname=target.host)
        _write(connection, request, deadline)
        return _read_status(connection, deadline)
    except ssl.SSLCertVerificationError as error:
        raise RefusedError(f"{target.host}: the certificate is not valid: {error.verify_message}") from None
    except TimeoutError:
        raise deadline.error() from None
    except OSError as error:
        raise UnavailableError(f"the connection broke: {type(error).__name__}") from None
    finally:
        close(connection)


def _write(connection: socket.socket, data: bytes, deadline: Deadline) -> None:
    view = memoryview(data)
    while view:
        connection.settimeout(deadline.left())
        view = view[connection.send(view) :]


def _read_status(connection: socket.socket, deadline: Deadline) -> int:
    """Read the head of the answer, however slowly it comes, and none of its body."""
    head, n_read = b"", 0
    while True:
        while b"\r\n\r\n" not in head:
            connection.settimeout(deadline.left())
            data = connection.recv(4096)
            n_read += len(data)
            if not data:
                raise UnavailableError("the connection was closed without an answer")
            if n_read > _MAX_HEAD:
                raise RefusedError(f"the answer has a head of more than {_MAX_HEAD:,} bytes")
            head += data
            if not b"HTTP/1.".startswith(head[:7]):
                raise RefusedError("the answer is not HTTP")
        match = _STATUS.match(head)
        if match is None:
            raise RefusedError("the answer is not HTTP")
        status = int(match[1])
        if not 100 <= status < 200:
            return status
        head = head.partition(b"\r\n\r\n")[2]  # 100 Continue and the like: the answer is still to come


def _judge(status: int) -> str:
    """Say that a status means delivered, or raise what it means."""
    answered = f"answered {status}"
    if 200 <= status < 300:
        return answered
    if 300 <= status < 400:
        raise RefusedError(f"{answered}: redirects are not followed")
    error: type[PalioError] = UnavailableError if status >= 500 or status in _TRY_AGAIN else RefusedError
    raise error(answered)
