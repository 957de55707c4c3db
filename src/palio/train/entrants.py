"""Say which families compete: those that can do the task, read the columns, and have what they need."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from palio.core.errors import InputError, UnavailableError
from palio.core.records import Schema, Task
from palio.core.words import listed
from palio.train.family import Family, reads
from palio.train.table import FAMILIES, load_family


def entrants_of(wanted: Sequence[str | Family], task: Task, schema: Schema, *, backbone: str = "") -> list[Family]:
    """Return the families that compete, the dummy first.

    Without being asked for, a family whose packages are not installed stays away, and so does one that goes on from a
    backbone where none is named.

    Args:
        wanted: Names, or families; empty: all.
        task: What is predicted.
        schema: What they read.
        backbone: Folder or name of the backbone.

    Raises:
        InputError: an unknown family, or none that can do this; a backbone that is not there.
        UnavailableError: a family that was asked for needs a package that is not installed.
    """
    names = list(wanted) or list(FAMILIES)
    families = [load_family(name) if isinstance(name, str) else name for name in names]
    fit = [f for f in families if task.kind in f.tasks and reads(f, schema)]
    fit = _equipped(fit, backbone, is_asked_for=bool(wanted))
    is_dummy_asked_for = bool(wanted) and all(family.name == "dummy" for family in families)
    if schema.modality == "image" and all(family.name == "dummy" for family in fit) and not is_dummy_asked_for:
        raise _unread(schema)
    if not fit:
        raise InputError(
            f"families {', '.join(f.name for f in families)}: none can do {task.kind} on {schema.modality} data",
            hint="leave [train] families empty to let all compete that can",
        )
    others = [family for family in fit if family.name != "dummy"]
    return [load_family("dummy"), *others]


def known_as(family: Family) -> str:
    """Return what the outcome of a family depends on beside its settings: its name, and its backbone if it has one."""
    place: Any = getattr(family, "place", None)
    return family.name if place is None else f"{family.name} {place.label}"


def _equipped(families: Sequence[Family], backbone: str, *, is_asked_for: bool) -> list[Family]:
    """Return the families that have their packages, and give a backbone to those that go on from one."""
    found: list[Family] = []
    place = None
    for family in families:
        absent = [name for name in getattr(family, "packages", ()) if find_spec(name) is None]
        goes_on: Any = getattr(family, "on", None)
        lacks = goes_on is not None and not backbone and family.place is None  # type: ignore[attr-defined]
        if absent and is_asked_for:
            raise UnavailableError(
                f"{family.name}: the package {absent[0]} is not installed", hint="pip install 'palio[deep]'"
            )
        if lacks and is_asked_for:
            raise InputError(
                f"{family.name}: no backbone is named",
                hint="set [train] backbone to the folder of a model in Hugging Face's format, or to its name there",
            )
        if absent or lacks:
            continue
        if goes_on is not None and backbone:
            from palio.train.deep.places import place_of

            place = place or place_of(backbone)
            family = goes_on(place)
        found.append(family)
    return found


def _unread(schema: Schema) -> InputError:
    """Say that no family reads what the features are, before anything is tried."""
    names = listed(f"`{column.name}`" for column in schema.features if column.type == "image")
    return InputError(
        f"train: there are pictures ({names}), and no family reads them: nothing was tried, and no look was spent",
        hint="install palio[deep] and set [train] backbone, or add columns of numbers or categories",
        facts={"modality": schema.modality},
    )
