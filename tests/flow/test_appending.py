"""Rows that were appended stay in, whatever is changed in the contract, the settings or the source."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from palio import data, flow
from palio.core.errors import ContractError, NotFoundError
from palio.core.progress import SILENT
from palio.core.records import Snapshot
from tests.flow.heard import Heard


def table(path: Path, *, first: int, n_rows: int) -> Path:
    lines = ["key,size,colour,extra,y"]
    for i in range(first, first + n_rows):
        colour, answer = "red" if i % 3 else "blue", "yes" if i % 4 else "no"
        lines.append(f"a{i},{i * 37 % 101 / 4},{colour},{i * 7 % 13},{answer}")
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project of 200 rows, to which 50 and then 30 were appended."""
    place = tmp_path / "project"
    flow.init(str(table(tmp_path / "base.csv", first=0, n_rows=200)), target="y", folder=place)
    table(tmp_path / "may.csv", first=200, n_rows=50)
    table(tmp_path / "june.csv", first=250, n_rows=30)
    with flow.Project.open(place) as project:
        project.ingest(append=tmp_path / "may.csv")
        assert project.ingest(append=tmp_path / "june.csv").n_rows == 280
    return place


def edit(folder: Path, name: str, **changes: object) -> None:
    path = folder / "schema.toml"
    schema = data.read_schema(path)
    columns = tuple(msgspec.structs.replace(c, **changes) if c.name == name else c for c in schema.columns)
    data.write_schema(msgspec.structs.replace(schema, columns=columns), path)


def keys(folder: Path) -> list[str]:
    with flow.Project.open(folder) as project:
        return list(data.read(project.store, project.ingest(), columns=["key"])["key"])


ALL = [f"a{i}" for i in range(280)]


def test_appended_rows_stay_in_when_the_contract_changes(folder: Path) -> None:
    edit(folder, "size", on_out_of_range="accept")
    assert keys(folder) == ALL
    settings = folder / "palio.toml"
    settings.write_text(settings.read_text("utf-8").replace("[split]", 'exclude = ["extra"]\n[split]', 1), "utf-8")
    with flow.Project.open(folder) as project:
        newest = project.ingest()
        assert newest.n_rows == 280
        assert not newest.schema.column("extra").feature
        assert newest.schema.column("size").on_out_of_range == "accept"
        lines = [event.text for event in project.store.ledger.events(kind="data.replay")]
        assert "appended the 50 rows of may.csv again, from the file: the source is the same" in lines[0]
        assert len(lines) == 4, "two files under each of two changes"
        n_events = len(project.store.ledger.events())
        assert project.ingest() == newest
        assert len(project.store.ledger.events()) == n_events, "what is done is not done again"


def test_a_file_appended_twice_is_in_once_also_under_another_contract(folder: Path) -> None:
    edit(folder, "size", on_out_of_range="accept")
    with flow.Project.open(folder) as project:
        again = folder.parent / "copy.csv"
        again.write_bytes((folder.parent / "may.csv").read_bytes())
        assert project.ingest(append=again).n_rows == 280
        assert project.ingest(append=folder.parent / "base.csv").n_rows == 280, "the source itself is in"


@pytest.mark.parametrize("fate", ["gone", "changed"])
def test_rows_come_from_the_store_when_their_file_is_no_longer_there(folder: Path, fate: str) -> None:
    file = folder.parent / "may.csv"
    file.unlink() if fate == "gone" else table(file, first=900, n_rows=5)
    edit(folder, "colour", on_unknown="reject")
    assert keys(folder) == ALL
    with flow.Project.open(folder) as project:
        lines = [event.text for event in project.store.ledger.events(kind="data.replay")]
    assert "from the rows that version 2 keeps" in lines[0]
    assert "from the file" in lines[1]


def test_rows_that_can_come_from_nowhere_stop_the_run_and_name_the_file(folder: Path) -> None:
    file = folder.parent / "may.csv"
    content = file.read_bytes()
    file.unlink()
    edit(folder, "extra", type="category", low=None, high=None)
    with (
        pytest.raises(NotFoundError, match=r"may\.csv: 50 appended .* is gone.* `extra` was read as integer") as caught,
        flow.Project.open(folder) as project,
    ):
        project.ingest()
    assert "put the file back" in str(caught.value.hint)
    file.write_bytes(content)
    assert keys(folder) == ALL


def test_appended_rows_stay_in_when_the_source_grows(folder: Path) -> None:
    base = folder.parent / "base.csv"
    base.write_text(base.read_text("utf-8") + "z1,1.0,red,3,yes\n", "utf-8")
    assert sorted(keys(folder)) == sorted([*ALL, "z1"])


def test_rows_that_the_source_itself_holds_now_are_not_appended_again(folder: Path) -> None:
    base, may = folder.parent / "base.csv", folder.parent / "may.csv"
    base.write_text(base.read_text("utf-8") + may.read_text("utf-8").partition("\n")[2], "utf-8")
    assert keys(folder) == ALL
    edit(folder, "size", on_out_of_range="accept")
    assert keys(folder) == ALL
    with flow.Project.open(folder) as project:
        lines = [event.text for event in project.store.ledger.events(kind="data.replay")]
    assert "the source itself holds the 50 rows of may.csv now" in lines[0]
    assert any("appended the 30 rows of june.csv again" in line for line in lines)


def test_a_file_that_becomes_the_source_is_not_appended_to_itself(folder: Path) -> None:
    settings = folder / "palio.toml"
    settings.write_text(settings.read_text("utf-8").replace("base.csv", "may.csv"), "utf-8")
    assert keys(folder) == ALL[200:]


def test_a_declared_id_is_refused_in_an_append_and_a_guessed_one_is_given_up(folder: Path, tmp_path: Path) -> None:
    twice = tmp_path / "twice.csv"
    twice.write_text("key,size,colour,extra,y\na7,9.5,red,2,yes\nnew,9.5,red,2,yes\n", "utf-8")
    with flow.Project.open(folder) as project:
        assert project.ingest().schema.id == "key"
    with flow.Project.open(folder, flags={"data.id": "key"}) as project:
        with pytest.raises(ContractError, match=r"`key`: 1 cell names rows .*a7 \(row 1\)"):
            project.ingest(append=twice)
        assert project.ingest().n_rows == 280
    with flow.Project.open(folder) as project:
        guessed = project.ingest(append=twice)
    assert (guessed.n_rows, guessed.schema.id) == (282, None)
    assert [(v.rule, v.action, v.n_rows) for v in guessed.violations if v.rule == "id"] == [("id", "flag", 1)]


def test_the_settings_declare_an_id_only_where_a_person_did(tmp_path: Path) -> None:
    file = table(tmp_path / "base.csv", first=0, n_rows=200)
    for name, given in (("guessed", ""), ("declared", "key")):
        flow.init(str(file), target="y", folder=tmp_path / name, id_column=given)
        with flow.Project.open(tmp_path / name, progress=SILENT) as project:
            assert project.config.data.id == given
            assert project.store.records.require(Snapshot, project.ingest().id).schema.id == "key"


def appended(folder: Path, file: Path) -> str:
    heard = Heard()
    with flow.Project.open(folder, progress=heard) as project:
        project.ingest(append=file)
    return "\n".join(heard.said)
