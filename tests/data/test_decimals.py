"""Numbers with a decimal comma are numbers, where a comma cannot be anything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from palio import data
from palio.core.errors import ContractError
from palio.store import Store


def write(path: Path, cells: list[str], *, separator: str = ";") -> Path:
    lines = [separator.join(("size", "code", "y"))]
    for i, cell in enumerate(cells):
        lines.append(separator.join((cell, "abc"[i % 3], "ja" if i % 2 else "nein")))
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def test_decimal_commas_are_read_as_numbers(tmp_path: Path, store: Store) -> None:
    cells = [f"{i},{i % 10}5" for i in range(20)] + ["", "-3", "1.234,5", "+,5e1"]
    opened = data.open_source(write(tmp_path / "t.csv", cells))
    schema = data.survey(opened, target="y").schema
    assert (schema.column("size").type, schema.column("size").low, schema.column("size").high) == ("number", -3, 1234.5)
    snapshot = data.ingest(opened, store=store, schema=schema)
    read = data.read(store, snapshot, columns=["size"])["size"].to_list()
    assert read == [float(f"{i}.{i % 10}5") for i in range(20)] + [None, -3.0, 1234.5, 5.0]
    assert schema.column("size").decimal == ","


def test_text_with_commas_stays_text_beside_decimal_commas(tmp_path: Path, store: Store) -> None:
    rows = "\n".join(f"{i},5;{'1,2 m' if i % 2 else '3,4 or so'};{i % 2}" for i in range(40))
    (tmp_path / "t.csv").write_text(f"size;what;y\n{rows}\n", "utf-8")
    opened = data.open_source(tmp_path / "t.csv")
    snapshot = data.ingest(opened, store=store, target="y")
    assert set(data.read(store, snapshot)["what"]) == {"1,2 m", "3,4 or so"}


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1,234", "12,500", "7", "1,234,567"], "integer"),  # thousands of another country
        (["1.5", "2.25", "3.5", "4.75"], "number"),
        (["1,2,3", "4,5", "6", "7"], "category"),  # lists
    ],
)
def test_a_comma_that_is_no_decimal_mark_is_read_as_what_it_is(tmp_path: Path, cells: list[str], kind: str) -> None:
    rows = "\n".join(f"{cell};{i % 3};{i % 2}" for i, cell in enumerate(cells * 5))
    (tmp_path / "t.csv").write_text(f"size;n;y\n{rows}\n", "utf-8")
    found = data.survey(data.open_source(tmp_path / "t.csv"), target="y").schema.column("size")
    assert (found.type, found.decimal) == (kind, ".")


def test_a_mark_that_somebody_names_wins_where_either_fits(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        "size,n,y\n" + "\n".join(f'"{1 + i},{100 + 7 * i}",{i % 3},{i % 2}' for i in range(20)) + "\n", "utf-8"
    )
    source = data.open_source(tmp_path / "t.csv")
    found = {mark: data.survey(source, target="y", decimal=mark).schema.column("size").high for mark in ("", ".", ",")}
    assert found == {"": 20_233.0, ".": 20_233.0, ",": 20.233}
    (told,) = [note for note in data.survey(source, target="y").notes if note.startswith("`size`")]
    assert "`1,100` is read as 1100" in told


def test_a_file_with_points_is_refused_under_a_contract_of_commas_unless_somebody_says_so(tmp_path: Path) -> None:
    schema = data.survey(
        data.open_source(write(tmp_path / "t.csv", [f"{i},5" for i in range(20)])), target="y", exclude=("code",)
    ).schema
    points = data.open_source(write(tmp_path / "p.csv", [f"{i}.5" for i in range(4)], separator=","))
    commas = data.open_source(write(tmp_path / "c.csv", [f"{i},5" for i in range(4)]))
    with pytest.raises(ContractError, match=r"`size`.*decimal point") as caught:
        list(data.scan(points, schema))
    assert "--decimal ." in caught.value.hint
    for found in (data.scan(commas, schema), data.scan(points, schema, decimal=".")):
        assert [v for arrivals in found for v in arrivals.frame["size"]] == [0.5, 1.5, 2.5, 3.5]


def test_a_file_that_lacks_a_feature_is_told_what_it_must_hold(tmp_path: Path) -> None:
    schema = data.survey(data.open_source(write(tmp_path / "t.csv", [f"{i},5" for i in range(20)])), target="y").schema
    (tmp_path / "new.csv").write_text("sice;code\n1,5;a\n", "utf-8")
    with pytest.raises(ContractError, match="`size`") as caught:
        list(data.scan(data.open_source(tmp_path / "new.csv"), schema))
    assert caught.value.hint == (
        "the file must hold every column that the model reads: `size`, `code`; did you mean `sice`?"
    )
