"""The claims of the page: what came out, what it can do, how sure that is; from records to what the template shows."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any, NamedTuple

from markupsafe import Markup

from palio.core.records import Evaluation, Finds, Metric
from palio.core.words import counted
from palio.measure import questions
from palio.report import charts, scenes, verdict, words
from palio.report.charts import scale_of
from palio.report.facts import ReportFacts
from palio.report.rounding import (
    clean,
    count,
    frequency,
    hundredths,
    interval,
    number,
    of_hundred,
    pair,
    percent,
    with_margin,
)


class Row(NamedTuple):
    """A line of a chart made of rows: what it is, its drawing, its figure in words, and the exact value."""

    label: str
    note: str
    drawing: Markup
    figure: str
    value: float


class Figure(NamedTuple):
    """A key number."""

    figure: str
    margin: str
    of: str
    sentence: str
    note: str
    drawing: Markup | None
    value: float


def hero(facts: ReportFacts) -> dict[str, Any]:
    """What was asked and what came out."""
    said = facts.decision.verdict if facts.decision else "none"
    state = {"yes": "Passed", "no": "Not passed", "needs_approval": "Waits for approval"}.get(said, "Tested")
    if facts.promotion is not None:
        state = f"Live: version {facts.promotion.version}"
    return {
        "headline": verdict.headline(facts),
        "question": words.question(facts.task, facts.cases),
        "state": state,
        "is_good": said != "no",
        "figures": _key_figures(facts),
        "data": _data(facts),
    }


def _data(facts: ReportFacts) -> list[tuple[str, str]]:
    snapshot, parts = facts.snapshot, facts.parts
    n_features = len(snapshot.schema.features)
    rows = f"{count(snapshot.n_rows)} {clean(facts.cases)}, {counted(n_features, 'column')} to learn from."
    if snapshot.n_unlabelled:
        rows += f" {counted(snapshot.n_unlabelled, 'row')} without an answer set aside."
    lines = [("Data", f"{rows} {words.sources(snapshot.source, facts.sources)}")]
    if period := _period(facts):
        lines.append(("Period", period))
    lines.append(("Division", words.cut(parts)))
    sealed = f"{count(facts.evaluation.n_rows)} rows that the model never saw. {words.looks(parts, facts.looks_used)}"
    lines.append(
        (
            "Sealed test",
            sealed
            if facts.evaluation.part == "test"
            else f"Not opened: figures are from the {facts.evaluation.part} part.",
        )
    )
    return lines


def _period(facts: ReportFacts) -> str:
    schema = facts.snapshot.schema
    for name in schema.time[:1]:
        column = next((c for c in schema.columns if c.name == name), None)
        if column is None or column.low is None or column.high is None:
            return ""
        if column.type != "datetime":
            return f"{words.quoted(name)} from {column.low:g} to {column.high:g}"
        try:
            days = [dt.datetime.fromtimestamp(v, dt.UTC).date() for v in (column.low, column.high)]
        except (OverflowError, ValueError, OSError):
            return ""
        return " to ".join(f"{d.day} {d:%B} {d.year}" for d in days)
    return ""


# ── three key numbers ───────────────────────────────────────────────────────────────────────────────────────────────


def _key_figures(facts: ReportFacts) -> list[Figure]:
    if facts.evaluation.finds is not None:
        found = _finds(facts, facts.evaluation.finds)
    elif facts.is_regression:
        sizes = [f for f in (_size(facts, n) for n in ("median_absolute_error", "mae", "rmse")) if f is not None]
        found = [*sizes[:2], _share(facts, "r2", "%")]
    elif facts.is_binary:
        found = [_share(facts, n) for n in ("precision", "recall", "roc_auc", "accuracy")]
    else:
        found = [_share(facts, "accuracy"), _class_figure(facts, best=False), _class_figure(facts, best=True)]
    shown = [f for f in found if f is not None][:3]
    return shown or [f for f in [_size(facts, facts.evaluation.primary)] if f]


def _share(facts: ReportFacts, name: str, of: str = "of 100") -> Figure | None:
    m = facts.evaluation.metrics.get(name)
    if m is None or not math.isfinite(m.value) or (m.value < 0):
        return None
    said = words.sentence(name, m, facts.task, cases=facts.cases, unit=facts.unit)
    value, arm = hundredths(m)
    return Figure(value, arm, of, said, _share_note(facts, name), charts.hundred(m, title=said), m.value)


def _finds(facts: ReportFacts, finds: Finds) -> list[Figure | None]:
    """What is found, how often wolf is cried, and how it is placed."""
    things = scenes.things(facts)
    seen = f"Of 100 {things} in the pictures, it finds {of_hundred(finds.found)}."
    cried = f"It cries wolf in {of_hundred(finds.alarmed)} of 100 pictures."
    (value, arm), (alarms, wide) = hundredths(finds.found), hundredths(finds.alarmed)
    drawn = charts.hundred(finds.found, title=seen), charts.hundred(finds.alarmed, title=cried)
    note = f"{counted(finds.n_boxes, 'thing')} to be found."
    empty = f"{counted(finds.n_false, 'false alarm')} in {counted(facts.evaluation.n_rows, 'picture')}."
    return [
        Figure(value, arm, "of 100", seen, note, drawn[0], finds.found.value) if finds.n_boxes else None,
        Figure(alarms, wide, "of 100", cried, empty, drawn[1], finds.alarmed.value),
        _share(facts, "ap50") if facts.evaluation.primary == "ap50" else _share(facts, "ap"),
    ]


def _share_note(facts: ReportFacts, name: str) -> str:
    e = facts.evaluation
    if name == "precision" and facts.is_binary and e.confusion and facts.task.positive in facts.task.classes:
        total = sum(map(sum, e.confusion))
        base = sum(e.confusion[facts.task.classes.index(facts.task.positive)]) / total if total else math.nan
        return f"Picked blindly, {frequency(base)} would be."
    if name == "roc_auc":
        return "A coin would be right 50 times."
    simple = e.baseline.get(name)
    if simple is None or not math.isfinite(simple.value) or simple.value <= 0:
        return ""
    return f"The rule of thumb reaches {hundredths(simple)[0]}."


def _size(facts: ReportFacts, name: str) -> Figure | None:
    m, simple = facts.evaluation.metrics.get(name), facts.evaluation.baseline.get(name)
    if m is None or not math.isfinite(m.value):
        return None
    note = f"Always answering the same would give {words.amount(simple, facts.unit)}." if simple else ""
    value, arm = pair(m)
    both = [m.low, m.high, *([simple.value] if simple else []), 0.0]
    said = words.sentence(name, m, facts.task, cases=facts.cases, unit=facts.unit)
    drawing = charts.interval_row(m, scale_of(both, pad=0.03), title=said, zero=simple.value if simple else None)
    return Figure(value, arm, clean(facts.unit, limit=20), said, note, drawing, m.value)


def _class_figure(facts: ReportFacts, *, best: bool) -> Figure | None:
    scores = [c for c in facts.evaluation.per_class if c.n_rows and math.isfinite(c.accuracy.value)]
    if len(scores) < 2:
        return None
    chosen = (max if best else min)(scores, key=lambda c: c.accuracy.value)
    said = words.class_sentence(chosen.label, chosen.accuracy, facts.cases)
    value, arm = hundredths(chosen.accuracy)
    note = f"The {'easiest' if best else 'hardest'} of {len(facts.task.classes)} classes."
    return Figure(value, arm, "of 100", said, note, charts.hundred(chosen.accuracy, title=said), chosen.accuracy.value)


# ── what it can do ──────────────────────────────────────────────────────────────────────────────────────────────────


def ability(facts: ReportFacts) -> dict[str, Any]:
    """The model beside the rule of thumb and the champion until now."""
    e, name = facts.evaluation, facts.evaluation.primary
    contenders = [("This model", e.metrics.get(name), "accent")]
    if facts.champion_evaluation is not None:
        contenders.append(
            ("In use until now" if facts.promotion else "In use", facts.champion_evaluation.metrics.get(name), "muted")
        )
    contenders.append(("Rule of thumb", e.baseline.get(name), "muted"))
    known = [(label, m, tone) for label, m, tone in contenders if m is not None and math.isfinite(m.value)]
    scale = scale_of([v for _, m, _ in known for v in (m.value, m.low, m.high)])
    t = words.term(name)
    rows = [
        Row(label, "", charts.interval_row(m, scale, title=f"{label}: {t.title}", tone=tone), with_margin(m), m.value)
        for label, m, tone in known
    ]
    return {
        "metric": t,
        "way": "Further right is better." if t.higher_is_better else "Further left is better.",
        "rows": rows,
        "axis": charts.axis_row(scale, title=t.title),
        "sentences": _against_rule(facts),
        "changes": _changes(facts),
        "value": facts.decision.value if facts.decision else None,
        "value_text": clean(facts.decision.value.text, limit=300) if facts.decision and facts.decision.value else "",
        "per_day": _per_day(facts),
    }


def _against_rule(facts: ReportFacts) -> list[str]:
    e = facts.evaluation
    rule = questions.of(facts.task).simplest
    does = "never shows a box" if e.finds is not None else f"always gives {rule}"
    lines = [f"The simplest {words.RULE_OF_THUMB} {does}. {verdict.against_baseline(e, 'The model', 'that')}."]
    name = next((n for n in ("mae", "accuracy", "box_mistakes") if n in e.metrics and n in e.baseline), None)
    if name == "box_mistakes":
        made, simply = (number(100 * one[name].value, digits=3) for one in (e.metrics, e.baseline))
        lines.append(f"Mistakes in 100 pictures, missed and false alarms together: {made}, against {simply}.")
    elif name == "accuracy":
        mine, simple = e.metrics[name], e.baseline[name]
        lines.append(f"Right answers in 100 {clean(facts.cases)}: {of_hundred(mine)}, against {of_hundred(simple)}.")
    elif name == "mae":
        mine, simple = e.metrics[name], e.baseline[name]
        if simple.value > 0:
            lines.append(
                f"On average it is off by {words.amount(mine, facts.unit)}, the rule by"
                f" {words.amount(simple, facts.unit)}: {percent(mine.value / simple.value)} of the rule’s error."
            )
    if facts.is_binary and "accuracy" in e.metrics and facts.task.metric != "accuracy":
        lines.append("Where one class is rare, right answers alone say little; the three figures above say more.")
    return lines


def _per_day(facts: ReportFacts) -> str:
    if facts.decision is None or facts.decision.value is None:
        return ""
    value = facts.decision.value
    return f"{clean(value.currency, limit=8)} {with_margin(value.per_day)} per day"


def _changes(facts: ReportFacts) -> dict[str, Any] | None:
    c = facts.comparison
    if c is None:
        return None
    differences = {c.metric: c.difference, **c.differences}
    span = {
        n: scale_of([m.low, m.high, m.value], include=[-m.low, -m.high, -m.value], pad=0.1)
        for n, m in differences.items()
    }
    rows = [
        Row(
            words.term(n).title,
            "clearly better" if m.low > 0 else "clearly worse" if m.high < 0 else "no clear difference",
            charts.interval_row(
                m, span[n], title=f"Change in {words.term(n).title}", tone="warn" if m.high < 0 else "accent", zero=0.0
            ),
            ("+" if m.value > 0 else "") + with_margin(m),
            m.value,
        )
        for n, m in list(differences.items())[:8]
        if math.isfinite(m.value)
    ]
    return {
        "rows": rows,
        "sentence": f"{verdict.against_champion(c, verdict.champion_of(facts))}. Drawing the"
        f" {count(c.n_rows)} test rows again and again, it came out ahead {frequency(c.p_better)} times.",
        "changed": f"{count(c.n_changed)} of {count(c.n_rows)} {clean(facts.cases)}"
        f" ({percent(c.n_changed / c.n_rows if c.n_rows else math.nan)}) now get another answer."
        if not facts.is_regression
        else "",
        "worse": [words.condition(s) for s in c.slices[:6]],
    }


# ── how sure ────────────────────────────────────────────────────────────────────────────────────────────────────────


def certainty(facts: ReportFacts) -> dict[str, Any]:
    """Intervals explained, and whether probabilities can be taken at their word."""
    e = facts.evaluation
    primary = e.metrics.get(e.primary)
    binary = facts.is_binary
    drawings = []
    what = words.quoted(facts.task.positive, limit=20) if binary else "right"
    drawing = charts.calibration(
        e.calibration,
        x_title=f"Probability given to {what}" if binary else "How sure it says it is",
        y_title=f"How often it was {what}",
    )
    doubt = "says 30 %, does it happen" if binary else "is 70 % sure, is it right"
    drawings.append((f"When it {doubt} {30 if binary else 70} % of the time?", drawing))
    for curve in e.curves:
        points = list(zip(curve.x, curve.y, strict=False))
        if curve.name == "predicted_actual":
            title, line, x, y = "Prediction against truth", "diagonal", "Prediction", "Truth"
        elif curve.name == "residuals":
            title, line, x, y = "What is left over", "zero", "Prediction", "Truth minus prediction"
        else:
            continue
        in_unit = f" ({clean(facts.unit, limit=12)})" if facts.unit else ""
        drawings.append(
            (title, charts.scatter(points, title=title, x_title=x + in_unit, y_title=y + in_unit, line=line))
        )
    return {
        "n_rows": count(e.n_rows),
        "example": _example(e, primary),
        "calibration": words.calibration(e.calibration, facts.task),
        "drawings": [(title, drawing) for title, drawing in drawings if drawing is not None],
        "is_regression": facts.is_regression,
    }


def _example(e: Evaluation, primary: Metric | None) -> str:
    if primary is None or not math.isfinite(primary.value):
        return ""
    t = words.term(e.primary)
    return f"{t.title}, for example, is {with_margin(primary)}: the range from {interval(primary)}."
