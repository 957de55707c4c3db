"""Ask a challenger every question of the gate; each answer is a `Check` with a sentence for people.

A figure that was not measured, or is not a number, never passes.
"""

from __future__ import annotations

import math

from palio import measure
from palio.core.cells import condition_as_told
from palio.core.records import Check, Comparison, Cost, Evaluation, Gate, Metric, Parity
from palio.core.words import counted

INCOMPARABLE = frozenset({"classes", "comparison"})
"""Checks that fail because there is no common ground with the champion: a person may still decide."""

ROUNDING = 1e-9
"""Share of the simplest guess's value below which an improvement is what rounding leaves."""

MANY_TIMES = 100
"""A lead that only so many times the test rows would show is none to wait for."""


def sealed(evaluation: Evaluation) -> Check:
    """Was the challenger judged on rows that nobody had seen?"""
    passed = evaluation.part == "test"
    reason = (
        f"Judged on {counted(evaluation.n_rows, 'sealed test row')}."
        if passed
        else f"Judged on the {evaluation.part} part, which was used to make it: that proves nothing."
    )
    return Check(name="sealed_test", passed=passed, observed=evaluation.part, required="test", reason=reason)


def parity(found: Parity | None, gate: Gate) -> Check:
    """Does the served bundle answer as it did when it was judged?"""
    required = f"labels equal, difference ≤ {gate.parity_tolerance:g}"
    if found is None:
        reason = "It was not checked whether the served bundle gives the same answers."
        return Check(name="parity", passed=False, observed="not measured", required=required, reason=reason)
    passed = (
        found.passed and found.n_label_diffs == 0 and found.rows > 0 and found.max_abs_diff <= gate.parity_tolerance
    )
    observed = (
        f"{counted(found.n_label_diffs, 'label differs', 'labels differ')}, largest difference {found.max_abs_diff:.2g}"
    )
    reason = (
        f"The same answers on {counted(found.rows, 'row')} ({found.path}); largest difference {found.max_abs_diff:.2g}."
        if passed
        else f"Not the same answers ({found.path}): of {counted(found.rows, 'row')} {found.n_label_diffs:,} "
        f"{'gets' if found.n_label_diffs == 1 else 'get'} another label, "
        f"largest difference {found.max_abs_diff:.2g}."
    )
    return Check(name="parity", passed=passed, observed=observed, required=required, reason=reason)


def baseline(evaluation: Evaluation, *, is_first: bool) -> Check:
    """Is the challenger better than always giving the most common answer (or the mean)?

    Both are scored on the same rows, and the whole 95 % interval of the paired improvement must be above zero. (For an
    evaluation without it, from an earlier version, the interval must lie on the better side of the baseline's value.)
    For the first champion, this is the rule that stands in for a comparison.
    """
    name, metric = evaluation.primary, evaluation.metrics.get(evaluation.primary)
    dummy, gain = evaluation.baseline.get(name), evaluation.gains.get(name)
    opening = "There is no champion yet, so it must beat the simplest guess: it " if is_first else "It "
    if metric is None or dummy is None:
        reason = f"It is not known how well the simplest guess does on {name}."
        return Check(name="baseline", passed=False, observed="not measured", required="beats it", reason=reason)
    higher = measure.higher_is_better(name)
    if gain is not None:
        passed = gain.low > ROUNDING * abs(dummy.value)
        observed, required = f"improves by {measure.with_interval(gain)}", "interval above 0"
        found = (
            f"{name} {measure.figure(metric.value)} against {measure.figure(dummy.value)}, on the same rows {observed}"
        )
    else:
        passed = metric.low > dummy.value if higher else metric.high < dummy.value
        observed, required = (
            measure.with_interval(metric),
            f"interval {'above' if higher else 'below'} {measure.figure(dummy.value)}",
        )
        found = f"{name} {observed} against {measure.figure(dummy.value)}"
    verb = "does" if passed else "does not, beyond chance"
    if not is_first:
        opening, verb = "", "Beats the simplest guess" if passed else "Does not beat the simplest guess beyond chance"
    reason = f"{opening}{verb}: {found}{'' if passed or gain is None else _would_show(gain, evaluation.n_rows)}."
    if gain is not None and not passed and max(abs(gain.low), abs(gain.high)) <= ROUNDING * abs(dummy.value):
        reason = (
            f"{opening or 'It '}does not: it is the simplest guess itself, or answers alike on every row "
            f"({name} {measure.figure(metric.value)})."
        )
    return Check(name="baseline", passed=passed, observed=observed, required=required, reason=reason)


def _would_show(gain: Metric, n_rows: int) -> str:
    """Say how many test rows would show a lead as large as this one: intervals shrink with the root of their number."""
    if not gain.value > 0 or not math.isfinite(gain.low):
        return ""
    needed = n_rows * ((gain.value - gain.low) / gain.value) ** 2
    if not n_rows < needed <= MANY_TIMES * n_rows:
        return ""
    coarse = 10 ** max(0, math.floor(math.log10(needed)) - 1)
    return f"; if the lead is real, about {math.ceil(needed / coarse) * coarse:,} test rows would show it"


