"""Write `palio.toml` with the inferred values and a comment on each."""

from __future__ import annotations

import json
from typing import Any

from palio.core.records import Schema, Task
from palio.measure import default_metric


def render(
    name: str,
    schema: Schema,
    task: Task,
    *,
    source: str,
    data: dict[str, Any],
    exclude: dict[str, str],
    id_is_declared: bool = False,
) -> str:
    """Render the settings of a new project.

    Args:
        name: Name of the model.
        schema: As inferred.
        task: As inferred.
        source: Path or URL of the data, as it is to stand in the file.
        data: Further `[data]` settings that were given and differ from the default.
        exclude: Column → why no model may read it.
        id_is_declared: Whether a person named the id: only then must no two rows have the same.
    """
    lines = [
        "# Settings of this project. A table per room; docs/reference/settings.md explains every key.",
        "# Precedence: default < this file < environment (PALIO_ROOM_KEY) < flag.",
        "",
        "[project]",
        _line("name", name, "name of the model, in the registry and in URLs"),
        _line("task", task.kind, _task_comment(task)),
        "",
        "[data]",
        _line("source", source, "a file (CSV, Parquet, JSON lines) or a database URL with `query`"),
    ]
    lines += [_line(key, value, "as given") for key, value in data.items()]
    lines.append(_line("target", task.target, "the column to predict"))
    if task.positive is not None:
        lines.append(_line("positive", task.positive, "the class of interest: F1, precision and recall speak of it"))
    for key, comment in (
        ("id", "names a row for good, so that it keeps its part when the data grows"),
        ("group", "rows of one group stay in one part"),
    ):
        value = getattr(schema, key)
        if value and key == "id" and not id_is_declared:
            lines.append("# " + _line(key, value, "looks like the name of a row; without the #, none may occur twice"))
        elif value:
            lines.append(_line(key, value, comment))
    if schema.time:
        lines.append(_line("time", list(schema.time), "orders the rows: train on the past, test on the newest"))
    if exclude:
        reasons = "; ".join(f"{column}: {why}" for column, why in exclude.items() if why)
        lines.append(_line("exclude", list(exclude), reasons or "no model reads these"))
    lines += [
        "",
        "[split]",
        _line("policy", "auto", "by size: cross-validation < 3,000 rows ≤ 60-20-20 < 100,000 rows ≤ 80-10-10"),
        _line("looks", 20, "how often the sealed test part may be opened"),
        "",
        "[train]",
        _line("budget_s", 300, "hard stop of the search, in seconds"),
        _line("metric", "auto", f"selects the model; auto is {default_metric(task)} here"),
        _line("seed", 0, "same seed, data and versions: same champion"),
        "",
        "[limits]",
        _line("latency_ms_p99", 20, "one row, one thread, on this machine"),
        _line("size_mb", 100, "of the exported graph"),
        "",
        "[gate]",
        _line("non_inferiority", 0.0, "how much of the metric a challenger may lose against the champion"),
        _line("approval", "auto", "auto, or human: a person approves with palio promote --approve"),
        "",
        "[value]",
        _line("error_cost", 0.0, "what one error costs; with requests_per_day an improvement gets a price"),
        _line("requests_per_day", 0, "answers a day in production"),
        _line("currency", "EUR", "of error_cost"),
        "",
        "[report]",
        _line("cases", "cases", "what one row is, in the plural: customers, flats, hours"),
        *([_line("unit", "", "of the target: USD, kWh")] if task.kind == "regression" else []),
        "",
        "[serve]",
        _line("port", 8080, "of palio serve"),
        "",
    ]
    return "\n".join(lines)


def _line(key: str, value: Any, comment: str) -> str:
    # JSON strings, numbers and lists of strings are valid TOML, except that TOML knows no escaped slash or DEL.
    text = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    comment = " ".join(comment.split())
    return f"{key} = {text}".ljust(38) + (f"  # {comment}" if comment else "")


def _task_comment(task: Task) -> str:
    if task.kind == "classification":
        shown = ", ".join(task.classes[:6]) + (" …" if len(task.classes) > 6 else "")
        return f"{len(task.classes)} classes: {shown}"
    return "a number is predicted"
