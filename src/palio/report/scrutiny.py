"""The scrutiny of the page: where the model fails, what drives it, whether the figures are honest."""

from __future__ import annotations

import math
from typing import Any

from markupsafe import Markup

from palio import evaluate
from palio.core.records import Metric, Reach, Slice, WorstRow
from palio.core.words import counted, listed
from palio.report import advice, charts, pictures, words
from palio.report.charts import Scale, scale_of
from palio.report.facts import ReportFacts
from palio.report.rounding import (
    clean,
    count,
    number,
    of_hundred,
    per_round_number,
    percent,
    with_margin,
)
from palio.report.sections import Row

MOST_CLASSES = 12
MOST_ROWS = 12
MOST_WORST = 8


# ── where it fails ──────────────────────────────────────────────────────────────────────────────────────────────────


def failures(facts: ReportFacts) -> dict[str, Any]:
    """Slices, confusions, classes and the worst rows."""
    e = facts.evaluation
    return {
        "slices": _slices(facts),
        "confusion": _confusion(facts),
        "mix_ups": _mix_ups(facts),
        "classes": _classes(facts),
        "worst": [_worst(facts, row) for row in e.worst[:MOST_WORST]] if _is_of_more_than_galleries(facts) else [],
    }


def _is_of_more_than_galleries(facts: ReportFacts) -> bool:
    """Tell whether there is more to a row than its picture or text: these alone stand in galleries."""
    has_galleries = facts.evaluation.sight is not None or bool(facts.evaluation.wordings)
    return not has_galleries or len(facts.snapshot.schema.features) > 1


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
        f"In {counted(len(worse), 'group')} of the {len(slices)} examined it does worse than elsewhere, beyond chance."
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
    matrix, classes = facts.evaluation.confusion, _labels(facts)
    if not matrix or len(matrix) > MOST_CLASSES or len(matrix) != len(classes):
        return None
    if facts.is_binary:
        shown, base = per_round_number(matrix)
        wrong = count(sum(n for i, row in enumerate(shown) for j, n in enumerate(row) if i != j))
        title = f"Of {count(base)} {clean(facts.cases, limit=30)}, {wrong} get the wrong answer"
    elif facts.evaluation.finds is not None:
        shown, title = matrix, "What is there, and what it says: boxes counted, at its threshold"
    else:
        shown = tuple(per_round_number((row,), base=100)[0][0] for row in matrix)
        title = "Of 100 of each class: what it takes them for"
    is_boxes = facts.evaluation.finds is not None
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
                    "is_void": is_boxes and i == j == len(classes) - 1,
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


def _labels(facts: ReportFacts) -> tuple[str, ...]:
    """Name rows and columns of the confusions: of boxes, there may be nothing where one is, and where none is said."""
    return facts.task.classes if facts.evaluation.finds is None else (*facts.task.classes, "nothing")


def _mix_ups(facts: ReportFacts) -> list[str]:
    matrix, classes = facts.evaluation.confusion, facts.task.classes
    if facts.evaluation.finds is not None:
        matrix = tuple(row[:-1] for row in matrix[:-1])
    if facts.is_binary or len(matrix) != len(classes):
        return []
    pairs = [
        (matrix[i][j] / sum(facts.evaluation.confusion[i]), matrix[i][j], classes[i], classes[j])
        for i in range(len(classes))
        for j in range(len(classes))
        if i != j and matrix[i][j] >= 3
    ]
    pairs.sort(key=lambda p: -p[1])
    return [words.mix_up(truth, said, share) for share, _, truth, said in pairs[:4]]


def _classes(facts: ReportFacts) -> list[Row]:
    scores = sorted((c for c in facts.evaluation.per_class if c.n_rows), key=lambda c: c.accuracy.value)[:MOST_ROWS]
    return [
        Row(
            clean(c.label, limit=40),
            f"{count(c.n_rows)} rows" if c.n_boxes is None else counted(c.n_boxes, "box"),
            charts.interval_row(c.accuracy, Scale(0, 1), title=f"Recognised: {clean(c.label)}"),
            f"{of_hundred(c.accuracy)}",
            c.accuracy.value,
        )
        for c in scores
    ]


