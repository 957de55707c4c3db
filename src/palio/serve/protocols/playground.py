"""The page for people: a form made of the schema, and what it needs to know. The shell itself holds no data."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from palio.core.cells import carries_text
from palio.core.records import Column, TensorSpec
from palio.core.version import __version__
from palio.model import input_name
from palio.serve.protocols.schemas import example_of

if TYPE_CHECKING:
    from palio.serve.registry import State
    from palio.serve.served import Served

N_EXAMPLES = 16
_DAY_S = 86_400
_MOST_VALUES = 4096
"""A made-up tensor of a graph from elsewhere has no more; a larger one is left to the person."""


class Shell(msgspec.Struct, frozen=True):
    """The page, and the header that lets nothing run but its own script and style."""

    page: str
    content_security_policy: str


@cache
def shell() -> Shell:
    """Put the page together; nothing in it comes from data or from a request."""
    here = Path(__file__)
    parts = {kind: here.with_name(f"playground.{kind}").read_text("utf-8") for kind in ("html", "css", "js")}
    page = parts["html"].replace("/*style*/", parts["css"]).replace("/*script*/", parts["js"])
    policy = (
        f"default-src 'none'; style-src {_hash(parts['css'])}; script-src {_hash(parts['js'])}; connect-src 'self'; "
        "img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    )
    return Shell(page, policy)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def form(served: Served, state: State) -> dict[str, Any]:
    """Tell the page what to ask for and what to expect.

    Columns of a bundle come with a typical value (the median, the most frequent) and with made-up rows: each column
    drawn independently as often as the training rows had its values, so none is anybody's row. Free text is never
    shown: it may be somebody's words. Takes some milliseconds the first time.

    Args:
        served: The champion.
        state: Says why a newer one does not answer, if so.
    """
    manifest, deployment = served.manifest, served.deployment
    about: dict[str, Any] = {
        "model": deployment.model,
        "version": deployment.version,
        "palio": __version__,
        "trouble": state.trouble,
        "can_explain": served.explainer is not None,
        "boxes": None if served.saying is None else {"threshold": served.saying.threshold},
    }
    if manifest is None:
        fields = [_tensor_field(spec, place) for place, spec in enumerate(served.inputs)]
        return about | {
            "kind": "graph",
            "output": served.prediction,
            "classes": served.classes,
            "fields": fields,
            "examples": [],
        }
    task, columns = manifest.task, manifest.schema.features
    drawn = {} if served.explainer is None else served.explainer().typical  # of pictures nobody knows a typical one
    values = {c.name: _drawn(c, drawn[input_name(c.name)][:N_EXAMPLES, 0].tolist()) if drawn else [] for c in columns}
    n_rows = min((len(known) for known in values.values()), default=0)
    return about | {
        "kind": "columns",
        "task": task.kind,
        "target": task.target,
        "classes": task.classes,
        "family": manifest.family,
        "trained_on": manifest.trained_on,
        "fields": [_column_field(column, values[column.name]) for column in columns],
        "examples": [{name: known[row] for name, known in values.items()} for row in range(n_rows)],
    }


def _drawn(column: Column, values: Sequence[Any]) -> list[Any]:
    """Turn values of feeds into values of records; None is missing."""
    if column.type == "text":
        return [None] * len(values)
    if carries_text(column):
        return [_truth(value) if column.type == "boolean" else value or None for value in values]
    present = [None if np.isnan(value) else value for value in values]
    if column.type == "datetime":
        show = _moments(column, present)
        return [show(value) for value in present]
    return [None if value is None else _number(column, value) for value in present]


def _truth(value: str) -> bool | str | None:
    return {"true": True, "false": False, "": None}.get(value, value)


def _moments(column: Column, values: Sequence[float | None]) -> Callable[[float | None], str | None]:
    """Return what writes the moments of one column: as days if all of them are."""
    known = [value for value in (column.low, column.high, *values) if value is not None]
    form = "%Y-%m-%d" if all(value % _DAY_S == 0 for value in known) else "%Y-%m-%dT%H:%M:%S"
    return lambda value: None if value is None else dt.datetime.fromtimestamp(value, dt.UTC).strftime(form)


def _number(column: Column, value: float) -> float | int:
    """Shorten a number to six digits, for people, without leaving the range of its column."""
    if column.type == "integer":
        return int(value)
    low, high = -np.inf if column.low is None else column.low, np.inf if column.high is None else column.high
    return float(min(max(float(f"{value:.6g}"), low), high))


def _typical(column: Column, values: Sequence[Any]) -> Any:
    present = [value for value in values if value is not None]
    if not present or (len(present) * 2 < len(values) and column.missing_allowed):
        return None if column.missing_allowed or column.type == "text" else example_of(column)
    if not carries_text(column):
        return sorted(present)[len(present) // 2]
    return Counter(present).most_common(1)[0][0]


def _column_field(column: Column, values: Sequence[Any]) -> dict[str, Any]:
    field: dict[str, Any] = {
        "name": column.name,
        "type": column.type,
        "typical": None if column.type == "image" else _typical(column, values),
        "missing_allowed": column.missing_allowed,
        "note": column.note,
    }
    if not carries_text(column):
        ends: Sequence[Any] = (column.low, column.high)
        if column.type == "datetime":
            field["is_day"] = all(moment is None or "T" not in moment for moment in values)
            ends = [_moments(column, () if field["is_day"] else (0.5,))(end) for end in ends]
        field |= {"low": ends[0], "high": ends[1]}
        field["others"] = column.on_out_of_range
    elif column.type in ("category", "boolean"):
        known: Sequence[Any] = column.categories or (("true", "false") if column.type == "boolean" else ())
        field["values"] = [_truth(value) for value in known] if column.type == "boolean" else known
        field["others"] = column.on_unknown
    return field


def _tensor_field(spec: TensorSpec, place: int) -> dict[str, Any]:
    return {
        "name": spec.name,
        "type": spec.datatype,
        "shape": spec.shape[1:],
        "typical": _made_up(spec, place),
    }


def _made_up(spec: TensorSpec, seed: int) -> Any:
    """Make up one record's part of a tensor: small numbers, the same each time; None if it is large."""
    sizes = [1 if size < 0 else size for size in spec.shape[1:]]
    if int(np.prod(sizes, dtype=object)) > _MOST_VALUES:
        return None
    random = np.random.default_rng(seed)
    if spec.datatype.startswith("FP"):
        return np.round(random.normal(size=sizes), 2).tolist() if sizes else round(float(random.normal()), 2)
    coins = random.integers(0, 2, sizes)
    if spec.datatype == "BOOL":
        return (coins > 0).tolist()
    return coins.astype(str).tolist() if spec.datatype == "BYTES" else coins.tolist()
