"""Gather what looking at the data told of its settings, each with the reason that is written beside it."""

from __future__ import annotations

from typing import Any

from palio import data
from palio.core.cells.moments import order_of
from palio.core.config import Config, DataTable
from palio.core.records import Form, Schema, Task
from palio.core.words import counted

Findings = dict[str, dict[str, tuple[Any, str]]]
"""Table of `palio.toml` → key → value and reason."""
_DEFAULT = DataTable()
_SHOWN = 4


def about(source: data.Source, survey: data.Survey, schema: Schema, config: Config) -> Findings:
    """Return what was found for settings that nobody set.

    Args:
        source: As it was read.
        survey: What it holds.
        schema: The contract, with what a person changed in it.
        config: What was set.
    """
    found: dict[str, tuple[Any, str]] = {}
    found |= _form(source.form, survey, len(source.columns), source.skipped.n_rows)
    found |= _marks(survey, schema)
    if survey.task.positive is not None:
        found["positive"] = (survey.task.positive, "the class of interest: F1, precision and recall speak of it")
    if schema.time:
        found["time"] = (list(schema.time), "orders the rows: train on the past, test on the newest")
    return {
        "project": {"task": (survey.task.kind, of_task(survey.task))} if config.project.task == "auto" else {},
        "data": {
            key: one for key, one in found.items() if getattr(config.data, key, None) == getattr(_DEFAULT, key, 0)
        },
        "split": _split(data.stated(source).part, config),
    }


def _split(part: str, config: Config) -> dict[str, tuple[Any, str]]:
    if not part or config.split.method not in ("auto", "given"):
        return {}
    by = {} if part == "part" else {"by": (part, "says which part a row is in")}
    return {"method": ("given", "as found: the data came with a cut; auto cuts anew"), **by}


def of_task(task: Task) -> str:
    """Say in a few words what is predicted."""
    if task.classes:
        shown = ", ".join(task.classes[:6]) + (" …" if len(task.classes) > 6 else "")
        return f"{counted(len(task.classes), 'class')}: {shown}"
    return "a number is predicted"


def _form(form: Form, survey: data.Survey, n_columns: int, n_odd: int) -> dict[str, tuple[Any, str]]:
    if form.kind == "sheet":
        whole = {"sheet": (form.sheet, "as found"), "range": (form.range, "as found")}
        return {key: one for key, one in whole.items() if one[0]}
    if form.kind != "delimited":
        return {}
    n_rows = survey.n_rows + n_odd
    cells = counted(n_columns, "cell")
    header = "the first line names the columns" if form.header else "the first line holds values already"
    quote = "what encloses cells, where one does" if form.quote else "quotes are ordinary characters"
    found = {
        "header": ("yes" if form.header else "no", f"as found: {header}"),
        "quote": (form.quote or "none", f"as found: {quote}"),
        "encoding": (form.encoding, "as found"),
    }
    if n_columns > 1:  # a column alone is parted by nothing
        name = {"\t": "tab"}.get(form.separator, form.separator)
        found["separator"] = (name, f"as found: {survey.n_rows:,} of {counted(n_rows, 'row')} have {cells}")
    if form.comment:
        found["comment"] = (form.comment, "as found: lines that begin so are passed over")
    order = ("separator", "header", "quote", "comment", "encoding")
    return {key: found[key] for key in order if key in found and found[key][0]}


def _marks(survey: data.Survey, schema: Schema) -> dict[str, tuple[Any, str]]:
    """Return the decimal comma and the order of dates, if all columns that tell agree and none is in doubt."""
    found: dict[str, tuple[Any, str]] = {}
    numbers = [c for c in schema.columns if c.type in ("number", "integer")]
    if numbers and {c.decimal for c in numbers} == {","}:
        telling = {row.name for row in survey.readings if any("," in cell for cell, _ in row.examples)}
        found["decimal"] = (",", "as found" + _named([c.name for c in numbers if c.name in telling]))
    moments = [(c.name, order_of(c.format)) for c in schema.columns if c.type == "datetime" and order_of(c.format)]
    orders = {order for _, order in moments if order != "ymd"}
    in_doubt = any("--date-order" in doubt for row in survey.readings for doubt in row.doubts)
    if len(orders) == 1 and not in_doubt:
        (order,) = orders
        found["date_order"] = (order, "as found" + _named([name for name, one in moments if one == order]))
    return found


def _named(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:_SHOWN]) + (" …" if len(names) > _SHOWN else "")
    return f" in {shown}" if names else ""
