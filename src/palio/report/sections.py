"""The client's part of the page: from records to what the template shows, section by section."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any, NamedTuple

from markupsafe import Markup

from palio.core.records import Evaluation, Metric, Slice, WorstRow
from palio.report import advice, charts, words
from palio.report.charts import Scale, scale_of
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
    per_round_number,
    percent,
    with_margin,
)

MOST_CLASSES = 12
MOST_ROWS = 12


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
    verdict = facts.decision.verdict if facts.decision else "none"
    state = {"yes": "Passed", "no": "Not passed", "needs_approval": "Waits for approval"}.get(verdict, "Tested")
    if facts.promotion is not None:
        state = f"Live: version {facts.promotion.version}"
    return {
        "headline": words.headline(facts),
        "question": words.question(facts.task, facts.cases),
        "state": state,
        "is_good": verdict != "no",
        "figures": _key_figures(facts),
        "data": _data(facts),
    }


def _data(facts: ReportFacts) -> list[tuple[str, str]]:
    snapshot, parts = facts.snapshot, facts.parts
    n_features = len(snapshot.schema.features)
    rows = f"{count(snapshot.n_rows)} {clean(facts.cases)}, {words.plural(n_features, 'column')} to learn from."
    if snapshot.n_unlabelled:
        rows += f" {words.plural(snapshot.n_unlabelled, 'row')} without an answer set aside."
    lines = [("Data", f"{rows} Source: {clean(snapshot.source, limit=90)}")]
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
    if facts.is_regression:
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
    rule = "the mean" if facts.is_regression else "the most common answer"
    lines = [
        f"The simplest {words.RULE_OF_THUMB} always gives {rule}. {words.against_baseline(e, 'The model', 'that')}."
    ]
    name = next((n for n in ("mae", "accuracy") if n in e.metrics and n in e.baseline), None)
    if name == "accuracy":
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
        "sentence": f"{words.against_champion(c, words.champion_of(facts))}. Drawing the"
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
    if not facts.is_regression:
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
        "calibration": words.calibration(e.calibration, facts.task) if not facts.is_regression else [],
        "drawings": [(title, drawing) for title, drawing in drawings if drawing is not None],
        "is_regression": facts.is_regression,
    }


def _example(e: Evaluation, primary: Metric | None) -> str:
    if primary is None or not math.isfinite(primary.value):
        return ""
    t = words.term(e.primary)
    return f"{t.title}, for example, is {with_margin(primary)}: the range from {interval(primary)}."


# ── where it fails ──────────────────────────────────────────────────────────────────────────────────────────────────


def failures(facts: ReportFacts) -> dict[str, Any]:
    """Slices, confusions, classes and the worst rows."""
    e = facts.evaluation
    return {
        "slices": _slices(facts),
        "confusion": _confusion(facts),
        "mix_ups": _mix_ups(facts),
        "classes": _classes(facts),
        "worst": [_worst(facts, row) for row in e.worst[:MOST_ROWS]],
    }


def _slices(facts: ReportFacts) -> dict[str, Any] | None:
    slices = facts.evaluation.slices
    if not slices:
        return None
    worse = advice.worse_slices(facts)
    others = sorted((s for s in slices if not s.worse), key=lambda s: -abs(s.difference.value))
    shown: list[Slice] = [*worse[:8], *others[: max(2, 6 - len(worse))]]
    scale = scale_of([v for s in shown for v in (s.difference.low, s.difference.high)], include=[0.0])
    t = words.term(slices[0].metric)
    rows = [
        Row(
            words.condition(s),
            f"{count(s.n_rows)} rows",
            charts.interval_row(
                s.difference, scale, title=words.condition(s), tone="warn" if s.worse else "muted", zero=0.0
            ),
            f"{with_margin(s.score)}",
            s.score.value,
        )
        for s in shown
    ]
    found = (
        f"In {words.plural(len(worse), 'group')} of the {len(slices)} examined it does worse than elsewhere,"
        " beyond chance."
        if worse
        else f"None of the {len(slices)} groups examined is worse than the rest beyond chance."
    )
    way = "left" if t.higher_is_better else "right"
    return {
        "rows": rows,
        "n_worse": len(worse),
        "sentence": found,
        "axis": charts.axis_row(scale, title="Difference to all other rows"),
        "caption": f"{t.title} in the group, and how far it is from all other rows; marks {way} of the line are worse.",
    }


def _confusion(facts: ReportFacts) -> dict[str, Any] | None:
    matrix, classes = facts.evaluation.confusion, facts.task.classes
    if not matrix or len(matrix) > MOST_CLASSES or len(matrix) != len(classes):
        return None
    if facts.is_binary:
        shown, base = per_round_number(matrix)
        wrong = count(sum(n for i, row in enumerate(shown) for j, n in enumerate(row) if i != j))
        title = f"Of {count(base)} {clean(facts.cases, limit=30)}, {wrong} get the wrong answer"
    else:
        shown = tuple(per_round_number((row,), base=100)[0][0] for row in matrix)
        title = "Of 100 of each class: what it takes them for"
    top = max((n for row in shown for n in row), default=1) or 1
    rows = [
        {
            "label": clean(classes[i], limit=30),
            "cells": [
                {
                    "n": "<1" if matrix[i][j] and not n else count(n),
                    "exact": matrix[i][j],
                    "shade": round(0.08 + 0.72 * math.sqrt(n / top), 2) if n else 0.0,
                    "right": i == j,
                    "what": _cell_words(facts, i, j),
                }
                for j, n in enumerate(row)
            ],
        }
        for i, row in enumerate(shown)
    ]
    return {"title": title, "rows": rows, "labels": [clean(c, limit=30) for c in classes]}


def _cell_words(facts: ReportFacts, truth: int, said: int) -> str:
    if not facts.is_binary or facts.task.positive not in facts.task.classes:
        return ""
    positive = facts.task.classes.index(facts.task.positive)
    if said == positive:
        return "rightly flagged" if truth == positive else "false alarm"
    return "missed" if truth == positive else "rightly left alone"


def _mix_ups(facts: ReportFacts) -> list[str]:
    matrix, classes = facts.evaluation.confusion, facts.task.classes
    if facts.is_binary or len(matrix) != len(classes):
        return []
    pairs = [
        (matrix[i][j] / sum(matrix[i]), matrix[i][j], classes[i], classes[j])
        for i in range(len(classes))
        for j in range(len(classes))
        if i != j and matrix[i][j] >= 3
    ]
    pairs.sort(key=lambda p: -p[1])
    return [words.mix_up(truth, said, share) for share, _, truth, said in pairs[:4]]


def _classes(facts: ReportFacts) -> list[Row]:
    scores = sorted(facts.evaluation.per_class, key=lambda c: c.accuracy.value)[:MOST_ROWS]
    return [
        Row(
            clean(c.label, limit=40),
            f"{count(c.n_rows)} rows",
            charts.interval_row(c.accuracy, Scale(0, 1), title=f"Recognised: {clean(c.label)}"),
            f"{of_hundred(c.accuracy)}",
            c.accuracy.value,
        )
        for c in scores
    ]


def _worst(facts: ReportFacts, row: WorstRow) -> dict[str, Any]:
    order = {i.column: -i.loss.value for i in facts.evaluation.importance}
    values = sorted(row.values.items(), key=lambda item: order.get(item[0], 0.0))
    return {
        "id": clean(row.row_id, limit=16),
        "truth": clean(row.truth, limit=30),
        "prediction": clean(row.prediction, limit=30),
        "loss": number(row.loss),
        "values": [(clean(k, limit=24), clean(v, limit=32)) for k, v in values[:5]],
        "n_more": max(0, len(values) - 5),
    }


# ── what drives it, is it honest ────────────────────────────────────────────────────────────────────────────────────


def drivers(facts: ReportFacts) -> dict[str, Any] | None:
    """How much each column matters; `None` if that was not measured."""
    found = sorted(facts.evaluation.importance, key=lambda i: -i.loss.value)
    if not found:
        return None
    shown = found[:MOST_ROWS]
    scale = scale_of([v for i in shown for v in (i.loss.low, i.loss.high, i.loss.value)], include=[0.0], pad=0.0)
    rows = [
        Row(
            clean(i.column, limit=40),
            "" if i.loss.low > 0 else "not told from chance",
            charts.bar_row(
                i.loss, scale, title=f"Influence of {i.column}", tone="accent" if i.loss.low > 0 else "muted"
            ),
            with_margin(i.loss),
            i.loss.value,
        )
        for i in shown
    ]
    top = words.joined([words.quoted(i.column, limit=30) for i in shown[:3] if i.loss.low > 0])
    return {
        "rows": rows,
        "sentence": f"Most of what it knows comes from {top}." if top else "No column stands out.",
        "metric": words.term(facts.evaluation.primary).title,
        "n_more": len(found) - len(shown),
    }


def honesty(facts: ReportFacts) -> dict[str, Any]:
    """Train against validation against test, parity, the seal and leaks."""
    gap, e = facts.evaluation.gap, facts.evaluation
    rows: list[Row] = []
    if gap is not None:
        test = e.metrics.get(e.primary) if e.part == "test" else None
        known = [
            (n, v)
            for n, v in (("Learned from", gap.train), ("Chosen on", gap.validation), ("Sealed test", gap.test))
            if v is not None
        ]
        spans = [Metric(value=v, low=v, high=v, n_rows=0) for _, v in known]
        spans = [test if n == "Sealed test" and test is not None else s for (n, _), s in zip(known, spans, strict=True)]
        scale = scale_of([v for s in spans for v in (s.low, s.high, s.value)], pad=0.25)
        rows = [
            Row(
                name,
                {"Learned from": "train", "Chosen on": "validation", "Sealed test": "test"}[name],
                charts.interval_row(s, scale, title=name, tone="accent" if name == "Sealed test" else "muted"),
                with_margin(s) if s.high > s.low else number(s.value),
                s.value,
            )
            for (name, _), s in zip(known, spans, strict=True)
        ]
    parity = list(
        {
            p.path: p
            for p in [
                *(facts.manifest.parity if facts.manifest else ()),
                *([facts.decision.parity] if facts.decision and facts.decision.parity else []),
            ]
        }.values()
    )
    return {
        "verdict": words.VERDICTS.get(gap.verdict, "") if gap else "",
        "text": clean(gap.text, limit=300) if gap else "",
        "is_sound": gap is not None and gap.verdict == "sound",
        "rows": rows,
        "metric": words.term(e.primary).title,
        "parity": [
            {
                "path": clean(p.path),
                "passed": p.passed,
                "text": f"{count(p.rows)} rows compared, largest difference {number(p.max_abs_diff, digits=2)},"
                f" {words.plural(p.n_label_diffs, 'answer') if p.n_label_diffs else 'no answer'} changed.",
            }
            for p in parity
        ],
        "seal": words.looks(facts.parts, facts.looks_used),
        "warnings": _warnings(facts),
        "excluded": [
            (clean(c.name, limit=40), clean(c.note, limit=160))
            for c in facts.snapshot.schema.columns
            if not c.feature
            and c.name not in {facts.task.target, facts.snapshot.schema.target, facts.snapshot.schema.id}
        ],
    }


def _warnings(facts: ReportFacts) -> list[str]:
    parts = facts.parts
    found = [clean(w, limit=240) for w in parts.warnings]
    if parts.n_duplicates_moved:
        found.append(f"{words.plural(parts.n_duplicates_moved, 'row')} set aside, because a copy is in another part.")
    if parts.n_duplicates_across:
        found.append(f"{words.plural(parts.n_duplicates_across, 'row')} of one part equal a row of another.")
    if suspect := advice.leak_suspect(facts):
        found.append(
            f"{words.quoted(suspect[0])} alone carries {percent(suspect[1])} of the influence: is it known in time?"
        )
    return found
