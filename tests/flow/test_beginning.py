"""`init` takes what a person knows, writes down what it found with the reason, and can be called again."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from palio import data, flow
from palio.core.errors import ConfigError, InputError
from palio.flow.settings_file import with_settings

ROWS = "".join(
    f"{n % 12 + 1:02d}/{n % 9 + 1:02d}/2023;{n % 9 + 1}.{n % 90 + 100},5{n % 10};{'abc'[n % 3]};{1000 + n % 7:05d};"
    f"{'ja' if n % 3 else 'nein'}\n"
    for n in range(80)
)
GERMAN = "tag;betrag;art;plz;gekauft\n" + ROWS


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "sales.csv"
    path.write_text(GERMAN, "cp1252")
    return path


def begin(file: Path | str, **given: Any) -> tuple[flow.Started, dict[str, Any]]:
    folder = Path(str(given.setdefault("folder", Path(file).parent / "project")))
    started = flow.init(file, **given)
    return started, tomllib.loads((folder / "palio.toml").read_text("utf-8"))


def column(folder: Path, name: str) -> Any:
    return data.read_schema(folder / "schema.toml").column(name)


# ── what is known and what is found ─────────────────────────────────────────────────────────────────────────────────


def test_what_was_found_stands_in_the_settings_with_its_reason(file: Path) -> None:
    _, settings = begin(file, target="gekauft")
    text = (file.parent / "project" / "palio.toml").read_text("utf-8")
    assert settings["data"]["separator"] == ";"
    assert settings["data"]["header"] == "yes"
    assert settings["data"]["encoding"] == "utf-8"
    assert settings["data"]["decimal"] == ","
    assert "as found: 80 of 80 rows have 5 cells" in text
    assert "# as found in `betrag`" in text
    assert "date_order" not in settings["data"], "nothing tells"


def test_what_is_given_is_heeded_and_written(file: Path) -> None:
    started, settings = begin(
        file, target="gekauft", date_order="mdy", thousands=".", missing=["c", "k.A."], positive="nein", id_column="-2"
    )
    assert settings["data"]["date_order"] == "mdy"
    assert settings["data"]["decimal"] == ","
    assert settings["data"]["missing"] == ["c", "k.A."]
    assert settings["data"]["positive"] == "nein"
    assert settings["data"]["id"] == "plz"
    assert "month first" in {row.name: row for row in started.readings}["tag"].reading
    assert {row.name: row for row in started.readings}["art"].n_missing == 26


def test_no_mark_at_all_means_missing_if_that_is_said(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("x,y\n" + "".join(f"{n % 13},{'None' if n % 2 else 'NA'}\n" for n in range(40)))
    started, settings = begin(file, target="y", missing="")
    assert started.task.classes == ("NA", "None")
    assert settings["data"]["missing"] == [""]


def test_variables_of_the_environment_are_heeded(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALIO_DATA_DATE_ORDER", "mdy")
    monkeypatch.setenv("PALIO_DATA_TARGET", "gekauft")
    started, settings = begin(file)
    assert started.task.target == "gekauft"
    assert settings["data"]["date_order"] == "mdy"
    _, settings = begin(file, date_order="dmy", folder=file.parent / "other")
    assert settings["data"]["date_order"] == "dmy"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"thousands": "x"}, "--thousands: got `x`"),
        ({"thousands": ",", "decimal": ","}, "both `,`"),
        ({"decimal": ";"}, "decimal"),
        ({"date_order": "dym"}, "date_order"),
        ({"encoding": "utf-99"}, "utf-99"),
    ],
)
def test_what_cannot_be_is_refused_by_name(file: Path, given: dict[str, Any], says: str) -> None:
    with pytest.raises((InputError, ConfigError), match=says) as caught:
        begin(file, target="gekauft", **given)
    assert caught.value.hint
    assert not (file.parent / "project").exists()


def test_without_a_target_the_columns_are_named(file: Path) -> None:
    with pytest.raises(InputError, match="no target is named, the columns are `tag`") as caught:
        begin(file)
    assert "--target" in caught.value.hint
    with pytest.raises(InputError, match="no file is named"):
        flow.init(folder=file.parent / "nowhere")


def test_a_target_that_is_absent_because_no_header_was_found_says_so(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("".join(f"{n},{n * n % 11},{'abc'[n % 3]}\n" for n in range(40)))
    with pytest.raises(InputError, match="no header was found") as caught:
        begin(file, target="y")
    assert "[data] header" in caught.value.hint


def test_each_column_is_told_once(file: Path) -> None:
    started, _ = begin(file, target="gekauft")
    doubts = [doubt for row in started.readings for doubt in row.doubts]
    assert any("--date-order" in doubt for doubt in doubts)
    assert not [note for note in started.notes for doubt in doubts if doubt in note]
    assert {row.name: row.role for row in started.readings}["gekauft"] == "target"


# ── again ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_looking_again_changes_nothing_if_nothing_changed(file: Path) -> None:
    begin(file, target="gekauft", exclude="plz")
    folder = file.parent / "project"
    before = [(folder / name).read_bytes() for name in ("palio.toml", "schema.toml")]
    flow.init(folder=folder)
    assert [(folder / name).read_bytes() for name in ("palio.toml", "schema.toml")] == before


def test_what_a_person_wrote_stays_and_what_was_found_is_found_anew(file: Path) -> None:
    begin(file, target="gekauft", exclude="plz", missing="k.A.")
    folder = file.parent / "project"
    path = folder / "palio.toml"
    text = path.read_text("utf-8").replace("budget_s = 300", "budget_s = 7")
    path.write_text(text.replace("[split]", "# mine\n[split]").replace("error_cost = 0.0", "error_cost = 2.5"), "utf-8")
    file.write_text(GERMAN.replace(",", "§").replace(";", ",").replace("§", "."), "utf-16")
    flow.init(folder=folder)
    after, settings = path.read_text("utf-8"), tomllib.loads(path.read_text("utf-8"))
    assert "# mine" in after
    assert settings["train"]["budget_s"] == 7
    assert settings["value"]["error_cost"] == 2.5
    assert settings["data"]["exclude"] == ["plz"]
    assert settings["data"]["missing"] == ["k.A."]
    assert settings["data"]["separator"] == ","
    assert settings["data"]["encoding"].startswith("utf-16")


def test_a_setting_that_was_changed_is_no_longer_found(file: Path) -> None:
    begin(file, target="gekauft")
    path = file.parent / "project" / "palio.toml"
    path.write_text(path.read_text("utf-8").replace('encoding = "utf-8" ', 'encoding = "cp1252"'), "utf-8")
    flow.init(folder=path.parent)
    assert tomllib.loads(path.read_text("utf-8"))["data"]["encoding"] == "cp1252"


def test_new_options_win(file: Path) -> None:
    begin(file, target="gekauft", exclude="plz", date_order="mdy")
    started, settings = begin(file, target="art", exclude=["tag", "plz"], date_order="dmy")
    assert started.task.target == settings["data"]["target"] == "art"
    assert settings["data"]["exclude"] == ["tag", "plz"]
    assert settings["data"]["date_order"] == "dmy"
    assert "positive" not in settings["data"], "three classes have no positive one"


def test_edits_of_the_contract_are_kept_and_told(file: Path) -> None:
    begin(file, target="gekauft")
    folder = file.parent / "project"
    path = folder / "schema.toml"
    text = path.read_text("utf-8")
    head, _, tail = text.partition('name = "plz"')
    tail = tail.replace('type = "category"', 'type = "number"', 1)
    path.write_text((head + 'name = "plz"' + tail).replace('name = "art"', 'name = "art"\nfold = true'), "utf-8")
    started = flow.init(folder=folder)
    assert column(folder, "plz").type == "number"
    assert column(folder, "plz").categories is None
    assert column(folder, "art").fold
    told = {row.name: row for row in started.readings}
    assert told["plz"].reading == "number"
    assert 'type = "number" is kept' in told["plz"].doubts[-1]
    assert "fold = true is kept" in told["art"].doubts[-1]
    assert column(folder, "plz").type == "number", "and again"
    flow.init(folder=folder)
    assert column(folder, "plz").type == "number"
    flow.init(folder=folder, force=True)
    assert column(folder, "plz").type == "category"
    assert not column(folder, "art").fold


def test_spellings_that_a_person_calls_one_are_one_class_everywhere(tmp_path: Path) -> None:
    file, folder = tmp_path / "t.csv", tmp_path / "project"
    said = ["ja", "nein", "Nein", "ja", "nein ", "Ja"]
    file.write_text("a;b;weg\n" + "".join(f"{i % 7};{i % 5};{said[i % 6]}\n" for i in range(60)), "utf-8")
    started = flow.init(file, target="weg", folder=folder)
    assert len(started.task.classes) == 4
    path = folder / "schema.toml"
    path.write_text(path.read_text("utf-8").replace('name = "weg"', 'name = "weg"\nfold = true'), "utf-8")

    def stored() -> set[str]:
        with flow.Project.open(folder) as project:
            return set(data.read(project.store, project.ingest())["weg"])

    assert stored() == {"ja", "nein"}, "with nothing but the edit"
    for _ in range(2):
        started = flow.init(folder=folder)
        assert started.task.classes == ("ja", "nein")
        assert column(folder, "weg").categories == ("ja", "nein")
        doubts = next(row.doubts for row in started.readings if row.name == "weg")
        assert not any("write fold = true" in doubt for doubt in doubts), "the advice is followed already"
    assert stored() == {"ja", "nein"}


def test_a_contract_that_cannot_be_read_is_named_or_replaced(file: Path) -> None:
    begin(file, target="gekauft")
    folder = file.parent / "project"
    (folder / "schema.toml").write_text("[[column]\n")
    with pytest.raises(ConfigError, match=r"schema\.toml: not valid TOML"):
        flow.init(folder=folder)
    flow.init(folder=folder, force=True)
    assert column(folder, "art").type == "category"


def test_what_was_found_before_follows_the_rows(file: Path) -> None:
    begin(file, target="gekauft")
    file.write_text(GERMAN.replace(";a;", ";d;"))
    flow.init(folder=file.parent / "project")
    assert set(column(file.parent / "project", "art").categories) == {"b", "c", "d"}


def test_without_the_memory_of_init_all_that_stands_there_is_a_persons(file: Path) -> None:
    begin(file, target="gekauft")
    folder = file.parent / "project"
    (folder / ".palio" / "found.json").unlink()
    before = tomllib.loads((folder / "palio.toml").read_text("utf-8"))
    flow.init(folder=folder)
    assert tomllib.loads((folder / "palio.toml").read_text("utf-8")) == before


def test_another_table_is_not_taken_by_accident(file: Path) -> None:
    begin(file, target="gekauft")
    folder, other = file.parent / "project", file.parent / "other.csv"
    other.write_text("a,b,c\n" + "".join(f"{n},{n * n},{'xy'[n % 2]}\n" for n in range(40)))
    before = (folder / "palio.toml").read_bytes()
    with pytest.raises(ConfigError, match="another table") as caught:
        flow.init(other, target="c", folder=folder)
    assert "--force" in caught.value.hint
    assert (folder / "palio.toml").read_bytes() == before
    started = flow.init(other, target="c", folder=folder, force=True)
    assert started.task.target == "c"
    assert tomllib.loads((folder / "palio.toml").read_text("utf-8"))["data"]["source"] == "../other.csv"


def test_a_list_over_several_lines_is_one_setting() -> None:
    text = '[data]\ntime = [ # why\n  "a",\n  "b"\n]\n# mine\ntarget = "y"\n\n[train]\nseed = 1\n'
    after = with_settings(text, "data", {"time": (["c"], "as given"), "target": None, "id": ("k", "")})
    assert tomllib.loads(after) == {"data": {"time": ["c"], "id": "k"}, "train": {"seed": 1}}
    assert "# mine" in after
    assert tomllib.loads(with_settings(text, "gate", {"approval": ("human", "")}))["gate"] == {"approval": "human"}


def test_settings_that_a_program_cannot_change_are_refused_with_what_to_write() -> None:
    with pytest.raises(ConfigError, match="cannot be changed") as caught:
        with_settings('data.target = "y"\n', "data", {"target": ("z", "")})
    assert 'target = "z"' in caught.value.hint
