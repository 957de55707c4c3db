"""Inputs that were broken while something was found: then what was found is no sign that the world has changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from palio.core.monitoring import Finding, FindingKind
from palio.core.words import listed

BROKEN: dict[FindingKind, str] = {"unit": "in another unit", "skew": "unlike in training", "missing": "missing"}
"""Kinds of finding that say that an input is broken, and words for it; notes among them do not count."""
MOST = 0.5
"""Of the time in which something hurts, at least."""
HURT: tuple[FindingKind, ...] = ("quality", "estimated_quality", "value", "concept_drift", "estimate_off")


def broken_meanwhile(finding: Finding, others: Iterable[Finding]) -> list[Finding]:
    """Return what says that inputs were broken while something hurts, in its segment or over all rows.

    Only for most of that time: what hurts before and after an input was broken for a while hurts by itself.
    """
    if finding.kind not in HURT:
        return []
    found = [
        one
        for one in others
        if one.kind in BROKEN and one.severity != "note" and one.segment in ("", finding.segment)
        if one.version == finding.version and _share(finding, one) >= MOST
    ]
    return sorted(found, key=lambda one: list(BROKEN).index(one.kind))


def _share(finding: Finding, other: Finding) -> float:
    """Return the share of the time of one finding in which the other was there, too."""
    both = min(finding.until, other.until) - max(finding.since, other.since)
    return both / (finding.until - finding.since) if finding.until > finding.since else 0.0


def blamed(findings: Sequence[Finding], earlier: Sequence[Finding]) -> tuple[Finding, ...]:
    """Tell with each finding that hurts which inputs were broken meanwhile."""
    return tuple(_blamed(one, broken_meanwhile(one, (*findings, *earlier))) for one in findings)


def _blamed(one: Finding, broken: Sequence[Finding]) -> Finding:
    if not broken:
        return one
    words = listed([f"`{name}` {BROKEN[kind]}" for kind, name in dict.fromkeys((b.kind, b.subject) for b in broken)])
    text = f"Inputs were broken in the same time ({words}): that may be all of it."
    return msgspec.structs.replace(one, consequence=text)
