"""Each real data set runs from `palio init FILE --target T` with no edit, and reaches what plain LightGBM reaches."""

from __future__ import annotations

import json
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


def palio(*arguments: str) -> dict:
    program = str(Path(sys.executable).with_name("palio"))
    done = subprocess.run([program, *arguments, "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(("file", "target", "metric", "floor"), FLOORS, ids=[row[0] for row in FLOORS])
def test_a_real_set_reaches_its_floor_and_gives_the_same_champion_twice(
    shared_data: Path, tmp_path: Path, file: str, target: str, metric: str, floor: float
) -> None:
    bundles = []
    for name in ("first", "second"):
        folder = str(tmp_path / name)
        palio("init", str(shared_data / "tabular" / file), "--target", target, "--dir", folder)
        told = palio("run", "--dir", folder)
        bundles.append(told["champion"]["bundle"])
    assert bundles[0] == bundles[1]
    reached = told["evaluation"]["metrics"][metric]
    lower_is_better = metric == "rmse"
    # The sealed test is a sample: the floor must not lie beyond the interval on the better side.
    assert reached["low"] <= floor if lower_is_better else reached["high"] >= floor, reached
