"""Decide which findings are alerts: by severity and persistence, one a finding; and how many come by chance."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from palio.core.errors import InputError
from palio.core.monitoring import Alert, Finding, FindingKind, Review, WindowReview
from palio.core.records import Record
from palio.monitor.findings import worst_first

MONTH_S = 30 * 86_400.0
MAX_EXPLANATIONS = 10
CONSEQUENCES: tuple[FindingKind, ...] = ("quality", "estimated_quality", "value", "failures")
"""What hurts. All other kinds move, and may explain it."""
_EXPLAINS: tuple[FindingKind, ...] = (
    "drift", "answer_drift", "joint_drift", "skew", "unit", "contract", "missing", "concept_drift", "classes",
)  # fmt: skip
_ONE_SAYS_IT: tuple[FindingKind, ...] = ("quality", "estimated_quality")
"""That quality has fallen is told once, by the metric that fell farthest."""
_ALWAYS: tuple[FindingKind, ...] = ("contract", "missing", "volume", "latency", "failures", "capacity")


class Persistence(NamedTuple):
    """A finding must show in `k` of the newest `m` windows that could have shown it."""

    k: int
    m: int


def parse_persistence(text: str, *, where: str = "persistence") -> Persistence:
    """Read `2 of 3`.

    Raises:
        InputError: it is something else, or no finding could ever fulfil it.

    Example:
        >>> parse_persistence("2 of 3")
        Persistence(k=2, m=3)
    """
    match = re.fullmatch(r"\s*([0-9]{1,4})\s+of\s+([0-9]{1,4})\s*", text)
    if match is None:
        raise InputError(f"{where}: got {text[:40]!r}, allowed is `k of m`", hint="write it as 2 of 3, or 1 of 1")
    k, m = int(match[1]), int(match[2])
    if not 1 <= k <= m <= 100:
        raise InputError(
            f"{where}: got {text[:40]!r}, allowed is `k of m` with k from 1 to m and m at most 100",
            hint=f"write it as {min(k, m) or 1} of {max(k, m, 1)}" if max(k, m) <= 100 else "look at fewer windows",
        )
    return Persistence(k, m)


def expected_false_alarms(rate: float, rule: Persistence, *, window_s: float, n_watched: int = 1) -> float:
    """Say how many alerts a month would open if nothing were wrong.

    An alert opens when the newest window shows the finding, the one that leaves the newest m did not, and k - 1 of the
    m - 1 between them do: C(m-1, k-1) p^k (1-p)^(m-k+1). The sum over findings needs no independence between them, only
    between windows. With the rate of whole reports and `n_watched` = 1 it is a bound: the same finding must come again.

    Args:
        rate: How likely one finding shows in one window by chance, in [0, 1].
        rule: When it leads to an alert.
        window_s: Length of a window, in seconds.
        n_watched: Findings that are looked for in each window.

    Raises:
        InputError: a figure is out of range.

    Example:
        >>> round(expected_false_alarms(0.05, Persistence(2, 3), window_s=86400), 3)
        0.135
        >>> expected_false_alarms(0.05, Persistence(1, 1), window_s=86400)
        1.425
    """
    if not (0 <= rate <= 1 and window_s > 0 and n_watched >= 0):
        raise InputError(
            f"false alarms: got rate {rate}, window_s {window_s}, n_watched {n_watched}",
            hint="give a rate in [0, 1], a window above 0 s and 0 or more findings",
        )
    k, m = rule
    opens = math.comb(m - 1, k - 1) * rate**k * (1 - rate) ** (m - k + 1)
    return n_watched * opens * MONTH_S / window_s


class AlertRules(Record, frozen=True, kw_only=True):
    """When people are told; `[alert]` of the settings."""

    on: tuple[Literal["page", "warn", "note"], ...] = ("page",)
    persistence: Persistence = Persistence(2, 3)
    cooldown_s: float = 86_400.0


class Look(Record, frozen=True, kw_only=True):
    """What one judged window of one segment shows."""

    segment: str = ""
    shown: frozenset[str]
    """Identities of its findings."""
    judged: frozenset[FindingKind] | None = None
    """Kinds that could have been found in it; None: all. A window whose labels have not come cannot show quality."""


class Standing(Record, frozen=True, kw_only=True):
    """Which alerts are open, and which of the earlier ones are surely over."""

    open: tuple[Alert, ...]
    """Consequences first, then the worst."""
    over: frozenset[str]
    """Of the alerts that were open before: too few of the newest windows can show them. What is in neither is not
    known yet, and stays as it was."""


def looks_of(review: Review) -> tuple[Look, ...]:
    """Read from a review what its windows show, newest first.

    Only of the version that it is about, and only windows that are over: one that is still filling is judged again at
    every look, and 24 looks a window would open eight to nine times as many false alarms as are expected.
    """
    mine = [one for one in review.windows if one.version == review.version and _is_over(one, review)]
    windows = sorted(mine, key=lambda one: one.until, reverse=True)
    kinds = {one.id: one.kind for one in (*review.findings, *review.earlier)}
    return tuple(
        Look(
            segment=window.segment,
            shown=frozenset(window.findings),
            judged=judged_kinds(window, review.min_rows) | {kinds[one] for one in window.findings if one in kinds},
        )
        for window in windows
    )


def _is_over(window: WindowReview, review: Review) -> bool:
    whole = dt.timedelta(seconds=review.window_s)
    return window.until < review.at or (window.until - window.since) % whole == dt.timedelta()


def judged_kinds(window: WindowReview, min_rows: int) -> frozenset[FindingKind]:
    """Say which kinds of finding a window could show, given its rows, its labels and what was compared."""
    if window.n_judged < min_rows or window.so_far:  # what is not over may show something, but clears nothing
        return frozenset()
    kinds: set[FindingKind] = set(_ALWAYS)
    if window.drift:
        kinds |= {"drift", "answer_drift", "joint_drift", "skew", "unit"}
    if window.estimates:
        kinds.add("estimated_quality")
    if window.is_ripe:
        kinds.add("classes")  # what few truths of the newest rows do not hold may still come
    if window.outcomes and window.is_ripe:
        kinds |= {"quality", "concept_drift", "estimate_off", "selective_labels"}
    if window.kpis:
        kinds.add("value")
    return frozenset(kinds)


def standing(
    findings: Iterable[Finding],
    looks: Sequence[Look],
    rules: AlertRules,
    *,
    now: dt.datetime,
    expected_false_per_month: float,
    before: Iterable[Alert] = (),
) -> Standing:
    """Say which alerts are open.

    An alert opens when the newest window that can show the finding does, and at least k of the newest m do. It stays
    open until more than m - k of them do not, whatever its severity has become meanwhile. A finding whose severity is
    not in `on` opens nothing, however far something has moved; it explains the alerts of the same time. What a segment
    shows opens nothing while an alert of the same is open over all rows: who has ten segments is told once.

    Args:
        findings: In their newest form, each identity once.
        looks: Newest first.
        rules: When people are told.
        now: The present moment.
        expected_false_per_month: As `expected_false_alarms` says.
        before: Alerts that people know as open.
    """
    newest = {one.id: one for one in findings}
    known = {one.id: one for one in before}
    found: list[Alert] = []
    over: set[str] = set()
    for identity in sorted({**known, **newest}, key=lambda one: bool((newest.get(one) or known[one].finding).segment)):
        finding = newest.get(identity) or known[identity].finding
        n_shown, n_looked, now_shown = _count(finding, looks, rules.persistence.m, is_current=identity in newest)
        if n_looked - n_shown > rules.persistence.m - rules.persistence.k:
            if identity in known:
                over.add(identity)
        elif n_shown >= rules.persistence.k and (
            identity in known
            or (now_shown and identity in newest and finding.severity in rules.on and not _is_told(finding, found))
        ):
            found.append(
                Alert(
                    id=identity,
                    finding=finding,
                    at=known[identity].at if identity in known else now,
                    n_shown=n_shown,
                    n_looked=n_looked,
                    expected_false_per_month=expected_false_per_month,
                    explained_by=_explanations(finding, newest.values()),
                )
            )
    order = {one.id: place for place, one in enumerate(worst_first(alert.finding for alert in found))}
    found.sort(key=lambda one: (one.finding.kind not in CONSEQUENCES, order[one.id]))
    return Standing(open=tuple(found), over=frozenset(over))


def review_standing(
    review: Review, rules: AlertRules, *, now: dt.datetime, before: Iterable[Alert] = ()
) -> Standing:  # fmt: skip
    """Say which alerts are open after a review; false alarms are counted from its own rate."""
    expected = expected_false_alarms(review.false_alarm_rate, rules.persistence, window_s=review.window_s)
    findings = (*review.earlier, *review.findings)
    return standing(
        findings, looks_of(review), rules, now=now, expected_false_per_month=expected, before=before
    )  # fmt: skip


def _count(finding: Finding, looks: Sequence[Look], m: int, *, is_current: bool) -> tuple[int, int, bool]:
    """Count the windows that show a finding, those looked at, and whether the newest is among the former."""
    fitting = [
        finding.id in one.shown
        for one in looks
        if one.segment == finding.segment
        and (one.judged is None or finding.kind in one.judged or finding.id in one.shown)
    ][:m]
    return sum(fitting), len(fitting), is_current and bool(fitting) and fitting[0]


def _is_told(finding: Finding, alerts: Iterable[Alert]) -> bool:
    """Whether an open alert says the same: over all rows what a finding says of a segment, or quality by one metric."""
    if finding.kind in _ONE_SAYS_IT and any(
        (one.finding.kind, one.finding.segment) == (finding.kind, finding.segment) for one in alerts
    ):
        return True
    same = (one.finding for one in alerts if not one.finding.segment)
    return bool(finding.segment) and any((one.kind, one.subject) == (finding.kind, finding.subject) for one in same)


def _explanations(finding: Finding, others: Iterable[Finding]) -> tuple[Finding, ...]:
    """Find the movements in the time of a consequence, in its segment or over all rows."""
    if finding.kind not in CONSEQUENCES:
        return ()
    moved = [
        one
        for one in others
        if one.kind in _EXPLAINS
        and one.segment in ("", finding.segment)
        and one.since < finding.until
        and one.until > finding.since
    ]
    return worst_first(moved)[:MAX_EXPLANATIONS]
