"""Files that are written in seldom ways are read, or what they are is said."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path

import pytest

from palio import data
from palio.core.errors import InputError
from palio.testing.source import cells

ROWS = [(f"{i}.5", "red" if i % 3 else "blue", "yes" if i % 2 else "no") for i in range(30)]
HEAD = ("size", "colour", "y")


def opened(folder: Path, content: str | bytes, name: str = "t.csv", **options: object) -> data.Source:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return data.open_source(folder / name, data.SourceOptions(**({"target": "y"} | options)))  # type: ignore[arg-type]


def written(separator: str = ",", quote: str = "") -> str:
    return "\n".join(separator.join(f"{quote}{cell}{quote}" for cell in row) for row in (HEAD, *ROWS)) + "\n"


@pytest.mark.parametrize("separator", ["^", "~", "\u00a7", "\x01", ":", "::", "#"])
def test_a_seldom_separator_is_found_by_the_columns_that_are_asked_for(tmp_path: Path, separator: str) -> None:
    source = opened(tmp_path, written(separator))
    assert source.columns == HEAD
    assert cells(source) == ROWS
    assert any("cells are separated by" in note for note in source.notes)


def test_a_sign_within_texts_separates_nothing(tmp_path: Path) -> None:
    text = "\n".join(["note", *(f"see: page {i}" for i in range(30))])
    assert opened(tmp_path, text, target="note").columns == ("note",)


def test_single_quotes_around_all_cells_are_no_part_of_them(tmp_path: Path) -> None:
    assert cells(opened(tmp_path, written(quote="'"))) == ROWS
    strings_alone = "'size','colour','y'\n" + "".join(f"{a},'{b}','{c}'\n" for a, b, c in ROWS)
    assert cells(opened(tmp_path, strings_alone)) == ROWS


@pytest.mark.parametrize("inner", ['"', '""'])
def test_lines_in_quotes_as_a_whole_are_refused_with_what_helps(tmp_path: Path, inner: str) -> None:
    content = "".join(f'"{line}"\n' for line in written(quote=inner if inner == '""' else "").splitlines())
    with pytest.raises(InputError, match="each line is enclosed in quotes as a whole") as caught:
        opened(tmp_path, content)
    assert "`,` between cells" in caught.value.hint


def test_remarks_below_the_table_are_passed_over_and_told(tmp_path: Path) -> None:
    source = opened(tmp_path, written() + "\nSource: the office\nAs of May 2022\n")
    assert cells(source) == ROWS
    assert source.skipped.n_rows == 0
    assert any("2 lines below the table are passed over: `Source: the office`" in note for note in source.notes)
    broken = opened(tmp_path, written() + "cut\n")
    cells(broken)
    assert broken.skipped.n_rows == 1, "a row that is cut off is no remark"


def test_texts_that_a_spreadsheet_was_told_to_keep_are_read_as_such(tmp_path: Path) -> None:
    content = "code,y\n" + "".join(f'="{i:05d}",{i % 2}\n' for i in range(20))
    assert cells(opened(tmp_path, content))[7] == ("00007", "1")


@pytest.mark.parametrize("is_lines", [True, False])
def test_json_that_is_called_a_csv_is_read_as_json(tmp_path: Path, is_lines: bool) -> None:
    rows = [dict(zip(HEAD, row, strict=True)) for row in ROWS]
    content = "\n".join(map(json.dumps, rows)) if is_lines else json.dumps(rows)
    for source in (opened(tmp_path, content), opened(tmp_path, gzip.compress(content.encode()))):
        assert cells(source) == ROWS
        assert "the name says .csv" in source.notes[0]


def test_text_that_is_called_parquet_is_read_as_text(tmp_path: Path) -> None:
    source = opened(tmp_path, written(), "t.parquet")
    assert cells(source) == ROWS
    assert "the content is text" in source.notes[0]


def test_a_text_beside_a_table_in_an_archive_is_a_note_on_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("data/t.csv", written())
        archive.writestr("readme.txt", "collected by hand")
    assert cells(data.open_source(tmp_path / "t.zip")) == ROWS


@pytest.mark.parametrize(
    ("name", "expected", "is_told"),
    [("Gro\u0308\u00dfe", "Gr\u00f6\u00dfe", False), ("a\u00a0 b", "a b", False), ("AGE", "age", True)],
)
def test_names_that_differ_in_writing_alone_are_those_of_the_contract(
    tmp_path: Path, name: str, expected: str, is_told: bool
) -> None:
    source = opened(tmp_path, f"{name},y\n1,2\n", expected=(expected, "y"))
    assert source.columns == (expected, "y")
    assert any("another case" in note for note in source.notes) == is_told


def test_names_that_may_be_one_of_two_are_left_as_they_are(tmp_path: Path) -> None:
    assert opened(tmp_path, "AGE,Age,y\n1,2,3\n", expected=("age", "y")).columns == ("AGE", "Age", "y")


def test_a_target_is_found_however_its_letters_are_encoded(tmp_path: Path) -> None:
    rows = "".join(f"{a},{c}\n" for a, _, c in ROWS)
    source = opened(tmp_path, f"size,ja\u00a0/ scho\u0308n\n{rows}", target="ja / sch\u00f6n")
    assert data.survey(source, target="ja / sch\u00f6n").schema.target == "ja\u00a0/ scho\u0308n"
