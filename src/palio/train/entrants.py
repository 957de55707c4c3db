"""Say which families compete: those that can do the task, read the columns, and have what they need."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from palio.core.errors import InputError, UnavailableError
from palio.core.records import Schema, Task
from palio.core.words import listed
from palio.train.family import Family, reads
from palio.train.table import load_family, names_for


def entrants_of(wanted: Sequence[str | Family], task: Task, schema: Schema, **named: Any) -> list[Family]:
    """Return the families that compete, the dummy first.

    Without being asked for, a family whose packages are not installed stays away, and so does one that goes on from a
    backbone where none is named.

    Args:
        wanted: Names, or families; empty: all.
        task: What is predicted.
        schema: What they read.
        named: What the user named for families that take it, see `load_family`.

    Raises:
        InputError: an unknown family, none that can do this, or no backbone for one that was asked for.
        UnavailableError: a family that was asked for, or every one that reads pictures, lacks a package.
    """
    names = list(wanted) or names_for(schema.modality)
    families = [load_family(name, **named) if isinstance(name, str) else name for name in names]
    fit = [
        f for f in families if task.kind in f.tasks and reads(f, schema) and _knows(f, task, is_asked_for=bool(wanted))
    ]
    is_dummy_asked_for = bool(wanted) and all(family.name == "dummy" for family in families)
    if schema.modality == "image" and all(family.name == "dummy" for family in fit) and not is_dummy_asked_for:
        raise _unread(schema)
    if not fit:
        raise InputError(
            f"families {', '.join(f.name for f in families)}: none can do {task.kind} on {schema.modality} data",
            hint="leave [train] families empty to let all compete that can",
        )
    able = [family for family in fit if family.name != "dummy" and _is_equipped(family, is_asked_for=bool(wanted))]
    if schema.modality == "image" and not able and not is_dummy_asked_for:
        raise _missing("pictures")
    return [load_family("dummy"), *able]


def unread_beside(schema: Schema) -> str:
    """Say which columns beside pictures no family reads; empty if there are none."""
    others = [f"`{column.name}`" for column in schema.features if column.type != "image"]
    if schema.modality != "image" or not others:
        return ""
    return f"train     {listed(others, at_most=8)}: not read; beside pictures no other column is learned from yet."


def half_known(task: Task, schema: Schema, **named: Any) -> str:
    """Say which classes the backbone was taught by name, where these are some of ours and not all; else nothing."""
    if schema.modality != "image" or task.kind != "classification" or not named.get("backbone"):
        return ""
    family: Any = load_family("zero_shot", **named)
    is_half = 0 < len(family.known(task)) < len(task.classes)
    return f"train     {family.name} was left out: {family.unfit(task)}." if is_half else ""


def _knows(family: Family, task: Task, *, is_asked_for: bool) -> bool:
    """Tell whether a family can do this very task; where it was asked for, it must."""
    why = "" if (unfit := getattr(family, "unfit", None)) is None else unfit(task)
    if why and is_asked_for:
        raise InputError(f"{family.name}: {why}", hint="leave [train] families empty to let all compete that can")
    return not why


def _is_equipped(family: Family, *, is_asked_for: bool) -> bool:
    """Tell whether a family has its packages and its backbone; where it was asked for, it must have."""
    absent = [name for name in getattr(family, "packages", ()) if find_spec(name) is None]
    if absent and is_asked_for:
        raise _missing(family.name)
    if (suits := getattr(family, "suits", None)) is not None and (why_not := suits()):
        if is_asked_for:
            raise InputError(f"{family.name}: {why_not[0]}", hint=why_not[1])
        return False
    has_no_backbone = getattr(family, "backbone", None) == "" and suits is None
    if has_no_backbone and is_asked_for:
        raise InputError(
            f"{family.name}: no backbone is named",
            hint="set [train] backbone to the folder of a model in Hugging Face's format, or to its name there",
        )
    return not absent and not has_no_backbone


def _missing(what: str) -> UnavailableError:
    return UnavailableError(f"{what}: torch is not installed", hint="pip install 'palio[deep]'")


def _unread(schema: Schema) -> InputError:
    """Say that no family reads what the features are, before anything is tried."""
    pictures = [f"`{column.name}`" for column in schema.features if column.type == "image"]
    names, are = listed(pictures), "holds" if len(pictures) == 1 else "hold"
    return InputError(
        f"train: {names} {are} pictures, and no family that was asked for reads that: nothing was tried, and no look "
        "was spent",
        hint="leave [train] families empty",
        facts={"modality": schema.modality},
    )
