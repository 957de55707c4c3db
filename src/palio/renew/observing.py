"""Read the prediction log: what champion and challenger did since a step of the rollout began."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from palio import measure, store
from palio.core.cells import label
from palio.core.records import Metric, Task
from palio.core.serving import Observations, Pairs, Seen
from palio.renew.bounds import ALPHA, mean_bounds, proportion_bounds
from palio.renew.looks import FEWEST_ROWS
from palio.renew.observing_boxes import Rows, are_boxes, in_one_order, n_differ, read, scores, sizes, without_boxes

Array = np.ndarray[Any, np.dtype[Any]]
Batch = Mapping[str, Array]
MOST_ROWS = 500_000
"""Rows per role whose answers are kept for the comparison; the first of the step, if there are more."""
REFUSED = (400, 422)
"""Statuses of requests whose rows a model does not take."""
MOST_BYTES = 512 * 2**20
"""Of their texts: a list of boxes is longer than a class."""
_DECILES = np.linspace(0.1, 0.9, 9)


class LogReader(Protocol):
    """The prediction log of one model; columns as in `docs/reference/predictions.md`."""

    def answers(self, since: dt.datetime, until: dt.datetime) -> Iterable[Batch]:
        """Return answered rows in batches: `id` (`<request>.<row>`), `role`, `latency_us`, `prediction`."""

    def failures(self, since: dt.datetime, until: dt.datetime) -> Iterable[Batch]:
        """Return failed requests in batches: `id`, `role`, `version`, `status`."""

    def feedback(self, since: dt.datetime) -> Batch:
        """Return one truth per row, received since: `id` or `key`, and `label`, for numbers `number`."""


class StoredLog:
    """The prediction log in a folder."""

    def __init__(self, folder: Path, model: str) -> None:
        self._folder = folder
        self._model = model

    def answers(self, since: dt.datetime, until: dt.datetime) -> Iterable[Batch]:
        """Return answered rows in batches."""
        return store.scan_log(self._folder, self._model, since=since, until=until, kind="answers")

    def failures(self, since: dt.datetime, until: dt.datetime) -> Iterable[Batch]:
        """Return failed requests in batches."""
        return store.scan_log(self._folder, self._model, since=since, until=until, kind="failures")

    def feedback(self, since: dt.datetime) -> Batch:
        """Return one truth per row."""
        return store.latest_feedback(self._folder, self._model, since=since)


class _Role:
    """What one role did; grows batch by batch."""

    def __init__(self) -> None:
        self.n_requests = 0
        self.n_errors = 0
        self.n_refused = 0
        self.latencies: Array = measure.bin_latencies(np.empty(0))
        self._ids: list[Array] = []
        self._predictions: list[Array] = []
        self._n_rows = self._n_bytes = 0

    def add_answers(self, ids: Array, latencies: Array, predictions: Array | None) -> None:
        first = np.array([str(identity).endswith(".0") for identity in ids], bool)  # one row speaks for its request
        self.n_requests += int(first.sum())
        self.latencies = self.latencies + measure.bin_latencies(latencies[first] / 1e6)
        if predictions is not None and self._n_rows < MOST_ROWS and self._n_bytes < MOST_BYTES:
            self._ids.append(ids)
            self._predictions.append(predictions)
            self._n_rows += len(ids)
            if not _is_number(predictions):
                self._n_bytes += sum(len(one) for one in predictions.tolist() if isinstance(one, str))

    def add_failures(self, statuses: Array) -> None:
        # What the caller did wrong (4xx) says nothing about a model, unless another model takes it.
        n_errors = int((statuses >= 500).sum())
        self.n_refused += int(np.isin(statuses, REFUSED).sum())
        self.n_requests += n_errors
        self.n_errors += n_errors

    def rows(self) -> tuple[Array, Array]:
        """Return the row ids, sorted, and the predictions in the same order."""
        if not self._ids:
            return np.empty(0, object), np.empty(0)
        ids = measure.as_texts(np.concatenate(self._ids))
        predictions = np.concatenate(self._predictions)
        ids, first = np.unique(ids, return_index=True)
        return ids, predictions[first]


class _Truth:
    """The truths that have arrived, by the id of the row, or by its key until the row is met."""

    def __init__(self, feedback: Batch) -> None:
        self.by_id: dict[str, Any] = {}
        self._by_key: dict[str, Any] = {}
        if not len(feedback):
            return
        labels = feedback["label"].tolist()
        numbers = feedback["number"].tolist() if "number" in feedback else [float("nan")] * len(labels)
        keys = feedback["key"].tolist() if "key" in feedback else [""] * len(labels)
        for identity, key, said, number in zip(feedback["id"].tolist(), keys, labels, numbers, strict=True):
            where, name = (self.by_id, identity) if identity else (self._by_key, key)
            where[name] = said if number != number else number

    def meet(self, batch: Batch) -> None:
        """Find the rows whose truth came by key."""
        if not self._by_key or "key" not in batch:
            return
        for identity, key in zip(batch["id"].tolist(), batch["key"].tolist(), strict=True):
            if key in self._by_key:
                self.by_id.setdefault(identity, self._by_key[key])


def observe(
    log: LogReader, *, mode: str, since: dt.datetime, until: dt.datetime, tasks: tuple[Task, Task] | None = None
) -> Observations:
    """Sum up what the log holds of one step.

    Args:
        log: Of the model.
        mode: `shadow`: the challenger's answers are those with role `shadow`, to the same rows as the champion's;
            `canary`: those with role `challenger`, to other rows.
        since: Begin of the step.
        until: The present moment.
        tasks: What champion and challenger are asked; None: their answers are compared as they stand, and boxes, which
            need their classes and thresholds for that, not at all.
    """
    champion, rival, truth = _Role(), _Role(), _Truth(log.feedback(since))
    roles = {"champion": champion, "shadow" if mode == "shadow" else "challenger": rival}
    for batch in log.answers(since, until):
        predictions = batch.get("prediction")
        truth.meet(batch)
        for name, role in roles.items():
            mine = np.asarray(batch["role"] == name, bool)
            if mine.any():
                chosen = None if predictions is None else predictions[mine]
                role.add_answers(batch["id"][mine], batch["latency_us"][mine], chosen)
    for batch in log.failures(since, until):
        # What was shed at the door, before it was known who would answer, says nothing about either.
        is_known = np.asarray(batch["version"] != "", bool)
        for name, role in roles.items():
            mine = np.asarray(batch["role"] == name, bool) & is_known
            if mine.any():
                role.add_failures(batch["status"][mine])
    champion_rows, rival_rows = champion.rows(), rival.rows()
    if tasks is not None and are_boxes(tasks):
        tasks = in_one_order(tasks)
        champion_rows, rival_rows = (
            read(rows, task) for rows, task in zip((champion_rows, rival_rows), tasks, strict=True)
        )
    else:
        if tasks is None:
            champion_rows, rival_rows = without_boxes(champion_rows), without_boxes(rival_rows)
        tasks = None
    # What a shadow missed (it began later, or was overrun) would look like drift.
    alike = _common(champion_rows, rival_rows) if mode == "shadow" else (champion_rows[1], rival_rows[1])
    histograms = _histograms(*(alike if tasks is None else (sizes(said, tasks[0]) for said in alike)))
    judged = [
        _scores(rows, truth.by_id) if tasks is None else scores(rows, truth.by_id, tasks[0])
        for rows in (champion_rows, rival_rows)
    ]
    is_share = tasks is None and not _is_number(champion_rows[1])
    return Observations(
        since=since,
        until=until,
        champion=_seen(champion, histograms[0]),
        challenger=_seen(rival, histograms[1]),
        pairs=_pairs(champion_rows, rival_rows, tasks) if mode == "shadow" else Pairs(),
        quality=_quality(*judged, is_paired=mode == "shadow", is_share=is_share) if truth.by_id else None,
    )


def _seen(role: _Role, predictions: tuple[int, ...]) -> Seen:
    latencies = tuple(int(count) for count in role.latencies)
    return Seen(
        n_requests=role.n_requests,
        n_errors=role.n_errors,
        n_refused=role.n_refused,
        latencies=latencies,
        predictions=predictions,
    )


def _histograms(champion: Array, rival: Array) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Count predictions: by class, or by the deciles of the champion's."""
    if not len(champion) or not len(rival):
        return (), ()
    if _is_number(champion) and _is_number(rival):
        edges = np.unique(np.quantile(champion.astype(float), _DECILES))
        places = [np.searchsorted(edges, values.astype(float), side="left") for values in (champion, rival)]
        n_bins = len(edges) + 1
    else:
        both = np.concatenate([measure.as_texts(champion), measure.as_texts(rival)])
        classes, codes = np.unique(both, return_inverse=True)
        places = [codes[: len(champion)], codes[len(champion) :]]
        n_bins = len(classes)
    first, second = (np.bincount(codes, minlength=n_bins).tolist() for codes in places)
    return tuple(first), tuple(second)


