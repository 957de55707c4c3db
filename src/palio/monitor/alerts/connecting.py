"""Connect to a machine that a setting names, and to no other: resolve once, check the address, connect to it.

A name that means another machine a moment later (DNS rebinding) or an address that hides one of this machine's own
network in another notation must not turn an alert into a request to the inside.
Source: IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890).
"""

from __future__ import annotations

import contextlib
import ipaddress
import queue
import socket
import threading
import time
from collections.abc import Callable, Sequence

from palio.core.errors import RefusedError, TimeLimitError, UnavailableError

Resolver = Callable[[str, int], Sequence[str]]
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_MAX_ADDRESSES = 4

_METADATA = [
    ipaddress.ip_network(text) for text in ("169.254.169.254", "100.100.100.200", "168.63.129.16", "fd00:ec2::254")
]
"""Addresses at which clouds hand out credentials."""
_CARRIER = ipaddress.ip_network("100.64.0.0/10")
_LOCAL_IPV6 = ipaddress.ip_network("fc00::/7")
_NEVER = [
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
        "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
    )
]  # fmt: skip
"""Reserved, documentation, benchmarks, multicast; Teredo and 6to4, which hide an IPv4 address."""
_GLOBAL_IPV6 = ipaddress.ip_network("2000::/3")
"""All else is local, hides an IPv4 address (mapped, compatible, NAT64), or is not given out."""


class Deadline:
    """A moment by which a whole exchange must be over, however the time is spent."""

    def __init__(self, limit_s: float) -> None:
        self._end = time.monotonic() + limit_s
        self.limit_s = limit_s

    def left(self) -> float:
        """Return the seconds that are left.

        Raises:
            TimeLimitError: none are.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise self.error()
        return left

    def error(self) -> TimeLimitError:
        """Make the error that says that time is over."""
        return TimeLimitError(f"no answer within {self.limit_s:g} s")


def refusal(address: str, *, allow_private: bool) -> str:
    """Say why no connection may go to an address; empty if it may.

    Args:
        address: As the resolver gives it.
        allow_private: Whether private networks and this machine are allowed; metadata services, multicast and
            addresses that hide another one never are.

    Example:
        >>> refusal("127.0.0.1", allow_private=False)
        'it is on this machine or in a private network'
        >>> refusal("::ffff:127.0.0.1", allow_private=True)
        'it is reserved, or hides another address'
        >>> refusal("1.1.1.1", allow_private=False)
        ''
    """
    try:
        ip: _Address = ipaddress.ip_address(address)
    except ValueError:
        return "it is no address"
    if any(ip in network for network in _METADATA):
        return "it is the metadata service of a cloud"
    if ip.is_multicast or any(ip in network for network in _NEVER):
        return "it is reserved, or hides another address"
    if ip.version == 4:
        is_local = ip.is_private or ip.is_loopback or ip.is_link_local or ip in _CARRIER
        is_other = not is_local and (ip.is_reserved or ip.is_unspecified or not ip.is_global)
    else:
        is_local = ip in _LOCAL_IPV6 or ip.is_loopback or ip.is_link_local
        is_other = not is_local and ip not in _GLOBAL_IPV6
    if is_other:
        return "it is reserved, or hides another address"
    return "it is on this machine or in a private network" if is_local and not allow_private else ""


def system_resolver(host: str, port: int) -> Sequence[str]:
    """Ask the operating system for the addresses of a name, in the order in which they are to be tried."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


def resolve(host: str, port: int, deadline: Deadline, resolver: Resolver = system_resolver) -> Sequence[str]:
    """Resolve a name in a thread of its own: a resolver knows no time limit.

    Raises:
        TimeLimitError: it took too long.
        UnavailableError: the name is not known.
    """
    answer: queue.SimpleQueue[Sequence[str] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answer.put(resolver(host, port))
        except (OSError, UnicodeError) as error:
            answer.put(error if isinstance(error, OSError) else OSError(str(error)))

    threading.Thread(target=ask, name="palio-resolver", daemon=True).start()
    try:
        found = answer.get(timeout=deadline.left())
    except queue.Empty:
        raise deadline.error() from None
    if isinstance(found, OSError) or not found:
        raise UnavailableError(f"{host}: the name was not found")
    return found


def check(host: str, addresses: Sequence[str], *, allow_private: bool) -> None:
    """Check all addresses of a name.

    Raises:
        RefusedError: one of them must not be connected to, and why.
    """
    for address in addresses:
        why = refusal(address, allow_private=allow_private)
        if why:
            hint = "" if "private" not in why else 'set [alert] private_addresses = "allow" if it is meant'
            raise RefusedError(f"{host}: refused, {why}", hint=hint)


def connect(addresses: Sequence[str], port: int, deadline: Deadline) -> socket.socket:
    """Connect to the first address that answers; each gets its share of the time that is left.

    Raises:
        UnavailableError: none does, or not in time.
    """
    reason = "no address"
    tried = addresses[:_MAX_ADDRESSES]
    for number, address in enumerate(tried):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(deadline.left() / (len(tried) - number))
            connection.connect((address, port))
        except OSError as error:
            connection.close()
            reason = "no answer in time" if isinstance(error, TimeoutError) else (error.strerror or "no connection")
            continue
        except BaseException:
            connection.close()
            raise
        return connection
    raise UnavailableError(f"could not connect: {reason.lower()}")


def close(connection: socket.socket) -> None:
    """Close a connection, whatever state it is in."""
    with contextlib.suppress(OSError):
        connection.close()
