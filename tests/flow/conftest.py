"""A small project on real rows, brought to a champion once and shared by the tests that only read it."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from palio import flow

BANK = Path(__file__).resolve().parents[2] / "examples" / "bank" / "bank.csv.gz"


def write_bank(path: Path, *, n_rows: int, skip: int = 0, step: int = 1) -> Path:
    """Write some rows of the bundled bank data as CSV: every so many, for the file is in the order of time."""
    with gzip.open(BANK, "rt", encoding="utf-8") as lines:
        header = next(lines)
        rows = list(itertools.islice(lines, skip, skip + n_rows * step, step))
    path.write_text(header + "".join(rows), "utf-8")
    return path


def begin(folder: Path, *, n_rows: int = 4000, budget_s: float = 20) -> Path:
    """Begin a project on some rows of the bundled bank data, with a short search that ends by count."""
    folder.mkdir(parents=True, exist_ok=True)
    file = write_bank(folder / "bank.csv", n_rows=n_rows, skip=20_000)
    flow.init(str(file), target="y", folder=folder, exclude=("duration",))
    settings = folder / "palio.toml"
    settings.write_text(
        settings.read_text("utf-8").replace("budget_s = 300", f"budget_s = {budget_s}\ntrials = 4"), "utf-8"
    )
    return folder


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[flow.Project, flow.RunSummary]]:
    """A project after its first whole cycle, and that cycle's summary."""
    folder = begin(tmp_path_factory.mktemp("project") / "bank")
    with flow.Project.open(folder) as project:
        yield project, project.run()
