"""Look at what was served: read the log, the labels and the bundles behind it, and let `monitor` judge."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from palio import model, monitor, store, truth
from palio.core.clock import Clock, utc_now
from palio.core.durations import read_duration
from palio.core.errors import ConfigError, InputError, NotFoundError
from palio.core.monitoring import Reference, Review
from palio.core.records import Deployment
from palio.flow import alerting, feedback

if TYPE_CHECKING:
    from palio.flow.project import Project

MOST_VERSIONS = 4
"""Versions that are judged beside the champion: the newest that were live, and a challenger that answers now."""


class _Log:
    """The prediction log of a model, as `monitor` reads it."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name

    def answers(self, since: dt.datetime, until: dt.datetime) -> Any:
        return store.scan_log(self._folder, self._name, since=since, until=until)

    def failures(self, since: dt.datetime, until: dt.datetime) -> Any:
        return store.scan_log(self._folder, self._name, since=since, until=until, kind="failures")


def look(
    project: Project,
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

    table, now = project.config.monitor, clock()
    length = _duration("window", window or table.window)
    watching = monitor.Watching(
        window=length,
        since=since or now - min(_duration("history", table.history), length * (monitor.MOST_WINDOWS - 1)),
        min_rows=table.min_rows,
        segments=tuple(dict.fromkeys((*table.segments, *segments))),
        labels_after=None if table.labels_after == "auto" else _duration("labels_after", table.labels_after),
        kpis=project.config.value.kpis,
        currency=project.config.value.currency,
        n_workers=project.config.serve.workers,
    )
    folder = feedback.log_folder(project)
    truths = truth.Truths.read(folder, project.name, since=watching.since)
    # Small fits on many threads wait for each other more than they compute: 6 s of a core became 60.
    with threadpool_limits(limits=1):
        review = monitor.review(_Log(folder, project.name), truths, _subjects(project), watching, now=now)
    return msgspec.structs.replace(review, alerts=alerting.open_alerts(project, review, clock=clock))


def _duration(key: str, text: str) -> dt.timedelta:
    try:
        return read_duration(text)
    except InputError as error:
        raise ConfigError(f"palio.toml [monitor]: `{key}`: {error.message}", hint=error.hint) from None


def _subjects(project: Project) -> list[monitor.Subject]:
    """Return the champion, the challenger that answers now, and the champions before it whose bundles are there."""
    history = project.store.promotions.history(project.name)
    champion = project.store.promotions.champion(project.name)
    if champion is None:
        raise NotFoundError(
            f"model {project.name}: there is no champion to look at", hint="run palio run, then palio serve"
        )
    versions = {champion.bundle: champion.version}
    for line in reversed(history):
        versions.setdefault(line.bundle, line.version)
    found, hidden = [], _hidden(project)
    for bundle, version in list(versions.items())[: MOST_VERSIONS + 1]:
        deployment = Deployment(model=project.name, version=version, bundle=bundle)
        try:
            opened = model.load(project.store, bundle)
        except NotFoundError:
            if bundle == champion.bundle:
                raise
            continue  # an old champion that was tidied away
        rows, task = opened.reference_rows(), opened.manifest.task
        told = [one.name for one in opened.manifest.schema.features if one.name not in hidden]
        estimator = None if rows is None or task.kind == "detection" else monitor.Estimator(rows, task, columns=told)
        found.append(monitor.Subject(deployment, task, _readable(project, opened.reference()), rows, estimator))
    return found


def _hidden(project: Project) -> frozenset[str]:
    """Name the columns that the log does not keep as they were."""
    return frozenset((*project.config.log.redact, *project.config.log.hash))


def _readable(project: Project, reference: Reference | None) -> Reference | None:
    """Leave out columns that the log does not keep as they were: a hash is in no bin."""
    if reference is None:
        return None
    hidden = _hidden(project)
    return msgspec.structs.replace(
        reference, columns=tuple(one for one in reference.columns if one.source not in hidden)
    )
