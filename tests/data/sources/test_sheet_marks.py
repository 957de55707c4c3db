"""What a sheet hides, merges or has not computed is told."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from palio import data
from palio.testing.source import cells
from tests.data.sources.spreadsheets import write_xlsx

ROWS = [["size", "y"], *([i + 0.5, "yes" if i % 2 else "no"] for i in range(20))]


def changed(path: Path, member: str, *changes: tuple[str, str]) -> Path:
    """Write a spreadsheet again with another text in one of its files."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name).decode() for name in archive.namelist()}
    for old, new in changes:
        assert old in files[member]
        files[member] = files[member].replace(old, new)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('<row r="3">', '<row r="3" hidden="1">', "1 hidden row of the sheet `a` is read, too"),
        ("<sheetData>", '<cols><col min="1" max="2" hidden="1"/></cols><sheetData>', "2 hidden columns of the sheet"),
        ("</sheetData>", '</sheetData><mergeCells><mergeCell ref="A2:A6"/></mergeCells>', "1 merged cell below"),
        ("<v>1.5</v></c>", "<f>A2+1</f></c>", "1 cell holds a formula whose value was never computed"),
    ],
)
def test_what_cells_do_not_show_is_told(tmp_path: Path, old: str, new: str, told: str) -> None:
    path = changed(write_xlsx(tmp_path / "t.xlsx", {"a": ROWS}), "xl/worksheets/s0.xml", (old, new))
    assert any(told in note for note in data.open_source(path).notes)


def test_of_a_plain_sheet_nothing_is_told(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "t.xlsx", {"a": ROWS})
    assert not data.open_source(path).notes
    merged = '</sheetData><mergeCells><mergeCell ref="A1:B1"/></mergeCells>'
    assert not data.open_source(changed(path, "xl/worksheets/s0.xml", ("</sheetData>", merged))).notes


def test_a_formula_that_gave_an_empty_text_was_computed(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "t.xlsx", {"a": ROWS})
    empty = '<c r="C2" t="str"><f>IF(A2="","x","")</f><v></v></c></row>'
    changed(path, "xl/worksheets/s0.xml", ("</row>", empty))
    assert not any("formula" in note for note in data.open_source(path).notes)


def test_a_sheet_that_is_shown_comes_before_one_that_is_hidden(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "t.xlsx", {"old": ROWS[:9], "new": ROWS})
    changed(path, "xl/workbook.xml", ('<sheet name="old"', '<sheet name="old" state="hidden"'))
    source = data.open_source(path, data.SourceOptions(target="y"))
    assert len(cells(source)) == 20
    assert any("the sheet `new` is read, others with rows are `old`" in note for note in source.notes)