def classes(evaluation: Evaluation, champion: Evaluation) -> Check:
    """Do both answer with the same classes?"""
    mine, theirs = evaluation.task.classes, champion.task.classes
    passed = mine == theirs and evaluation.task.kind == champion.task.kind
    gone, new = sorted(set(theirs) - set(mine)), sorted(set(mine) - set(theirs))
    changes = [
        f"{word} {', '.join(labels[:5])}" for word, labels in (("without", gone), ("with the new", new)) if labels
    ]
    reason = (
        "Answers the same question as the champion."
        if passed
        else f"Answers another question than the champion{': ' + ' and '.join(changes) if changes else ''}; "
        "no figure can compare the two, so a person must decide."
    )
    return Check(
        name="classes",
        passed=passed,
        observed=", ".join(mine[:10]) or evaluation.task.kind,
        required=", ".join(theirs[:10]) or champion.task.kind,
        reason=reason,
    )


def compared(*, has_comparison: bool) -> Check:
    """Could the champion be scored on the same rows?"""
    reason = (
        "Champion and challenger were scored on the same rows."
        if has_comparison
        else "The champion could not be scored on the same rows; a person must decide."
    )
    observed = "compared" if has_comparison else "not compared"
    return Check(name="comparison", passed=has_comparison, observed=observed, required="compared", reason=reason)


def non_inferiority(comparison: Comparison, gate: Gate) -> Check:
    """Is the challenger at least as good as the champion, up to the margin?

    With the paired improvement d (positive is better) and the margin m: passes if d ≥ -m and the 95 % interval of d
    reaches -m, so that the data do not rule out that the loss is tolerable. With m = 0 the challenger must be at least
    level; it need not be better beyond chance, and the sentence says whether it is. A loss is accepted only up to a
    margin that somebody has set.

    Source: Piaggio et al. 2012, JAMA 308(24), reporting of non-inferiority; here the margin is applied to the centre,
    and the sentence tells what the interval adds.
    """
    d, margin, name = comparison.difference, gate.non_inferiority, comparison.metric
    passed = d.value >= -margin and d.high >= -margin
    ends = f"{measure.figure(d.low, sign=True)} to {measure.figure(d.high, sign=True)}"
    span = f"95 % interval {ends}, {counted(comparison.n_rows, 'row')}"
    if not (d.low <= d.high):
        reason = f"The difference to the champion in {name} could not be computed."
    elif d.low > 0:
        reason = f"Better than the champion beyond chance: {name} improves by {measure.figure(d.value)} ({span})."
    elif d.high < 0:
        allowed = f"within the {margin:g} that the gate allows" if passed else f"more than the {margin:g} allowed"
        reason = (
            f"Worse than the champion beyond chance: {name} worsens by {measure.figure(-d.value)} ({span}), {allowed}."
        )
    elif passed:
        reason = (
            f"Equal to the champion within chance: {name} changes by {measure.figure(d.value, sign=True)} ({span})."
        )
    else:
        reason = (
            f"Not better than the champion: {name} worsens by {measure.figure(-d.value)}, more than the {margin:g} "
            f"allowed, though that is within chance ({span})."
        )
    return Check(
        name="non_inferiority",
        passed=passed,
        observed=f"{measure.figure(d.value, sign=True)} ({span})",
        required=f"≥ {-margin:g}" if margin else "≥ 0",
        reason=reason,
    )


def newest_rows(comparison: Comparison, gate: Gate) -> Check:
    """Is the challenger of a renewal surely not worse on the rows that came since, up to the margin?

    These rows are what the next ones will be like, and neither model has learned from them. Passes if the paired
    improvement, at one-sided 95 %, is not below minus the margin (`Comparison.surely`; the lower end of the interval
    where rows have no order). The burden of proof lies on the challenger: renewals come again and again, and a champion
    that is replaced whenever chance favours another one drifts downwards (docs/decisions/0006-newest-rows-decide.md).
    """
    d, margin, name = comparison.difference, gate.non_inferiority, comparison.metric
    surely = d.low if comparison.surely is None else comparison.surely
    limit = -margin if margin else 0.0
    passed = surely >= limit
    ends = f"{measure.figure(d.low, sign=True)} to {measure.figure(d.high, sign=True)}"
    found = (
        f"{name} changes by {measure.figure(d.value, sign=True)} (95 % interval {ends}), "
        f"at worst by {measure.figure(surely, sign=True)}"
    )
    opening = f"On the {counted(comparison.n_rows, 'newest test row')}"
    if not (d.low <= d.high):
        reason = f"{opening} the difference to the champion in {name} could not be computed."
    elif passed:
        bound = f"surely not worse by more than the {margin:g} that the gate allows" if margin else "surely not worse"
        verdict = "better than the champion" if surely > 0 else bound
        reason = f"{opening} {verdict}: {found}."
    else:
        verdict = "worse than the champion" if d.high < 0 else "not surely as good as the champion"
        reason = f"{opening} {verdict}: {found}; {limit:g} is needed."
    return Check(
        name="non_inferiority",
        passed=passed,
        observed=f"{measure.figure(d.value, sign=True)}, surely {measure.figure(surely, sign=True)} or better",
        required=f"surely ≥ {limit:g}",
        reason=reason,
    )


