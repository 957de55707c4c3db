"""Concept drift on real streams: what detectors see, what resets are worth, and what the gate makes of renewals.

    python benchmarks/monitoring/streams.py FOLDER [--part detectors|learners|gate] [--sets sea,elec2]

FOLDER holds `stream/`, `tabular/` and `monitoring/`. Ends with exit code 1 if a renewal through the gate on the newest
rows lowers quality against never retraining on any set.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from stream_policies import Run, both_gate, level_gate, newest_rows_gate, no_gate, old_test_gate, play
from stream_sets import Models, Stream, load

from palio import measure, monitor

Array = Any
PERIOD = 60
"""Rows between blind resets of the learning models: the reference figures use it."""
LATE = 2_500
"""An alarm so many rows after a drift is a false one."""
POLICIES: dict[str, dict[str, Any]] = {
    "always, all rows": {"gate": no_gate, "on": "periodic", "windows": ("all",)},
    "always, newest 2,000": {"gate": no_gate, "on": "periodic", "windows": ("recent",)},
    "at findings, newest 2,000": {"gate": no_gate, "on": "findings", "windows": ("recent",)},
    "level on newest rows": {"gate": level_gate, "on": "periodic"},
    "surely not worse on the old test": {"gate": old_test_gate, "on": "periodic"},
    "surely not worse on newest rows": {"gate": newest_rows_gate, "on": "periodic"},
    "Palio: also earlier, unless moved": {"gate": both_gate, "on": "periodic"},
    "Palio, at findings": {"gate": both_gate, "on": "findings"},
    "Palio, old data and new": {"gate": both_gate, "on": "periodic", "windows": ("all",)},
}
"""Palio's gate asks of a renewal what `both_gate` asks; it learns from the old data and the new."""


def moments(n: int) -> Array:
    return np.datetime64("2026-01-01") + np.arange(n).astype("timedelta64[m]")


# ── what detectors see ──────────────────────────────────────────────────────────────────────────────────────────────


