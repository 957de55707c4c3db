"""Look at a challenger once: each question is answered with good, bad, or cannot tell yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Literal, NamedTuple

from palio import measure
from palio.core.serving import ANY_SPREAD, Analysis, Observations
from palio.core.words import counted
from palio.renew.bounds import ALPHA, mean_bounds, proportion_bounds, stability_index

EDGES = measure.LATENCY_EDGES
Outcome = Literal["good", "bad", "unsure"]
FEWEST_ROWS = 30
"""Below so many rows the bounds of a mean are not to be trusted."""
MOST_SLOW = 0.02
"""A challenger is fast enough once surely fewer of its answers than this are slower than the limit."""


_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"))


class Finding(NamedTuple):
    """The answer to one question."""

    name: str
    outcome: Outcome
    reason: str
    """A clause for people, without a full stop."""


class Look(NamedTuple):
    """The answers to all questions, and what follows from them."""

    outcome: Outcome
    findings: tuple[Finding, ...]

    @property
    def reason(self) -> str:
        """One sentence: what is bad, else what cannot be told, else what is good."""
        told = [finding.reason for finding in self.findings if finding.outcome == self.outcome]
        return "; ".join(told) or "nothing to look at"


def look(analysis: Analysis, seen: Observations, *, mode: str) -> Look:
    """Answer every question of an analysis. One bad answer is enough; to be good, all must be.

    Pure. Bounds hold at every look of a step (see `palio.renew.bounds`), so looking often does no harm.

    Args:
        analysis: What is allowed.
        seen: Since the step began.
        mode: `shadow` or `canary`; only in a shadow both answer the same rows.
    """
    n_requests = seen.challenger.n_requests
    if n_requests < analysis.min_requests:
        reason = f"{n_requests:,} of the {analysis.min_requests:,} requests that the challenger must have answered"
        reason += _pace(n_requests, analysis.min_requests, (seen.until - seen.since).total_seconds())
        # What surely fails need not fail a hundred times, and who refuses everything never answers so many.
        bad = tuple(one for one in (_errors(analysis, seen), _refusals(analysis, seen)) if one.outcome == "bad")
        return Look("bad" if bad else "unsure", (*bad, Finding("traffic", "unsure", f"only {reason}")))
    findings = tuple(_ask(analysis, seen, mode))
    outcomes = {finding.outcome for finding in findings}
    return Look("bad" if "bad" in outcomes else "unsure" if "unsure" in outcomes else "good", findings)


def _pace(n_requests: int, wanted: int, seconds: float) -> str:
    """Say when there will be enough requests if they go on coming as they do."""
    if not n_requests or seconds <= 0:
        return ""
    left_s = (wanted - n_requests) * seconds / n_requests
    unit_s, unit = next((one for one in _UNITS if left_s >= one[0]), _UNITS[-1])
    return f" (at this pace in {counted(max(1, round(left_s / unit_s)), unit)})"


def _ask(analysis: Analysis, seen: Observations, mode: str) -> Iterator[Finding]:
    yield _errors(analysis, seen)
    if seen.challenger.n_refused:
        yield _refusals(analysis, seen)
    yield _latency(analysis, seen)
    yield _drift(analysis, seen)
    if analysis.max_disagreement is not None and mode == "shadow":
        yield _disagreement(analysis.max_disagreement, seen)
    if analysis.min_quality is not None:
        yield _quality(analysis.min_quality, seen)


def _errors(analysis: Analysis, seen: Observations) -> Finding:
    """Is the rate of errors beyond the champion's surely within the limit, or surely not?"""
    rival, champion = seen.challenger, seen.champion
    low, high = proportion_bounds(rival.n_errors, rival.n_requests, ALPHA / 2)
    champion_low, champion_high = proportion_bounds(champion.n_errors, champion.n_requests, ALPHA / 2)
    limit = analysis.max_error_rate
    what = f"{rival.n_errors:,} of {rival.n_requests:,} requests failed, {champion.n_errors:,} of the champion's "
    what += f"{champion.n_requests:,} (at most {limit:.1%} more is allowed)"
    return Finding("errors", _side(low - champion_high, high - champion_low, limit), what)