def earlier_rows(comparison: Comparison, gate: Gate, *, may_lose: bool) -> Check:
    """Is the challenger of a renewal not worse, beyond chance, on the test rows of before?

    Args:
        comparison: On the rows before the newest ones.
        gate: Its margin holds here as well.
        may_lose: The world is known to have changed: a model of the new world may well be worse in the old one.
    """
    d, margin, name = comparison.difference, gate.non_inferiority, comparison.metric
    ends = f"{measure.figure(d.low, sign=True)} to {measure.figure(d.high, sign=True)}"
    span = f"95 % interval {ends}"
    is_worse, is_allowed = not d.high >= 0, d.value >= -margin
    found = f"{name} changes by {measure.figure(d.value, sign=True)} ({span})"
    opening = f"On the {counted(comparison.n_rows, 'test row')} of before"
    if not is_worse:
        reason = f"{opening} not worse beyond chance: {found}."
    else:
        opening = f"{opening} worse than the champion beyond chance: {found}"
        if may_lose:
            reason = f"{opening}; that may be lost, for the world has changed since."
        elif is_allowed:
            reason = f"{opening}, within the {margin:g} that the gate allows."
        else:
            reason = f"{opening}, and nothing says that the world has changed."
    return Check(
        name="earlier_rows",
        passed=may_lose or is_allowed or not is_worse,
        observed=f"{measure.figure(d.value, sign=True)} ({span})",
        required="any: the world has changed" if may_lose else f"interval reaches 0, or ≥ {-margin:g}",
        reason=reason,
    )


def different(comparison: Comparison) -> Check | None:
    """Is the challenger another bundle than the champion? None if so."""
    if comparison.challenger != comparison.champion:
        return None
    reason = "The challenger is the champion itself: there is nothing to promote."
    return Check(name="different", passed=False, observed="the same bundle", required="another bundle", reason=reason)


def slices(comparison: Comparison, gate: Gate) -> Check:
    """Is there a group of rows on which the challenger is worse beyond chance?"""
    worse = comparison.slices
    told = [(f"{s.column} {condition_as_told(s.column, s.condition)}", s.n_rows) for s in worse[:3]]
    named = "; ".join(f"{where} ({counted(n_rows, 'row')})" for where, n_rows in told)
    more = f" and {len(worse) - 3} more" if len(worse) > 3 else ""
    if not worse:
        reason = "On no group of rows is it worse than the champion beyond chance."
    else:
        reason = f"Worse than the champion beyond chance where {named}{more}"
        reason += "; the gate allows this." if gate.allow_worse_slices else "."
    return Check(
        name="slices",
        passed=not worse or gate.allow_worse_slices,
        observed=f"{len(worse)} worse",
        required="any" if gate.allow_worse_slices else "0 worse",
        reason=reason,
    )


def limits(cost: Cost | None, gate: Gate) -> list[Check]:
    """Does it fit the target hardware?"""
    latency = None if cost is None else cost.latency_ms_p99
    size = None if cost is None else cost.size_mb
    asked = (
        ("latency", "Answers one row in", "ms (99 % of the time)", gate.max_latency_ms_p99, latency),
        ("size", "Takes", "MB", gate.max_size_mb, size),
    )
    checks = []
    for name, verb, unit, limit, found in asked:
        if limit is None:
            continue
        if name == "latency":  # as in the choice among candidates: a time differs from run to run, the answer must not
            passed = found is not None and not measure.is_clearly_over(found, limit)
        else:
            passed = found is not None and found <= limit
        if found is None:
            reason = f"Its {name} was not measured, and the limit is {limit:g} {unit}."
        else:
            reason = f"{verb} {found:.3g} {unit}; the limit is {limit:g}."
            if passed and found > limit:
                reason += f" That is not clearly more: timings differ by {measure.TIMING_MARGIN:.0%}.".replace(
                    "%", " %"
                )
        observed = "not measured" if found is None else f"{found:.3g} {unit}"
        checks.append(Check(name=name, passed=passed, observed=observed, required=f"≤ {limit:g} {unit}", reason=reason))
    return checks


def calibration(evaluation: Evaluation, gate: Gate) -> Check | None:
    """Do its probabilities mean what they say? None if the gate does not ask."""
    limit = gate.max_calibration_error
    if limit is None:
        return None
    found = evaluation.metrics.get("calibration_error")
    passed = found is not None and found.value <= limit
    if found is None:
        reason = "Its calibration was not measured, and the gate asks for it."
    else:
        word = "no more than" if passed else "more than"
        reason = f"Its probabilities are off by {found.value:.3f} on average, {word} the {limit:g} allowed."
    observed = "not measured" if found is None else measure.with_interval(found)
    return Check(name="calibration", passed=passed, observed=observed, required=f"≤ {limit:g}", reason=reason)
