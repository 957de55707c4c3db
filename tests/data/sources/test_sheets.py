"""Tables are found in sheets, and their cells keep their types."""

from __future__ import annotations

import datetime as dt
import random
from pathlib import Path

import pytest

from palio import data
from palio.core.errors import InputError
from palio.testing.source import cells
from tests.data.sources.spreadsheets import Day, Sheets, write_ods, write_xlsx

TABLE = [["name", "n", "y"], ["a", 1, "yes"], ["b", 2.5, "no"]]
ROWS = [("a", 1.0, "yes"), ("b", 2.5, "no")]


def opened(folder: Path, sheets: Sheets, **options: str) -> data.Source:
    return data.open_source(write_xlsx(folder / "t.xlsx", sheets), data.SourceOptions(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "rows",
    [
        [[], [], *TABLE],
        [[None, None, *row] for row in TABLE],
        [["Report of May"], [], *TABLE],
        [["Report of May"], ["by", "hand"], [None, None, *TABLE[0]], *[[None, None, *row] for row in TABLE[1:]]],
        [*TABLE[:2], [], TABLE[2], [], []],
        [[*row, ""] for row in TABLE],
        [*TABLE[:2], TABLE[0], *TABLE[2:]],
    ],
)
def test_a_table_is_found_wherever_it_stands(rows: list[list[object]], tmp_path: Path) -> None:
    source = opened(tmp_path, {"Empty": [], "May": rows})
    assert source.columns == ("name", "n", "y")
    assert [(a, float(n), y) for a, n, y in cells(source)] == ROWS
    assert source.form.sheet == "May"
    path = write_ods(tmp_path / "t.ods", {"May": rows})
    assert [(a, float(n), y) for a, n, y in cells(data.open_source(path))] == ROWS


def test_groups_of_columns_above_the_names_are_passed_over(tmp_path: Path) -> None:
    rows = [[None, "2019", None, "2020"], ["who", "n", "m", "n"], ["a", 1, 2, 3], ["b", 3, 4, 5]]
    source = opened(tmp_path, {"May": rows})
    assert source.columns == ("who", "n", "m", "n_2")
    assert any("above the table" in note for note in source.notes)


def test_cells_keep_their_types_and_mixed_columns_are_text(tmp_path: Path) -> None:
    rows = [
        ["whole", "part", "when", "truth", "mixed", "gap"],
        [1, 1.5, Day(45000), True, 1, None],
        [2, 2, Day(45000.5), False, "x7", "#N/A"],
    ]
    source = opened(tmp_path, {"May": rows})
    noon = dt.datetime(2023, 3, 15, 12, tzinfo=dt.UTC)
    assert cells(source) == [
        (1, 1.5, noon.replace(hour=0), "true", "1", None),
        (2, 2.0, noon, "false", "x7", None),
    ]


def test_a_text_far_down_makes_a_column_text(tmp_path: Path) -> None:
    source = opened(tmp_path, {"May": [["n", "y"], *[[i, "p"] for i in range(1_500)], ["late", "q"]]})
    assert cells(source)[-1] == ("late", "q")


def test_the_first_sheet_with_rows_is_read_and_the_others_are_named(tmp_path: Path) -> None:
    sheets = {"Empty": [], "May": TABLE, "June": [["b"], [1]]}
    assert any("the sheet `May` is read, others with rows are `June`" in n for n in opened(tmp_path, sheets).notes)
    assert opened(tmp_path, sheets, sheet="June").columns == ("b",)
    with pytest.raises(InputError, match="there is no sheet `Jun`") as caught:
        opened(tmp_path, sheets, sheet="Jun")
    assert "`June`" in caught.value.hint


def test_a_range_cuts_the_table_out(tmp_path: Path) -> None:
    sheets = {"May": [["x", "x", "x", "x"], *[["x", *row] for row in TABLE], ["x", "sum", 3.5, ""]]}
    source = opened(tmp_path, sheets, range="B2:D4")
    assert (source.columns, cells(source)) == (("name", "n", "y"), ROWS)
    assert opened(tmp_path, sheets, range="b2:c4").columns == ("name", "n")
    with pytest.raises(InputError, match="range: got `B2-D4`"):
        opened(tmp_path, sheets, range="B2-D4")
    with pytest.raises(InputError, match="holds no rows there"):
        opened(tmp_path, sheets, range="X90:Y99")


def test_text_called_a_spreadsheet_is_read_as_text(tmp_path: Path) -> None:
    (tmp_path / "t.xls").write_text("a\ty\n1\tyes\n")
    source = data.open_source(tmp_path / "t.xls")
    assert cells(source) == [("1", "yes")]
    assert "the content is text" in source.notes[0]


def test_the_sheet_that_holds_the_target_is_read(tmp_path: Path) -> None:
    sheets: Sheets = {"Cover": [["Report of May"], [], ["by hand"]], "Other": [["a", "b"], [1, 2]], "Data": TABLE}
    assert opened(tmp_path, sheets, target="y").form.sheet == "Data"
    assert opened(tmp_path, sheets, target="-1").form.sheet == "Cover"
    assert opened(tmp_path, sheets, target="nowhere").form.sheet == "Cover"


@pytest.mark.parametrize("at", range(5))
def test_a_sheet_that_is_broken_inside_is_refused_with_a_hint(at: int, tmp_path: Path) -> None:
    rng = random.Random(at)
    rows = [["n", "y"], *[[rng.random(), "no"] for _ in range(200)]]
    whole = write_xlsx(tmp_path / "t.xlsx", {"Data": rows}, packed=True).read_bytes()
    start = whole.index(b"xl/worksheets/s0.xml") + 20
    places = {start + 40 * k + at for k in range(30)}
    (tmp_path / "t.xlsx").write_bytes(bytes(b ^ 0x55 if i in places else b for i, b in enumerate(whole)))
    with pytest.raises(InputError) as caught:
        list(data.open_source(tmp_path / "t.xlsx").batches())
    assert caught.value.hint
