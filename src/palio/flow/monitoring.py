"""Look at what was served: read the log, the labels and the bundles behind it, and let `monitor` judge."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from palio import data, model, monitor, renew, store, truth
from palio.core.clock import Clock, utc_now, zone_of
from palio.core.durations import read_duration
from palio.core.errors import ConfigError, InputError, IntegrityError, NotFoundError
from palio.core.monitoring import Reference, Review
from palio.core.records import Deployment, Snapshot
from palio.flow import alerting, feedback

if TYPE_CHECKING:
    from palio.flow.opened import Opened

MOST_VERSIONS = 4
"""Versions that are judged beside the champion: the newest that were live, and a challenger that answers now."""


_CLOCKS_DIFFER = dt.timedelta(minutes=5)
"""So far the clocks of machines may be apart before anybody is told."""


class _Log:
    """The prediction log of a model, as `monitor` reads it."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name

    def answers(self, since: dt.datetime, until: dt.datetime) -> Any:
        return store.scan_log(self._folder, self._name, since=since, until=until)

    def failures(self, since: dt.datetime, until: dt.datetime) -> Any:
        return store.scan_log(self._folder, self._name, since=since, until=until, kind="failures")


def look(
    project: Opened,
    *,
    since: dt.datetime | None = None,
    window: str = "",
    segments: Sequence[str] = (),
    clock: Clock = utc_now,
) -> Review:
    """Review what the champion and the versions before it answered.

    Args:
        project: Whose champion and log.
        since: How far to look back; None: `[monitor] history`.
        window: Length of a window; empty: `[monitor] window`.
        segments: Columns whose values are judged on their own, beside those of `[monitor] segments`.
        clock: Tells the present moment.

    Raises:
        NotFoundError: there is no champion.
        ConfigError: `[monitor]` or `[value]` cannot be understood.
        InputError: too many windows, or a segment is no category of the champion.
    """
    from threadpoolctl import threadpool_limits

    # Small fits on many threads wait for each other more than they compute: 3 s of a core became 28.
    with threadpool_limits(limits=1):
        return _look(project, since=since, window=window, segments=segments, clock=clock)


def _look(project: Opened, *, since: dt.datetime | None, window: str, segments: Sequence[str], clock: Clock) -> Review:
    table, now = project.config.monitor, clock()
    subjects = _subjects(project)
    monitor.check_kpis(project.config.value.kpis, subjects[0].task)
    length = _duration("window", window or table.window)
    watched = tuple(dict.fromkeys((*table.segments, *segments)))
    for name in _hidden(project) & {*watched}:
        raise ConfigError(
            f"palio.toml [monitor] segments: the log does not hold `{name}` as it was ([log] redact or hash)",
            hint="name another column, or log this one",
        )
    watching = monitor.Watching(
        window=length,
        since=since or now - min(_duration("history", table.history), length * (monitor.MOST_WINDOWS - 1)),
        min_rows=table.min_rows,
        segments=watched,
        labels_after=None if table.labels_after == "auto" else _duration("labels_after", table.labels_after),
        kpis=project.config.value.kpis,
        currency=project.config.value.currency,
        n_workers=project.config.serve.workers,
        latency_limit_ms=project.config.limits.latency_ms_p99,
        trained=_trained(project),
        zone=zone_of(project.config.log.zone),
    )
    folder = feedback.log_folder(project)
    truths = truth.Truths.read(folder, project.name, since=watching.since)
    again = partial(store.scan_log, folder, project.name, since=watching.since, kind="feedback")
    review = monitor.review(_Log(folder, project.name), truths, subjects, watching, now=now, feedback=again)
    return msgspec.structs.replace(
        review,
        alerts=alerting.open_alerts(project, review, clock=clock),
        n_ahead=_n_ahead(folder, project.name, now),
    )


def _n_ahead(folder: Path, model_name: str, now: dt.datetime) -> int:
    """Count rows that were answered by a clock that is ahead of this one: no window holds them yet."""
    return sum(len(batch["at"]) for batch in store.scan_log(folder, model_name, since=now + _CLOCKS_DIFFER))


def _duration(key: str, text: str) -> dt.timedelta:
    try:
        return read_duration(text)
    except InputError as error:
        raise ConfigError(f"palio.toml [monitor]: `{key}`: {error.message}", hint=error.hint) from None


