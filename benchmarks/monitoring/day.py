"""A day of made traffic with every kind of trouble at once, watched by `palio watch`: what is told, hour by hour.

    python benchmarks/monitoring/day.py [--folder FOLDER] [--weeks 2] [--seed 0]

Orders are late or not. A shop asks for two calm weeks; then comes a day of eight windows of three hours, written
through the log's own writer with a made clock, and looked at as `palio watch` does, ten minutes into the next window.
Printed are the troubles that were made, and all that people are told. What only a running server can suffer, and truths
in every spelling: `served_hour.py`.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

Rows = dict[str, Any]
REGIONS = ("east", "north", "south", "west")
SHARES = (0.3, 0.3, 0.25, 0.15)
WINDOW = dt.timedelta(hours=3)
ROWS_A_WINDOW = 420
SETTINGS = """
[monitor]
window = "3h"
history = "{weeks}w"
min_rows = 200
segments = ["region"]
labels_after = "6h"

[alert]
persistence = "1 of 2"
command = ["{python}", "{folder}/told.py"]

[[value.kpis]]
name = "profit"
cells = {{ "no -> no" = 4.0, "yes -> yes" = 2.0, "yes -> no" = -20.0 }}

[[value.kpis]]
name = "refunds"
column = "refund"
"""
TOLD = """
import pathlib, sys
with pathlib.Path(__file__).with_name("told.jsonl").open("a") as file:
    file.write(sys.stdin.read().replace("\\n", " ") + "\\n")
