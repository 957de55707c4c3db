"""Each real data set runs from `palio init FILE --target T` with no edit, and reaches what plain LightGBM reaches."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

# File, target, metric, floor: LightGBM with default parameters, measured on the same files (5-fold or given test).
FLOORS = [
    ("bank.csv", "y", "roc_auc", 0.936),
    ("adult-train.csv", "column_15", "roc_auc", 0.9274),
    ("telco-churn.csv", "Churn", "roc_auc", 0.8365),
    ("california-housing.csv", "median_house_value", "rmse", 47_507.0),
    ("diamonds.csv", "price", "rmse", 540.0),
    ("mammography.csv", "column_7", "roc_auc", 0.934),
    ("beijing-pm25.csv", "pm2.5", "r2", 0.0),  # by time; no figure is known, so only better than the mean
]


def palio(*arguments: str, **settings: str) -> dict:
    program = str(Path(sys.executable).with_name("palio"))
    command, environment = [program, *arguments, "--json"], {**os.environ, **settings}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(("file", "target", "metric", "floor"), FLOORS, ids=[row[0] for row in FLOORS])
def test_a_real_set_reaches_its_floor(
    shared_data: Path, tmp_path: Path, file: str, target: str, metric: str, floor: float
) -> None:
    folder = str(tmp_path / "project")
    palio("init", str(shared_data / "tabular" / file), "--target", target, "--dir", folder)
    told = palio("run", "--dir", folder)
    reached = told["evaluation"]["metrics"][metric]
    lower_is_better = metric == "rmse"
    # The sealed test is a sample: the floor must not lie beyond the interval on the better side.
    assert reached["low"] <= floor if lower_is_better else reached["high"] >= floor, reached


@pytest.mark.parametrize(("file", "target"), [("telco-churn.csv", "Churn"), ("diamonds.csv", "price")])
def test_as_many_trials_on_the_same_rows_give_the_same_champion(
    shared_data: Path, tmp_path: Path, file: str, target: str
) -> None:
    """A budget in seconds ends where the machine is by then; a number of trials does not."""
    bundles = set()
    for name in ("first", "second"):
        folder = str(tmp_path / name)
        palio("init", str(shared_data / "tabular" / file), "--target", target, "--dir", folder)
        bundles.add(palio("run", "--dir", folder, PALIO_TRAIN_TRIALS="5")["champion"]["bundle"])
    assert len(bundles) == 1
