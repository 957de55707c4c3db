"""Run Evidently's DataDriftPreset with its defaults; runs in the environment of Evidently, without Palio.

    python evidently_peer.py FOLDER one|many

`one`: `current.parquet` against `reference.parquet`; `many`: each numbered file. Prints one line of JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import warnings
from pathlib import Path

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset

warnings.simplefilter("ignore")


def dataset(path: Path) -> Dataset:
    frame = pd.read_parquet(path)
    numbers = [name for name in frame.columns if name.startswith("n")]
    texts = [name for name in frame.columns if name.startswith("c")]
    return Dataset.from_pandas(
        frame, data_definition=DataDefinition(numerical_columns=numbers, categorical_columns=texts)
    )


def drifted(current: Dataset, reference: Dataset) -> list[str]:
    """Name the columns that are flagged: distances from the threshold on, p-values below it."""
    found = []
    for metric in Report([DataDriftPreset()]).run(current, reference).dict()["metrics"]:
        config = metric.get("config", {})
        if config.get("column") is None or "threshold" not in config:
            continue
        value, threshold = float(metric["value"]), float(config["threshold"])
        is_p = "p_value" in str(config.get("method"))
        if value < threshold if is_p else value >= threshold:
            found.append(config["column"])
    return sorted(set(found))


def main() -> None:
    folder, how = Path(sys.argv[1]), sys.argv[2]
    reference = dataset(folder / "reference.parquet")
    if how == "one":
        result = {"drifted": drifted(dataset(folder / "current.parquet"), reference)}
    else:
        result = {"flagged": [drifted(dataset(path), reference) for path in sorted(folder.glob("[0-9]*.parquet"))]}
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = {"cpu_s": round(usage.ru_utime + usage.ru_stime, 2), "peak_mb": round(usage.ru_maxrss / 1024)}
    sys.stdout.write(json.dumps({**result, **used}) + "\n")


if __name__ == "__main__":
    main()
