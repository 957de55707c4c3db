"""Let a champion answer rows of the bundled bank data, as a server would have logged it, and send the truths later."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl

from palio import data, flow, model, store
from palio.core.clock import Clock, utc_now
from palio.core.serving import Feedback
from tests.flow.conftest import write_bank
from tests.logs import write_log

BEGIN = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)


def answer_rows(
    project: flow.Project,
    folder: Path,
    *,
    n_rows: int,
    skip: int,
    step: int = 1,
    request: str = "r",
    at: dt.datetime = BEGIN,
    every_s: int = 60,
    flip: float = 0.0,
    role: str = "champion",
    without: tuple[str, ...] = (),
    n_broken: int = 0,
    labels: bool = True,
    keys: list[str] | None = None,
) -> list[str]:
    """Log answers to some rows, one after the other; truths come unless told otherwise. Returns the prediction ids.

    Args:
        project: With a champion.
        folder: For the rows' file.
        n_rows: How many.
        skip: The first of them, in the file.
        step: Every so many of them.
        request: Begins their ids.
        at: Moment of the first answer.
        every_s: Seconds from one to the next.
        flip: Share of the rows whose truth is the other class: the world has changed.
        role: That answered.
        without: Inputs that are not logged.
        n_broken: So many rows have an age of half a year more, which the contract does not allow.
        labels: Whether the truths come.
        keys: Row keys.
    """
    file = write_bank(folder / f"{request}.csv", n_rows=n_rows, skip=skip, step=step)
    bundle, log = project.bundle(), store.Layout(project.folder).predictions()
    schema = bundle.manifest.schema
    frame = pl.concat([one.frame for one in data.scan(data.open_source(str(file)), schema)])
    feeds = model.feeds_from_frame(frame, schema)
    said = bundle.graph.predict(feeds)
    ids = [f"{request}-{i}.0" for i in range(frame.height)]
    inputs = {
        f"input.{c.name}": cells.ravel()
        for c, cells in zip(schema.features, feeds.values(), strict=True)
        if c.name not in without
    }
    if n_broken:
        inputs["input.age"] = inputs["input.age"] + np.where(np.arange(frame.height) < n_broken, 0.5, 0.0)
    moments = np.datetime64(at.replace(tzinfo=None), "us") + np.arange(frame.height) * np.timedelta64(every_s, "s")
    columns = {"id": np.array(ids, object), "at": moments, "role": role, "bundle": bundle.id, "version": "1"}
    if keys is not None:
        columns["key"] = np.array(keys, object)
    write_log(log, project.name, {**columns, **inputs, "prediction": said.prediction.ravel()}, tag=request)
    if labels:
        send_truths(project, ids, truths_of(file, flip=flip))
    return ids


def truths_of(file: Path, *, flip: float = 0.0) -> list[str]:
    """Read the truths of a file, some of them turned round."""
    truths = pl.read_csv(file, infer_schema=False)["y"].to_list()
    turned = np.random.default_rng(0).random(len(truths)) < flip
    other = {"yes": "no", "no": "yes"}
    return [other[label] if turn else label for label, turn in zip(truths, turned, strict=True)]


def send_truths(
    project: flow.Project, ids: list[str], labels: list[str], *, at: dt.datetime = BEGIN, clock: Clock = utc_now
) -> None:
    """Send truths by prediction id; they are received now, unless a clock says otherwise."""
    log = store.Layout(project.folder).predictions()
    with store.FeedbackLog(log, project.name, redaction=store.Redaction(salt="s"), clock=clock) as feedback:
        feedback.add([Feedback(prediction_id=i, label=y, at=at) for i, y in zip(ids, labels, strict=True)])