def _worst(facts: ReportFacts, row: WorstRow) -> dict[str, Any]:
    order = {i.column: -i.loss.value for i in facts.evaluation.importance}
    sight = facts.evaluation.sight
    shown = Markup() if sight is None else pictures.image(facts, row.values.get(sight.column, ""), alt=row.truth)
    told = {k: v for k, v in row.values.items() if sight is None or k != sight.column}
    values = sorted(told.items(), key=lambda item: order.get(item[0], 0.0))
    return {
        "image": shown,
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
    top = listed([words.quoted(i.column, limit=30) for i in shown[:3] if i.loss.low > 0])
    return {
        "rows": rows,
        "sentence": f"Most of what it knows comes from {top}." if top else "No column stands out.",
        "metric": words.term(facts.evaluation.primary).title,
        "n_more": len(found) - len(shown),
        "reach": _reach(facts.evaluation.reach),
    }


def _reach(reach: Reach | None) -> str:
    """Say how many columns were measured, where it was not all of them."""
    if reach is None or reach.n_measured == reach.n_read:
        return ""
    said = f"Of {counted(reach.n_read, 'column')} that it reads, {count(reach.n_measured)} were measured closely"
    if reach.stopped_by == "time":
        return f"{said} and {count(reach.n_seen)} looked at before the time was over; others may matter, too."
    return f"{said}: those that lost most when each was shuffled once."


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
                f" {counted(p.n_label_diffs, 'answer') if p.n_label_diffs else 'no answer'} changed.",
            }
            for p in parity
        ],
        "seal": words.looks(facts.parts, facts.looks_used) if e.part == "test" else "",
        "warnings": _warnings(facts),
        "excluded": _excluded(facts),
    }


def _excluded(facts: ReportFacts) -> list[str]:
    """Name the columns that nothing was learned from, those of one reason together."""
    by_note: dict[str, list[str]] = {}
    for c in facts.snapshot.schema.columns:
        if not c.feature and c.name not in {facts.task.target, facts.snapshot.schema.target, facts.snapshot.schema.id}:
            by_note.setdefault(clean(c.note, limit=160).rstrip("."), []).append(words.quoted(c.name, limit=40))
    return [
        f"{listed(names)} {'was' if len(names) == 1 else 'were'} set aside{f': {note}' if note else ''}."
        for note, names in by_note.items()
    ]


def more_rows(facts: ReportFacts) -> dict[str, Any] | None:
    """Say whether more rows to learn from would help, with the learning curve; None if it was not drawn."""
    search = facts.search
    if search is None or search.learning is None:
        return None
    points = search.learning.points
    spans = [
        Metric(value=p.score, low=p.score - (p.error or 0.0), high=p.score + (p.error or 0.0), n_rows=p.n_rows)
        for p in points
    ]
    scale = scale_of([v for s in spans for v in (s.low, s.high)], pad=0.15)
    return {
        "sentence": words.more_rows(search.learning, search.metric),
        "metric": words.term(search.metric).title,
        "rows": [
            Row(
                counted(s.n_rows, "row"),
                "",
                charts.spread_row(s, scale, title=counted(s.n_rows, "row"), tone=tone),
                with_margin(s) if s.high > s.low else number(s.value),
                s.value,
            )
            for s, tone in zip(spans, ("muted", "muted", "accent"), strict=True)
        ],
    }


_COPIES = "set aside"
"""What the cut itself says of copies; cuts of older versions said nothing."""


def _warnings(facts: ReportFacts) -> list[str]:
    parts = facts.parts
    found = [clean(w, limit=240) for w in parts.warnings]
    if parts.n_duplicates_moved and not any(_COPIES in w for w in parts.warnings):
        found.append(f"{counted(parts.n_duplicates_moved, 'row')} set aside, because a copy is in another part.")
    if parts.n_duplicates_across:
        found.append(f"{counted(parts.n_duplicates_across, 'row')} of one part equal a row of another.")
    if suspect := evaluate.leak_suspect(facts.evaluation):
        found.append(
            f"{words.quoted(suspect[0])} alone carries {percent(suspect[1])} of the influence: is it known in time?"
        )
    if (columns := evaluate.too_good(facts.evaluation)) is not None:
        names = listed(words.quoted(name) for name in columns) or "columns"
        found.append(f"Hardly an answer is wrong, which is rare: do {names} hold what is asked for?")
    return found
