"""The port: take it, listen on it, let go of it; and what each connection to it may take."""

from __future__ import annotations

import ctypes
import errno
import socket
import struct

import msgspec

from palio.core.errors import UnavailableError

BACKLOG = 2048
DRAIN_S = 10.0
"""At most so long after SIGTERM: then whatever still runs is cut off."""
NOTICE_S = 1.0
"""So long after SIGTERM connections are still accepted: load balancers and clients learn that the server goes."""


class ConnectionLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one connection may take."""

    max_connections: int = 0
    """Open at once, per process; 0: as many as the limit on open files leaves, at most 10,000."""
    head_timeout_s: float = 10.0
    """From the first byte of a request to the end of its headers."""
    body_timeout_s: float = 30.0
    """From the end of the headers to the end of the body."""
    idle_timeout_s: float = 75.0
    """Without a request."""
    write_timeout_s: float = 30.0
    """Without taking anything of an answer that waits."""
    max_head_bytes: int = 64 * 1024
    max_headers: int = 256
    max_message_bytes: int = 130 * 2**20
    """Of a request as it is sent, with all that chunked encoding adds."""


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """What says on the command line, or in `palio.toml`, where one of the ports is."""

    port: str = "--port"
    host: str = "--host"
    none: str = "0 for a free one"
    """What else can be said of the port."""


def listen(host: str, port: int, *, reuse_port: bool = False, named: Named = Named()) -> socket.socket:  # noqa: B008
    """Open the port; `named` is told to whoever chose one that cannot be had.

    Raises:
        UnavailableError: it is taken, not allowed, or no address of this machine.
    """
    listener = bind(host, port, reuse_port=reuse_port, named=named)
    try:
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise _refused(host, port, error, named) from None
    listener.setblocking(False)
    return listener


def bind(host: str, port: int, *, reuse_port: bool = False, named: Named = Named()) -> socket.socket:  # noqa: B008
    """Take the port without listening on it.

    Raises:
        UnavailableError: it is taken, not allowed, or no address of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named, for else asyncio does not know it for TCP: its answers would wait 40 ms for more to send (Nagle).
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
    except (OSError, OverflowError, UnicodeError) as error:
        listener.close()
        raise _refused(host, port, error, named) from None
    return listener


def _refused(host: str, port: int, error: Exception, named: Named) -> UnavailableError:
    """Say why, and name the option that helps."""
    reason = getattr(error, "strerror", None) or str(error)
    if isinstance(error, socket.gaierror | UnicodeError) or getattr(error, "errno", None) == errno.EADDRNOTAVAIL:
        hint = f"name an address of this machine with {named.host}; 0.0.0.0 listens on all of them"
    elif isinstance(error, PermissionError):
        hint = f"choose a port from 1024 on with {named.port}: lower ones are for who may bind them"
    else:
        hint = f"choose another port with {named.port}, or {named.none}"
    return UnavailableError(f"{host}:{port}: cannot listen: {reason}", hint=hint)


def url_of(host: str, listener: socket.socket) -> str:
    """Write the address of a listener."""
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


_DROP_NEW = ((0x30, 0, 0, 13), (0x45, 0, 1, 0x02), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF))
"""Classic BPF: load the TCP flags; if SYN is set, drop the packet; else take all of it."""
_SO_ATTACH_FILTER = 26


def turn_new_ones_away(listener: socket.socket) -> bool:
    """Let the kernel ignore new handshakes, so that none ends between our last accept and the close.

    Their clients try again after a second and find the port closed: refused, which is no failed request. Without
    Linux, or without the right to filter, a gap of microseconds remains. Returns whether the kernel obeys.
    """
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in _DROP_NEW))
    header = struct.pack("HP", len(_DROP_NEW), ctypes.addressof(program))
    try:
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, header)
    except OSError:
        return False
    return True