def _subjects(project: Opened) -> list[monitor.Subject]:
    """Return the champion, the challenger that answers now, and the champions before it whose bundles are there."""
    history = project.store.promotions.history(project.name)
    champion = project.store.promotions.champion(project.name)
    if champion is None:
        raise NotFoundError(
            f"model {project.name}: there is no champion to look at", hint="run palio run, then palio serve"
        )
    versions = {champion.bundle: champion.version}
    rollout = renew.standing(project.store, project.name)
    if rollout is not None and not rollout.is_over:
        versions.setdefault(rollout.rollout.challenger.bundle, rollout.rollout.challenger.version)
    for line in reversed(history):
        versions.setdefault(line.bundle, line.version)
    found, hidden = [], _hidden(project)
    for bundle, version in list(versions.items())[: MOST_VERSIONS + 1]:
        deployment = Deployment(model=project.name, version=version, bundle=bundle)
        try:
            opened = model.load(project.store, bundle)
        except (NotFoundError, IntegrityError):
            if bundle == champion.bundle:
                raise
            continue  # an old champion that was tidied away, or damaged: what is live is watched all the same
        rows, task = opened.reference_rows(), opened.manifest.task
        is_told = rows is not None and monitor.can_estimate(task)
        estimator = _estimator(opened, rows, hidden) if is_told else None
        found.append(monitor.Subject(deployment, task, _readable(project, opened.reference()), rows, estimator))
    return found


_LEARNT: dict[tuple[str, frozenset[str]], monitor.Estimator] = {}
"""What was learnt from bundles, which never change: learning takes seconds, and a supervisor reviews all day."""


def _estimator(bundle: model.Bundle, rows: Any, hidden: frozenset[str]) -> monitor.Estimator:
    key = bundle.id, hidden
    if key not in _LEARNT:
        told = [one.name for one in bundle.manifest.schema.features if one.name not in hidden]
        while len(_LEARNT) > MOST_VERSIONS:
            del _LEARNT[next(iter(_LEARNT))]
        _LEARNT[key] = monitor.Estimator(rows, bundle.manifest.task, columns=told)
    return _LEARNT[key]


def _hidden(project: Opened) -> frozenset[str]:
    """Name the columns that the log does not keep as they were."""
    return frozenset((*project.config.log.redact, *project.config.log.hash))


def _readable(project: Opened, reference: Reference | None) -> Reference | None:
    """Leave out columns that the log does not keep as they were: a hash is in no bin."""
    if reference is None:
        return None
    hidden = _hidden(project)
    return msgspec.structs.replace(
        reference, columns=tuple(one for one in reference.columns if one.source not in hidden)
    )


def _trained(project: Opened) -> Callable[[Any], dict[str, Any]] | None:
    """Return how to look up rows of the champion's data by their id; None if they have none, or the log has none."""
    champion = project.store.promotions.champion(project.name)
    manifest = None if champion is None else model.load(project.store, champion.bundle).manifest
    if manifest is None or manifest.schema.id is None or "key" in _hidden(project):
        return None
    schema, name = manifest.schema, manifest.schema.id
    snapshot = project.store.records.get(Snapshot, manifest.snapshot)
    told = [one for one in schema.features if one.name not in _hidden(project) and one.type != "image"]
    if snapshot is None or name not in {column.name for column in snapshot.schema.columns}:
        return None

    def look_up(keys: Any) -> dict[str, Any]:
        import polars as pl

        wanted = pl.Series(sorted({str(key) for key in keys.tolist() if key}), dtype=pl.String)
        names = list(dict.fromkeys([name, *(one.name for one in told)]))
        parts = [
            frame.filter(frame[name].cast(pl.String).is_in(wanted))
            for frame in data.frames(project.store, snapshot, columns=names)
        ]
        rows = pl.concat(parts)
        rows = rows.filter(rows[name].is_last_distinct())
        narrowed = msgspec.structs.replace(
            schema, columns=tuple(msgspec.structs.replace(one, feature=one in told) for one in schema.columns)
        )
        feeds = model.feeds_from_frame(rows, narrowed)
        cells = {f"input.{one.name}": feeds[model.input_name(one.name)].ravel() for one in told}
        return {"key": rows[name].cast(pl.String).to_numpy(), **cells}

    return look_up
