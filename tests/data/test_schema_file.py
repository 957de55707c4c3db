"""`schema.toml` reads back as it was written, and says what is wrong with an edit."""

from __future__ import annotations

import datetime as dt
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palio import data
from palio.core.cells import CellReader
from palio.core.errors import ConfigError, NotFoundError
from palio.core.records import Column, Schema
from palio.store import Store

TEXT = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12)
COMMON: dict[str, Any] = {
    "name": TEXT,
    "on_missing": st.sampled_from(["accept", "flag", "reject"]),
    "on_unknown": st.sampled_from(["accept", "flag", "reject"]),
    "note": TEXT | st.just(""),
}
RANGE: dict[str, Any] = {
    "low": st.none() | st.floats(-1e300, -1, allow_nan=False),
    "high": st.none() | st.floats(0, 1e300, allow_nan=False),
}
COLUMN = st.one_of(
    st.builds(Column, type=st.sampled_from(["number", "integer"]), **COMMON, **RANGE),
    st.builds(Column, type=st.just("datetime"), format=st.none() | st.just("%Y-%m-%d"), **COMMON, **RANGE),
    st.builds(Column, type=st.just("category"), categories=st.none() | st.lists(TEXT, max_size=4).map(tuple), **COMMON),
)


@settings(max_examples=60, deadline=None)
@given(columns=st.lists(COLUMN, min_size=2, max_size=5, unique_by=lambda c: c.name))
def test_a_contract_reads_back_equal(columns: list[Column], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("schema") / "schema.toml"
    schema = Schema(columns=tuple(columns), id=columns[0].name, time=(columns[1].name,))
    data.write_schema(schema, path)
    assert data.read_schema(path) == schema


def test_the_file_explains_itself(tmp_path: Path) -> None:
    columns = (Column(name="age", type="integer"), Column(name="id", type="text", feature=False, note="names the row"))
    data.write_schema(Schema(columns=columns, target="id"), tmp_path / "schema.toml")
    text = (tmp_path / "schema.toml").read_text()
    assert "feature = false   # names the row" in text
    assert "accept | flag | reject" in text
    assert tomllib.loads(text)["target"] == "id"


GOOD = """\
target = "y"
[[column]]
name = "x"
type = "number"
[[column]]
name = "y"
type = "category"
feature = false
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"number"', '"numbr"', "column `x`: type: invalid enum value 'numbr'"),
        ('type = "number"', 'tpe = "number"', "column `x`: unknown key `tpe`"),
        ('type = "number"\n', "", "missing required field `type`"),
        ('target = "y"', 'target = "z"', "target: there is no column `z`"),
        ('target = "y"', 'targt = "y"', "unknown key `targt`"),
        ('target = "y"', 'target = "x"', "the target `x` is a feature"),
        ('"number"', '"number"\nmissing_allowed = true\non_missing = "reject"', "contradict each other"),
        ('"number"', '"number"\nmissing_allowed = false\non_missing = "flag"', "contradict each other"),
        ('target = "y"', 'target = "y"\ntime = "t"', "time: there is no column `t`"),
        ('"x"', '"y"', "column `y` occurs twice"),
        ('"number"', '"number"\nlow = 3\nhigh = 2', "low 3.0 is above high 2.0"),
        ('"number"', '"number"\nlow = "a"', "low: expected `float | null`"),
        ("[[column]]", "[[column]", "not valid TOML"),
        (GOOD, "", "holds no columns"),
        (GOOD, "column = 3", "holds no columns"),
    ],
)
def test_a_wrong_edit_is_named(old: str, new: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "schema.toml"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(ConfigError) as caught:
        data.read_schema(path)
    assert message in caught.value.message
    assert caught.value.hint


def test_a_changed_type_leaves_nothing_of_the_old_one(tmp_path: Path, store: Store) -> None:
    rows = "".join(f"{i % 7},2024-01-{i % 28 + 1:02},{'AB'[i % 2]},{i % 2}\n" for i in range(60))
    (tmp_path / "t.csv").write_text("code,day,size,y\n" + rows)
    opened = data.open_source(tmp_path / "t.csv")
    path = tmp_path / "schema.toml"
    data.write_schema(data.survey(opened, target="y").schema, path)
    text = path.read_text()
    for name, old, new in (("code", "integer", "category"), ("day", "datetime", "category")):
        before, after = text.split(f'name = "{name}"')
        text = before + f'name = "{name}"' + after.replace(f'type = "{old}"', f'type = "{new}"', 1)
    path.write_text(text)
    schema = data.read_schema(path)
    assert [schema.column(name).type for name in ("code", "day")] == ["category", "category"]
    assert schema.column("code").low is schema.column("day").high is schema.column("day").format is None
    snapshot = data.ingest(opened, store=store, schema=schema)
    assert set(data.read(store, snapshot, columns=["code"])["code"]) == set("0123456")
    path.write_text(
        text.replace(
            'type = "category"\nfeature = true\non_missing = "flag"\ncategories = ["A", "B"]',
            'type = "number"\ncategories = ["A", "B"]',
        )
    )
    assert data.read_schema(path).column("size") == Column(name="size", type="number")


def test_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        data.read_schema(tmp_path / "schema.toml")


@pytest.mark.parametrize(("old", "policy"), [("", "accept"), ("true", "accept"), ("false", "reject")])
def test_a_contract_of_an_older_palio_reads_as_before(tmp_path: Path, old: str, policy: str) -> None:
    line = f"missing_allowed = {old}\n" if old else ""
    (tmp_path / "schema.toml").write_text(GOOD.replace('type = "number"\n', f'type = "number"\n{line}'), "utf-8")
    column = data.read_schema(tmp_path / "schema.toml").column("x")
    assert (column.on_missing, column.missing_allowed) == (policy, policy != "reject")


@pytest.mark.parametrize(
    ("word", "cell", "day"), [("dmy", "03/04/2023", 3), ("mdy", "03/04/23", 4), ("ymd", "23.03.04", 4)]
)
def test_one_word_says_what_the_numbers_of_a_date_mean(tmp_path: Path, word: str, cell: str, day: int) -> None:
    path = tmp_path / "schema.toml"
    path.write_text(f'[[column]]\nname = "when"\ntype = "datetime"\nformat = "{word}"\n')
    read = CellReader(data.read_schema(path).column("when")).read(cell)
    assert dt.datetime.fromtimestamp(float(str(read.value)), dt.UTC).day == day
    assert not read.flags


def test_a_change_of_type_needs_no_other_change(tmp_path: Path) -> None:
    path = tmp_path / "schema.toml"
    data.write_schema(
        Schema(
            columns=(
                Column(name="code", type="category", categories=("1", "2")),
                Column(name="size", type="number", low=0.0, high=2.0),
                Column(name="when", type="category", categories=("03/04/2023",)),
            )
        ),
        path,
    )
    text = path.read_text().replace('type = "number"', 'type = "x"').replace('"category"', '"number"', 1)
    path.write_text(text.replace('"category"', '"datetime"').replace('type = "x"', 'type = "category"'))
    code, size, when = data.read_schema(path).columns
    assert CellReader(code).read("2").value == 2.0
    assert CellReader(size).read("17").value == "17"
    assert CellReader(when).read("13/04/2023").value is not None, "what leaves no doubt is read without a format"


def test_what_is_doubtful_stands_above_its_column(tmp_path: Path) -> None:
    path = tmp_path / "schema.toml"
    columns = (Column(name="a", type="number", note="why"), Column(name="b", type="text"))
    doubts = {"a": ("first\nline \x1b[2J", "why"), "b": ()}
    data.write_schema(Schema(columns=columns), path, doubts=doubts)
    text = path.read_text("utf-8")
    assert "# ! first line [2J\n[[column]]\n" in text
    assert text.count("# !") == 1, "the note is a comment already"
    assert data.read_schema(path) == Schema(columns=columns)