def detectors(stream: Stream) -> None:
    """Show alarms on the errors of a model that stands still, beside as many evenly spaced ones."""
    start = stream.warm_up
    model = LogisticRegression(max_iter=500).fit(stream.X[:start], stream.y[:start])
    losses = (model.predict(stream.X[start:]) != stream.y[start:]).astype(float)
    watch = monitor.ErrorStream()
    rows: dict[str, list[int]] = {name: [] for name in monitor.DETECTORS}
    for one in watch.feed(losses, moments(len(losses)), no_change=stream.no_change()[start:]):
        rows[one.detector].append(one.row + start)
    seen = watch.review()
    print(
        f"\n{stream.name}: errors of a logistic regression of the first {start:,} rows; {monitor.stream_lines(seen)[0]}"
    )
    print(f"{'':14}{'alarms':>8}{'found':>7}{'delay':>8}{'false':>7}{'rise':>9}   evenly spaced: found, false, rise")
    for record in seen.detectors:
        evenly = [start + (i + 1) * seen.n_rows // (record.n_alarms + 1) for i in range(record.n_alarms)]
        mine, theirs = scored(rows[record.name], stream.drifts), scored(evenly, stream.drifts)
        print(
            f"{record.name:14}{record.n_alarms:8,}{mine[0]:7}{mine[1]:>8}{mine[2]:7,}{shown(record.rise)}"
            f"   {theirs[0]}, {theirs[2]:,}, {shown(record.periodic_rise).strip()}"
        )
    confirmed = [one.confirmed_row + start for one in seen.changes if one.kind == "worse"]
    found = scored(confirmed, stream.drifts, late=12_500)
    print(f"{'findings':14}{len(confirmed):8,}{found[0]:7}{found[1]:>8}{found[2]:7,}")
    for one in seen.changes:
        print(
            f"    {one.kind}: suspected at row {one.row + start:,} by {one.detector}, confirmed at row "
            f"{one.confirmed_row + start:,}: {one.before:.3f} to {one.after:.3f}"
        )


def scored(rows: list[int], drifts: tuple[int, ...], late: int = LATE) -> tuple[int, str, int]:
    """Count drifts with an alarm soon after them, the mean delay of these, and alarms soon after none."""
    delays = [min((row - drift for row in rows if 0 <= row - drift < late), default=None) for drift in drifts]
    found = [delay for delay in delays if delay is not None]
    n_false = sum(not any(0 <= row - drift < late for drift in drifts) for row in rows) if drifts else 0
    return len(found), f"{np.mean(found):.0f}" if found else "-", n_false


def shown(rise: float | None) -> str:
    return f"{'-':>9}" if rise is None else f"{rise:+9.4f}"


# ── learning models: what resets are worth ──────────────────────────────────────────────────────────────────────────


class NaiveBayes:
    """Gaussian naive Bayes of two classes that learns row by row: a row costs some microseconds."""

    def __init__(self) -> None:
        self.n = [0, 0]
        self.means: list[list[float]] = [[], []]
        self.squares: list[list[float]] = [[], []]

    def predict(self, row: list[float]) -> int:
        """Name the class of the greater posterior; the only one that was seen, if it was one."""
        if not self.n[0] or not self.n[1]:
            return int(self.n[1] > 0)
        return int(self._score(1, row) > self._score(0, row))

    def _score(self, label: int, row: list[float]) -> float:
        n, score = self.n[label], math.log(self.n[label])
        for x, mean, square in zip(row, self.means[label], self.squares[label], strict=True):
            variance = square / n + 1e-9
            score -= (math.log(variance) + (x - mean) ** 2 / variance) / 2
        return score

    def learn(self, row: list[float], label: int) -> None:
        """Take one row into the means and variances of its class."""
        if not self.n[label]:
            self.means[label], self.squares[label] = [0.0] * len(row), [0.0] * len(row)
        self.n[label] += 1
        means, squares = self.means[label], self.squares[label]
        for i, x in enumerate(row):
            difference = x - means[i]
            means[i] += difference / self.n[label]
            squares[i] += difference * (x - means[i])


def learners(stream: Stream) -> bool:
    """Print prequential accuracy of a learning model by what resets it; False if the gate made it worse."""
    rows, truths = stream.X.tolist(), stream.y.tolist()
    never, _ = reset_learner(rows, truths, lambda _loss, _row: False)
    print(f"\n{stream.name}: prequential accuracy, no-change {1 - stream.no_change().mean():.4f}")
    print(f"naive Bayes, never reset {never:.4f}")
    for name in monitor.DETECTORS:
        ear = monitor.ErrorStream((name,))
        accuracy, n = reset_learner(rows, truths, partial(rung, ear))
        evenly, _ = reset_learner(rows, truths, partial(periodic, max(len(rows) // (n + 1), 1)))
        print(f"    {name:12} {accuracy:.4f} with {n:4} resets, as many evenly spaced {evenly:.4f}", flush=True)
    accuracy, n = reset_learner(rows, truths, partial(periodic, PERIOD))
    print(f"    every {PERIOD:<6} {accuracy:.4f} with {n:4} resets")
    accuracy, n = gated_learner(rows, truths)
    print(f"    gated        {accuracy:.4f} with {n:4} takeovers{'' if accuracy >= never else ': FAILS'}", flush=True)
    return accuracy >= never


def learning_losses(stream: Stream) -> Array:
    """Errors of naive Bayes that learns every row and is never reset."""
    losses: list[float] = []
    reset_learner(stream.X.tolist(), stream.y.tolist(), lambda loss, _row: bool(losses.append(loss)))
    return np.array(losses)


def rung(ear: monitor.ErrorStream, loss: float, row: int) -> bool:  # noqa: ARG001
    return bool(ear.feed(np.array([loss]), moments(1)))


def periodic(period: int, loss: float, row: int) -> bool:  # noqa: ARG001
    return (row + 1) % period == 0


def reset_learner(rows: list[Any], truths: list[int], rings: Callable[[float, int], bool]) -> tuple[float, int]:
    """Predict each row, then learn it; begin anew whenever it rings."""
    model, n_right, n_resets = NaiveBayes(), 0, 0
    for i, (row, truth) in enumerate(zip(rows, truths, strict=True)):
        is_right = model.predict(row) == truth
        n_right += is_right
        model.learn(row, truth)
        if rings(float(not is_right), i):
            model, n_resets = NaiveBayes(), n_resets + 1
    return n_right / len(rows), n_resets


def gated_learner(rows: list[Any], truths: list[int], *, size: int = 500) -> tuple[float, int]:
    """Let a fresh challenger learn beside the champion; after `size` rows it is judged on the next `size`."""
    champion, challenger, n_right, n_takeovers = NaiveBayes(), NaiveBayes(), 0, 0
    losses: list[tuple[float, float]] = []
    for row, truth in zip(rows, truths, strict=True):
        pair = (float(champion.predict(row) != truth), float(challenger.predict(row) != truth))
        n_right += not pair[0]
        losses.append(pair)
        champion.learn(row, truth)
        challenger.learn(row, truth)
        if len(losses) == 2 * size:
            mine, theirs = np.array(losses[size:]).T
            if measure.is_surely_not_worse(mine, theirs):
                champion, n_takeovers = challenger, n_takeovers + 1
            challenger, losses = NaiveBayes(), []
    return n_right / len(rows), n_takeovers


# ── the gate ────────────────────────────────────────────────────────────────────────────────────────────────────────


def gate(stream: Stream, family: str) -> bool:
    """Print what each policy of renewal loses; False if one through the gate is worse than never retraining.

    `worse` and `surely` count renewals that lost more than the champion they replaced would have; `harmful` those that
    surely lost more than the first model would have, if it had never been replaced.
    """
    models = Models(stream, family)
    frozen = models.losses(0, stream.warm_up)[stream.warm_up :].mean()
    word = "mean absolute error" if stream.is_regression else "error rate"
    no_change = stream.no_change()[stream.warm_up :].mean()
    learning = np.inf if stream.is_regression else learning_losses(stream)[stream.warm_up :].mean()
    print(f"\n{stream.name}, {family}, {word}: never retrain {frozen:.4f}, learning {learning:.4f}, ", end="")
    print(f"no-change {no_change:.4f}")
    print(f"{'':34}{'loss':>9}{'gain':>9}{'plans':>7}{'renewals':>10}{'worse':>7}{'surely':>8}{'harmful':>9}")
    good = True
    for name, policy in POLICIES.items():
        run: Run = play(models, **policy)
        loss = run.losses.mean()
        worse = sum(one.gain < 0 for one in run.renewals)
        surely = sum(one.is_surely_worse for one in run.renewals)
        harmful = sum(one.is_surely_harmful for one in run.renewals)
        fails = name.startswith("Palio") and loss > frozen
        good &= not fails
        print(
            f"{name:34}{loss:9.4f}{frozen - loss:+9.4f}{run.n_plans:7}{len(run.renewals):10}{worse:7}{surely:8}"
            f"{harmful:9}{'  FAILS' if fails else ''}",
            flush=True,
        )
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--part", choices=("detectors", "learners", "gate"))
    parser.add_argument("--sets", default="sea,elec2,elec2_price,bank,car_loan,beijing")
    parser.add_argument("--families", default="trees,linear")
    asked = parser.parse_args()
    names, good = asked.sets.split(","), True
    classic = [name for name in names if name in ("sea", "elec2", "elec2_price")]
    if asked.part in (None, "detectors"):
        for name in classic:
            detectors(load(asked.folder, name))
    if asked.part in (None, "learners"):
        for name in classic:
            good &= learners(load(asked.folder, name))
    if asked.part in (None, "gate"):
        for name, family in itertools.product(names, asked.families.split(",")):
            good &= gate(load(asked.folder, name), family)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
