"""The simplest guess never goes live, whatever the metric and the cut: it does not beat itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from palio import flow
from palio.core.records import Evaluation


@pytest.mark.parametrize("metric", ["rmse", "mae"])
def test_the_simplest_guess_does_not_beat_itself(metric: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rise = np.linspace(0, 5, 3200)  # what was learned last is nearest to the test
    frame = pl.DataFrame(
        {"x": rng.normal(size=3200), "day": np.arange(3200) // 8, "y": rise + rng.exponential(2, 3200)}
    )
    frame.write_csv(tmp_path / "t.csv")
    flow.init(tmp_path / "t.csv", target="y", time="day", folder=tmp_path / "p")
    settings = tmp_path / "p" / "palio.toml"
    settings.write_text(
        settings.read_text("utf-8").replace('metric = "auto"', f'metric = "{metric}"\nfamilies = ["dummy"]'), "utf-8"
    )
    with flow.Project.open(tmp_path / "p") as project:
        summary = project.run()
        judged = project.store.records.require(Evaluation, project.promote().evaluation)
    assert summary.split.validation > 0
    assert (summary.decision.verdict, summary.champion) == ("no", None)
    assert judged.gains[metric].value == pytest.approx(0, abs=1e-9)
