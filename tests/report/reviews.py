"""Reviews as `monitor` makes them, of worlds that are known: seeded, plausible, and hostile."""

from __future__ import annotations

import datetime as dt
import hashlib
import math
import random
from itertools import pairwise
from typing import Any

import msgspec

from palio.core.monitoring import (
    Alert,
    ColumnDrift,
    Estimate,
    Finding,
    KpiValue,
    Outcome,
    Review,
    WindowReview,
)
from palio.core.records import Metric, Promotion

NOON = dt.datetime(2026, 3, 31, 12, 0, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
LONG = "a_very_long_name_without_any_space_" * 6
HOSTILE = (
    "<script>alert(1)</script>",
    "</style></title></svg><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    '"onmouseover="alert(1)',
    LONG,
    "\u202eשלום עולם العربية",
    "Größe 尺寸 😀 naïve\x00\x1b[31m\ufffe",
    "[red]markup[/red]",
)
NUMBERS = ("age", "balance", "campaign", "day", "pdays", "previous", "rate", "spread")
CATEGORIES = {
    "job": ("blue-collar", "management", "technician", "admin.", "services", "retired", "student", "everything else"),
    "poutcome": ("unknown", "failure", "success", "everything else"),
    "contact": ("cellular", "unknown", "telephone", "everything else"),
}


def identity(*words: object) -> str:
    return hashlib.sha256(repr(words).encode()).hexdigest()[:12]


def around(value: float, arm: float, n_rows: int) -> Metric:
    return Metric(value=value, low=value - arm, high=value + arm, n_rows=n_rows)


class World:
    """A world with days; `made` turns it into a review."""

    def __init__(self, seed: int = 7, **settings: Any) -> None:
        self.random = random.Random(seed)
        self.n_windows = 30
        self.rows = 4200
        self.columns: tuple[str, ...] = (*NUMBERS, *CATEGORIES)
        self.moved: dict[str, float] = {}
        """Column → share of the mass that moves, from window `since` on."""
        self.since = 22
        self.primary, self.level, self.fall, self.arm = "roc_auc", 0.801, 0.0, 0.012
        self.others: dict[str, float] = {"f1": 0.373, "accuracy": 0.899}
        self.kpis: dict[str, float] = {"calls worth making": 1840.0}
        self.kpi_unit = ""
        self.labels_until = 24
        """Window up to which the labels have come."""
        self.version, self.version_since, self.canary = 3, 12, 0
        self.segments: tuple[str, ...] = ()
        self.has_reference = True
        self.window = DAY
        self.task = "classification"
        self.rename: dict[str, str] = {}
        self.gap: tuple[int, int] = (0, 0)
        """Windows in which nothing was answered."""
        for name, value in settings.items():
            if not hasattr(self, name):
                raise AttributeError(name)
            setattr(self, name, value)

    # ── columns ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def bins(self, column: str) -> tuple[tuple[str, ...], tuple[float, ...]]:
        if column in CATEGORIES:
            values = (*CATEGORIES[column], "missing")
            raw = [1.0 / (i + 1) for i in range(len(values) - 1)] + [0.01]
        elif column.startswith("p(") or column == "prediction":
            values = ("below 0.02", *(f"{i / 50:.2f} to {(i + 1) / 50:.2f}" for i in range(1, 9)), "0.18 and above")
            raw = [1.0] * 10
        else:
            values = (
                "below 25",
                *(f"{a} to below {a + 5}" for a in range(25, 65, 5)),
                "65 and above",
                "missing",
            )
            raw = [1.0] * 10 + [0.08]
        total = sum(raw)
        return tuple(values), tuple(r / total for r in raw)

    def drift(self, column: str, at: int, n_rows: int, role: str = "feature") -> ColumnDrift:
        labels, reference = self.bins(column)
        grown = min(1.0, max(0.0, (at - self.since + 1) / 3))
        moved = self.moved.get(column, 0.0) * grown
        n = len(reference)
        pull = [math.exp(moved * 6 * (i / n - 0.5)) for i in range(n)]
        noisy = [
            r * p * (1 + self.random.gauss(0, 0.6 / math.sqrt(max(1, n_rows * r))))
            for r, p in zip(reference, pull, strict=True)
        ]
        total = sum(noisy)
        current = tuple(max(0.0, c) / total for c in noisy)
        psi = sum((c - r) * math.log(max(c, 1e-6) / r) for c, r in zip(current, reference, strict=True)) - n / max(
            1, n_rows
        )
        js = math.sqrt(max(0.0, psi / 8))
        return ColumnDrift(
            column=self.rename.get(column, column),
            role="answer" if role == "answer" else "feature",
            n_rows=n_rows,
            p=max(1e-30, math.exp(-max(0.0, psi) * n_rows / 2)) if moved else self.random.random(),
            psi=psi,
            js=min(1.0, js),
            distance=None if column in CATEGORIES else moved * 0.8,
            limit=0.1 if column != "day" else 0.4,
            drifted=moved > 0 and psi > 0.1,
            labels=labels,
            reference=reference,
            current=current,
        )

    # ── windows ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def quality(self, at: int, level: float, *, real: bool) -> float:
        grown = min(1.0, max(0.0, (at - self.since + 1) / 3))
        seen = 1.0 if real else 0.8
        return (
            level
            - self.fall * level * grown * seen
            + self.random.gauss(0, abs(level) * self.arm * (0.6 if real else 0.25))
        )

    def one(self, at: int, version: int, share: float = 1.0, segment: str = "") -> WindowReview:
        since = NOON.replace(hour=0) - (self.n_windows - at - 1) * self.window
        weekend = 0.55 if since.weekday() >= 5 and self.window >= DAY else 1.0
        n_rows = max(0, int(self.rows * weekend * share * self.random.uniform(0.9, 1.1)))
        is_judged = n_rows >= 200 and self.has_reference
        is_partial = at == self.n_windows - 1
        metrics = {self.primary: self.level, **self.others}
        arm = abs(self.level) * self.arm * math.sqrt(4200 / max(40, n_rows))
        has_labels = at <= self.labels_until
        half = at > self.labels_until - 3
        failed = self.random.randrange(3) + (40 if at == 17 else 0)
        coverage = (0.31 if half else self.random.uniform(0.9, 0.97)) if has_labels else 0.0
        estimates = tuple(
            Estimate(
                metric=name,
                value=around(self.quality(at, level, real=False), arm * abs(level / self.level), n_rows),
                reference=level,
                method="dle" if self.task == "regression" else "cbpe",
                error=0.004 * abs(level) if self.labels_until >= 0 else None,
            )
            for name, level in metrics.items()
        )
        outcomes = tuple(
            Outcome(
                metric=name,
                value=around(
                    self.quality(at, level, real=True), 1.3 * arm * abs(level / self.level), int(n_rows * coverage)
                ),
                reference=level,
            )
            for name, level in metrics.items()
        )
        kpis = tuple(self.kpi(name, worth, at, weekend * share, n_rows, coverage) for name, worth in self.kpis.items())
        features = [self.drift(c, at, n_rows) for c in self.columns]
        drift = (*features, self.drift("prediction", at, n_rows, "answer"))
        return WindowReview(
            since=since,
            until=since + self.window / (2 if is_partial else 1),
            version=version,
            bundle=identity("bundle", version) * 5,
            segment=segment,
            n_rows=n_rows,
            n_requests=int(n_rows * 0.8),
            n_failed=min(failed, n_rows),
            latency_ms_p50=self.random.uniform(1.9, 2.3) if n_rows else None,
            latency_ms_p99=self.random.uniform(6, 9) + (11 if at == 17 else 0) if n_rows else None,
            n_labels=int(n_rows * coverage),
            coverage=coverage,
            is_ripe=has_labels and not half,
            drift=drift if is_judged else (),
            estimates=estimates if is_judged else (),
            outcomes=outcomes if has_labels and n_rows * coverage >= 50 else (),
            kpis=kpis if n_rows else (),
        )

    def kpi(self, name: str, worth: float, at: int, share: float, n_rows: int, coverage: float) -> KpiValue:
        value = self.quality(at, worth, real=True) * share
        return KpiValue(
            name=name,
            unit=self.kpi_unit,
            realised=around(value, abs(worth) * share * 0.06, int(n_rows * coverage)) if coverage else None,
            estimated=around(self.quality(at, worth, real=False) * share, abs(worth) * share * 0.04, n_rows)
            if self.has_reference
            else None,
            reference=worth * share,
        )

    def windows(self) -> tuple[WindowReview, ...]:
        found = []
        for at in range(self.n_windows):
            if self.gap[0] <= at < self.gap[1]:
                continue
            version = self.version if at >= self.version_since else self.version - 1
            share = 0.9 if self.canary and at >= self.n_windows - self.canary else 1.0
            found.append(self.one(at, version, share))
            if share < 1:
                found.append(self.one(at, version + 1, 0.1))
        for segment in self.segments:
            found.append(self.one(self.n_windows - 1, self.version, 0.3 * self.random.random(), segment))
        return tuple(found)

    # ── the review ──────────────────────────────────────────────────────────────────────────────────────────────────

    def finding(self, windows: tuple[WindowReview, ...], kind: str, subject: str, **facts: Any) -> Finding:
        n_windows = max(1, self.n_windows - self.since)
        since = NOON.replace(hour=0) - (n_windows - 1) * self.window
        values: dict[str, Any] = {
            "id": identity(kind, subject),
            "model": "term-deposit",
            "version": self.version,
            "kind": kind,
            "subject": subject,
            "severity": "note",
            "since": since,
            "until": windows[-1].until if windows else NOON,
            "n_windows": n_windows,
            "n_rows": windows[-1].n_rows if windows else 0,
            "effect": 0.3,
            "measure": "psi",
            "limit": 0.1,
            "p": 1e-9,
            "reason": f"`{subject}` is not as it was.",
        }
        return Finding(**(values | facts))

    def made(self, verdict: str, text: str, *findings: dict[str, Any], n_alerts: int = 0, **more: Any) -> Review:
        windows = self.windows()
        found = tuple(self.finding(windows, **one) for one in findings)
        alerts = tuple(
            Alert(
                id=one.id,
                finding=one,
                at=one.since + 2 * self.window,
                n_shown=2,
                n_looked=3,
                expected_false_per_month=0.04,
            )
            for one in found[:n_alerts]
        )
        newest = windows[-1] if windows else None
        if newest is not None:
            windows = (*windows[:-1], msgspec.structs.replace(newest, findings=tuple(one.id for one in found)))
        values: dict[str, Any] = {
            "model": "term-deposit",
            "version": self.version,
            "bundle": identity("bundle", self.version) * 5,
            "at": NOON,
            "window_s": self.window.total_seconds(),
            "verdict": verdict,
            "text": text,
            "task": self.task,
            "primary": self.primary,
            "windows": windows,
            "findings": found,
            "alerts": alerts,
            "false_alarm_rate": 0.01,
            "min_rows": 200,
            "has_reference": self.has_reference,
        }
        return Review(**(values | more))


# ── worlds ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def drifted(column: str, effect: float, **more: Any) -> dict[str, Any]:
    return {
        "kind": "drift",
        "subject": column,
        "effect": effect,
        "reason": f"`{column}` is distributed otherwise than in training since 23 March: PSI {effect:.2f}, where 0.10 "
        "is what chance and season do.",
        "consequence": "It is among the columns that matter most: ranking probably suffers.",
    } | more


def good() -> Review:
    return World().made("good", "Version 3 does what it did in training: ranking 0.801, where 0.801 was promised.")


def drifting() -> Review:
    world = World(moved={"age": 0.5, "job": 0.35, "balance": 0.2}, fall=0.01, labels_until=20, canary=4)
    return world.made(
        "look",
        "Three of 11 columns have moved since 22 March, and quality probably fell a little: look at `age`.",
        drifted("age", 0.62, severity="warn"),
        drifted("job", 0.31),
        drifted("balance", 0.14),
        n_alerts=1,
    )


def fallen() -> Review:
    world = World(
        moved={"age": 0.8, "poutcome": 0.7, "rate": 0.3},
        fall=0.11,
        labels_until=27,
        segments=("job = student", "job = retired", "contact = cellular", "contact = unknown"),
    )
    return world.made(
        "act",
        "Quality has fallen: ranking is 0.713 ± 0.014 since 23 March, where 0.801 was promised; that costs about EUR"
        " 200 a day.",
        {
            "kind": "quality",
            "subject": "roc_auc",
            "severity": "page",
            "measure": "roc_auc",
            "effect": -0.088,
            "limit": -0.02,
            "reason": "Ranking (ROC AUC) is 0.713 ± 0.014 on 3,310 rows with truths; the reference is 0.801.",
        },
        {
            "kind": "value",
            "subject": "calls worth making",
            "severity": "page",
            "measure": "EUR a day",
            "effect": -202.0,
            "limit": -90.0,
            "p": None,
            "reason": "“calls worth making” brings EUR 202 a day less than it would at the quality of the reference.",
        },
        {
            "kind": "concept_drift",
            "subject": "adwin",
            "severity": "warn",
            "measure": "share",
            "effect": 0.06,
            "limit": None,
            "reason": "Errors became more frequent on 23 March; a detector with 0.2 false alarms a month saw it.",
            "consequence": "What was learned no longer holds: only retraining helps.",
        },
        drifted("age", 1.12, severity="warn"),
        drifted("poutcome", 0.93),
        {
            "kind": "unit",
            "subject": "rate",
            "severity": "warn",
            "effect": 100.0,
            "measure": "times",
            "limit": 3.0,
            "reason": "`rate` is a hundred times what it was: 4.1 became 410, as if percent were counted otherwise.",
            "consequence": "The model reads it as an extreme value.",
        },
        n_alerts=2,
    )


def no_labels() -> Review:
    world = World(labels_until=-1, kpis={}, moved={"age": 0.4}, fall=0.05)
    return world.made(
        "act",
        "Without truths yet: ranking is estimated at 0.768 ± 0.01, where 0.801 was promised.",
        {
            "kind": "estimated_quality",
            "subject": "roc_auc",
            "severity": "page",
            "measure": "roc_auc",
            "effect": -0.033,
            "limit": -0.02,
            "reason": "Ranking (ROC AUC) is estimated at 0.768 ± 0.010 from the probabilities; the reference is 0.801.",
        },
        drifted("age", 0.42),
        n_alerts=1,
    )


def few_rows() -> Review:
    return World(rows=60, labels_until=-1, n_windows=6, version_since=0).made(
        "unknown", "Only 57 rows were answered in the newest window: too few to say anything."
    )


def old_bundle() -> Review:
    return World(has_reference=False, labels_until=20).made(
        "unknown", "The bundle of version 3 does not say what it was trained on, so nothing can be compared."
    )


def unripe() -> Review:
    return World(labels_until=2, n_windows=5, version_since=0, since=9).made(
        "good", "Version 3 probably does what it did in training; the truths are still coming."
    )


def regression() -> Review:
    world = World(
        task="regression",
        primary="mae",
        level=30500.0,
        fall=-0.09,
        others={"rmse": 47900.0, "r2": 0.82},
        kpis={"cost of misjudged prices": -91000.0, "commissions": 5400.0, "returns handled": -120.0},
        moved={"rate": 0.6},
        labels_until=26,
        gap=(9, 12),
    )
    return world.made(
        "act",
        "The average error has grown to USD 33,200 ± 600, from 30,500.",
        {
            "kind": "quality",
            "subject": "mae",
            "severity": "page",
            "measure": "mae",
            "effect": 2700.0,
            "limit": 900.0,
            "reason": "The average error is 33,200 ± 600 on 3,990 rows with truths; the reference is 30,500.",
        },
        drifted("rate", 0.71),
        n_alerts=1,
    )


def multiclass() -> Review:
    world = World(primary="f1_macro", level=0.91, others={"accuracy": 0.93}, kpis={}, labels_until=29, version_since=0)
    return world.made(
        "look",
        "A class that the model does not know came up: “hybrid”, 212 rows since 23 March.",
        {
            "kind": "classes",
            "subject": "hybrid",
            "severity": "warn",
            "measure": "share",
            "effect": 0.05,
            "limit": 0.005,
            "reason": "“hybrid” is the truth of 212 of 4,210 rows since 23 March; the model cannot answer it.",
        },
        n_alerts=1,
    )


def segmented() -> Review:
    world = World(segments=tuple(f"branch = {i}" for i in range(180)), rows=90_000, moved={"age": 0.3})
    return world.made("look", "One column has moved: `age`.", drifted("age", 0.2, severity="warn"))


def empty() -> Review:
    return World(n_windows=0).made("unknown", "Nothing was answered since 1 March.", version=0)


def single() -> Review:
    return World(n_windows=1, version_since=0, labels_until=-1).made("good", "Version 3 has begun well.")


def wide(n_windows: int = 400, n_columns: int = 100) -> Review:
    columns = tuple(f"column_{i:03}" for i in range(n_columns))
    world = World(
        columns=columns,
        n_windows=n_windows,
        since=n_windows - 60,
        version_since=n_windows // 2,
        labels_until=n_windows - 20,
        moved=dict.fromkeys(columns[::4], 0.4),
        fall=0.03,
        window=dt.timedelta(hours=1),
        kpis={"saved": 900.0, "lost": -300.0},
        segments=tuple(f"region = {i}" for i in range(20)),
    )
    return world.made(
        "look", "25 of 100 columns have moved.", *(drifted(c, 0.3, severity="warn") for c in columns[::4]), n_alerts=3
    )


def hostile() -> Review:
    names = dict(zip((*NUMBERS, *CATEGORIES), HOSTILE, strict=False))
    world = World(
        rename=names,
        moved=dict.fromkeys(names, 0.5),
        kpis=dict.fromkeys(HOSTILE, 10.0),
        kpi_unit=HOSTILE[0],
        segments=tuple(f"{word} = {word}" for word in HOSTILE),
        primary=HOSTILE[0],
    )
    made = world.made(
        "act",
        HOSTILE[1] + LONG,
        *(
            {
                "kind": kind,
                "subject": word,
                "segment": word,
                "severity": "page",
                "measure": word,
                "reason": word * 3,
                "consequence": word,
            }
            for word, kind in zip(
                HOSTILE, ("quality", "unit", "drift", "classes", "value", "missing", "skew", "contract"), strict=True
            )
        ),
        n_alerts=5,
        model=HOSTILE[0],
    )
    r = msgspec.structs.replace
    turned = tuple(
        r(
            one,
            drift=tuple(r(d, labels=tuple(HOSTILE[i % len(HOSTILE)] for i in range(len(d.labels)))) for d in one.drift),
        )
        for one in made.windows
    )
    return r(made, windows=turned)


def broken() -> Review:
    """Figures that are not known: NaN and infinity everywhere they may occur."""
    made, r = fallen(), msgspec.structs.replace
    unknown = Metric(value=math.nan, low=math.nan, high=math.nan, n_rows=0)
    vast = Metric(value=1e12, low=-math.inf, high=math.inf, n_rows=3)

    def hurt(at: int, one: WindowReview) -> WindowReview:
        value = unknown if at % 3 else vast
        return r(
            one,
            n_requests=0 if at == 3 else one.n_requests,
            latency_ms_p99=math.inf if at == 4 else one.latency_ms_p99,
            estimates=tuple(r(e, value=value, reference=math.nan) for e in one.estimates),
            outcomes=tuple(r(o, value=value, reference=math.nan) for o in one.outcomes),
            kpis=tuple(r(k, realised=value, estimated=value, reference=math.nan) for k in one.kpis),
            drift=tuple(
                r(d, psi=math.nan, js=math.nan, p=math.nan, reference=(), current=(), labels=()) for d in one.drift
            ),
        )

    return r(
        made,
        windows=tuple(hurt(at, one) for at, one in enumerate(made.windows)),
        findings=tuple(r(f, effect=math.nan, limit=math.nan, p=math.nan) for f in made.findings),
        false_alarm_rate=math.nan,
    )


WORLDS = {
    made.__name__: made
    for made in (
        good, drifting, fallen, no_labels, few_rows, old_bundle, unripe, regression, multiclass, segmented, empty,
        single, hostile, broken, wide,
    )
}  # fmt: skip


def promotions(review: Review) -> tuple[Promotion, ...]:
    """The ledger lines behind the change of versions that a review shows."""
    main = [one for one in review.windows if not one.segment]
    changed = [one for before, one in pairwise(main) if one.version > before.version]
    return tuple(
        Promotion(
            sequence=i,
            model=review.model,
            version=one.version,
            bundle=one.bundle,
            previous=one.version - 1,
            kind="promote",
            decision=identity("decision", i),
            evidence=identity("evidence", i),
            actor="ada",
            reason="passed every check",
            at=one.since + dt.timedelta(hours=9),
        )
        for i, one in enumerate(changed[:1], 1)
    )