"""


class Trouble(NamedTuple):
    """What goes wrong from one window of the day to another."""

    name: str
    since: int
    until: int
    what: str


TROUBLES = (
    Trouble("copies", 0, 8, "the same 120 orders are scored every hour, a probe asks every minute, callers ask again"),
    Trouble("unit", 2, 4, "north sends grams for kilograms"),
    Trouble("absent", 3, 6, "the application sends no distance"),
    Trouble("texts", 4, 5, "fifteen notes of 2 million characters"),
    Trouble("volume", 5, 6, "nine of ten callers are away"),
    Trouble("concept", 6, 8, "a strike in the east: what was on time is late"),
)


def orders(chance: np.random.Generator, n_rows: int, *, strike: Any = False) -> Rows:
    """Make orders with their truth; regions differ by nature, and in how sure anything can be about them."""
    region = chance.choice(REGIONS, n_rows, p=SHARES)
    south, west = region == "south", region == "west"
    app = chance.random(n_rows) < np.where(south, 0.7, 0.4)
    weight = chance.lognormal(np.where(west, 1.6, 0.6), 0.5)
    distance = chance.gamma(3, np.where(south, 90, 40))
    items = chance.integers(1, 12, n_rows)
    logit = 0.018 * (distance - 150) + 0.35 * (weight - 3) + 0.5 * app - 0.4
    logit = np.where(south, 0.25 * logit + 0.2, 1.6 * logit)  # in the south nothing much can be told
    logit = np.where((region == "east") & strike, 3.0 - 2 * logit, logit)
    return {
        "region": region.astype(object),
        "channel": np.where(app, "app", "web").astype(object),
        "weight": weight.round(3),
        "distance": distance.round(1),
        "items": items.astype(float),
        "note": chance.choice(["", "call before", "leave at the door", "ring twice"], n_rows).astype(object),
        "late": np.where(chance.random(n_rows) < 1 / (1 + np.exp(-logit)), "yes", "no").astype(object),
    }


INPUTS = ("region", "channel", "weight", "distance", "items", "note")


def begin(folder: Path, weeks: int) -> None:
    """Train a champion of the orders, and set what is watched."""
    import polars as pl

    from palio import flow

    folder.mkdir(parents=True, exist_ok=True)
    pl.DataFrame({n: v.tolist() for n, v in orders(np.random.default_rng(0), 8_000).items()}).write_csv(
        folder / "orders.csv"
    )
    flow.init(str(folder / "orders.csv"), target="late", folder=folder)
    settings = folder / "palio.toml"
    text = settings.read_text("utf-8").replace("budget_s = 300", 'budget_s = 20\nfamilies = ["linear", "lightgbm"]')
    text = "\n".join(line for line in text.splitlines() if line.strip() not in ("[monitor]", "[alert]"))
    settings.write_text(text + SETTINGS.format(weeks=weeks + 1, python=sys.executable, folder=folder), "utf-8")
    (folder / "told.py").write_text(TOLD)
    with flow.Project.open(folder) as project:
        project.run()


class Shop:
    """Who asks, and tells later what came: writes the log of a project as its server would."""

    def __init__(self, project: Any, begin: dt.datetime, seed: int) -> None:
        from palio import store

        self.chance, self.begin = np.random.default_rng(seed), begin
        self._project, self._bundle, self._n = project, project.bundle(), 0
        self._log = store.Layout(project.folder).predictions()
        self.now = begin
        self.told: list[str] = []
        self._untold: list[tuple[dt.datetime, str, str]] = []
        self._feedback = store.FeedbackLog(
            self._log, project.name, redaction=store.Redaction(salt="s"), clock=lambda: self.now
        )

    def ask(self, rows: Rows, at: Any, *, tells: bool = True, truths: Any = None) -> None:
        """Have rows answered at these moments (datetime64[us], ascending)."""
        import polars as pl

        from palio import model
        from tests.logs import write_log

        n_rows = len(at)
        schema = self._bundle.manifest.schema
        short = {name: [t[:5000] if isinstance(t, str) else t for t in rows[name].tolist()] for name in INPUTS}
        said = self._bundle.graph.predict(model.feeds_from_frame(pl.DataFrame(short), schema))
        ids = np.array([f"9f0c1b2a77d4e610-{self._n + i:x}.0" for i in range(n_rows)], object)
        cells = {"id": ids, "at": at, "version": "1", "bundle": self._bundle.id}
        cells |= {f"input.{name}": rows[name] for name in INPUTS}
        cells["prediction"] = said.prediction.astype(object)
        for place, label in enumerate(self._bundle.manifest.task.classes):
            cells[f"probability_{label}"] = said.probabilities[:, place].astype(float)
        cells["latency_us"] = self.chance.lognormal(6.8, 0.3, n_rows)
        write_log(self._log, self._project.name, cells, tag=f"{self._n:x}")
        self._n += n_rows
        if tells:
            labels = rows["late"] if truths is None else truths
            for one, moment, label in zip(ids, at.tolist(), labels.tolist(), strict=True):
                self._untold.append((moment.replace(tzinfo=dt.UTC), one, label))

    def tell(self, before: dt.datetime) -> None:
        """Tell what came of rows answered before a moment."""
        from palio.core.serving import Feedback

        some = [one for one in self._untold if one[0] < before]
        self._untold = [one for one in self._untold if one[0] >= before]
        for start in range(0, len(some), 20_000):
            part = some[start : start + 20_000]
            self._feedback.add([Feedback(prediction_id=one, label=label, at=self.now) for _, one, label in part])

    def close(self) -> None:
        """Close the log of truths."""
        self._feedback.close()


def moments(chance: np.random.Generator, begin: dt.datetime, n_rows: int, length: dt.timedelta = WINDOW) -> Any:
    away = np.sort(chance.random(n_rows)) * (length / dt.timedelta(microseconds=1))
    return np.datetime64(begin.replace(tzinfo=None), "us") + away.astype("timedelta64[us]")


def usual(begin: dt.datetime) -> int:
    """Rows of a window: fewer at night and on Sundays."""
    night = 0.6 if begin.hour < 6 else 1.0
    return int(ROWS_A_WINDOW * night * (0.7 if begin.weekday() == 6 else 1.0))


def calm(shop: Shop, until: dt.datetime) -> None:
    begin = shop.begin
    while begin < until:
        n_rows = shop.chance.poisson(usual(begin))
        shop.ask(orders(shop.chance, n_rows), moments(shop.chance, begin, n_rows))
        shop.now = begin + 2 * WINDOW
        shop.tell(begin)
        begin += WINDOW


def window_of_the_day(shop: Shop, number: int, begin: dt.datetime, again: Rows, length: dt.timedelta = WINDOW) -> None:
    """Ask what is asked in a window of the day, with its troubles."""
    chance = shop.chance
    there = {one.name for one in TROUBLES if one.since <= number < one.until}
    n_rows = int(chance.poisson(usual(begin) * (length / WINDOW)) * (0.1 if "volume" in there else 1))
    rows = orders(chance, n_rows, strike="concept" in there)
    if "unit" in there:
        rows["weight"] = np.where(rows["region"] == "north", rows["weight"] * 1000, rows["weight"])
    if "absent" in there:
        rows["distance"] = np.where(rows["channel"] == "app", np.nan, rows["distance"])
    if "texts" in there:
        for place in range(15):
            rows["note"][place] = f"{place} " + "long note " * 5_000  # as the log keeps a text of 2 million characters
    at = moments(chance, begin, n_rows, length)
    shop.ask(rows, at)
    tried = np.flatnonzero(chance.random(n_rows) < 0.1)
    if len(tried):  # callers that did not wait for the answer ask again
        shop.ask({n: v[tried] for n, v in rows.items()}, at[tried] + np.timedelta64(2, "s"), tells=False)
    hours = max(1, round(length / dt.timedelta(hours=1)))
    for hour in range(hours):
        shop.ask(
            again,
            moments(chance, begin + hour * dt.timedelta(hours=1), len(again["late"]), dt.timedelta(minutes=2)),
            tells=False,
        )
    probe = {name: np.repeat(values[:1], 60 * hours) for name, values in again.items()}
    shop.ask(probe, moments(chance, begin, 60 * hours, length), tells=False)


def day(folder: Path, *, weeks: int = 2, seed: int = 0) -> Iterator[tuple[str, str]]:
    """Yield what happened (`made`), what `palio watch` said, what people were told, and what the screen shows."""
    from palio import flow
    from palio.flow.supervising import Supervisor

    first = dt.datetime(2026, 5, 4, tzinfo=dt.UTC)  # a Monday
    today = first + dt.timedelta(weeks=weeks, days=1)
    with flow.Project.open(folder) as project:
        shop = Shop(project, first, seed)
        calm(shop, today)
        again = orders(np.random.default_rng(9), 120)
        told = folder / "told.jsonl"
        with Supervisor(project, may_train=False, clock=lambda: shop.now) as supervisor:
            for number in range(9):
                begin = today + number * WINDOW
                if number < 8:
                    for one in TROUBLES:
                        if one.since == number:
                            yield "made", f"window {number}, {begin:%H:%M}: {one.what}"
                        if one.until == number:
                            yield "made", f"window {number}, {begin:%H:%M}: over: {one.what}"
                    window_of_the_day(shop, number, begin, again)
                    shop.now = begin + 2 * WINDOW
                    shop.tell(begin)
                shop.now = begin + WINDOW + dt.timedelta(minutes=10)
                looked = supervisor.look(whole=True)
                yield "look", f"{shop.now:%d %B %H:%M} verdict {looked.verdict}"
                for line in (looked.news, *looked.said):
                    yield "watch", line
                if told.exists():
                    for line in told.read_text().splitlines():
                        message = json.loads(line)
                        yield "alert", f"{message['title']}: {message['text']}"
                    told.unlink()
                yield from told_by(supervisor._review)
                yield "plan", looked.plan
        shop.close()


def told_by(review: Any) -> Iterator[tuple[str, str]]:
    """Yield what a screen would show."""
    from palio.report import remedies

    for one in review.findings:
        where = f" where {one.segment}" if one.segment else ""
        since = f"since {one.since:%H:%M}, {one.n_windows} windows"
        yield "finding", f"[{one.severity}] {one.kind} {one.subject}{where}, {since}: {one.reason} | {one.consequence}"
    yield from (("next", step.do) for step in remedies.next_steps(review))
    yield from (("unknown", step.do) for step in remedies.silences(review))


def main() -> None:
    told = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    told.add_argument("--folder", type=Path)
    told.add_argument("--weeks", type=int, default=2)
    told.add_argument("--seed", type=int, default=0)
    asked = told.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.folder or Path(scratch) / "orders"
        if not (folder / "palio.toml").exists():
            begin(folder, asked.weeks)
        for kind, line in day(folder, weeks=asked.weeks, seed=asked.seed):
            print(f"{kind:8} {line}", flush=True)


if __name__ == "__main__":
    main()
