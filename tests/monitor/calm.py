"""Worlds in which nothing is wrong: a real champion, asked about rows that are drawn like those it learned from."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from palio import data, flow, model
from palio.core.monitoring import Kpi, Review
from palio.core.records import Deployment
from palio.monitor import Estimator, Subject, Watching, review
from palio.truth import Truths
from tests.monitor.populations import ADULT

Array = np.ndarray[Any, np.dtype[Any]]
DAY = dt.timedelta(days=1)
NOW = dt.datetime(2026, 5, 21, tzinfo=dt.UTC)
N_WINDOWS, N_LABELLED = 6, 4
COVERAGE = 0.8
OF_COLUMNS = ("drift", "answer_drift", "missing", "contract", "unit")


@dataclass(frozen=True)
class World:
    """A champion, and rows that it has not seen with its answers."""

    subject: Subject
    rows: Mapping[str, Array]
    truth: Array

    @property
    def kpis(self) -> tuple[Kpi, ...]:
        no, yes = self.subject.task.classes
        return (Kpi(name="profit", cells={f"{yes} -> {yes}": 10.0, f"{no} -> {yes}": -4.0}),)


def frame_of(name: str, shared_data: Path) -> tuple[pl.DataFrame, str]:
    """Read a table, and name its target."""
    folder = shared_data / "tabular"
    if name == "bank":
        return pl.read_csv(folder / "bank.csv").drop("duration"), "y"
    if name == "regions":
        return regions(), "paid"
    frame = pl.read_csv(folder / "adult-train.csv", has_header=False, new_columns=ADULT)
    texts = [name for name in ADULT if frame[name].dtype == pl.String]
    return frame.with_columns(pl.col(texts).str.strip_chars()), "income"


def regions(n_rows: int = 24_000, seed: int = 8) -> pl.DataFrame:
    """Make a table whose segments differ by nature: other incomes, another share of payers, harder and easier ones."""
    chance = np.random.default_rng(seed)
    names = np.array(["north", "south", "east", "west"], object)
    region = chance.choice(4, n_rows, p=[0.45, 0.3, 0.2, 0.05])
    income = chance.lognormal(np.array([3.9, 3.4, 4.2, 3.0])[region], 0.35)
    debt = chance.gamma(4.0, np.array([5.0, 7.0, 3.0, 9.0])[region])
    age = np.where(chance.random(n_rows) < 0.1, np.nan, chance.normal(np.array([45, 38, 52, 30])[region], 9).round())
    plan = np.array(["basic", "plus", "pro"], object)[
        (chance.random(n_rows) * 3 * np.array([1, 0.7, 1, 0.5])[region]).astype(int)
    ]
    score = np.log(income) - debt / 15 - np.array([2.4, 1.6, 3.2, 1.4])[region] + 0.4 * (plan == "pro")
    paid = score + chance.normal(0, np.array([0.2, 2.0, 0.6, 1.0])[region]) > 0
    return pl.DataFrame(
        {
            "region": names[region].tolist(),
            "income": income.round(2),
            "debt": debt.round(2),
            "age": age,
            "plan": plan.tolist(),
            "paid": np.where(paid, "yes", "no").tolist(),
        }
    ).with_columns(pl.col("age").fill_nan(None))


def calm_world(name: str, shared_data: Path, folder: Path, *, budget_s: int = 20, seed: int = 0) -> World:
    """Train a champion on a random half of a table, and let it answer the other half.

    A folder that is there is read, not made anew.
    """
    frame, target = frame_of(name, shared_data)
    frame = frame.sample(fraction=1.0, shuffle=True, seed=seed)
    half = len(frame) // 2
    if not (folder / "palio.toml").exists():
        folder.mkdir(parents=True, exist_ok=True)
        frame[:half].write_csv(folder / f"{name}.csv")
        frame[half:].write_csv(folder / "unseen.csv")
        flow.init(str(folder / f"{name}.csv"), target=target, folder=folder)
        settings = folder / "palio.toml"
        settings.write_text(settings.read_text("utf-8").replace("budget_s = 300", f"budget_s = {budget_s}"), "utf-8")
        with flow.Project.open(folder) as project:
            assert project.run().decision.verdict == "yes"
    with flow.Project.open(folder) as project:
        bundle = project.bundle()
        manifest, reference, rows = bundle.manifest, bundle.reference(), bundle.reference_rows()
        assert reference is not None and rows is not None
        unseen = pl.concat(
            [one.frame for one in data.scan(data.open_source(str(folder / "unseen.csv")), manifest.schema)]
        )
        feeds = model.feeds_from_frame(unseen, manifest.schema)
        said = bundle.graph.predict(feeds)
        deployment = Deployment(model=name, version=1, bundle=bundle.id)
    cells = {f"input.{one.name}": feeds[model.input_name(one.name)].ravel() for one in manifest.schema.features}
    cells["prediction"] = np.array([str(label) for label in said.prediction.tolist()], object)
    assert said.probabilities is not None
    for place, label in enumerate(manifest.task.classes):
        cells[f"probability_{label}"] = np.asarray(said.probabilities[:, place], np.float64)
    cells = {name: values if values.dtype.kind == "O" else values.astype(np.float64) for name, values in cells.items()}
    told = [one.name for one in manifest.schema.features]
    subject = Subject(deployment, manifest.task, reference, rows, Estimator(rows, manifest.task, columns=told))
    truth = frame[half:][target].cast(pl.String).to_numpy().astype(object)
    return World(subject, cells, truth)


class _Log:
    def __init__(self, batches: list[dict[str, Array]]) -> None:
        self._batches = batches

    def answers(self, since: dt.datetime, until: dt.datetime) -> Iterable[dict[str, Array]]:
        return self._batches

    def failures(self, since: dt.datetime, until: dt.datetime) -> Iterable[dict[str, Array]]:
        return ()


def calm_review(world: World, n_rows: int, seed: int, *, segments: tuple[str, ...] = ()) -> Review:
    """Review six days with so many rows each; of four of them labels have come."""
    chance = np.random.default_rng([seed, n_rows])
    batches, labels = [], []
    for day in range(N_WINDOWS):
        begin = np.datetime64((NOW - (N_WINDOWS - day) * DAY).replace(tzinfo=None), "us")
        at = begin + np.sort(chance.integers(0, 86_400_000_000, n_rows)).astype("timedelta64[us]")
        drawn = chance.integers(0, len(world.truth), n_rows)
        ids = np.array([f"{day}-{row}.0" for row in range(n_rows)], object)
        same = {"role": "champion", "bundle": world.subject.deployment.bundle, "version": "1", "key": "", "flags": ""}
        batch = {
            "id": ids,
            "at": at,
            **{name: np.full(n_rows, text, object) for name, text in same.items()},
            "n_rows": np.ones(n_rows, int),
            "latency_us": chance.lognormal(6.8, 0.3, n_rows),
            **{name: values[drawn] for name, values in world.rows.items()},
        }
        for part in np.array_split(np.arange(n_rows), max(1, n_rows // 8_192)):
            batches.append({name: values[part] for name, values in batch.items()})
        if day < N_LABELLED:
            came = np.flatnonzero(chance.random(n_rows) < COVERAGE)
            received = at[came] + (chance.exponential(2 * 3_600e6, len(came))).astype("timedelta64[us]")
            nothing = np.full(len(came), "", object)
            labels.append(
                {"id": ids[came], "key": nothing, "at": received, "received": received, "values": nothing,
                 "label": world.truth[drawn[came]], "number": np.full(len(came), np.nan)}
            )  # fmt: skip
    watching = Watching(
        window=DAY, since=NOW - N_WINDOWS * DAY, min_rows=200, kpis=world.kpis, currency="EUR", segments=segments
    )
    return review(_Log(batches), Truths(labels), [world.subject], watching, now=NOW)


@dataclass
class Tally:
    """What many reviews of calm worlds found."""

    n_reports: int = 0
    n_shown: int = 0
    n_pages: int = 0
    n_cells: int = 0
    """Columns of all windows."""
    n_flagged: int = 0
    n_windows: int = 0
    found: Counter[str] = field(default_factory=Counter)
    """Kind and severity → windows that show it."""

    def add(self, one: Review) -> None:
        """Count a review."""
        self.n_reports += 1
        self.n_shown += bool(one.findings)
        self.n_pages += any(finding.severity == "page" for finding in one.findings)
        known = {finding.id: finding for finding in (*one.findings, *one.earlier)}
        for window in one.windows:
            shown = [known[name] for name in window.findings]
            self.n_windows += 1
            self.n_cells += len(window.drift)
            self.n_flagged += len({finding.subject for finding in shown if finding.kind in OF_COLUMNS})
            self.found.update({f"{finding.kind} ({finding.severity})" for finding in shown})

    @property
    def reports(self) -> float:
        """Share of reports that show anything."""
        return self.n_shown / self.n_reports

    @property
    def pages(self) -> float:
        """Share of reports that show a page."""
        return self.n_pages / self.n_reports

    @property
    def columns(self) -> float:
        """Share of columns that are flagged."""
        return self.n_flagged / self.n_cells

    @property
    def kinds(self) -> dict[str, float]:
        """Share of windows by kind and severity, the most frequent first."""
        return {name: count / self.n_windows for name, count in self.found.most_common()}