def _refusals(analysis: Analysis, seen: Observations) -> Finding:
    """Does it refuse rows that the champion takes? Callers send wrong rows to both alike."""
    (low, _), (_, champion_high) = (
        proportion_bounds(one.n_refused, one.n_requests + one.n_refused, ALPHA / 2)
        for one in (seen.challenger, seen.champion)
    )
    told = [f"{one.n_refused:,} of {one.n_requests + one.n_refused:,}" for one in (seen.challenger, seen.champion)]
    what = f"it refused {told[0]} requests as wrong, the champion {told[1]}"
    return Finding("refusals", "bad" if low - champion_high > analysis.max_error_rate else "good", what)


def _latency(analysis: Analysis, seen: Observations) -> Finding:
    """Are answers slower than `max_latency_ratio` times the champion's p99 as rare as they must be?

    Bad: their share is surely above that of the champion's own answers beyond its p99 (about 1 %). Good: it is surely
    below 2 %.
    """
    rival, champion = seen.challenger.latencies, seen.champion.latencies
    if not sum(champion) or not sum(rival):
        return Finding("latency", "unsure", "latencies of both are not there yet")
    bin_of_p99 = _quantile_bin(champion, 0.99)
    p99_ms = EDGES[bin_of_p99 + 1] * 1000
    limit_bin = _bin_above(EDGES[bin_of_p99 + 1] * analysis.max_latency_ratio)
    slow, n_rival = sum(rival[limit_bin:]), sum(rival)
    low, high = proportion_bounds(slow, n_rival, ALPHA / 2)
    allowed = proportion_bounds(sum(champion[bin_of_p99 + 1 :]), sum(champion), ALPHA / 2)[1]
    outcome: Outcome = "bad" if low > max(allowed, 0.01) else "good" if high <= MOST_SLOW else "unsure"
    what = f"{slow:,} of {n_rival:,} answers took longer than {analysis.max_latency_ratio:g} × the champion's p99 "
    return Finding("latency", outcome, f"{what}of {p99_ms:.3g} ms")


def _drift(analysis: Analysis, seen: Observations) -> Finding:
    """Are the challenger's predictions spread as the champion's are, beyond what chance does?"""
    index, noise = stability_index(seen.champion.predictions, seen.challenger.predictions)
    limit = analysis.max_prediction_drift
    outcome: Outcome = "bad" if index - noise > limit else "good" if index <= limit and noise <= limit else "unsure"
    allowed = "which is allowed here" if limit >= ANY_SPREAD else f"limit {limit:g}"
    return Finding("drift", outcome, f"the predictions are spread differently by PSI {index:.3f} ({allowed})")


def _disagreement(limit: float, seen: Observations) -> Finding:
    """Do the two answer the same rows alike?"""
    pairs = seen.pairs
    if pairs.distance is None:
        low, high = proportion_bounds(pairs.n_differ, pairs.n_rows)
        what = f"{pairs.n_differ:,} of {pairs.n_rows:,} rows got another answer (limit {limit:.1%})"
        return Finding("disagreement", _side(low, high, limit), what)
    what = f"answers are {pairs.distance:.3f} standard deviations apart on {pairs.n_rows:,} rows (limit {limit:g})"
    if pairs.n_rows < FEWEST_ROWS:
        return Finding("disagreement", "unsure", what)
    spread = max(pairs.spread, pairs.n_rows**-0.5)  # rows that are all alike so far bound nothing by themselves
    return Finding("disagreement", _side(*mean_bounds(pairs.distance, spread, pairs.n_rows), limit), what)


def _quality(limit: float, seen: Observations) -> Finding:
    """On rows whose truth is known: is the challenger surely not worse than the champion by more than the limit?"""
    quality = seen.quality
    if quality is None:
        return Finding("quality", "unsure", "too few true values have arrived to compare quality")
    what = f"quality differs by {quality.value:+.4f} ({quality.low:+.4f} to {quality.high:+.4f}) on {quality.n_rows:,} "
    return Finding("quality", _side(-quality.high, -quality.low, limit), f"{what}rows whose truth is known")


def _side(low: float, high: float, limit: float) -> Outcome:
    """Say on which side of the limit an interval lies."""
    return "bad" if low > limit else "good" if high <= limit else "unsure"


def _quantile_bin(counts: Sequence[int], share: float) -> int:
    wanted = share * sum(counts)
    return next(number for number, below in enumerate(accumulate(counts)) if below >= wanted)


def _bin_above(edge_s: float) -> int:
    """Return the first bin whose answers all took at least `edge_s`."""
    return next(
        (number for number, edge in enumerate(EDGES) if edge >= edge_s * (1 - 1e-9)),
        len(EDGES) - 1,
    )
