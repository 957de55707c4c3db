"""What one whole cycle leaves behind, as `palio run --json` prints it."""

from __future__ import annotations

from palio.core.records import (
    Decision,
    Evaluation,
    Metric,
    Parity,
    Parts,
    Promotion,
    Record,
    Search,
    Snapshot,
    Value,
)


class SnapshotSummary(Record, frozen=True, kw_only=True):
    """The data that was used."""

    id: str
    version: int
    n_rows: int
    n_unlabelled: int


class SplitSummary(Record, frozen=True, kw_only=True):
    """Rows per part."""

    id: str
    policy: str
    method: str
    train: int
    validation: int
    test: int


class CandidateSummary(Record, frozen=True, kw_only=True):
    """The best run of one family."""

    family: str
    cv_score: float | None
    """Of the chosen one, what rows say that did not choose it."""
    compared: float | None
    """On the rows that all were compared on."""
    cv_error: float | None
    fit_s: float
    latency_ms: float | None
    size_mb: float | None
    n_parameters: int | None
    chosen: bool
    unbeaten: bool = False
    """No other candidate beats it on quality, one-row latency and size."""


class ChampionSummary(Record, frozen=True, kw_only=True):
    """What is live now."""

    version: int
    family: str
    bundle: str


class EvaluationSummary(Record, frozen=True, kw_only=True):
    """The candidate on the sealed test part."""

    id: str
    part: str
    n_rows: int
    primary: str
    metrics: dict[str, Metric]


class DecisionSummary(Record, frozen=True, kw_only=True):
    """What the gate said."""

    id: str
    verdict: str
    reasons: tuple[str, ...]
    value: Value | None


class RunSummary(Record, frozen=True, kw_only=True):
    """One whole cycle."""

    project: str
    snapshot: SnapshotSummary
    split: SplitSummary
    metric: str
    candidates: tuple[CandidateSummary, ...]
    champion: ChampionSummary | None
    evaluation: EvaluationSummary
    parity: Parity | None
    decision: DecisionSummary
    report: str
    skipped: tuple[str, ...]
    """Steps whose inputs had not changed."""
    warnings: tuple[str, ...] = ()
    """What a person must know who trusts this, e.g. that the source could not be reached."""
    seconds: float


def summarise(
    project: str,
    snapshot: Snapshot,
    *,
    parts: Parts,
    search: Search,
    evaluation: Evaluation,
    decision: Decision,
    champion: ChampionSummary | None,
    report: str,
    skipped: tuple[str, ...],
    warnings: tuple[str, ...] = (),
    seconds: float,
) -> RunSummary:
    """Condense the records of one cycle into its summary."""
    return RunSummary(
        project=project,
        snapshot=SnapshotSummary(
            id=snapshot.id, version=snapshot.version, n_rows=snapshot.n_rows, n_unlabelled=snapshot.n_unlabelled
        ),
        split=SplitSummary(id=parts.id, policy=parts.policy, method=parts.method, **parts.counts),
        metric=search.metric,
        candidates=leaderboard(search),
        champion=champion,
        evaluation=EvaluationSummary(
            id=evaluation.id,
            part=evaluation.part,
            n_rows=evaluation.n_rows,
            primary=evaluation.primary,
            metrics=evaluation.metrics,
        ),
        parity=decision.parity,
        decision=DecisionSummary(
            id=decision.id, verdict=decision.verdict, reasons=decision.reasons, value=decision.value
        ),
        report=report,
        skipped=skipped,
        warnings=warnings,
        seconds=seconds,
    )


def champion_of(promotion: Promotion, family: str) -> ChampionSummary:
    """Name what a promotion put live."""
    return ChampionSummary(version=promotion.version, family=family, bundle=promotion.bundle)


def leaderboard(search: Search) -> tuple[CandidateSummary, ...]:
    """Condense a search to its finalists: the best run of each family, in the order in which they were tried."""
    finalists = [run for run in search.runs if run.cost is not None or run.chosen]
    return tuple(
        CandidateSummary(
            family=run.family,
            cv_score=run.cv_score,
            compared=run.compared,
            cv_error=run.cv_error,
            fit_s=run.fit_s,
            latency_ms=run.cost.latency_ms_p50 if run.cost else None,
            size_mb=run.cost.size_mb if run.cost else None,
            n_parameters=run.n_parameters,
            chosen=run.chosen,
            unbeaten=run.id in search.front,
        )
        for run in finalists
    )
