"""Objects become rows: unfolded, with numbers as they are written, whatever holds them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from palio import data
from palio.core.errors import InputError
from palio.testing.source import cells

ROWS = [{"a": 1, "b": "x"}, {"a": 2, "b": None}]


def opened(folder: Path, name: str, text: str | bytes, **options: object) -> data.Source:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return data.open_source(folder / name, data.SourceOptions(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.json", json.dumps(ROWS)),
        ("t.json", json.dumps(ROWS, indent=2)),
        ("t.json", json.dumps({"count": 2, "rows": ROWS, "tags": ["a"]})),
        ("t.json", json.dumps({"columns": ["a", "b"], "index": [0, 1], "data": [[1, "x"], [2, None]]})),
        ("t.json", json.dumps({"a": {"0": 1, "1": 2}, "b": {"0": "x", "1": None}})),
        ("t.json", json.dumps({"0": ROWS[0], "1": ROWS[1]})),
        ("t.json", json.dumps({"a": [1, 2], "b": ["x", None]})),
        ("t.json", "\n".join(map(json.dumps, ROWS))),
        ("t.json", "\n".join(json.dumps(row, indent=1) for row in ROWS)),
        ("t.jsonl", "\n".join(json.dumps(row, indent=1) for row in ROWS)),
        ("t.jsonl", json.dumps(ROWS, indent=1)),
        ("t.jsonl", b"\xef\xbb\xbf" + "\r\n\r\n".join(map(json.dumps, ROWS)).encode()),
        ("t.ndjson", ",\n".join(map(json.dumps, ROWS))),
        ("t", "\n".join(map(json.dumps, ROWS))),
    ],
)
def test_rows_are_found_in_any_usual_document(name: str, text: str | bytes, tmp_path: Path) -> None:
    source = opened(tmp_path, name, text)
    assert (source.columns, cells(source)) == (("a", "b"), [("1", "x"), ("2", None)])


@pytest.mark.parametrize("name", ["t.json", "t.jsonl"])
def test_numbers_keep_the_text_that_they_are_written_in(name: str, tmp_path: Path) -> None:
    numbers = ["1.10", "12345678901234567890123", "1e400", "-0.0", "1E5", "9007199254740993", "NaN", "-Infinity"]
    rows = "\n".join(f'{{"a": {number}, "y": 1}}' for number in numbers)
    source = opened(tmp_path, name, rows)
    assert [row[0] for row in cells(source)] == numbers


@pytest.mark.parametrize("name", ["t.json", "t.jsonl"])
def test_objects_unfold_and_lists_are_passed_over(name: str, tmp_path: Path) -> None:
    rows = [{"a": {"b": {"c": True}, "d": [1]}, "e": []}, {"a": {"b": {"c": None}}, "e": {}, "f": 2}]
    source = opened(tmp_path, name, "\n".join(map(json.dumps, rows)))
    assert source.columns == ("a.b.c", "e", "f")
    assert cells(source) == [("true", None, None), (None, None, "2")]
    assert source.passed_over == {"a.d": "it holds lists, first in row 1"}
    assert any("`a` holds objects" in note for note in source.notes)
    with pytest.raises(InputError, match=r"`a\.d` cannot be read: it holds lists"):
        opened(tmp_path, name, "\n".join(map(json.dumps, rows)), target="a.d")


def test_a_key_that_occurs_twice_is_told(tmp_path: Path) -> None:
    source = opened(tmp_path, "t.jsonl", '{"a": 1, "a": 2, "y": 3}\n{"a": 1, "y": 3}\n')
    assert cells(source) == [("2", "3"), ("1", "3")]
    assert any("`a` occurs twice" in note for note in source.notes)


def test_no_line_is_a_table_without_rows(tmp_path: Path) -> None:
    assert cells(opened(tmp_path, "t.jsonl", "", expected=("a", "y"))) == []
    assert opened(tmp_path, "t.jsonl", "\n", expected=("a", "y")).columns == ("a", "y")


def test_a_list_longer_than_a_block_is_read_piece_by_piece(tmp_path: Path) -> None:
    rows = [{"a": "x" * 1_000, "n": i} for i in range(3_000)]
    source = opened(tmp_path, "t.json", json.dumps(rows))
    assert [row[1] for row in cells(source)] == [str(i) for i in range(3_000)]
