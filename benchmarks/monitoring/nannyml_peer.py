"""Estimate windows with NannyML and its defaults; runs in the environment of NannyML, without Palio.

    python nannyml_peer.py FOLDER

Reads `reference.parquet` and `windows.parquet` (`window` numbers them) and `task.json`; prints one line of JSON: metric
→ an estimate for each window.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path

os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"

import nannyml
import pandas as pd

warnings.simplefilter("ignore")


def main() -> None:
    folder = Path(sys.argv[1])
    task = json.loads((folder / "task.json").read_text())
    reference, windows = (pd.read_parquet(folder / f"{name}.parquet") for name in ("reference", "windows"))
    n_windows = int(windows["window"].max()) + 1
    reference["window"] = [-n_windows + place * n_windows // len(reference) for place in range(len(reference))]
    for frame in (reference, windows):
        frame["at"] = pd.Timestamp("2026-06-01") + pd.to_timedelta(frame.pop("window"), unit="D")
        for name in task["categories"]:
            frame[name] = frame[name].astype("category")
    estimator, names = estimator_of(task)
    estimator.fit(reference)
    found = estimator.estimate(windows).filter(period="analysis").to_df()
    print(json.dumps({name: [float(value) for value in found[theirs]["value"]] for name, theirs in names.items()}))


def estimator_of(task):
    columns = {"y_pred": "prediction", "y_true": "truth", "timestamp_column_name": "at", "chunk_period": "D"}
    if task["kind"] == "regression":
        inputs = [*task["numbers"], *task["categories"]]
        estimator = nannyml.DLE(feature_column_names=inputs, metrics=["mae", "rmse"], **columns)
        return estimator, {"mae": "mae", "rmse": "rmse"}
    metrics = ["roc_auc", "f1", "accuracy"]
    if len(task["classes"]) == 2:
        kind, p = "classification_binary", f"probability_{task['positive']}"
        names = {name: name for name in metrics}
    else:
        kind, p = "classification_multiclass", {label: f"probability_{label}" for label in task["classes"]}
        names = {"roc_auc": "roc_auc", "f1_macro": "f1", "accuracy": "accuracy"}
    return nannyml.CBPE(problem_type=kind, y_pred_proba=p, metrics=metrics, **columns), names


if __name__ == "__main__":
    main()
