"""Columns beside training: the worst as small multiples with their bars, all of them as lines of a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

from palio.core.monitoring import ColumnDrift, Review, WindowReview
from palio.report import watched
from palio.report.charts import svg
from palio.report.rounding import clean, number, percent
from palio.report.watched import Moved

MOST, MOST_BINS, MOST_LINES, MOST_POINTS = 9, 22, 200, 48
NOTHING = 0.0005
"""A bin with a smaller share, now and in training, is left out."""


def multiples(review: Review) -> list[dict[str, Any]]:
    """Describe the columns that moved, or the three that came nearest to it: bars now against training."""
    found = watched.columns(review)
    worst = [m for m in found if m.drift.drifted][:MOST] or found[:3]
    return [_multiple(moved) for moved in worst]


def _multiple(moved: Moved) -> dict[str, Any]:
    drift = moved.drift
    return {
        "name": moved.name,
        "role": "answer" if drift.role == "answer" else "",
        "psi": drift.psi,
        "shown": watched.psi(drift.psi),
        "limit": watched.psi(drift.limit),
        "how": watched.how_far(drift),
        "drifted": drift.drifted,
        "since": moved.since,
        "sentence": moved.sentence,
        "bins": _bins(drift),
        "n_more": max(0, len(drift.labels) - MOST_BINS),
    }


def _bins(drift: ColumnDrift) -> list[dict[str, Any]]:
    """Pair each bin's share now with that in training; of many bins, those that differ most, in their order."""
    if not len(drift.labels) == len(drift.reference) == len(drift.current):
        return []
    telling = watched.telling_bin(drift)
    filled = [i for i in range(len(drift.labels)) if max(drift.reference[i], drift.current[i]) >= NOTHING]
    order = sorted(filled, key=lambda i: -_finite(abs(drift.current[i] - drift.reference[i])))
    kept = sorted(order[:MOST_BINS])
    top = max([_finite(s) for i in kept for s in (drift.reference[i], drift.current[i])], default=0.0) or 1.0
    return [
        {
            "label": clean(drift.labels[i], limit=40),
            "drawing": _pair(_finite(drift.reference[i]) / top, _finite(drift.current[i]) / top),
            "then": percent(drift.reference[i]),
            "now": percent(drift.current[i]),
            "tells": i == telling and drift.drifted,
        }
        for i in kept
    ]


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0


def _pair(then: float, now: float) -> Markup:
    return Markup(  # noqa: S704 - numbers only
        '<svg class="beside" width="100%" aria-hidden="true">'
        f'<rect width="{then:.1%}" height="14" rx="1.5" class="then"/>'
        f'<rect width="{now:.1%}" y="4" height="6" rx="1" class="now"/></svg>'
    )


def table(review: Review) -> tuple[list[dict[str, Any]], int]:
    """Describe all columns, the worst first, and count those left out."""
    found = watched.columns(review)
    paths = _histories([w for w in watched.in_charge(review) if w.drift])
    lines = [
        {
            "name": moved.name,
            "role": moved.drift.role,
            "psi": moved.drift.psi,
            "shown": watched.psi(moved.drift.psi),
            "limit": watched.psi(moved.drift.limit),
            "js": number(moved.drift.js, digits=2),
            "distance": number(moved.drift.distance, digits=2) if moved.drift.distance is not None else "–",
            "p": _p(moved.drift.p),
            "how": watched.how_far(moved.drift),
            "drifted": moved.drift.drifted,
            "since": moved.since,
            "drawing": _spark(paths.get(moved.drift.column, []), moved),
        }
        for moved in found[:MOST_LINES]
    ]
    return lines, max(0, len(found) - MOST_LINES)


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else number(p, digits=2)


def _histories(windows: Sequence[WindowReview]) -> dict[str, list[float]]:
    """Return the index of each column through the windows; many windows are drawn by the largest of neighbours."""
    found: dict[str, list[float]] = {}
    for window in windows:
        for drift in window.drift:
            found.setdefault(drift.column, []).append(_finite(drift.psi))
    size = max(1, math.ceil(len(windows) / MOST_POINTS))
    return {name: [max(v[i : i + size]) for i in range(0, len(v), size)] for name, v in found.items()}


def _spark(values: Sequence[float], moved: Moved) -> Markup | None:
    if len(values) < 2:
        return None
    top = max(2 * _finite(moved.drift.limit), *values) or 1.0
    step = 90 / (len(values) - 1)
    points = "L".join(f"{i * step:.3g} {21 - 20 * max(0.0, v) / top:.3g}" for i, v in enumerate(values))
    at = 21 - 20 * min(1.0, _finite(moved.drift.limit) / top)
    body = f'<path d="M0 {at:.3g}H90" class="expected"/><path d="M{points}" class="curve {_tone(moved)}"/>'
    return svg(body, title=f"{escape(moved.name)} through time", description="", view=(90, 22), css="spark")


def _tone(moved: Moved) -> str:
    return "hurt" if moved.drift.drifted else "now"
