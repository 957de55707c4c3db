"""The part of the page for those who check: every figure with its interval, every candidate, every identity."""

from __future__ import annotations

import json
from typing import Any

from markupsafe import Markup

from palio.core.records import ColumnShape
from palio.core.words import counted
from palio.report import candidates, charts, courses, words
from palio.report.facts import ReportFacts
from palio.report.rounding import clean, count, interval, number, percent, with_margin

MOST_COLUMNS = 200


def technical(facts: ReportFacts) -> dict[str, Any]:
    """Gather the technical part."""
    metrics = _metrics(facts)
    return {
        "metrics": metrics,
        "beside": [name for name in ("validation", "rule of thumb", "champion") if any(m[name] for m in metrics)],
        "curves": _curves(facts),
        "course": courses.course(facts),
        "candidates": candidates.rows(facts),
        "search": candidates.search(facts),
        "checks": _checks(facts),
        "identities": _identities(facts),
        "params": _params(facts),
        "versions": [(clean(k), clean(v)) for k, v in sorted(facts.manifest.versions.items())]
        if facts.manifest
        else [],
        "columns": _columns(facts),
        "n_more_columns": max(0, len(facts.snapshot.schema.columns) - MOST_COLUMNS),
        "parts": [
            (part, count(n), _class_shares(facts, part))
            for part, n in sorted(facts.parts.counts.items(), key=lambda item: _PART_ORDER.get(item[0], 9))
        ],
    }


_PART_ORDER = {"train": 0, "validation": 1, "test": 2}


def _class_shares(facts: ReportFacts, part: str) -> str:
    counts = facts.parts.class_counts.get(part, {})
    total = sum(counts.values())
    shown = [f"{clean(label, limit=20)} {percent(n / total)}" for label, n in list(counts.items())[:6] if total]
    return ", ".join(shown) + (" …" if len(counts) > 6 else "")


def _metrics(facts: ReportFacts) -> list[dict[str, Any]]:
    e, champion = facts.evaluation, facts.champion_evaluation
    chosen = facts.chosen
    validation = (facts.manifest.metrics.get("validation", {}) if facts.manifest else {}) or (
        chosen.validation if chosen else {}
    )
    return [
        {
            "name": name,
            "title": words.term(name).title,
            "meaning": words.term(name).meaning,
            "primary": name == e.primary,
            "value": m.value,
            "shown": with_margin(m),
            "interval": interval(m),
            "n_rows": count(m.n_rows),
            "validation": number(validation[name]) if name in validation else "",
            "rule of thumb": with_margin(e.baseline[name]) if name in e.baseline else "",
            "champion": with_margin(champion.metrics[name]) if champion and name in champion.metrics else "",
        }
        for name, m in sorted(
            e.metrics.items(), key=lambda item: (item[0] != e.primary, list(e.metrics).index(item[0]))
        )
    ]


def _curves(facts: ReportFacts) -> list[tuple[str, Markup]]:
    found = []
    for c in facts.evaluation.curves:
        points = list(zip(c.x, c.y, strict=False))
        if c.name == "roc":
            drawn = charts.curve(
                points, title="ROC curve", x_title="False alarms", y_title="Found", reference=[(0, 0), (1, 1)]
            )
            found.append(("Found against false alarms (ROC)", drawn))
        elif c.name == "precision_recall":
            drawn = charts.curve(points, title="Precision and recall", x_title="Found (recall)", y_title="Precision")
            found.append(("Precision against recall", drawn))
        elif c.name == "alarms_found":
            drawn = charts.curve(
                points, title="Found and false alarms", x_title="False alarms a picture", y_title="Found"
            )
            found.append(("Found against false alarms a picture", drawn))
    return [(title, drawn) for title, drawn in found if drawn is not None]


# ── decision, identities, parameters, columns ───────────────────────────────────────────────────────────────────────


def _checks(facts: ReportFacts) -> list[dict[str, Any]]:
    if facts.decision is None:
        return []
    return [
        {
            "name": clean(c.name.replace("_", " ")).capitalize(),
            "passed": c.passed,
            "observed": clean(c.observed, limit=80),
            "required": clean(c.required, limit=80),
            "reason": clean(c.reason, limit=240),
        }
        for c in sorted(facts.decision.checks, key=lambda c: c.passed)
    ]


def _identities(facts: ReportFacts) -> list[tuple[str, str]]:
    s, p, d, m = facts.snapshot, facts.promotion, facts.decision, facts.manifest
    found: list[tuple[str, str | None]] = [
        (f"Snapshot (version {s.version})", s.id),
        ("Parts", facts.parts.id),
        ("Sealed test rows", facts.parts.test_id),
        ("Bundle", facts.evaluation.bundle),
        ("Evaluation", facts.evaluation.id),
        ("Search", facts.search.id if facts.search else None),
        ("Decision", d.id if d else None),
        ("Champion until now", d.champion if d else None),
        ("Evidence", p.evidence if p else None),
        ("Ledger line", f"{p.sequence}, {p.kind} by {p.actor}, {p.at:%Y-%m-%d %H:%M} UTC: {p.reason}" if p else None),
        ("Seeds", f"split {facts.parts.seed}, training {m.seed}" if m else f"split {facts.parts.seed}"),
    ]
    found += [(name, digest) for name, digest in sorted(m.files.items())] if m else []
    return [(clean(name), clean(value, limit=300)) for name, value in found if value]


def _params(facts: ReportFacts) -> list[tuple[str, str]]:
    chosen = facts.chosen
    params = facts.manifest.params if facts.manifest else chosen.params if chosen else {}
    kind = facts.manifest.family if facts.manifest else chosen.family if chosen else ""
    shown = [("family", clean(kind))] if kind else []
    for key, value in sorted(params.items()):
        text = (
            number(value, digits=4)
            if isinstance(value, float)
            else value
            if isinstance(value, str)
            else json.dumps(value, default=str)
        )
        shown.append((clean(key), clean(text, limit=200)))
    if facts.manifest:
        shown.append(("trained on", clean(", ".join(facts.manifest.trained_on))))
        shown.append(("parameters in all", count(facts.manifest.n_parameters)))
    return shown


def _columns(facts: ReportFacts) -> list[dict[str, Any]]:
    schema = facts.snapshot.schema
    shapes = {c.name: c for c in facts.description.columns} if facts.description else {}
    special = {schema.id: "id", schema.group: "group", schema.target: "target", facts.task.target: "target"}
    special |= {name: "time" for name in schema.time if name not in special}
    found = []
    for column in schema.columns[:MOST_COLUMNS]:
        shape = shapes.get(column.name)
        use = special.get(column.name) or ("learned from" if column.feature else "set aside")
        found.append(
            {
                "name": clean(column.name, limit=60),
                "type": column.type,
                "use": f"{use}, learned from" if use in ("time", "group") and column.feature else use,
                "drawing": charts.histogram(shape) if shape else None,
                "spread": _spread(shape) if shape else "",
                "missing": percent(shape.n_missing / shape.n_rows) if shape and shape.n_rows else "",
                "note": clean(column.note, limit=120),
            }
        )
    return found


def _spread(shape: ColumnShape) -> str:
    if shape.kind != "number":
        if not shape.top:
            return ""
        distinct = counted(shape.n_distinct, "value") if shape.n_distinct is not None else "many values"
        return f"{distinct}, most often {words.quoted(shape.top[0][0], limit=20)}"
    if shape.low is None or shape.high is None or shape.is_moment:
        return ""
    return f"{number(shape.low)} to {number(shape.high)}, mean {number(shape.mean)}"
