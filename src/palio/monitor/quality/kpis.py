"""What answers are worth: business figures of a window per day, by its labels and before they come."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from palio.core.errors import ConfigError, did_you_mean
from palio.core.monitoring import Finding, Kpi, KpiValue, Window
from palio.core.records import Metric, Record, Task
from palio.measure import amount, questions
from palio.monitor.findings import finding
from palio.monitor.quality.estimates import Estimator
from palio.monitor.quality.features import Array, Batch
from palio.monitor.quality.standards import FALSE_ALARM, error_of

LEAST_LABELS = 50
"""Labels below which no realised value is given."""
_MARGIN = 0.05
_BLOCKS = 4
_ARROW = "->"
_WHERE = "palio.toml [[value.kpis]]"


class Worth(Record, frozen=True, kw_only=True):
    """What one row of the reference was worth."""

    value: Metric
    size: float
    """Mean of the worth of a row, whatever its sign: what a change is compared with."""
    deviation: float
    """Standard deviation between rows."""
    spread: float = 0.0
    """Standard deviation between blocks of the reference, beyond what chance gives."""


# ── what is meant ───────────────────────────────────────────────────────────────────────────────────────────────────


def check_kpis(kpis: Sequence[Kpi], task: Task) -> None:
    """Refuse business figures that cannot be computed for a task.

    Raises:
        ConfigError: two have one name; not exactly one of `cells`, `per_error` and `column` is given; a class is
            unknown; a number is not finite.

    Example:
        >>> task = Task(kind="classification", target="y", classes=("no", "yes"))
        >>> check_kpis([Kpi(name="profit", cells={"yes -> yes": 50.0, "no -> yes": -5.0})], task)
    """
    names = [kpi.name for kpi in kpis]
    for kpi in kpis:
        if not kpi.name:
            raise ConfigError(f"{_WHERE}: a figure has no name", hint='add name = "…"')
        if names.count(kpi.name) > 1:
            raise ConfigError(f"{_WHERE}: `{kpi.name}` is named twice", hint="give each figure a name of its own")
        _check(kpi, task)


def _check(kpi: Kpi, task: Task) -> None:
    where = f"{_WHERE} `{kpi.name}`"
    given = [name for name in ("cells", "per_error", "column") if getattr(kpi, name) not in ({}, None, "")]
    if len(given) != 1:
        got = " and ".join(f"`{name}`" for name in given) or "none"
        raise ConfigError(
            f"{where}: {got} given, exactly one of `cells`, `per_error` and `column` is allowed",
            hint="remove what you do not mean" if given else "add `cells`, `per_error` or `column`",
        )
    numbers = [*kpi.cells.values(), *([] if kpi.per_error is None else [kpi.per_error])]
    if not all(math.isfinite(number) for number in numbers):
        raise ConfigError(f"{where}: a value is not finite", hint="write a plain number")
    if not (kpi.column or questions.is_asked(task.kind)):
        raise ConfigError(f"{where}: `{given[0]}` does not fit a {task.kind}", hint="name a `column` of the feedback")
    if kpi.cells and not questions.of(task).mistakes.ndim:
        raise ConfigError(f"{where}: `cells` need classes, the task is {task.kind}", hint="use `per_error`")
    for cell in kpi.cells:
        _classes_of(cell, task, where)


def _classes_of(cell: str, task: Task, where: str) -> tuple[int, int]:
    """Read `truth -> prediction`; a class may hold an arrow itself."""
    parts = cell.split(_ARROW)
    if len(parts) < 2:
        raise ConfigError(f"{where}: cell `{cell}` has no arrow", hint="write it as `truth -> prediction`")
    ways = [(_ARROW.join(parts[:i]).strip(), _ARROW.join(parts[i:]).strip()) for i in range(1, len(parts))]
    for truth, said in ways:
        if truth in task.classes and said in task.classes:
            return task.classes.index(truth), task.classes.index(said)
    strange = next(name for name in ways[0] if name not in task.classes)
    raise ConfigError(f"{where}: cell `{cell}`: `{strange}` is no class", hint=did_you_mean(strange, task.classes))


def values_of(kpi: Kpi, task: Task) -> Array | None:
    """Return the worth of a row by truth and answer (of numbers: of one unit of error); None for a feedback column."""
    if kpi.column:
        return None
    mistakes = questions.of(task).mistakes
    if kpi.per_error is not None:
        return np.asarray(kpi.per_error * mistakes)
    out = np.zeros_like(mistakes)
    for cell, value in kpi.cells.items():
        out[_classes_of(cell, task, f"{_WHERE} `{kpi.name}`")] = value
    return out


# ── what it was worth ───────────────────────────────────────────────────────────────────────────────────────────────


def worth_of(kpis: Iterable[Kpi], task: Task, rows: Batch) -> dict[str, Worth]:
    """Say what a row of the reference was worth; figures of the feedback are left out, it has none.

    Args:
        kpis: Checked (`check_kpis`).
        task: What was asked.
        rows: `prediction`, `probability_<class>`, `truth`, and `block` if there is one.
    """
    out = {}
    for kpi in kpis:
        worth = _row_worth(kpi, task, rows)
        if kpi.column or np.isfinite(worth).sum() < LEAST_LABELS:
            continue
        known = np.isfinite(worth)
        value = _mean(worth[known])
        blocks = np.asarray(rows["block"])[known] if "block" in rows else np.zeros(int(known.sum()))
        out[kpi.name] = Worth(
            value=value,
            size=float(np.abs(worth[known]).mean()),
            deviation=float(worth[known].std()),
            spread=_spread(worth[known], blocks, error_of(value)),
        )
    return out


def kpi_values(
    kpis: Iterable[Kpi],
    task: Task,
    *,
    n_rows: int,
    days: float,
    labelled: Batch,
    estimator: Estimator | None = None,
    reference: Mapping[str, Worth] | None = None,
    currency: str = "",
    leans: Mapping[str, float] | None = None,
) -> tuple[KpiValue, ...]:
    """Compute business figures of a window, per day.

    Args:
        kpis: Checked (`check_kpis`).
        task: What was asked.
        n_rows: Rows of the window, with and without label.
        days: Length of the window.
        labelled: Rows whose label has come, as `truth.labelled` gives them; of very many a sample will do.
        estimator: That counted the window.
        reference: What a row of the reference was worth (`worth_of`).
        currency: Unit of figures that name none.
        leans: Figure → what a row is worth more than estimated.
    """
    out = []
    for kpi in kpis:
        worth = _row_worth(kpi, task, labelled) if "prediction" in labelled else np.empty(0)
        worth = worth[np.isfinite(worth)]
        realised = _scaled(_mean(worth), n_rows / days) if len(worth) >= LEAST_LABELS else None
        was, lean = (reference or {}).get(kpi.name), (leans or {}).get(kpi.name, 0.0)
        out.append(
            KpiValue(
                name=kpi.name,
                unit=kpi.unit or currency,
                realised=realised,
                estimated=_moved(_estimated(kpi, task, estimator, n_rows, days), lean * n_rows / days),
                reference=None if was is None else was.value.value * n_rows / days,
            )
        )
    return tuple(out)


def judge_kpis(
    window: Window,
    values: Iterable[KpiValue],
    reference: Mapping[str, Worth],
    *,
    days: float,
    is_ripe: bool,
    share: float = 1.0,
) -> tuple[Finding, ...]:
    """Find figures that are surely below what the reference promises, by a twentieth of what rows are worth.

    Args:
        window: Of the figures; its `n_judged` are those that the figures were computed for.
        values: Of the window.
        reference: What a row of the reference was worth.
        days: Length of the window.
        is_ripe: Whether to judge by labels; else by the estimate.
        share: Of the rate of false alarms.
    """
    from scipy.special import ndtri

    judged = [one for one in values if one.reference is not None and one.name in reference]
    out = []
    for one in judged:
        value = one.realised if is_ripe and one.realised is not None else one.estimated
        worth, a_day = reference[one.name], window.n_judged / days
        if value is None or one.reference is None:
            continue
        loss, margin = one.reference - value.value, _MARGIN * worth.size * a_day
        # Few rows that miss the rare and dear ones look surer than they are: no less than rows of the reference vary.
        least = worth.deviation * a_day / math.sqrt(value.n_rows) if value is one.realised else 0.0
        error = math.hypot(max(error_of(value), least), error_of(worth.value) * a_day, worth.spread * a_day)
        if loss - margin <= -float(ndtri(FALSE_ALARM * share / len(judged))) * error:
            continue
        how = "was" if value is one.realised else "is probably"
        unit = f"{one.unit} a day".strip()
        reason = f"{one.name} {how} {amount(value.value)} {unit}, expected {amount(one.reference)}"
        facts: dict[str, Any] = {"effect": loss, "measure": unit, "limit": margin, "reason": reason}
        out.append(finding(window, "value", one.name, severity="page", **facts))
    return tuple(out)


def _row_worth(kpi: Kpi, task: Task, rows: Batch) -> Array:
    """Return what each row was worth; NaN where that is not known."""
    if kpi.column:
        return _feedback(rows, kpi.column)
    question = questions.of(task)
    answers, truth = question.answers(rows), question.truth_in(rows)
    table = np.asarray(values_of(kpi, task))
    known = question.usable(answers) & question.labelled(truth)
    if not table.ndim:
        known &= question.known(truth)
        errors = np.full(len(truth), np.nan)
        errors[known] = question.errors(truth[known], answers.take(known))
        return np.asarray(errors * table)
    inside = known & question.known(truth)
    out = np.where(known, kpi.per_error or 0.0, np.nan)  # a class that the model does not know: an error, of no cell
    out[inside] = table[truth[inside], answers.prediction[inside]]
    return out


def _feedback(rows: Batch, column: str) -> Array:
    """Read a figure that came with the labels."""
    texts = rows["truth_values"] if "truth_values" in rows else np.full(len(rows["prediction"]), "", object)
    out = np.full(len(texts), np.nan)
    for place, text in enumerate(texts.tolist()):
        if text and column in text:
            out[place] = _number(text, column)
    return out


def _number(text: str, column: str) -> float:
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, json.JSONDecodeError):
        return math.nan
    given = value.get(column) if isinstance(value, dict) else None
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    return float(given) if is_number and math.isfinite(given) else math.nan  # type: ignore[arg-type]


def _mean(worth: Array) -> Metric:
    from scipy.special import stdtrit

    mean = float(worth.mean())
    error = float(worth.std(ddof=1)) / math.sqrt(len(worth))
    half = float(stdtrit(len(worth) - 1, 0.975)) * error
    return Metric(value=mean, low=mean - half, high=mean + half, n_rows=len(worth))


def _scaled(one: Metric, factor: float) -> Metric:
    return Metric(value=one.value * factor, low=one.low * factor, high=one.high * factor, n_rows=one.n_rows)


def _estimated(kpi: Kpi, task: Task, estimator: Estimator | None, n_rows: int, days: float) -> Metric | None:
    values = values_of(kpi, task)
    if values is None or estimator is None or not estimator.n_rows:
        return None
    total = estimator.total(values)
    return None if total is None else _scaled(total, n_rows / estimator.n_rows / days)


def _moved(one: Metric | None, by: float) -> Metric | None:
    if one is None or not by:
        return one
    return Metric(value=one.value + by, low=one.low + by, high=one.high + by, n_rows=one.n_rows)


def _spread(worth: Array, blocks: Array, error: float) -> float:
    """Estimate the deviation between blocks beyond chance."""
    found = np.unique(blocks)
    if len(found) < _BLOCKS:
        return 0.0
    means = np.array([worth[blocks == block].mean() for block in found])
    return math.sqrt(max(0.0, float(means.var(ddof=1)) - error**2 * len(found)))
