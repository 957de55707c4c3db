"""Judge how much was asked, how fast it was answered, how often it failed, and how near the limit it runs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np

from palio.core.monitoring import Finding, Window
from palio.core.words import counted
from palio.measure import LATENCY_EDGES, latency_quantile
from palio.monitor.findings import finding
from palio.monitor.movement.inputs import excess_p
from palio.monitor.movement.volume import (
    DEVIATIONS,
    FACTOR,
    FEWEST_EARLIER,
    FEWEST_REQUESTS,
    of_its_life,
    volume_findings,
)

_ALL = 1e9
FAILURES = 0.01
"""Share of failed requests that is a finding; five times that is a page."""
REFUSALS = 0.01
"""Share of requests refused for want of room that is a finding."""
BUSY = 0.7
"""Share of the capacity from which on waiting grows steeply (M/M/c queue); from 0.9 on a page."""
_FULL = 0.9
_RATE = 0.001
_WEEK = 7


def traffic_findings(
    window: Window,
    earlier: Sequence[Window],
    *,
    n_workers: int = 0,
    latency_limit_ms: float | None = None,
    zone: dt.tzinfo = dt.UTC,
) -> tuple[Finding, ...]:
    """Tell what is unusual about the traffic of a window.

    Args:
        window: To judge.
        earlier: Windows before it of the same model, all versions, oldest first. Those of the same weekday are taken
            where there are enough of them.
        zone: Whose weekdays and hours make windows alike in volume.
        n_workers: Processes that answer, each one request at a time; 0 if nobody knows.
        latency_limit_ms: What the slowest hundredth may take; None compares with earlier windows only.
    """
    alike = comparable(window, earlier)
    found = (
        *volume_findings(window, earlier, zone=zone),
        _latency(window, alike, latency_limit_ms),
        _failures(window, alike),
        _refusals(window),
        _capacity(window, n_workers),
    )
    return tuple(one for one in found if one is not None)


def comparable(window: Window, earlier: Sequence[Window]) -> list[Window]:
    """Choose the earlier windows that a window is held against: of its weekday where there are enough, else all.

    Windows before the first answer, and those much shorter than it (cut off by a start or an end), are left out.
    """
    length = window.until - window.since
    whole = of_its_life(window, earlier)
    middle = (window.since + length / 2).weekday()
    same = [one for one in whole if (one.since + (one.until - one.since) / 2).weekday() == middle]
    is_shorter_than_a_week = length.total_seconds() < _WEEK * 86_400
    return same if is_shorter_than_a_week and len(same) >= FEWEST_EARLIER else whole


def _jump(now: float, before: Sequence[float]) -> tuple[float, float] | None:
    """Return the usual value, and how many times it the new one is, if that is a jump."""
    if len(before) < FEWEST_EARLIER or not np.median(before):
        return None
    logs = np.log(np.maximum(before, 1e-9))
    usual = float(np.median(logs))
    spread = 1.4826 * float(np.median(np.abs(logs - usual)))
    away = float(np.log(max(now, 1e-9))) - usual
    is_jump = abs(away) > max(np.log(FACTOR), DEVIATIONS * spread)
    return (float(np.exp(usual)), min(float(np.exp(away)), _ALL)) if is_jump else None


def _latency(window: Window, alike: Sequence[Window], limit_ms: float | None) -> Finding | None:
    now = latency_quantile(window.latencies, 0.99) if sum(window.latencies) >= FEWEST_REQUESTS else None
    if now is None:
        return None
    now_ms = min(now, LATENCY_EDGES[-2]) * 1e3
    if limit_ms is not None and now_ms > limit_ms:
        reason = f"One request in a hundred took {now_ms:,.3g} ms or longer; {limit_ms:,.3g} ms are allowed"
        return finding(
            window, "latency", "latency_ms_p99", severity="warn", effect=now_ms, measure="ms", limit=limit_ms,
            reason=reason,
        )  # fmt: skip
    before = [latency_quantile(one.latencies, 0.99) for one in alike if sum(one.latencies) >= FEWEST_REQUESTS]
    jump = _jump(now, [value for value in before if value is not None])
    if jump is None or jump[1] < 1:
        return None
    usual_ms = jump[0] * 1e3
    return finding(
        window, "latency", "latency_ms_p99", severity="note", effect=now_ms, measure="ms", limit=usual_ms * FACTOR,
        reason=f"One request in a hundred took {now_ms:,.3g} ms or longer; {usual_ms:,.3g} ms are usual",
    )  # fmt: skip


def _failures(window: Window, alike: Sequence[Window]) -> Finding | None:
    """Tell of failed requests if they are too many, and more than in earlier windows."""
    total = window.n_requests + window.n_failed
    share = window.n_failed / max(total, 1)
    before, n_before = sum(one.n_failed for one in alike), sum(one.n_requests + one.n_failed for one in alike)
    usual = before / max(n_before, 1)
    is_more = not n_before or excess_p(before, n_before, window.n_failed, total) <= _RATE
    if window.n_failed < 5 or share <= FAILURES or not (is_more or share > 5 * FAILURES):
        return None
    more = f", {usual:.2%} in the windows before" if n_before else ""
    return finding(
        window, "failures", "failed", severity="page" if share > 5 * FAILURES else "warn", effect=share,
        measure="share", limit=FAILURES, n_rows=total,
        reason=f"{window.n_failed:,} of {total:,} requests failed ({share:.1%}{more})",
        consequence="Those who asked got no answer.",
    )  # fmt: skip


def _refusals(window: Window) -> Finding | None:
    total = window.n_requests + window.n_failed + window.n_refused
    share = window.n_refused / max(total, 1)
    if window.n_refused < 5 or share <= REFUSALS:
        return None
    return finding(
        window, "capacity", "refused", severity="warn", effect=share, measure="share", limit=REFUSALS, n_rows=total,
        reason=f"{window.n_refused:,} of {total:,} requests ({share:.1%}) were refused for want of room or quota",
        consequence="Those who asked got no answer, or came back later.",
    )  # fmt: skip


def _capacity(window: Window, n_workers: int) -> Finding | None:
    seconds = (window.until - window.since).total_seconds()
    share = window.busy_s / (seconds * n_workers) if seconds > 0 and n_workers else 0.0
    if share < BUSY:
        return None
    return finding(
        window, "capacity", "demand", severity="page" if share >= _FULL else "warn", effect=share, measure="share",
        limit=BUSY, n_rows=window.n_requests,
        reason=f"Answers took {window.busy_s:,.0f} s of the {seconds * n_workers:,.0f} s that "
        f"{counted(n_workers, 'worker')} had ({share:.0%})",
        consequence="Waiting times grow steeply from here; more workers are needed.",
    )  # fmt: skip
