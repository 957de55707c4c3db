"""Say what is wrong with a cut before anything is learned from it: too little, a class left out, a metric undefined."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from palio import data, measure
from palio.core.errors import InputError
from palio.core.records import Parts, Snapshot, Task
from palio.core.words import counted, listed
from palio.split.grouping import Groups, n_groups_a_class
from palio.split.strata import PART_CODES

if TYPE_CHECKING:
    from palio.store import Store

MIN_ROWS = 10
"""Fewer labelled rows than this cannot be cut into parts that say anything."""
_FEW = 3
"""A class of fewer rows, or groups, cannot be in train, validation and test."""
_SAFE_METRICS = ("log_loss", "accuracy", "rmse", "mae")
"""Metrics that are defined on nearly any rows, to be advised where another one is not."""

Truth = npt.NDArray[Any]


def check_enough(target: Truth, task: Task, n_labelled: int, *, may_be_alike: bool = False) -> None:
    """Refuse rows of which there are too few, or, unless they may, that all have one answer.

    Raises:
        InputError: so it is.
    """
    if n_labelled < MIN_ROWS:
        have = "row has" if n_labelled == 1 else "rows have"
        raise InputError(
            f"target `{task.target}`: {n_labelled} {have} a value, a cut needs at least {MIN_ROWS}",
            hint="bring more labelled rows, or check that `target` names the right column",
        )
    if may_be_alike:
        return
    question = measure.questions.of(task)
    held = np.unique(target[question.known(target)])
    if len(held) < 2:
        only = question.shown(held[0]) if len(held) else "-"
        raise InputError(
            f"target `{task.target}`: every labelled row is `{only}`, there is nothing to tell apart",
            hint="check that `target` names the right column, or bring rows with another answer",
        )


def rare_classes(
    counts: Mapping[str, int], groups: Groups | None, task: Task, *, key: tuple[str, ...], n_without: int
) -> list[str]:
    """Tell which classes have too few rows, or groups, to be in every part."""
    said = []
    if groups is not None and n_without:
        have = "row has" if n_without == 1 else "rows have"
        said.append(f"{n_without:,} {have} no `{key[0]}`: each is cut as a group of its own")
    of, found = "row", [counts.get(label, 0) for label in task.classes]
    if groups is not None:
        of, found = f"group by `{key[0]}`", n_groups_a_class(groups, task).tolist()
    many = "rows" if groups is None else f"groups by `{key[0]}`"
    rare = [(label, n) for label, n in zip(task.classes, found, strict=True) if 0 < n < _FEW]
    if rare:
        shown = listed(f"`{label}` ({counted(n, of, many)})" for label, n in rare)
        said.append(f"too few {many} to be in every part: {shown}")
    return said


def check_parts(
    counts: Mapping[str, int],
    class_counts: Mapping[str, Mapping[str, int]],
    *,
    policy: str,
    method: str,
) -> None:
    """Refuse a cut that leaves a part empty, or nothing to tell apart in train.

    Raises:
        InputError: so it is; the hint names what would help here.
    """
    for name in _needed(policy):
        if counts[name] == 0:
            what = {"grouped": "groups", "time": "moments"}.get(method, "rows")
            helps = {
                "grouped": ["bring more groups", "name a group column with more of them"],
                "time": ["name a finer time column", 'write method = "random" under [split] in palio.toml'],
            }.get(method, ["bring more rows that differ"])
            if name == "validation":
                helps.append('write policy = "cv" under [split] in palio.toml, which needs no validation part')
            raise InputError(
                f"split: no rows are left for {name}: there are too few different {what}", hint=_either(helps)
            )
    inside = [label for label, n in class_counts.get("train", {}).items() if n]
    if class_counts and len(inside) < 2:
        others = [label for label in _known(class_counts) if label not in inside]
        raise InputError(
            f"split: train holds a single class, `{inside[0]}`" if inside else "split: train holds no class",
            hint=_either(_more_of(method, others, "earlier")),
        )


def about_parts(parts: Parts, task: Task, truth: Mapping[str, Truth]) -> list[str]:
    """Tell what the parts lack: classes, and with them perhaps the metric.

    Args:
        parts: The cut.
        task: What is to be predicted.
        truth: Part → class index or value of its rows.
    """
    said = []
    for name in _needed(parts.policy):
        lacking = _lacking(parts, name)
        if lacking:
            said.append(f"{name} holds no row of {listed(f'`{label}`' for label in lacking)}")
        if not measure.is_defined(task, truth[name]):
            said.append(f"`{measure.default_metric(task)}` is not defined on {name}: {_why(task, truth[name])}")
    return said


def check_metric(store: Store, snapshot: Snapshot, parts: Parts, task: Task) -> None:
    """Refuse to go on where the metric is not defined on the sealed test part; no row is shown, no look spent.

    Raises:
        InputError: so it is; the hint names what would help here.
    """
    places = np.flatnonzero(np.frombuffer(store.blobs.get(parts.assignment), np.uint8) == PART_CODES["test"])
    truth = data.target_array(data.read(store, snapshot, columns=[task.target], rows=places), task)
    truth = truth[measure.questions.of(task).known(truth)]
    if measure.is_defined(task, truth):
        return
    metric = measure.default_metric(task)
    helps = _more_of(parts.method, _lacking(parts, "test"), "newer")
    other = next((m for m in _SAFE_METRICS if _fits(task, m) and measure.is_defined(task, truth, metric=m)), None)
    if other is not None:
        helps.append(f'take a metric that is defined there: metric = "{other}" under [train] in palio.toml')
    raise InputError(
        f"`{metric}` is not defined on the {counted(len(truth), 'row')} of the sealed test part: {_why(task, truth)}; "
        "no look was spent",
        hint=_either(helps),
        facts={"metric": metric, "rows": len(truth), "method": parts.method},
    )


def _fits(task: Task, metric: str) -> bool:
    return metric in measure.metric_names(task) and metric != measure.default_metric(task)


def _why(task: Task, truth: Truth) -> str:
    if not len(truth):
        return "no row has an answer"
    question = measure.questions.of(task)
    held = question.distinct(truth)
    return f"every row is `{question.shown(held[0])}`" if len(held) == 1 else question.lacking


def _more_of(method: str, labels: list[str], when: str) -> list[str]:
    """Advise how the classes that are left out come into a part."""
    of = f" with {listed((f'`{label}`' for label in labels), at_most=3)}" if labels else ""
    if method == "grouped":
        return [f"bring more groups{of}", "name another group column"]
    if method == "time":
        return [f"bring {when} rows{of}", 'write method = "random" under [split] in palio.toml, if time may be ignored']
    return [f"bring more rows{of}"]


def _either(helps: list[str]) -> str:
    return ", or ".join(helps)


def _needed(policy: str) -> tuple[str, ...]:
    return ("train", "test") if policy == "cv" else ("train", "validation", "test")


def _known(class_counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return the classes that any part holds."""
    labels = class_counts.get("train", {})
    return [label for label in labels if any(of_class.get(label) for of_class in class_counts.values())]


def _lacking(parts: Parts, name: str) -> list[str]:
    """Return the classes of other parts that a part lacks."""
    held = parts.class_counts.get(name, {})
    known = {label for of_class in parts.class_counts.values() for label, n in of_class.items() if n}
    return [label for label, n in held.items() if n == 0 and label in known]
