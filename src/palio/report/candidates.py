"""What was tried: how the search went, every family's best, and what quality costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from palio.core.records import Metric, Run
from palio.core.words import counted, listed
from palio.report import charts, prices, words
from palio.report.charts import scale_of
from palio.report.facts import ReportFacts
from palio.report.rounding import clean, count, number, seconds, with_margin


def search(facts: ReportFacts) -> dict[str, Any] | None:
    """Say how the search went; None if there was none."""
    s = facts.search
    if s is None:
        return None
    tried = [run for run in s.runs if not run.members]
    done = sum(run.status == "done" for run in tried)
    how = {"plan": "", "time": " until the time limit", "interrupt": " until it was interrupted"}[s.stopped_by]
    were = "was" if len(tried) == 1 else "were"
    n_scores = max((len(r.fold_scores) for r in s.runs), default=0)
    where = (
        f"{facts.parts.n_folds}-fold cross-validation"
        if n_scores <= facts.parts.n_folds  # else: blocks of one holdout
        else "one fit each, scored on the validation part"
    )
    return {
        "sentence": f"{counted(len(tried), 'candidate')} {were} tried in {seconds(s.seconds)}{how}, {count(done)} to"
        f" {'its' if done == 1 else 'their'} end, by {words.term(s.metric).title} in {where}.",
        "reasons": [clean(r, limit=300) for r in s.reasons],
        "criteria": _criteria(_best_of_families(facts)),
        "prices": [clean(sentence, limit=300) for sentence in s.prices],
        "price_chart": _price_chart(facts),
    }


def _criteria(runs: Sequence[Run]) -> str:
    """Tell AIC and BIC of those that have a likelihood, and how they are read."""
    told = [
        f"{words.family(run.family)} {number(run.criteria.aic, digits=6)} and {number(run.criteria.bic, digits=6)}"
        for run in runs
        if run.criteria is not None
    ]
    if not told:
        return ""
    n_rows = max(run.criteria.n_rows for run in runs if run.criteria is not None)
    return (
        f"AIC and BIC, on {counted(n_rows, 'row')} that were learned from: {listed(told)}. They add a price for each "
        "parameter to what a model misses: of two models the one with less is better, BIC asks more for a parameter, "
        "and a value alone says nothing."
    )


def rows(facts: ReportFacts) -> list[dict[str, Any]]:
    """Return the best candidate of each family, the best first."""
    if facts.search is None:
        return []
    runs = _best_of_families(facts)
    scale = scale_of([run.compared for run in runs if run.compared is not None], pad=0.15)
    return [_candidate(run, facts, scale) for run in runs]


def _best_of_families(facts: ReportFacts) -> list[Run]:
    """Return the best run of each family, the best first."""
    if facts.search is None:
        return []
    up = words.term(facts.search.metric).higher_is_better
    best: dict[str, Run] = {}
    for run in facts.search.runs:
        rival = best.get(run.family)
        if rival is None or _rank(run, facts, up=up) < _rank(rival, facts, up=up):
            best[run.family] = run
    return sorted(best.values(), key=lambda r: _rank(r, facts, up=up)[2:])


def _price_chart(facts: ReportFacts) -> Markup | None:
    """Draw what quality costs: the best of each family but the constant answer."""
    if facts.search is None:
        return None
    term, front = words.term(facts.search.metric), facts.search.front
    offers = [
        prices.Dot(
            words.brief_family(run.family),
            run.cost.latency_ms_p50,
            run.compared,
            run.cost.size_mb,
            is_unbeaten=run.id in front,
            is_chosen=_is_chosen(run, facts),
        )
        for run in _best_of_families(facts)
        if run.cost is not None and run.compared is not None and run.family != "dummy" and run.status == "done"
    ]
    return prices.chart(offers, quality=f"{term.title} ({'more' if term.higher_is_better else 'less'} is better)")


def _rank(run: Run, facts: ReportFacts, *, up: bool) -> tuple[bool, bool, float]:
    """Order runs of a family: the chosen one, what was tried to its end, then by score; one that has none is last."""
    score = run.compared
    worth = math.inf if score is None or not math.isfinite(score) else -score if up else score
    return (not _is_chosen(run, facts), run.status != "done", worth)


def _is_chosen(run: Run, facts: ReportFacts) -> bool:
    return run.chosen or (facts.search is not None and run.id == facts.search.chosen)


def _candidate(run: Run, facts: ReportFacts, scale: charts.Scale) -> dict[str, Any]:
    score = None
    if run.compared is not None:
        error = run.cv_error or 0.0
        score = Metric(value=run.compared, low=run.compared - error, high=run.compared + error, n_rows=0)
    return {
        "family": words.family(run.family),
        "chosen": _is_chosen(run, facts),
        "value": run.compared,
        "score": with_margin(score) if score else "–",
        "drawing": charts.spread_row(
            score, scale, title=words.family(run.family), tone="accent" if _is_chosen(run, facts) else "muted"
        )
        if score
        else "",
        "tie_break": number(run.tie_break) if run.tie_break is not None else "–",
        "fit": seconds(run.fit_s),
        "latency": f"{number(run.cost.latency_ms_p50, digits=2)} / {number(run.cost.latency_ms_p99, digits=2)}"
        if run.cost
        else "–",
        "size": number(run.cost.size_mb, digits=2) if run.cost else "–",
        "n_parameters": count(run.n_parameters) if run.n_parameters is not None else "–",
        "unbeaten": facts.search is not None and run.id in facts.search.front,
        "outcome": _outcome(run, facts),
    }


def _outcome(run: Run, facts: ReportFacts) -> str:
    """Say what became of a candidate, and why."""
    why = clean(run.reason, limit=240) or _behind(run, facts)
    if why and why[-1] not in ".…!?":
        why += "."
    state = "" if run.status == "done" else run.status.capitalize()
    return f"{state}: {why}" if state and why else why or (f"{state}." if state else "")


def _behind(run: Run, facts: ReportFacts) -> str:
    """Say how far a candidate is behind the chosen one, where the search gives no reason; of that, what others say."""
    chosen = facts.chosen
    if chosen is not None and run is chosen and run.optimism and run.cv_score is not None:
        return f"{number(run.cv_score)} on rows that did not choose it."
    if chosen is None or run is chosen or run.status != "done" or run.compared is None or chosen.compared is None:
        return ""
    lead = chosen.compared - run.compared
    if not words.term(run.metric).higher_is_better:
        lead = -lead
    return (
        f"{number(lead, digits=2)} behind the chosen one." if lead > 0 else "Not ahead by enough to be worth its cost."
    )
