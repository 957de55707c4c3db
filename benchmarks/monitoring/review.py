"""What `palio monitor --json` costs as a whole: a log of 30 columns, late labels, estimates, detectors, verdict.

    python benchmarks/monitoring/review.py [--rows 1000000] [--days 28] [--batch-rows 8000] [--labels N] [--times 4]

20 numbers and 10 categories, answered by a linear champion without drift. `--days 0.1 --window 30d` is one window;
`--batch-rows 20` is a server that writes its rows five times a second. `--times 4` lists each segment of the log four
times: rows and labels without more disk. CPU and memory are those of the process, imports included.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
N_DIFFERENT = 50_000
MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(f"\\n[{used.ru_utime + used.ru_stime}, {used.ru_maxrss / 1024}]")
"""


def main() -> None:
    told = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    told.add_argument("--rows", type=int, default=1_000_000)
    told.add_argument("--days", type=float, default=28.0)
    told.add_argument("--window", default="1d")
    told.add_argument("--batch-rows", type=int, default=8_000)
    told.add_argument("--labels", type=int, default=100_000)
    told.add_argument("--times", type=int, default=1)
    asked = told.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "thirty"
        begin(folder)
        write(folder, asked)
        for segment in list((folder / ".palio/predictions").rglob("answers/*/*.arrows")):
            for turn in range(1, asked.times):
                os.link(segment, segment.with_name(f"{turn}-{segment.name}"))
        command = [str(Path(sys.executable).with_name("palio")), "monitor", "--json", "--window", asked.window]
        measure = [sys.executable, "-c", MEASURE, *command]  # a process of its own: memory is inherited until exec
        done = subprocess.run(measure, cwd=folder, stdout=subprocess.PIPE, check=True)
    review, used = map(json.loads, done.stdout.decode().rstrip().rsplit("\n", 1))
    n_rows = sum(one["n_rows"] for one in review["windows"])
    n_labels = sum(one["n_labels"] for one in review["windows"])
    print(
        f"{n_rows:,} rows in {len(review['windows'])} windows, {n_labels:,} labels: "
        f"{used[0]:.1f} CPU s, {used[1]:.0f} MB; {review['verdict']}"
    )


def truths(table, chance):
    import numpy as np

    z = 0.8 * table["n0"] + 0.5 * np.log(table["n1"]) - 0.7 * (table["c0"] == "v1") + 0.3 * table["n3"]
    return np.where(chance.random(len(z)) < 1 / (1 + np.exp(-z)), "yes", "no").astype(object)


def begin(folder: Path) -> None:
    import numpy as np
    import polars as pl

    from palio import flow
    from tests.monitor.populations import thirty_columns

    folder.mkdir()
    chance = np.random.default_rng(0)
    table = thirty_columns(chance, 20_000)
    table["y"] = truths(table, chance)
    pl.DataFrame({name: values.tolist() for name, values in table.items()}).write_csv(folder / "thirty.csv")
    flow.init(str(folder / "thirty.csv"), target="y", folder=folder)
    settings = folder / "palio.toml"
    text = settings.read_text("utf-8").replace("budget_s = 300", 'budget_s = 20\nfamilies = ["linear"]')
    settings.write_text(text, "utf-8")
    with flow.Project.open(folder) as project:
        project.run()


def write(folder: Path, asked: argparse.Namespace) -> None:
    import numpy as np

    from palio import flow, model, store
    from palio.core.serving import Feedback
    from tests.logs import write_log
    from tests.monitor.populations import thirty_columns

    chance = np.random.default_rng(5)
    table = thirty_columns(chance, N_DIFFERENT)
    truth = truths(table, chance)
    now = dt.datetime.now(dt.UTC)
    log = store.Layout(folder).predictions()
    with flow.Project.open(folder) as project:
        bundle, name = project.bundle(), project.name
        import polars as pl

        frame = pl.DataFrame({column: values.tolist() for column, values in table.items()})
        said = bundle.graph.predict(model.feeds_from_frame(frame, bundle.manifest.schema))
    cells = {f"input.{column}": values for column, values in table.items()}
    cells["prediction"] = said.prediction.astype(object)
    for place, label in enumerate(bundle.manifest.task.classes):
        cells[f"probability_{label}"] = said.probabilities[:, place].astype(float)
    first = np.datetime64((now - dt.timedelta(hours=1, days=asked.days)).replace(tzinfo=None), "us")
    step = asked.days * 86_400e6 / asked.rows
    every = max(1, asked.rows // max(asked.labels, 1))
    clock = [now]
    with store.FeedbackLog(log, name, redaction=store.Redaction(salt="s"), clock=lambda: clock[0]) as feedback:
        for start in range(0, asked.rows, 200_000):
            numbers = np.arange(start, min(start + 200_000, asked.rows))
            ids = np.array([f"9f0c1b2a77d4e610-{number:x}.0" for number in numbers.tolist()], object)
            at = first + (numbers * step).astype("timedelta64[us]")
            rows = numbers * 7_919 % N_DIFFERENT
            columns = {"id": ids, "at": at, "version": "1", "bundle": bundle.id}
            columns |= {column: values[rows] for column, values in cells.items()}
            write_log(log, name, columns, tag=f"{start}", batch_rows=asked.batch_rows)
            for some in np.array_split(np.flatnonzero(numbers % every == 0), 100):
                if not len(some):
                    continue
                clock[0] = at[some[-1]].item().replace(tzinfo=dt.UTC) + dt.timedelta(minutes=30)
                feedback.add([Feedback(prediction_id=ids[i], label=truth[rows[i]], at=clock[0]) for i in some.tolist()])


if __name__ == "__main__":
    main()
