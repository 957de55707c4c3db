"""Every reader keeps the contract of a source."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import sqlite3
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from palio import data
from palio.testing.source import SourceContract
from tests.data.sources.spreadsheets import write_ods, write_xlsx

Rows = Sequence[Sequence[Any]]


def csv_text(columns: Sequence[str], rows: Rows, separator: str = ",") -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator).writerows([columns, *rows])
    return text.getvalue()


class TestDelimited(SourceContract):
    def write(self, folder: Path, columns: Sequence[str], rows: Rows) -> Path:
        (folder / "t.csv").write_text(csv_text(columns, rows), "utf-8")
        return folder / "t.csv"


class TestTabs(SourceContract):
    def write(self, folder: Path, columns: Sequence[str], rows: Rows) -> Path:
        (folder / "t.tsv").write_text(csv_text(columns, rows, "\t"), "utf-16")
        return folder / "t.tsv"


@pytest.mark.parametrize("packed", ["gz", "bz2", "xz", "zst", "zip"])
class TestPacked(SourceContract):
    @pytest.fixture(autouse=True)
    def _how(self, packed: str) -> None:
        self.packed = packed

    def write(self, folder: Path, columns: Sequence[str], rows: Rows) -> Path:
        content, path = csv_text(columns, rows).encode(), folder / f"t.csv.{self.packed}"
        if self.packed == "zip":
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("folder/t.csv", content)
                archive.writestr("__MACOSX/._t.csv", b"no table")
            return path
        pack = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}.get(self.packed)
        path.write_bytes(pack(content) if pack else pa.compress(content, "zstd", asbytes=True))
        return path


class TestUrl(SourceContract):
    def write(self, folder: Path, columns: Sequence[str], rows: Rows) -> str:
        with fsspec.open(f"memory://{folder.name}/t.csv", "wb") as file:
            file.write(csv_text(columns, rows).encode())
        return f"memory://{folder.name}/t.csv"


class TestJsonLines(SourceContract):
    keeps_columns_without_rows = keeps_double_names = False

    def write(self, folder: Path, columns: Sequence[str], rows: Rows) -> Path:
        lines = [json.dumps(dict(zip(columns, row, strict=True))) for row in rows]
        (folder / "t.jsonl").write_text("\n".join(lines))
        return folder / "t.jsonl"


class TestJsonDocument(SourceContract):
    keeps_columns_without_rows = keeps_double_names = False

    def write(self, folder: Path, columns: Sequence[str], rows: Rows) -> Path:
        (folder / "t.json").write_text(json.dumps([dict(zip(columns, row, strict=True)) for row in rows], indent=1))
        return folder / "t.json"


class TestParquet(SourceContract):
    def write(self, folder: Path, columns: Sequence[str], rows: Rows) -> Path:
        kinds = [pa.float64(), pa.string(), pa.string()]
        arrays = [pa.array([row[i] for row in rows], kind) for i, kind in enumerate(kinds)]
        pq.write_table(pa.Table.from_arrays(arrays, names=list(columns)), folder / "t.parquet")
        return folder / "t.parquet"


class TestArrow(SourceContract):
    def write(self, folder: Path, columns: Sequence[str], rows: Rows) -> Path:
        kinds = [pa.float64(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
        arrays = [pa.array([row[i] for row in rows], kind) for i, kind in enumerate(kinds)]
        table = pa.Table.from_arrays(arrays, names=list(columns))
        with pa.ipc.new_file(folder / "t.feather", table.schema) as file:
            file.write_table(table, max_chunksize=7)
        return folder / "t.feather"


class TestArrowStream(SourceContract):
    def write(self, folder: Path, columns: Sequence[str], rows: Rows) -> Path:
        arrays = [pa.array([row[i] for row in rows]) for i in range(len(columns))]
        table = pa.Table.from_arrays(arrays, names=list(columns))
        with pa.ipc.new_stream(folder / "t.arrows", table.schema) as stream:
            stream.write_table(table)
        return folder / "t.arrows"


class TestXlsx(SourceContract):
    def write(self, folder: Path, columns: Sequence[str], rows: Rows) -> Path:
        return write_xlsx(folder / "t.xlsx", {"Intro": [], "Table": [columns, *rows]})


class TestOds(SourceContract):
    def write(self, folder: Path, columns: Sequence[str], rows: Rows) -> Path:
        return write_ods(folder / "t.ods", {"Table": [columns, *rows]})


class TestQuery(SourceContract):
    keeps_double_names = True

    def write(self, folder: Path, columns: Sequence[str], rows: Rows) -> str:
        path = folder / "t.db"
        path.unlink(missing_ok=True)
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE t (a REAL, b TEXT, c TEXT)")
            connection.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)
        connection.close()
        self.query = (
            "SELECT "
            + ", ".join(f'{column} AS "{name}"' for column, name in zip("abc", columns, strict=True))
            + " FROM t ORDER BY rowid"
        )
        return f"sqlite:///{path}"

    def open(self, spec: str | Path, **options: Any) -> data.Source:
        return super().open(spec, query=self.query, **options)
