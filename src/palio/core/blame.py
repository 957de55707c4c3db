"""Inputs that were broken while something was found: then what was found is no sign that the world has changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from palio.core.monitoring import Finding, FindingKind
from palio.core.words import listed

BROKEN: dict[FindingKind, str] = {"unit": "in another unit", "skew": "unlike in training", "missing": "missing"}
"""Kinds of finding that say that an input is broken, and words for it; notes among them do not count."""
HURT: tuple[FindingKind, ...] = ("quality", "estimated_quality", "value", "concept_drift", "estimate_off")


def broken_meanwhile(finding: Finding, others: Iterable[Finding]) -> list[Finding]:
    """Return what says that inputs were broken in the time of something that hurts, in its segment or over all rows."""
    if finding.kind not in HURT:
        return []
    found = [
        one
        for one in others
        if one.kind in BROKEN and one.severity != "note" and one.segment in ("", finding.segment)
        if one.version == finding.version and one.since < finding.until and finding.since < one.until
    ]
    return sorted(found, key=lambda one: list(BROKEN).index(one.kind))


def blamed(findings: Sequence[Finding], earlier: Sequence[Finding]) -> tuple[Finding, ...]:
    """Tell with each finding that hurts which inputs were broken meanwhile."""
    return tuple(_blamed(one, broken_meanwhile(one, (*findings, *earlier))) for one in findings)


def _blamed(one: Finding, broken: Sequence[Finding]) -> Finding:
    if not broken:
        return one
    words = listed([f"`{name}` {BROKEN[kind]}" for kind, name in dict.fromkeys((b.kind, b.subject) for b in broken)])
    text = f"Inputs were broken in the same time ({words}): that may be all of it."
    return msgspec.structs.replace(one, consequence=text)
