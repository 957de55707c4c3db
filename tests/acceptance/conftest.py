"""A project on real rows: version 1 is a linear champion, and a forest that the gate will say yes to is trained."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pytest

from palio import flow
from tests.acceptance.live import palio
from tests.flow.conftest import BANK

CHAMPION, CHALLENGER = {"PALIO_TRAIN_FAMILIES": "linear"}, {"PALIO_TRAIN_FAMILIES": "forest"}


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project that every test gets a copy of."""
    folder = tmp_path_factory.mktemp("trained")
    with gzip.open(BANK, "rt", encoding="utf-8") as lines:
        header = next(lines)
        rows = [line for number, line in enumerate(lines) if number % 8 == 0]
    (folder / "bank.csv").write_text(header + "".join(rows), "utf-8")
    flow.init(str(folder / "bank.csv"), target="y", folder=folder, exclude=("duration",))
    settings = folder / "palio.toml"
    text = settings.read_text("utf-8").replace("budget_s = 300", "budget_s = 15")
    # The forest is better, but how sure that is with so few rows is not what is tested here.
    settings.write_text(text.replace("non_inferiority = 0.0", "non_inferiority = 0.1"), "utf-8")
    for verb in ("ingest", "split", "train", "evaluate", "promote"):
        palio(folder, verb, env=CHAMPION)
    palio(folder, "train", env=CHALLENGER)
    return folder


@pytest.fixture
def project(trained: Path, tmp_path: Path) -> Path:
    """A copy of the project, free to change."""
    folder = tmp_path / "project"
    shutil.copytree(trained, folder)
    return folder
