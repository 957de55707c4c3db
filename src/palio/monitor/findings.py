"""Make findings, and follow one through windows: the same finding has the same identity in each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from palio.core.ids import digest_of
from palio.core.monitoring import Finding, FindingKind, Window

_RANK = {"page": 0, "warn": 1, "note": 2}


def finding(window: Window, kind: FindingKind, subject: str, **facts: Any) -> Finding:
    """Make a finding of one window; `facts` are the other fields of `Finding`."""
    return Finding(
        id=digest_of([window.model, kind, subject, window.segment])[:12],
        model=window.model,
        version=window.version,
        kind=kind,
        subject=subject,
        segment=window.segment,
        since=window.since,
        until=window.until,
        n_rows=facts.pop("n_rows", window.n_judged),
        **facts,
    )


def followed(newest: Finding, earlier: Iterable[Iterable[Finding]]) -> Finding:
    """Say since when a finding is there: through the unbroken run of windows that show it.

    Args:
        newest: Of the newest window.
        earlier: The findings of the windows before it, newest window first.
    """
    first, n_windows = newest, 1
    for shown in earlier:
        same = next((one for one in shown if one.id == newest.id), None)
        if same is None:
            break
        first, n_windows = same, n_windows + 1
    return msgspec.structs.replace(newest, since=first.since, n_windows=n_windows)


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Order findings: pages first, all rows before a segment of them, then by how far beyond the limit they are."""

    def rank(one: Finding) -> tuple[int, bool, float, str]:
        beyond = abs(one.effect) / one.limit if one.limit else abs(one.effect)
        return _RANK[one.severity], bool(one.segment), -beyond, one.subject

    return tuple(sorted(findings, key=rank))
