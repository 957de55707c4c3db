"""Made-up but plausible records: a bank, three flowers' worth of classes, flats, and hostile ones."""

from __future__ import annotations

import datetime as dt
import hashlib
import math
import random
from typing import Any, Literal

import msgspec
import pytest

from palio.core.records import (
    CalibrationBin,
    Check,
    Chunk,
    ClassScore,
    Column,
    ColumnShape,
    Comparison,
    Cost,
    Curve,
    Decision,
    Description,
    Evaluation,
    Gap,
    Gate,
    Importance,
    LearningCurve,
    LearningPoint,
    Manifest,
    Metric,
    Parity,
    Parts,
    Promotion,
    Run,
    Schema,
    Search,
    Slice,
    Snapshot,
    Task,
    TensorSpec,
    Value,
    WorstRow,
)
from palio.report import ReportFacts

NOON = dt.datetime(2026, 3, 4, 12, 0, tzinfo=dt.UTC)
LONG = "a_very_long_name_without_any_space_" * 6
HOSTILE = {
    "script": "<script>alert(1)</script>",
    "close": "</style></title></svg><img src=x onerror=alert(1)>",
    "template": "{{ 7 * 7 }}{% raw %}",
    "formula": '=cmd|" /C calc"!A0',
    "long": LONG,
    "rtl": "\u202eשלום עולם العربية",
    "unicode": "Größe 尺寸 😀 naïve\x00\x1b[31m\ufffe",
}


def digest(word: str) -> str:
    return hashlib.sha256(word.encode()).hexdigest()


def metric(value: float, arm: float, n_rows: int = 9042) -> Metric:
    return Metric(value=value, low=value - arm, high=value + arm * 0.96, n_rows=n_rows)


def column(name: str, kind: str = "number", **more: Any) -> Column:
    return Column(name=name, type=kind, **more)


