"""What was found out about a source is held against every later file: read in another way only with a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from palio import data
from palio.core.errors import InputError
from palio.testing.source import cells
from tests.data.sources.spreadsheets import write_xlsx

FOUND = {"separator": ";", "header": "yes", "encoding": "utf-8", "quote": '"', "expected": ("age", "größe", "y")}


def later(folder: Path, content: str | bytes, **changes: object) -> data.Source:
    (folder / "t.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    return data.open_source(folder / "t.csv", data.SourceOptions(**{**FOUND, **changes}))  # type: ignore[arg-type]


def test_a_file_that_keeps_to_it_is_read_without_a_word(tmp_path: Path) -> None:
    source = later(tmp_path, "age;größe\n1,5;2\n3;4\n")
    assert cells(source) == [("1,5", "2"), ("3", "4")]
    assert not [note for note in source.notes if "another way" in note]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("age,größe\n1,2\n", "separator is `;`, found is `,`"),
        ("age\tgröße\n1\t2\n", "separator is `;`, found is a tab"),
        ("age;größe\n1;2\n".encode("utf-16"), "encoding is `utf-8`, found is utf-16"),
        ("age,größe\n1,2\n".encode("cp1252"), "encoding is `utf-8`, found is cp1252"),
        ("Report\nage;größe\n1;2\n", "above the table"),
    ],
)
def test_a_file_that_does_not_is_read_as_it_is_written_and_says_so(
    content: str | bytes, said: str, tmp_path: Path
) -> None:
    source = later(tmp_path, content)
    assert source.columns == ("age", "größe")
    assert cells(source) == [("1", "2")]
    assert said in " ".join(source.notes)


def test_utf8_is_not_read_as_windows_text(tmp_path: Path) -> None:
    source = later(tmp_path, "age;größe\n1;ä\n", encoding="cp1252")
    assert (source.columns, cells(source)) == (("age", "größe"), [("1", "ä")])
    assert "UTF-8" in " ".join(source.notes)


@pytest.mark.parametrize("content", ["1;2;3\n4;5;6\n", "a;b\n1;2\n", "nothing\n"])
def test_a_file_without_the_columns_is_refused_by_name(content: str, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"t\.csv: none of the expected columns `age`, `größe`, `y` is there, found"
    ) as e:
        later(tmp_path, content)
    assert e.value.hint


def test_a_header_where_there_should_be_none_is_told(tmp_path: Path) -> None:
    source = later(tmp_path, "age;größe\n1;2\n", header="no", expected=("column_1", "column_2"))
    assert "looks like a header" in " ".join(source.notes)


def test_the_sheet_with_the_columns_is_found(tmp_path: Path) -> None:
    path = write_xlsx(
        tmp_path / "t.xlsx", {"Intro": [["Dear all"]], "May": [["age", "y"], [1, "yes"]], "x": [["b"], [1]]}
    )
    source = data.open_source(path, data.SourceOptions(sheet="April", expected=("age", "y")))
    assert cells(source) == [(1, "yes")]
    assert "there is no sheet `April`" in " ".join(source.notes)
    with pytest.raises(InputError, match="none of the expected columns"):
        data.open_source(path, data.SourceOptions(expected=("size",)))
