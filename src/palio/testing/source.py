"""What every source must do, whatever it reads. Subclass `SourceContract` and say how a table is written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from palio import data
from palio.core.errors import InputError
from palio.core.records import Form

COLUMNS = ("size", "name", "y")
ROWS = tuple((i * 1.5, f"näme {i % 3}", "yes" if i % 2 else "no") for i in range(30))


class SourceContract:
    r"""Subclass it and override `write`.

    Example:
        >>> class TestMine(SourceContract):
        ...     def write(self, folder, columns, rows):
        ...         lines = [",".join(map(str, row)) for row in (columns, *rows)]
        ...         (folder / "t.csv").write_text("\n".join(lines))
        ...         return folder / "t.csv"
    """

    keeps_columns_without_rows = True
    """Whether a table without rows still tells its columns."""
    keeps_double_names = True
    """Whether two columns of one name can be written at all."""

    def write(self, folder: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str | Path:
        """Write a table of numbers and texts, and return how `open_source` finds it."""
        raise NotImplementedError("say how a table is written: override `write`")

    def open(self, spec: str | Path, **options: Any) -> data.Source:
        """Open what `write` returned."""
        return data.open_source(spec, data.SourceOptions(**options))

    @pytest.fixture
    def source(self, tmp_path: Path) -> data.Source:
        return self.open(self.write(tmp_path, COLUMNS, ROWS))

    def test_all_cells_come_back_in_order(self, source: data.Source) -> None:
        rows = cells(source)
        assert source.columns == COLUMNS
        assert [(float(a), b, c) for a, b, c in rows] == list(ROWS)

    def test_rows_can_be_read_again_and_again(self, source: data.Source) -> None:
        batches = source.batches()
        next(batches)
        del batches  # a reading that is given up disturbs no other
        assert cells(source) == cells(source)
        assert source.skipped.n_rows == 0

    def test_cells_are_text_unless_the_source_knows_types(self, source: data.Source) -> None:
        for batch in source.batches():
            assert tuple(batch.schema.names) == source.columns
            kinds = {str(kind) for kind in batch.schema.types}
            assert kinds <= ({"string"} if source.loose else {"string", "int64", "double", "timestamp[us, tz=UTC]"})

    def test_a_table_without_rows_is_no_error(self, tmp_path: Path) -> None:
        source = self.open(self.write(tmp_path, COLUMNS, ()), expected=COLUMNS)
        assert cells(source) == []
        assert source.columns == COLUMNS
        if self.keeps_columns_without_rows:
            assert self.open(self.write(tmp_path, COLUMNS, ())).columns == COLUMNS

    def test_equal_tables_have_equal_fingerprints_and_others_have_not(self, tmp_path: Path) -> None:
        first = self.open(self.write(tmp_path, COLUMNS, ROWS)).fingerprint
        other = self.open(self.write(tmp_path, COLUMNS, ROWS[:-1])).fingerprint
        again = self.open(self.write(tmp_path, COLUMNS, ROWS))
        assert first == again.fingerprint != other
        marked = self.open(self.write(tmp_path, COLUMNS, ROWS), missing=("no",))
        assert marked.fingerprint != first and marked.missing == ("no",)

    def test_it_says_what_it_is_in_whole_sentences(self, source: data.Source) -> None:
        cells(source)
        assert source.name and isinstance(source.form, Form)
        assert all(isinstance(note, str) and note and "\n" not in note for note in source.notes)
        assert dict(source.passed_over) == {}

    def test_names_that_are_equal_are_told_apart_and_said(self, tmp_path: Path) -> None:
        if not self.keeps_double_names:
            pytest.skip("no two columns can have one name here")
        spec = self.write(tmp_path, ("a", "a", "y"), [(1.5, "p", "yes"), (2.5, "q", "no")])
        source = self.open(spec)
        assert source.columns == ("a", "a_2", "y")
        assert any("`a_2`" in note for note in source.notes)
        with pytest.raises(InputError, match=r"`a` occurs more than once .* 1, 2"):
            self.open(spec, target="a")

    @pytest.mark.parametrize("name", ["a b", "größe 🐎", "x" * 900, "a.b", "[0]", "it's"])
    def test_names_of_all_kinds_are_kept(self, name: str, tmp_path: Path) -> None:
        source = self.open(self.write(tmp_path, (name, "other", "y"), [(1.5, "p", "yes"), (2.5, "q", "no")]))
        assert source.columns == (name, "other", "y")


def cells(source: data.Source) -> list[tuple[Any, ...]]:
    """Read all rows of a source."""
    return [tuple(row.values()) for batch in source.batches() for row in batch.to_pylist()]
