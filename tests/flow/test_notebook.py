"""What a person types into a notebook works as it stands there."""

from __future__ import annotations

from pathlib import Path

import palio
from tests.flow.conftest import write_bank
from tests.flow.test_life_cycle import Finished


def test_the_verbs_are_found_by_completion() -> None:
    assert {"init", "open_project", "Project"} <= set(dir(palio))


def test_files_and_folders_are_paths_or_texts_and_one_column_needs_no_list(tmp_path: Path) -> None:
    file = write_bank(tmp_path / "bank.csv", n_rows=300)
    first = palio.init(file, target="y", folder=tmp_path / "a", exclude="balance")
    second = palio.init(str(file), target="y", folder=str(tmp_path / "b"), exclude=["balance"])
    assert first.n_features == second.n_features
    assert (tmp_path / "a" / "palio.toml").read_text() == (tmp_path / "b" / "palio.toml").read_text()


def test_a_version_is_a_number_or_a_text(finished: Finished) -> None:
    project, _ = finished
    assert project.bundle(1).id == project.bundle("1").id == project.bundle().id
