"""Bring to mind what did well in earlier searches of the project, for the same question on other snapshots."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from palio.core.ids import canonical_json
from palio.core.records import Parts, Run, Search, Snapshot, Task
from palio.train.examples import Shape
from palio.train.family import Family, Params
from palio.train.proposal import is_in_space

if TYPE_CHECKING:
    from palio.store import Store

MAX_SEARCHES, MAX_SETTINGS = 5, 3
"""Searches that are asked, the newest, and settings that are tried again, at most."""
FINALISTS = 2
"""Of one search, so many beside the chosen ones: the best that there are."""


@dataclass(frozen=True)
class Known:
    """Settings that did well."""

    family: str
    params: Params
    search: str
    """Identity of the search that found them."""


def settings(
    store: Store, snapshot: Snapshot, *, task: Task, families: Mapping[str, Family], shape: Shape, sign: float
) -> tuple[Known, ...]:
    """Return what did well on other snapshots, the newest first; the same store gives the same.

    Defaults are left out, since they are tried anyway, and so is what no family takes any more. Searches of this very
    snapshot are not asked: whether there was one must not change how this one ends.

    Args:
        store: Of the project.
        snapshot: The data.
        task: What is predicted; its metric is that of the search.
        families: Those that compete.
        shape: The training rows.
        sign: 1 if more of the metric is better, else -1.
    """
    taken = {_key(name, params) for name, family in families.items() for params in family.defaults(shape, task)}
    found: list[Known] = []
    for search in _searches(store, snapshot, task):
        for run in _best(search, sign):
            family = families.get(run.family)
            if family is None or run.params.get("made") or run.family == "dummy":
                continue
            params = {name: one for name, one in run.params.items() if name != family.rounds}
            key = _key(run.family, params)
            if key not in taken and is_in_space(family, params, shape=shape, task=task):
                taken.add(key)
                found.append(Known(run.family, params, search.id))
    return tuple(found[:MAX_SETTINGS])


def _searches(store: Store, snapshot: Snapshot, task: Task) -> Iterator[Search]:
    """Yield the newest searches for the same target by the same metric on other snapshots."""
    n_found = 0
    for search in store.records.all(Search, newest_first=True):
        if search.metric != task.metric or n_found == MAX_SEARCHES:
            continue
        parts = store.records.get(Parts, search.parts)
        if parts is None or parts.snapshot == snapshot.id:
            continue
        data = store.records.get(Snapshot, parts.snapshot)
        if data is not None and data.schema.target == snapshot.schema.target:
            n_found += 1
            yield search


def _best(search: Search, sign: float) -> list[Run]:
    """Return the chosen run (of a mix, its members, the heaviest first), then other finalists, the best first.

    The first run of a family is left out: those are the defaults of its time.
    """
    first: dict[str, str] = {}
    for run in search.runs:
        first.setdefault(run.family, run.id)
    runs = {run.id: run for run in search.runs}
    chosen = runs.get(search.chosen)
    members = sorted(chosen.members, key=lambda one: -one.weight) if chosen is not None else []
    heads = [runs[one.run] for one in members if one.run in runs] if members else [chosen] if chosen else []
    others = [run for run in search.runs if run.cost is not None and not run.members and run.cv_score is not None]
    others.sort(key=lambda run: (-sign * (run.cv_score or 0.0), run.trial))
    ranked = list({run.id: run for run in [*heads, *others[:FINALISTS]]}.values())
    return [run for run in ranked if first[run.family] != run.id]


def _key(family: str, params: Params) -> bytes:
    with contextlib.suppress(TypeError):
        return canonical_json([family, params])
    return repr((family, params)).encode()
