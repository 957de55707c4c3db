"""Choose who answers: by version asked for, by header, by sticky hash, by weight."""

from __future__ import annotations

import random
import zlib
from collections.abc import Mapping
from typing import Literal

from palio.core.serving import Plan

Target = Literal["champion", "challenger"]
VERSION_HEADER = b"x-model-version"
KEY_HEADER = b"x-palio-key"
_RANGE = 2**32


class Route:
    """The routes of a plan, worked out. Immutable; safe for threads."""

    def __init__(self, plan: Plan) -> None:
        has_rival = plan.challenger is not None and plan.mode != "off"
        self._versions: dict[bytes, Target] = {}
        if has_rival and plan.challenger is not None:
            self._versions[b"challenger"] = "challenger"
            if plan.challenger.version:
                self._versions[b"%d" % plan.challenger.version] = "challenger"
        if plan.champion is not None:
            self._versions[b"champion"] = "champion"
            self._versions[b"%d" % plan.champion.version] = "champion"
        routes = plan.headers if has_rival else ()
        self._headers = tuple((route.header.lower().encode(), route.value.encode(), route.target) for route in routes)
        share = plan.weight if has_rival and plan.mode == "canary" else 0.0
        self._limit = round(min(max(share, 0.0), 1.0) * _RANGE)
        self._salt = zlib.crc32(plan.rollout.encode())
        self._sticky = plan.sticky
        self._is_simple = not self._headers and not self._limit

    def choose(self, headers: Mapping[bytes, bytes], caller: str, asked: str = "") -> Target | None:
        """Return who answers; None if the version asked for is not served.

        In this order: the version in the path, the header `x-model-version`, header routes, the weight. With a weight,
        the same caller (or `x-palio-key`) gets the same model for as long as the rollout lasts, and one that got the
        challenger keeps it while the weight grows. Callers without a name are told apart by `x-palio-key`, and those
        without that by chance. About 0.3 µs.

        Args:
            headers: Of the request, names in lower case.
            caller: Name of the caller, or `anonymous`.
            asked: Version or alias in the path; empty if it names none.
        """
        version = asked.encode() if asked else headers.get(VERSION_HEADER)
        if version is not None:
            return self._versions.get(version)
        if self._is_simple:
            return "champion"
        for header, value, target in self._headers:
            if headers.get(header) == value:
                return target
        return "challenger" if self._drawn(headers, caller) < self._limit else "champion"

    def is_open(self, headers: Mapping[bytes, bytes], asked: str = "") -> bool:
        """Tell whether a request names no version, so that the champion may answer whom the challenger must not."""
        return not asked and VERSION_HEADER not in headers

    def _drawn(self, headers: Mapping[bytes, bytes], caller: str) -> int:
        """Return a number below 2³² that is the same for the same key."""
        key: bytes | None = None
        if self._sticky == "caller" and caller != "anonymous":
            key = caller.encode()
        elif self._sticky != "none":
            key = headers.get(KEY_HEADER)
        if key is None:
            return int(random.random() * _RANGE)  # noqa: S311 - a share of traffic, not a secret
        return _mixed(zlib.crc32(key, self._salt))


def compile_route(plan: Plan) -> Route:
    """Work the routes of a plan out, so that choosing is cheap.

    Example:
        >>> from palio.core.records import Deployment
        >>> a, b = Deployment(model="m", version=1, bundle="a"), Deployment(model="m", version=0, bundle="b")
        >>> route = compile_route(Plan(champion=a, challenger=b, mode="canary", weight=1.0, rollout="r"))
        >>> route.choose({}, "ann"), route.choose({}, "ann", "1"), route.choose({}, "ann", "7")
        ('challenger', 'champion', None)
    """
    return Route(plan)


def _mixed(number: int) -> int:
    """Spread 32 bits: CRCs of alike keys are alike, and those under two salts differ by a constant.

    Source: the finaliser of MurmurHash3, Appleby 2011 (public domain).
    """
    number ^= number >> 16
    number = number * 0x85EBCA6B & 0xFFFFFFFF
    number ^= number >> 13
    number = number * 0xC2B2AE35 & 0xFFFFFFFF
    return number ^ number >> 16
