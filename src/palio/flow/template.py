"""Write `palio.toml` with the inferred values and a comment on each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from palio.core.records import Schema, Task
from palio.flow.findings import of_task
from palio.flow.settings_file import line
from palio.measure import default_metric

_IMPORTED = "an ONNX file of a detector that others taught: it competes, read as it does best on labelled pictures"
_BACKBONE = "a folder or hub name of a network that others taught: pictures are learned faster and better from it"
ONLY_AFTERWARDS = "known only after the outcome, so it cannot be an input"


def render(
    name: str,
    schema: Schema,
    task: Task,
    *,
    source: str,
    data: Mapping[str, tuple[Any, str]],
    exclude: Sequence[str],
    split: Mapping[str, tuple[Any, str]],
    id_is_declared: bool = False,
) -> str:
    """Render the settings of a new project.

    Args:
        name: Name of the model.
        schema: As inferred.
        task: As inferred.
        source: Path or URL of the data, as it is to stand in the file.
        data: Further `[data]` settings that were given or found, each with the reason.
        exclude: Columns that no model may read.
        split: `[split]` settings that were found, each with the reason.
        id_is_declared: Whether a person named the id: only then must no two rows have the same.
    """
    is_picture = schema.modality == "image"
    lines = [
        "# Settings of this project. A table per room; docs/reference/settings.md explains every key.",
        "# Precedence: default < this file < environment (PALIO_ROOM_KEY) < flag.",
        "",
        "[project]",
        line("name", name, "name of the model, in the registry and in URLs"),
        line("task", task.kind, of_task(task)),
        "",
        "[data]",
        line("source", source, "a file (CSV, Parquet, JSON lines) or a database URL with `query`"),
    ]
    lines += [line(key, value, why) for key, (value, why) in data.items()]
    lines.append(line("target", task.target, "the column to predict"))
    if task.positive is not None:
        lines.append(line("positive", task.positive, "the class of interest: F1, precision and recall speak of it"))
    for key, comment in (
        ("id", "names a row for good, so that it keeps its part when the data grows"),
        ("group", "rows of one group stay in one part"),
    ):
        value = getattr(schema, key)
        if value and key == "id" and not id_is_declared:
            lines.append("# " + line(key, value, "looks like the name of a row; without the #, none may occur twice"))
        elif value:
            lines.append(line(key, value, comment))
    if schema.time:
        lines.append(line("time", list(schema.time), "orders the rows: train on the past, test on the newest"))
    if exclude:
        lines.append(line("exclude", list(exclude), ONLY_AFTERWARDS))
    lines += [
        "",
        "[split]",
        line("policy", "auto", "by size: cross-validation < 3,000 rows ≤ 60-20-20 < 100,000 rows ≤ 80-10-10"),
        *(line(key, value, why) for key, (value, why) in split.items()),
        line("looks", 20, "how often the sealed test part may be opened"),
        "",
        "[train]",
        line("budget_s", 300, "seconds that palio run may take; most of them go into the search"),
        line("metric", "auto", f"selects the model; auto is {default_metric(task)} here"),
        line("seed", 0, "same seed, data and versions: same champion"),
        *(["# " + line("backbone", "", _BACKBONE)] if is_picture else []),
        *(["# " + line("imported", "", _IMPORTED)] if is_picture and task.kind == "detection" else []),
        "",
        "[limits]",
        line("latency_ms_p99", 250 if is_picture else 20, "one row, one thread, on this machine"),
        line("size_mb", 100, "of the exported graph"),
        "",
        "[gate]",
        line("non_inferiority", 0.0, "how much of the metric a challenger may lose against the champion"),
        line("approval", "auto", "auto, or human: a person approves with palio promote --approve"),
        "",
        "[value]",
        line("error_cost", 0.0, "what one error costs; with requests_per_day an improvement gets a price"),
        line("requests_per_day", 0, "answers a day in production"),
        line("currency", "EUR", "of error_cost"),
        "",
        "[report]",
        line("cases", "pictures" if is_picture else "cases", "what one row is, in the plural: customers, flats, hours"),
        *([line("unit", "", "of the target: USD, kWh")] if not task.classes else []),
        "",
        "[serve]",
        line("port", 8080, "of palio serve"),
        "",
    ]
    return "\n".join(lines)
