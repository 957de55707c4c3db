"""Estimates without labels against the real figures: mean absolute error over windows, and what they cost.

`car_loan` and `credit_card` hold answers, truths and a drift; regressions get a covariate shift. `unchanged` assumes
the figure of the reference; `inside` is the share of windows whose 95 % interval holds the real figure. Ends with exit
code 1 if a limit is broken, or if with `--peers` NannyML is better by more than a fifth.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from palio.core.records import Task
from palio.measure import questions, score
from palio.monitor import Estimator

LIMITS = {"car_loan": {"roc_auc": 0.003, "f1": 0.003, "accuracy": 0.004}}
WORSE = 1.2
"""So many times the error of NannyML is too much."""
N_WINDOWS = 10
Rows = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[3] / "shared" / "data")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--peers", type=Path, help="environment of NannyML (pip install nannyml statsmodels)")
    chosen = parser.parse_args()
    out, broken = {}, False
    print(f"{'set':12} {'metric':10} {'estimate':>9} {'unchanged':>9} {'NannyML':>9} {'limit':>8}  inside, width")
    for name in chosen.sets.split(","):
        task, reference, windows = SETS[name](chosen.data)
        out[name] = found = measure(task, reference, windows)
        peer = by_nannyml(chosen.peers, task, reference, windows) if chosen.peers else {}
        for metric, figures in found["metrics"].items():
            limit = LIMITS.get(name, {}).get(metric)
            figures["nannyml"] = peer.get(metric)
            broken |= limit is not None and figures["estimate"] > limit
            broken |= metric in peer and figures["estimate"] > WORSE * peer[metric]
            print(
                f"{name:12} {metric:10} {figures['estimate']:9.4g} {figures['unchanged']:9.4g} "
                f"{f'{peer[metric]:.4g}' if metric in peer else '':>9} {limit or '':>8}  "
                f"{figures['inside']:.0%} {figures['width']:.4g}",
                flush=True,
            )
        print(f"{name:12} CPU: learn {found['learn_s']:.1f} s, estimate {found['estimate_s']:.1f} s")
    if chosen.json:
        chosen.json.write_text(json.dumps(out, indent=1))
    return int(broken)


def measure(task: Task, reference: Rows, windows: list[Rows]) -> dict[str, Any]:
    """Estimate each window, and compare with its real figures."""
    start = time.process_time()
    learnt = Estimator(reference, task)
    between = time.process_time()
    estimated = []
    for window in windows:
        estimator = learnt.fresh()
        estimator.add(window)
        estimated.append({one.metric: one for one in estimator.finish()})
    spent = time.process_time() - between
    real = [real_figures(task, window) for window in windows]
    metrics = {}
    for metric in ("mae", "rmse") if task.kind == "regression" else ("roc_auc", "f1", "f1_macro", "accuracy"):
        pairs = [(one[metric], other[metric]) for one, other in zip(estimated, real, strict=True)]
        metrics[metric] = {
            "estimate": float(np.mean([abs(one.value.value - other) for one, other in pairs])),
            "unchanged": float(np.mean([abs(one.reference - other) for one, other in pairs])),
            "width": float(np.mean([one.value.high - one.value.low for one, _ in pairs])),
            "inside": float(np.mean([one.value.low <= other <= one.value.high for one, other in pairs])),
        }
    return {"metrics": metrics, "learn_s": between - start, "estimate_s": spent}


def real_figures(task: Task, rows: Rows) -> dict[str, float]:
    """Score a window by its labels."""
    question = questions.of(task)
    return score(task, question.truth_in(rows), question.answers(rows))


def car_loan(data: Path) -> tuple[Task, Rows, list[Rows]]:
    """Two classes; the prices of cars go up after five windows."""
    import polars as pl

    frames = [pl.read_parquet(data / "monitoring" / f"car-loan-{part}.parquet") for part in ("reference", "monitoring")]
    rows = []
    for frame in frames:
        p = frame["y_pred_proba"].to_numpy()
        given = {"prediction": frame["y_pred"].cast(pl.String).to_numpy(), "probability_1": p, "probability_0": 1 - p}
        given["truth"] = frame["repaid"].cast(pl.Int64).cast(pl.String).to_numpy()
        rows.append(given | inputs(frame, {"timestamp", "y_pred_proba", "y_pred", "repaid"}))
    task = Task(kind="classification", target="repaid", classes=("0", "1"), positive="1")
    return task, rows[0], windows_of(rows[1])


def credit_card(data: Path) -> tuple[Task, Rows, list[Rows]]:
    """Three classes; the customers change after five windows."""
    import polars as pl

    frames = [
        pl.read_parquet(data / "monitoring" / f"credit-card-{part}.parquet") for part in ("reference", "monitoring")
    ]
    classes = tuple(sorted(frames[0]["y_true"].unique()))
    own = {"id", "timestamp", "y_pred", "y_true", *(f"y_pred_proba_{label}" for label in classes)}
    rows = []
    for frame in frames:
        given = {"prediction": frame["y_pred"].to_numpy(), "truth": frame["y_true"].to_numpy()}
        given |= {f"probability_{label}": frame[f"y_pred_proba_{label}"].to_numpy() for label in classes}
        rows.append(given | inputs(frame, own))
    return Task(kind="classification", target="y_true", classes=classes), rows[0], windows_of(rows[1])


def california(data: Path) -> tuple[Task, Rows, list[Rows]]:
    """Prices of houses; ever richer districts come."""
    return shifted(data / "tabular" / "california-housing.csv", "median_house_value", "median_income")


def diamonds(data: Path) -> tuple[Task, Rows, list[Rows]]:
    """Prices of diamonds; ever larger ones come."""
    return shifted(data / "tabular" / "diamonds.csv", "price", "carat")


def shifted(path: Path, target: str, by: str) -> tuple[Task, Rows, list[Rows]]:
    """Train on rows that are mostly low in a column; answer rows that are ever higher in it."""
    import polars as pl
    from sklearn.ensemble import HistGradientBoostingRegressor

    frame = pl.read_csv(path, infer_schema_length=None).drop_nulls(target)
    rng = np.random.default_rng(0)
    rank = frame[by].rank("random", seed=0).to_numpy() / len(frame)
    early = rng.random(len(frame)) < 0.75 * (1.15 - rank) / 1.15
    fit, seen = np.array_split(rng.permutation(np.flatnonzero(early)), 2)
    later = np.flatnonzero(~early)
    later = later[np.argsort(rank[later] + rng.normal(0, 0.3, len(later)))]
    given = inputs(frame, {target})
    x = np.column_stack([codes(values) for values in given.values()])
    y = frame[target].cast(pl.Float64).to_numpy()
    said = HistGradientBoostingRegressor(random_state=0).fit(x[fit], y[fit]).predict(x)
    rows = given | {"prediction": said, "truth": y}
    reference, late = ({name: values[part] for name, values in rows.items()} for part in (seen, later))
    return Task(kind="regression", target=target), reference, windows_of(late)


def inputs(frame: Any, without: set[str]) -> Rows:
    """Read the columns of a frame as the log holds them."""
    import polars as pl

    out = {}
    for column in frame.columns:
        if column not in without:
            is_text = frame[column].dtype == pl.String
            cells = frame[column].fill_null("") if is_text else frame[column].cast(pl.Float64).fill_null(float("nan"))
            out[f"input.{column}"] = cells.to_numpy()
    return out


def codes(values: Any) -> Any:
    return values if values.dtype.kind == "f" else np.unique(values.astype(str), return_inverse=True)[1].astype(float)


def windows_of(rows: Rows) -> list[Rows]:
    """Cut rows into windows, in their order."""
    n_rows = len(rows["prediction"])
    return [
        {name: values[part] for name, values in rows.items()} for part in np.array_split(np.arange(n_rows), N_WINDOWS)
    ]


def made(kind: str) -> tuple[Task, Rows, list[Rows]]:
    """Make rows whose error depends on the inputs, of which other ones come from window to window.

    `noise`: errors grow with an input that the answer does not hang on, of 60,000 rows. `corner`: the model is blind to
    what two inputs do together, and such rows become many. `crowd`: chances are right where most rows lie, and far too
    sure where ever more of them come from.
    """
    rng = np.random.default_rng(7)

    def rows(n_rows: int, moved: float) -> Rows:
        x = rng.normal(0, 1, (n_rows, 6)) + np.array([0, 1.2, 0, 0.8, 0, 0]) * moved
        given = {f"input.x{place}": x[:, place] for place in range(6)}
        given["input.kind"] = np.where(rng.random(n_rows) < 0.2 + 0.6 * moved, "new", "old").astype(object)
        is_new = given["input.kind"] == "new"
        if kind == "noise":
            size = 300 * np.exp(0.5 * x[:, 1]) * np.where(is_new, 1.4, 1.0)
            said = 2_000 * x[:, 0] + 900 * x[:, 2]
            return given | {"prediction": said, "truth": said + size * rng.normal(size=n_rows)}
        if kind == "corner":
            said = 5 * x[:, 0] - 2 * x[:, 4]
            blind = 6 * np.maximum(x[:, 1], 0) * np.maximum(x[:, 3], 0)
            return given | {"prediction": said, "truth": said + blind - 0.9 + rng.standard_t(5, size=n_rows)}
        logit = 1.5 * x[:, 0] + 0.8 * x[:, 2]
        chance = 1 / (1 + np.exp(-logit * np.where(is_new, 0.3, 1.0) * np.exp(-0.4 * np.maximum(x[:, 1], 0))))
        said = 1 / (1 + np.exp(-logit))
        return given | {
            "prediction": np.where(said > 0.5, "1", "0"),
            "probability_1": said,
            "probability_0": 1 - said,
            "truth": np.where(rng.random(n_rows) < chance, "1", "0"),
        }

    is_number = kind != "crowd"
    task = (
        Task(kind="regression", target="y")
        if is_number
        else Task(kind="classification", target="y", classes=("0", "1"), positive="1")
    )
    return task, rows(60_000 if kind == "noise" else 15_000, 0.0), [rows(4_000, turn / 9) for turn in range(N_WINDOWS)]


def by_nannyml(peers: Path, task: Task, reference: Rows, windows: list[Rows]) -> dict[str, float]:
    """Return the mean absolute errors of NannyML on the same windows, run in its own environment."""
    import polars as pl

    def frame(rows: Rows) -> pl.DataFrame:
        cells = {name: list(values) if values.dtype == object else values for name, values in rows.items()}
        out = pl.DataFrame(cells).rename({name: name.removeprefix("input.") for name in rows})
        if len(task.classes) == 2:
            out = out.with_columns((pl.col("prediction", "truth") == task.positive).cast(pl.Int8))
        return out

    given = {name: values.dtype.kind in "biuf" for name, values in reference.items() if name.startswith("input.")}
    told = {"kind": task.kind, "classes": task.classes, "positive": task.positive}
    for kind, wanted in (("numbers", True), ("categories", False)):
        told[kind] = [name.removeprefix("input.") for name, is_number in given.items() if is_number == wanted]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        frame(reference).write_parquet(folder / "reference.parquet")
        numbered = [frame(one).with_columns(pl.lit(place).alias("window")) for place, one in enumerate(windows)]
        pl.concat(numbered).write_parquet(folder / "windows.parquet")
        (folder / "task.json").write_text(json.dumps(told))
        command = [str(peers / "bin" / "python"), str(Path(__file__).with_name("nannyml_peer.py")), scratch]
        env = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=env)
    said = json.loads(done.stdout.decode().rstrip().rsplit("\n", 1)[-1])
    real = [real_figures(task, window) for window in windows]
    return {
        metric: float(np.mean([abs(one - other[metric]) for one, other in zip(values, real, strict=True)]))
        for metric, values in said.items()
    }


SETS = {"car_loan": car_loan, "credit_card": credit_card, "california": california, "diamonds": diamonds}
SETS |= {kind: lambda _, kind=kind: made(kind) for kind in ("noise", "corner", "crowd")}


if __name__ == "__main__":
    sys.exit(main())
