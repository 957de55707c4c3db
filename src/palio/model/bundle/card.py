"""Write the model card: what a person should know before relying on a model.

Source: Mitchell et al. 2019, Model Cards for Model Reporting.
"""

from __future__ import annotations

import re

from palio.core.ids import short
from palio.core.records import Column, Manifest, WordReading

MAX_LISTED = 8


def write_card(manifest: Manifest, *, n_rows: int) -> str:
    """Return the card of a model that learned from `n_rows` rows, as Markdown; the same for the same arguments."""
    task = manifest.task
    lines = [f"# Predicts `{_cell(task.target)}`", ""]
    if task.kind == "detection":
        named = ", ".join(f"`{_cell(label)}`" for label in task.classes)
        lines.append(f"Says where in a picture there is any of {named}: boxes in its own pixels, each with a score.")
    elif task.classes:
        named = ", ".join(f"`{_cell(label)}`" for label in task.classes)
        lines.append(f"Answers one of {named}, with a probability for each.")
        if task.positive:
            lines.append(f"The class of interest is `{_cell(task.positive)}`.")
    else:
        lines.append("Answers a number.")
    lines += [
        "",
        *_made_from(manifest, n_rows),
        "",
        *_metrics(manifest),
        "",
        *_columns(manifest),
        "",
        *_limits(manifest),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _made_from(manifest: Manifest, n_rows: int) -> list[str]:
    parts = " and ".join(manifest.trained_on) or "no"
    return [
        "## How it was made",
        "",
        f"- Family: {manifest.family}, {manifest.n_parameters:,} learned numbers, seed {manifest.seed}.",
        f"- Learned from the {parts} rows of snapshot `{short(manifest.snapshot)}` "
        f"({n_rows:,} rows in all), cut as `{short(manifest.parts)}`.",
        f"- One ONNX graph in {manifest.precision}, from raw columns to answers: of ONNX and ai.onnx.ml alone.",
        "- Made with " + ", ".join(f"{name} {version}" for name, version in sorted(manifest.versions.items())) + ".",
    ]


def _metrics(manifest: Manifest) -> list[str]:
    names = sorted({name for scores in manifest.metrics.values() for name in scores})
    first = ["cross_validation", "train", "validation"]
    parts = sorted(manifest.metrics, key=lambda part: (first.index(part) if part in first else len(first), part))
    lines = ["## How good it is", ""]
    if names:
        lines += ["| metric | " + " | ".join(part.replace("_", " ") for part in parts) + " |"]
        lines += ["|---|" + "---|" * len(parts)]
        for name in names:
            values = [manifest.metrics[part].get(name) for part in parts]
            lines.append(f"| {name} | " + " | ".join("–" if v is None else f"{v:.4g}" for v in values) + " |")
        lines.append("")
    lines.append(
        "The sealed test part is not in this card: its figures stand in the evaluation that let the model go live."
    )
    for parity in manifest.parity:
        lines.append(
            f"\nExport: {parity.path} agree on {parity.rows:,} rows; largest difference {parity.max_abs_diff:.1e}, "
            f"{parity.n_label_diffs} other labels."
        )
    return lines


def _columns(manifest: Manifest) -> list[str]:
    lines = ["## What it reads", "", "| column | type | seen | missing |", "|---|---|---|---|"]
    for column in manifest.schema.features:
        missing = "allowed" if column.missing_allowed else "refused"
        lines.append(f"| {_cell(column.name)} | {column.type} | {_seen(column)} | {missing} |")
    return lines


def _seen(column: Column) -> str:
    if column.categories is not None:
        listed = ", ".join(_cell(value) for value in column.categories[:MAX_LISTED])
        more = len(column.categories) - MAX_LISTED
        return listed + (f" and {more} more" if more > 0 else "")
    if column.low is not None and column.high is not None and column.type != "datetime":
        return f"{column.low:g} to {column.high:g}"
    return ""


def _limits(manifest: Manifest) -> list[str]:
    excluded = [c for c in manifest.schema.columns if not c.feature and c.name != manifest.task.target]
    lines = [
        "## What to mind",
        "",
        "- It knows only what the rows above held: outside their range, and for values never seen, it guesses.",
        "- A relation that helps to predict is not a cause.",
    ]
    lines += [
        f"- Of a text in `{_cell(one.input)}` the first {one.most_characters:,} characters are read."
        for one in {one.input: one for one in manifest.readings if isinstance(one, WordReading)}.values()
    ]
    lines += [
        f"- `{_cell(column.name)}` is not read" + (f": {_cell(column.note)}." if column.note else ".")
        for column in excluded[:20]
    ]
    return lines


def _cell(text: str) -> str:
    """Make text safe inside a Markdown table and code span."""
    return re.sub(r"[|`\r\n<>]", " ", text)[:120]