def _common(champion: tuple[Array, Array], rival: tuple[Array, Array]) -> tuple[Array, Array]:
    """Return the answers to rows that both answered, in one order."""
    _, mine, theirs = np.intersect1d(champion[0], rival[0], assume_unique=True, return_indices=True)
    return champion[1][mine], rival[1][theirs]


def _pairs(champion: Rows, rival: Rows, tasks: tuple[Task, Task] | None = None) -> Pairs:
    """Compare the answers to rows that both answered."""
    a, b = _common(champion, rival)
    if not len(a):
        return Pairs()
    if tasks is not None:
        return Pairs(n_rows=len(a), n_differ=n_differ(a, b, tasks[0]))
    if not (_is_number(a) and _is_number(b)):
        return Pairs(n_rows=len(a), n_differ=int((measure.as_texts(a) != measure.as_texts(b)).sum()))
    scale = float(np.std(champion[1].astype(float))) or 1.0
    distances = np.abs(a.astype(float) - b.astype(float)) / scale
    spread = float(np.std(distances, ddof=1)) if len(a) > 1 else 0.0
    return Pairs(
        n_rows=len(a), n_differ=int((distances > 0).sum()), distance=float(distances.mean()), spread=spread
    )  # fmt: skip


def _quality(champion: Rows, rival: Rows, *, is_paired: bool, is_share: bool) -> Metric | None:
    """Compare how well both answered: share of hits, or negative errors; None with fewer than 30 rows each."""
    if is_paired:
        common = np.intersect1d(champion[0], rival[0], assume_unique=True, return_indices=True)
        difference = rival[1][common[2]] - champion[1][common[1]]
        if len(difference) < FEWEST_ROWS:
            return None
        mean = float(difference.mean())
        # A deviation of zero (all alike so far) bounds nothing: as if one more row had differed.
        deviation = float(np.std(difference, ddof=1)) or 1.0 / len(difference) ** 0.5
        low, high = mean_bounds(mean, deviation, len(difference))
        return Metric(value=mean, low=low, high=high, n_rows=len(difference))
    a, b = champion[1], rival[1]
    if min(len(a), len(b)) < FEWEST_ROWS:
        return None
    bounds = [_bounds(values, is_share=is_share) for values in (a, b)]
    return Metric(
        value=float(b.mean() - a.mean()),
        low=bounds[1][0] - bounds[0][1],
        high=bounds[1][1] - bounds[0][0],
        n_rows=len(a) + len(b),
    )


def _bounds(values: Array, *, is_share: bool) -> tuple[float, float]:
    if is_share:
        return proportion_bounds(int(values.sum()), len(values), ALPHA / 2)
    return mean_bounds(float(values.mean()), float(np.std(values, ddof=1)), len(values), ALPHA / 2)


def _scores(rows: tuple[Array, Array], labels: Mapping[str, Any]) -> tuple[Array, Array]:
    """Return the ids of rows whose truth is known, and how well each was answered: higher is better."""
    ids, predictions = rows
    known = np.array([identity in labels for identity in ids.tolist()], bool)
    ids, predictions = ids[known], predictions[known]
    truths = [labels[identity] for identity in ids.tolist()]
    if _is_number(predictions):
        values = np.array([_number(truth) for truth in truths], float)
        is_number = np.isfinite(values)
        return ids[is_number], -np.abs(predictions.astype(float) - values)[is_number]
    hits = [label(truth) == label(said) for truth, said in zip(truths, predictions.tolist(), strict=True)]
    return ids, np.array(hits, float)


def _number(truth: Any) -> float:
    try:
        return float(truth)
    except (TypeError, ValueError):
        return float("nan")


def _is_number(values: Array) -> bool:
    return values.dtype.kind in "fiu"