def numeric_shape(name: str, low: float, high: float, *, n_rows: int, power: float = 1.0) -> ColumnShape:
    return ColumnShape(
        name=name,
        source=name,
        kind="number",
        low=low,
        high=high,
        mean=(low + high) / 3,
        standard_deviation=(high - low) / 6,
        edges=tuple(low + (high - low) * (i / 10) ** power for i in range(1, 10)),
        counts=(*(n_rows // 10,) * 10, n_rows // 90),
    )


def category_shape(name: str, shares: dict[str, float], *, n_rows: int) -> ColumnShape:
    counts = tuple(round(n_rows * share) for share in shares.values())
    return ColumnShape(
        name=name, source=name, kind="category", values=tuple(shares), counts=(*counts, 0, 0), n_distinct=len(shares)
    )


def bank_schema() -> Schema:
    return Schema(
        columns=(
            column("age", "integer", low=18, high=95),
            column("job", "category", categories=("blue-collar", "management", "student", "retired")),
            column("balance", low=-8019, high=102127),
            column("poutcome", "category", categories=("unknown", "failure", "success")),
            column("month", "category", categories=("may", "jul", "aug")),
            column("campaign", "integer", low=1, high=63),
            column("duration", "integer", feature=False, note="known only after the call, so it would leak the answer"),
            column("y", "category", feature=False, categories=("no", "yes")),
        ),
        target="y",
    )


def a_snapshot(schema: Schema, *, n_rows: int, source: str, **more: Any) -> Snapshot:
    return Snapshot(
        id=digest(source),
        version=1,
        parent=None,
        source=source,
        schema=schema,
        n_rows=n_rows,
        n_unlabelled=more.pop("n_unlabelled", 0),
        n_quarantined=more.pop("n_quarantined", 0),
        column_digests={c.name: digest(c.name) for c in schema.columns},
        chunks=(Chunk(blob=digest("chunk"), n_rows=n_rows, size_bytes=n_rows * 40),),
        profile=digest("profile"),
        **more,
    )


def some_parts(snapshot: Snapshot, **more: Any) -> Parts:
    n = snapshot.n_rows
    values = {
        "id": digest("parts"),
        "snapshot": snapshot.id,
        "policy": "60-20-20",
        "method": "random",
        "seed": 0,
        "n_folds": 5,
        "counts": {"train": n - 2 * (n // 5), "validation": n // 5, "test": n // 5},
        "assignment": digest("assignment"),
        "test_id": digest("test"),
        "look_budget": 20,
    }
    return Parts(**(values | more))


def a_run(family: str, trial: int, score: float | None, *, metric_name: str, **more: Any) -> Run:
    values: dict[str, Any] = {
        "id": digest(f"{family}{trial}"),
        "parts": digest("parts"),
        "family": family,
        "trial": trial,
        "params": {},
        "seed": 0,
        "metric": metric_name,
        "status": "done",
        "cv_score": score,
        "cv_error": abs(score or 0.0) * 0.004,
        "fit_s": 0.4 * (trial + 1),
        "n_parameters": 10 ** (trial % 5 + 1),
        "cost": Cost(
            fit_s=0.5, latency_ms_p50=0.03 * (trial + 1), latency_ms_p99=0.09 * (trial + 1), size_mb=0.02 * 5**trial
        ),
        "bundle": digest(family),
    }
    return Run(**(values | more))


def a_search(scores: dict[str, float], *, metric_name: str, chosen: str) -> Search:
    runs = tuple(
        a_run(
            f,
            i,
            s,
            metric_name=metric_name,
            chosen=f == chosen,
            reason="" if f == chosen else "its score is more than one standard error behind the best",
        )
        for i, (f, s) in enumerate(scores.items())
    )
    failed = a_run(
        "forest", 9, None, metric_name=metric_name, status="failed", reason="stopped at the time limit", cost=None
    )
    return Search(
        id=digest("search"),
        parts=digest("parts"),
        metric=metric_name,
        runs=(*runs, failed),
        chosen=digest(f"{chosen}{list(scores).index(chosen)}"),
        bundle=digest(chosen),
        reasons=(f"{chosen} has the best score; nothing simpler is within one standard error.",),
        n_trials_planned=24,
        stopped_by="plan",
        seconds=41.7,
        learning=a_curve(scores[chosen], higher=metric_name not in ("rmse", "mae", "log_loss")),
    )


def a_curve(score: float, *, higher: bool, verdict: Literal["rises", "flat", "unclear"] = "rises") -> LearningCurve:
    way = -1 if higher else 1
    points = tuple(
        LearningPoint(n_rows=n_rows, score=score * (1 + way * loss), error=abs(score) * 0.004)
        for n_rows, loss in ((5425, 0.03), (10850, 0.01), (21701, 0.0))
    )
    gain = abs(score) * 0.01
    return LearningCurve(
        points=points,
        gain=gain,
        error=gain / 10,
        verdict=verdict,
        next_gain=gain / 2 if verdict == "rises" else 0.0,
    )


def a_manifest(task: Task, schema: Schema, family: str) -> Manifest:
    return Manifest(
        format=1,
        task=task,
        schema=schema,
        inputs=(TensorSpec(name="age", datatype="FP64", shape=(-1, 1)),),
        outputs=(),
        family=family,
        params={"num_leaves": 31, "learning_rate": 0.0512345, "class_weight": None},
        seed=7,
        n_parameters=8123,
        snapshot=digest("snapshot"),
        parts=digest("parts"),
        trained_on=("train", "validation"),
        metrics={},
        parity=(
            Parity(
                path="library and graph", rows=9042, max_abs_diff=2.2e-16, n_label_diffs=0, tolerance=1e-6, passed=True
            ),
        ),
        versions={"palio": "0.1.0", "lightgbm": "4.7.0", "onnxruntime": "1.31.0"},
        files={"model.onnx": digest("onnx"), "golden.json": digest("golden")},
    )


def a_slice(
    name: str, condition: str, score: float, away: float, *, n_rows: int, worse: bool, metric_name: str = "roc_auc"
) -> Slice:
    arm = abs(score) * 1.2 / math.sqrt(n_rows)
    return Slice(
        column=name,
        condition=condition,
        n_rows=n_rows,
        metric=metric_name,
        score=metric(score, arm, n_rows),
        difference=metric(away, arm, n_rows),
        worse=worse,
    )


def bank_evaluation(name: str = "lightgbm", *, better: float = 0.0) -> Evaluation:
    task = Task(kind="classification", target="y", classes=("no", "yes"), positive="yes", metric="roc_auc")
    rng = random.Random(3)
    bins = []
    for i, (p, n) in enumerate(
        [
            (0.03, 3900),
            (0.06, 2300),
            (0.1, 1300),
            (0.16, 700),
            (0.25, 320),
            (0.34, 190),
            (0.47, 150),
            (0.63, 110),
            (0.8, 72),
        ]
    ):
        seen = min(1.0, max(0.0, p + rng.gauss(0, 0.012)))
        arm = 1.96 * math.sqrt(p * (1 - p) / n)
        bins.append(
            CalibrationBin(
                predicted=p,
                observed=seen - 0.06 * (i == 8),
                low=seen - 0.06 * (i == 8) - arm,
                high=seen + arm,
                n_rows=n,
            )
        )
    steps = [i / 60 for i in range(61)]
    return Evaluation(
        id=digest(f"evaluation {name}"),
        bundle=digest(name),
        snapshot=digest("bank.csv"),
        parts=digest("parts"),
        part="test",
        task=task,
        primary="roc_auc",
        n_rows=9042,
        metrics={
            "roc_auc": metric(0.8012 + better, 0.0141),
            "pr_auc": metric(0.4631 + better, 0.028),
            "accuracy": metric(0.8987 + better / 4, 0.0062),
            "balanced_accuracy": metric(0.6168, 0.0121),
            "f1": metric(0.3729, 0.0251),
            "precision": metric(0.6132, 0.0377, 425),
            "recall": metric(0.2464, 0.0262, 1058),
            "log_loss": metric(0.2781, 0.009),
            "brier": metric(0.0804, 0.0036),
            "calibration_error": metric(0.0072, 0.0031),
        },
        baseline={
            "roc_auc": Metric(value=0.5, low=0.5, high=0.5, n_rows=9042),
            "accuracy": metric(0.883, 0.0066),
            "balanced_accuracy": Metric(value=0.5, low=0.5, high=0.5, n_rows=9042),
            "precision": Metric(value=math.nan, low=math.nan, high=math.nan, n_rows=0),
            "recall": Metric(value=0.0, low=0.0, high=0.0, n_rows=1058),
            "log_loss": metric(0.3609, 0.01),
        },
        per_class=(
            ClassScore(label="no", n_rows=7984, accuracy=metric(0.9795, 0.0031, 7984), precision=0.9075, f1=0.9421),
            ClassScore(label="yes", n_rows=1058, accuracy=metric(0.2467, 0.0262, 1058), precision=0.6141, f1=0.352),
        ),
        confusion=((7820, 164), (797, 261)),
        calibration=tuple(bins),
        curves=(
            Curve(name="roc", x=tuple(steps), y=tuple(s**0.28 for s in steps)),
            Curve(name="precision_recall", x=tuple(steps), y=tuple(0.12 + 0.8 * (1 - s) ** 1.8 for s in steps)),
        ),
        slices=(
            a_slice("job", "= student", 0.702, -0.101, n_rows=188, worse=True),
            a_slice("month", "= may", 0.741, -0.072, n_rows=2750, worse=True),
            a_slice("age", "from 60 up to 95", 0.79, -0.012, n_rows=241, worse=False),
            a_slice("poutcome", "= success", 0.768, -0.03, n_rows=302, worse=False),
            a_slice("balance", "from -8,019 to below 72", 0.81, 0.011, n_rows=2260, worse=False),
            a_slice("campaign", "from 1 to below 3", 0.806, 0.006, n_rows=6010, worse=False),
        ),
        worst=tuple(
            WorstRow(
                row_id=digest(f"row {i}")[:12],
                truth="yes" if i % 2 else "no",
                prediction="no" if i % 2 else "yes",
                loss=4.1 - i * 0.2,
                values={
                    "age": str(30 + i),
                    "job": "management",
                    "balance": str(1200 * i),
                    "poutcome": "unknown",
                    "month": "may",
                    "campaign": "2",
                },
            )
            for i in range(6)
        ),
        importance=tuple(
            Importance(column=c, loss=metric(v, 0.006))
            for c, v in {
                "poutcome": 0.071,
                "month": 0.052,
                "balance": 0.019,
                "age": 0.017,
                "job": 0.006,
                "campaign": 0.001,
            }.items()
        ),
        gap=Gap(
            train=0.8391,
            validation=0.8034,
            test=0.8012 + better,
            verdict="sound",
            text="The test score is within its interval of the validation score; training is 0.04 higher.",
        ),
    )


def a_decision(
    evaluation: Evaluation, *, verdict: str = "yes", comparison: Comparison | None = None, **more: Any
) -> Decision:
    parity = Parity(path="graph and server", rows=64, max_abs_diff=0.0, n_label_diffs=0, tolerance=1e-6, passed=True)
    passed = verdict != "no"
    return Decision(
        id=digest("decision"),
        verdict=verdict,
        challenger=evaluation.bundle,
        champion=comparison.champion if comparison else None,
        evaluation=evaluation.id,
        comparison=comparison,
        parity=parity,
        checks=(
            Check(
                name="beat_baseline",
                passed=True,
                observed="0.801",
                required="> 0.500",
                reason="It is better than the rule of thumb.",
            ),
            Check(
                name="latency",
                passed=passed,
                observed="0.4 ms" if passed else "31 ms",
                required="≤ 20 ms",
                reason="99 of 100 answers come within 0.4 ms."
                if passed
                else "99 of 100 answers take up to 31 ms; 20 ms are allowed.",
            ),
            Check(
                name="parity", passed=True, observed="0", required="≤ 1e-6", reason="The server gives the same answers."
            ),
        ),
        reasons=("It is better than the rule of thumb.", "99 of 100 answers come within 0.4 ms."),
        gate=Gate(),
        **more,
    )


def a_promotion(evaluation: Evaluation, version: int = 1) -> Promotion:
    return Promotion(
        sequence=version,
        model="term-deposit",
        version=version,
        bundle=evaluation.bundle,
        previous=version - 1 or None,
        kind="promote",
        decision=digest("decision"),
        evidence=digest("evidence"),
        actor="ada",
        reason="passed every check",
        at=NOON,
    )


@pytest.fixture
def bank() -> ReportFacts:
    """The first champion of a two-class task."""
    e = bank_evaluation()
    schema = bank_schema()
    snapshot = a_snapshot(schema, n_rows=45211, source="bank.csv")
    description = Description(
        n_rows=45211,
        columns=(
            numeric_shape("age", 18, 95, n_rows=45211, power=1.6),
            numeric_shape("balance", -8019, 102127, n_rows=45211, power=3.0),
            category_shape(
                "job", {"blue-collar": 0.215, "management": 0.209, "student": 0.02, "retired": 0.05}, n_rows=45211
            ),
            category_shape("poutcome", {"unknown": 0.817, "failure": 0.108, "success": 0.033}, n_rows=45211),
            category_shape("y", {"no": 0.883, "yes": 0.117}, n_rows=45211),
        ),
    )
    return ReportFacts(
        project="term-deposit",
        generated_at=NOON,
        snapshot=snapshot,
        description=description,
        parts=some_parts(
            snapshot,
            n_duplicates_moved=12,
            class_counts={"train": {"no": 23952, "yes": 3175}, "test": {"no": 7984, "yes": 1058}},
        ),
        task=e.task,
        search=a_search(
            {"dummy": 0.5, "linear": 0.7712, "forest": 0.7929, "lightgbm": 0.8041},
            metric_name="roc_auc",
            chosen="lightgbm",
        ),
        evaluation=e,
        decision=a_decision(e),
        promotion=a_promotion(e),
        manifest=a_manifest(e.task, schema, "lightgbm"),
        looks_used=1,
        cases="customers",
    )


@pytest.fixture
def challenged(bank: ReportFacts) -> ReportFacts:
    """A challenger that replaces a champion and is worth money."""
    e = bank_evaluation("challenger", better=0.0094)
    champion = bank_evaluation("champion")
    comparison = Comparison(
        champion=champion.bundle,
        challenger=e.bundle,
        part="test",
        n_rows=9042,
        metric="roc_auc",
        difference=metric(0.0094, 0.0051),
        p_better=0.9991,
        differences={
            "roc_auc": metric(0.0094, 0.0051),
            "accuracy": metric(0.0024, 0.0031),
            "log_loss": metric(0.0062, 0.0022),
            "recall": metric(-0.011, 0.008),
        },
        slices=(a_slice("job", "= student", 0.69, -0.031, n_rows=188, worse=True),),
        n_changed=214,
    )
    value = Value(
        currency="EUR",
        per_day=metric(118.4, 61.2),
        per_point=500.0,
        text="10,000 requests a day, 5 EUR for each wrong answer: 24 fewer wrong answers a day.",
    )
    decision = a_decision(e, comparison=comparison, value=value)
    return msgspec.structs.replace(
        bank,
        evaluation=e,
        champion_evaluation=champion,
        comparison=comparison,
        decision=decision,
        promotion=a_promotion(e, 3),
        looks_used=17,
    )


@pytest.fixture
def refused(challenged: ReportFacts) -> ReportFacts:
    """A challenger that the gate refuses."""
    decision = a_decision(challenged.evaluation, verdict="no", comparison=challenged.comparison)
    return msgspec.structs.replace(challenged, decision=decision, promotion=None)


@pytest.fixture
def flowers() -> ReportFacts:
    """Five classes, one of them rare."""
    classes = ("aster", "daisy", "iris", "rose", "tulip")
    task = Task(kind="classification", target="kind", classes=classes, metric="log_loss")
    confusion = ((310, 22, 4, 9, 2), (31, 402, 1, 12, 7), (3, 0, 512, 6, 1), (14, 17, 3, 201, 41), (2, 1, 4, 13, 38))
    total = sum(map(sum, confusion))
    scores = []
    for i, label in enumerate(classes):
        n, hits = sum(confusion[i]), confusion[i][i]
        said = sum(row[i] for row in confusion)
        share = hits / n
        scores.append(
            ClassScore(
                label=label,
                n_rows=n,
                accuracy=metric(share, 1.96 * math.sqrt(share * (1 - share) / n), n),
                precision=hits / said,
                f1=2 * hits / (n + said),
            )
        )
    right = sum(confusion[i][i] for i in range(5)) / total
    e = Evaluation(
        id=digest("flowers"),
        bundle=digest("forest"),
        snapshot=digest("flowers.parquet"),
        parts=digest("parts"),
        part="test",
        task=task,
        primary="log_loss",
        n_rows=total,
        metrics={
            "log_loss": metric(0.4218, 0.041, total),
            "accuracy": metric(right, 0.0172, total),
            "balanced_accuracy": metric(0.8301, 0.021, total),
            "f1_macro": metric(0.824, 0.02, total),
        },
        baseline={"log_loss": metric(1.4702, 0.03, total), "accuracy": metric(0.318, 0.023, total)},
        per_class=tuple(scores),
        confusion=confusion,
        calibration=tuple(
            CalibrationBin(predicted=p, observed=p - 0.05, low=p - 0.08, high=p - 0.025, n_rows=150)
            for p in (0.4, 0.55, 0.7, 0.85, 0.97)
        ),
        gap=Gap(
            train=0.05,
            validation=0.4302,
            test=0.4218,
            verdict="overfitted",
            text="Training is 0.37 better than validation.",
        ),
    )
    schema = Schema(
        columns=(
            *(column(f"petal_{i}", low=0.1, high=7.2) for i in range(4)),
            column("kind", "category", feature=False),
        ),
        target="kind",
    )
    snapshot = a_snapshot(schema, n_rows=8280, source="flowers.parquet", n_unlabelled=412)
    return ReportFacts(
        project="flowers",
        generated_at=NOON,
        snapshot=snapshot,
        parts=some_parts(snapshot),
        task=task,
        evaluation=e,
        search=a_search({"dummy": 1.47, "linear": 0.52, "forest": 0.431}, metric_name="log_loss", chosen="forest"),
        decision=a_decision(e, verdict="needs_approval"),
        looks_used=2,
    )


@pytest.fixture
def flats() -> ReportFacts:
    """A regression, cut by time."""
    rng = random.Random(5)
    predicted = [math.exp(rng.gauss(12.1, 0.5)) for _ in range(200)]
    truth = [min(500001.0, p * math.exp(rng.gauss(0, 0.2))) for p in predicted]
    task = Task(kind="regression", target="median_house_value", metric="rmse")
    name = "rmse"
    e = Evaluation(
        id=digest("flats"),
        bundle=digest("lightgbm"),
        snapshot=digest("flats"),
        parts=digest("parts"),
        part="test",
        task=task,
        primary=name,
        n_rows=4128,
        metrics={
            "rmse": metric(46230.4, 1310.0, 4128),
            "mae": metric(30480.9, 780.0, 4128),
            "median_absolute_error": metric(19310.2, 640.0, 4128),
            "r2": metric(0.8392, 0.0094, 4128),
        },
        baseline={
            "rmse": metric(115210.0, 1900.0, 4128),
            "mae": metric(91020.0, 1500.0, 4128),
            "median_absolute_error": metric(77300.0, 1500.0, 4128),
            "r2": Metric(value=-0.0002, low=-0.001, high=0.0, n_rows=4128),
        },
        curves=(
            Curve(name="predicted_actual", x=tuple(predicted), y=tuple(truth)),
            Curve(name="residuals", x=tuple(predicted), y=tuple(t - p for t, p in zip(truth, predicted, strict=True))),
        ),
        slices=(
            a_slice(
                "ocean_proximity",
                "= INLAND",
                36010.0,
                -14100.0,
                n_rows=1310,
                worse=False,
                metric_name=name,
            ),
            a_slice(
                "ocean_proximity",
                "= NEAR BAY",
                58110.0,
                13200.0,
                n_rows=460,
                worse=True,
                metric_name=name,
            ),
        ),
        worst=tuple(
            WorstRow(
                row_id=digest(f"flat {i}")[:12],
                truth="500,001",
                prediction=f"{190_000 + 9_000 * i}",
                loss=310000.0 - 9000 * i,
                values={"longitude": "-122.4", "median_income": "2.1"},
            )
            for i in range(4)
        ),
        importance=tuple(
            Importance(column=c, loss=metric(v, 900.0))
            for c, v in {
                "median_income": 31000.0,
                "latitude": 24000.0,
                "longitude": 22000.0,
                "ocean_proximity": 9000.0,
                "rooms": 400.0,
            }.items()
        ),
        gap=Gap(train=35100.0, validation=45900.0, test=46230.4, verdict="sound", text="Test and validation agree."),
    )
    schema = Schema(
        columns=(
            column("sold", "datetime", low=1.5e9, high=1.6e9),
            column("median_income", low=0.5, high=15.0),
            column("latitude", low=32.5, high=41.9),
            column("median_house_value", feature=False, low=14999, high=500001),
        ),
        target="median_house_value",
        time=("sold",),
    )
    snapshot = a_snapshot(schema, n_rows=20640, source="flats.csv")
    description = Description(
        n_rows=20640,
        columns=(
            numeric_shape("median_income", 0.5, 15.0, n_rows=20640, power=1.8),
            numeric_shape("sold", 1.5e9, 1.6e9, n_rows=20640),
        ),
    )
    return ReportFacts(
        project="flats",
        generated_at=NOON,
        snapshot=snapshot,
        description=description,
        parts=some_parts(snapshot, method="time"),
        task=task,
        evaluation=e,
        search=a_search(
            {"dummy": 115000.0, "linear": 68000.0, "lightgbm": 46800.0}, metric_name="rmse", chosen="lightgbm"
        ),
        decision=a_decision(e),
        promotion=a_promotion(e),
        looks_used=1,
        cases="flats",
        unit="USD",
    )


@pytest.fixture
def bare(bank: ReportFacts) -> ReportFacts:
    """The least that can be reported."""
    e = Evaluation(
        id=digest("bare"),
        bundle=digest("b"),
        snapshot=digest("s"),
        parts=digest("p"),
        part="test",
        task=bank.task,
        primary="roc_auc",
        n_rows=40,
        metrics={"roc_auc": Metric(value=math.nan, low=math.nan, high=math.nan, n_rows=40)},
    )
    return ReportFacts(
        project="bare", generated_at=NOON, snapshot=bank.snapshot, parts=bank.parts, task=bank.task, evaluation=e
    )


@pytest.fixture
def hostile(challenged: ReportFacts) -> ReportFacts:
    """Every text is an attack."""
    words = list(HOSTILE.values())
    task = Task(
        kind="classification",
        target=HOSTILE["script"],
        classes=(HOSTILE["close"], HOSTILE["rtl"]),
        positive=HOSTILE["rtl"],
        metric="roc_auc",
    )
    schema = Schema(
        columns=tuple(column(w, "category", note=w, feature=i % 2 == 0) for i, w in enumerate(words)),
        target=HOSTILE["script"],
    )
    e = challenged.evaluation
    r = msgspec.structs.replace
    e = r(
        e,
        task=task,
        per_class=tuple(r(c, label=label) for c, label in zip(e.per_class, task.classes, strict=True)),
        slices=tuple(r(s, column=w, condition=w) for s, w in zip(e.slices, words, strict=False)),
        worst=tuple(
            r(w, truth=LONG, prediction=HOSTILE["script"], values=dict(zip(words, words, strict=True))) for w in e.worst
        ),
        importance=tuple(r(i, column=w) for i, w in zip(e.importance, words, strict=False)),
        gap=r(e.gap, text=LONG * 3) if e.gap else None,
    )
    assert challenged.search is not None
    assert challenged.decision is not None
    assert challenged.manifest is not None
    assert challenged.promotion is not None
    runs = tuple(r(run, family=w, reason=w) for run, w in zip(challenged.search.runs, words, strict=False))
    decision = r(
        challenged.decision,
        checks=tuple(
            r(c, name=w, observed=w, required=w, reason=w)
            for c, w in zip(challenged.decision.checks, words, strict=False)
        ),
        reasons=tuple(words),
    )
    description = Description(
        n_rows=100, columns=tuple(category_shape(w, dict.fromkeys(words, 0.1), n_rows=100) for w in words)
    )
    return r(
        challenged,
        project=HOSTILE["close"],
        task=task,
        evaluation=e,
        snapshot=a_snapshot(schema, n_rows=100, source=HOSTILE["script"] + LONG),
        description=description,
        parts=r(challenged.parts, warnings=tuple(words), class_counts={"test": dict.fromkeys(words, 3)}),
        search=r(challenged.search, runs=runs, reasons=tuple(words)),
        decision=decision,
        manifest=r(
            challenged.manifest,
            params=dict(zip(words, words, strict=True)),
            versions=dict(zip(words, words, strict=True)),
            family=HOSTILE["script"],
        ),
        promotion=r(challenged.promotion, actor=HOSTILE["script"], reason=HOSTILE["close"]),
        cases=HOSTILE["script"],
    )
