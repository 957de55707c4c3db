"""Answers stand beside the names of the rows that they are about."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from palio import flow


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[flow.Project]:
    """A small project whose rows have whole numbers for names."""
    folder = tmp_path_factory.mktemp("named")
    chance = random.Random(3)
    lines = ["key,size,y"]
    for i in range(200):
        size = chance.gauss(0, 1)
        lines.append(f"{1000 + i},{size:.3f},{'yes' if size + chance.gauss(0, 0.3) > 0 else 'no'}")
    (folder / "t.csv").write_text("\n".join(lines) + "\n")
    flow.init(str(folder / "t.csv"), target="y", id="key", folder=folder / "p")
    settings = folder / "p" / "palio.toml"
    found = settings.read_text("utf-8").replace("[train]", '[train]\nfamilies = ["linear"]\ntrials = 1', 1)
    settings.write_text(found, "utf-8")
    with flow.Project.open(folder / "p") as opened:
        assert opened.run().champion is not None
        yield opened


def scored(project: flow.Project, folder: Path, content: str, name: str = "o.csv") -> Path:
    (folder / "n.csv").write_text(content)
    project.predict(str(folder / "n.csv"), folder / name)
    return folder / name


def test_a_name_is_given_back_as_it_is_written(project: flow.Project, tmp_path: Path) -> None:
    content = "key,size\n7,0.5\n08,0.5,1\nx9,0.5\n"
    rows = list(csv.DictReader(scored(project, tmp_path, content).read_text().splitlines()))
    assert [row["key"] for row in rows] == ["7", "", "x9"]
    assert [bool(row["problem"]) for row in rows] == [False, True, False]
    table = pl.read_parquet(scored(project, tmp_path, content, "o.parquet"))
    assert table["key"].to_list() == ["7", None, "x9"]


def test_rows_without_names_have_no_column_for_them(project: flow.Project, tmp_path: Path) -> None:
    lines = scored(project, tmp_path, "size\n0.5\n-0.5\n").read_text().splitlines()
    assert lines[0] == "prediction,probability_no,probability_yes,problem"
    assert {len(line.split(",")) for line in lines} == {4}
    assert pl.read_parquet(scored(project, tmp_path, "size\n0.5\n", "o.parquet")).height == 1
