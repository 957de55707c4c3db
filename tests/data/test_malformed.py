"""Whatever is wrong with the input, the answer is an error that says where, what and what to do: never a traceback."""

from __future__ import annotations

import gzip
import os
import sqlite3
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from msgspec import structs

from palio import data
from palio.core.errors import ContractError, InputError, NotFoundError, PalioError, RefusedError, UnavailableError
from palio.store import Store

ROWS = "".join(f"{i * 7 % 23},{i * 1.5},{'yes' if i % 3 else 'no'}\n" for i in range(40))
GOOD = "a,b,y\n" + ROWS
Maker = Callable[[Path], "str | Path"]


def file(name: str, content: str | bytes) -> Maker:
    def make(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return make


def parquet(frame: pl.DataFrame, cut: int | None = None, name: str = "t.parquet") -> Maker:
    def make(folder: Path) -> Path:
        path = folder / name
        frame.write_parquet(path)
        if cut is not None:
            path.write_bytes(path.read_bytes()[:cut])
        return path

    return make


def folder_named_csv(folder: Path) -> Path:
    (folder / "t.csv").mkdir()
    return folder / "t.csv"


def dangling_link(folder: Path) -> Path:
    (folder / "t.csv").symlink_to(folder / "nowhere.csv")
    return folder / "t.csv"


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "t.csv")
    return folder / "t.csv"


def zipped(files: dict[str, str]) -> Maker:
    def make(folder: Path) -> Path:
        with zipfile.ZipFile(folder / "t.zip", "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
        return folder / "t.zip"

    return make


def flipped_gzip(folder: Path) -> Path:
    content = bytearray(gzip.compress(GOOD.encode()))
    content[len(content) // 2] ^= 0xFF
    (folder / "t.csv.gz").write_bytes(content)
    return folder / "t.csv.gz"


def database(folder: Path) -> str:
    with sqlite3.connect(folder / "t.db") as connection:
        connection.execute("CREATE TABLE rows (a INTEGER, y TEXT)")
        connection.executemany("INSERT INTO rows VALUES (?, ?)", [(i, "yes" if i % 2 else "no") for i in range(50)])
    connection.close()
    return f"sqlite:///{folder / 't.db'}"


def not_a_database(folder: Path) -> str:
    (folder / "t.db").write_text("this is no database, only a text of some length " * 40)
    return f"sqlite:///{folder / 't.db'}"


def longer(row: str, after: int = 20) -> str:
    lines = GOOD.splitlines(keepends=True)
    return "".join([*lines[:after], row, *lines[after:]])


Case = tuple[str, Maker, dict[str, Any], type[PalioError], str]
CASES: list[Case] = [
    # files that are not there, or not files
    ("missing file", lambda f: f / "none.csv", {}, NotFoundError, "no such file"),
    ("missing folder", lambda f: f / "x" / "y" / "t.csv", {}, NotFoundError, "no such file"),
    ("empty name", lambda f: "", {}, InputError, "no source"),
    ("zero byte in the name", lambda f: "a\0b.csv", {}, InputError, "not a path"),
    ("endless name", lambda f: "a" * 5000 + ".csv", {}, InputError, "not a path"),
    ("folder", lambda f: f, {}, InputError, "folder"),
    ("folder called .csv", folder_named_csv, {}, InputError, "folder"),
    ("link to nowhere", dangling_link, {}, NotFoundError, "leads nowhere"),
    ("pipe", pipe, {}, InputError, "pipe"),
    ("device", lambda f: "/dev/zero", {}, InputError, "device"),
    ("no ending, no table", file("table", "only words\nin lines\n"), {}, InputError, "end in"),
    ("broken spreadsheet", file("t.xlsx", b"PK\x03\x04"), {}, InputError, "not a readable spreadsheet"),
    ("old spreadsheet, broken", file("t.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99)), {},
     InputError, "spreadsheet"),
    ("web page called .xls", file("t.xls", b"<html><table><tr><td>1"), {}, InputError, "web page"),
    ("pickle", file("t.pkl", b"\x80\x04"), {}, InputError, "end in `.pkl`"),
    ("JSON list without rows", file("t.json", "[]"), {}, InputError, "no rows"),
    ("JSON list cut off", file("t.json", '[{"a": 1}, {"a": '), {}, InputError, "not readable as JSON"),
    ("JSON list that never ends", file("t.json", '[{"a": 1}'), {}, InputError, "cut off"),
    ("JSON of several tables", file("t.json", '{"a": [{"x": 1}], "b": [{"x": 1}]}'), {}, InputError, "several lists"),
    ("JSON list of numbers", file("t.json", "[1, 2]"), {}, InputError, "a number where an object"),
    ("unknown scheme", lambda f: "klingon://127.0.0.1/t.csv", {}, InputError, "not a source"),
    ("nothing behind the URL", lambda f: "memory://nothing/t.csv", {}, NotFoundError, "no such file"),
    ("URL without a driver", lambda f: "s3://u:secret@bucket/t.csv", {}, UnavailableError, "needs the package s3fs"),
    ("query on a file", file("t.csv", GOOD), {"query": "SELECT 1"}, InputError, "query"),
    # files that are not what they say
    ("empty file", file("t.csv", b""), {}, InputError, "empty"),
    ("blank lines only", file("t.csv", "\n\n\n"), {}, InputError, "no rows"),
    ("byte order mark only", file("t.csv", b"\xef\xbb\xbf"), {}, InputError, "empty"),
        ("ZIP called .csv", file("t.csv", b"PK\x03\x04" + bytes(99)), {}, InputError, "ZIP"),
    ("archive of two tables", zipped({"a.csv": GOOD, "b.csv": GOOD}), {}, InputError, "holds 2 tables: a.csv, b.csv"),
    ("archive without tables", zipped({}), {}, InputError, "holds 0 tables"),
    ("cells of fixed width", file("t.txt", "a      b   y\n1.0   23  yes\n22.5   3   no\n"), {},
     InputError, "aligned by blanks"),
    ("picture called .csv", file("t.csv", b"\x89PNG\r\n\x1a\n" + bytes(99)), {}, InputError, "picture"),
    ("zero bytes", file("t.csv", GOOD + "1," + "\0" * 99 + ",yes\n"), {}, InputError, "zero byte"),
    ("random bytes", file("t.csv", bytes(range(256)) * 9), {}, InputError, "zero byte"),
    ("gzip cut off", file("t.csv.gz", gzip.compress(GOOD.encode())[:-20]), {}, InputError, "cut off"),
    ("gzip broken", flipped_gzip, {}, InputError, "broken|cut off|zero byte|gzip"),
    ("empty gzip", file("t.csv.gz", gzip.compress(b"")), {}, InputError, "empty"),
    ("text called .gz is read, but has one row", file("t.csv.gz", "a,y\n1,2\n"), {}, InputError, "1 row"),
    ("Parquet cut off", parquet(pl.DataFrame({"a": [1, 2]}), cut=200), {}, InputError, "Parquet"),
    ("text called .parquet is read, but has one row", file("t.parquet", "a,y\n1,2\n"), {}, InputError, "1 row"),
    ("empty Parquet file", file("t.parquet", b""), {}, InputError, "empty"),
    ("Parquet without rows", parquet(pl.DataFrame({"a": [], "y": []})), {}, InputError, "0 rows"),
    ("Parquet with lists as target", parquet(pl.DataFrame({"a": [1, 2], "y": [[0], [1]]})), {}, InputError, "lists"),
    ("wrong encoding asked for", file("t.csv", GOOD + "1,2,né\n".encode("latin-1").decode("latin-1")),
     {"encoding": "ascii"}, InputError, "encoding ascii"),
    ("UTF-8 asked for, Latin-1 found", file("t.csv", (GOOD + "1,2,né\n").encode("latin-1")),
     {"encoding": "utf-8"}, InputError, "encoding utf-8"),
    ("no such encoding", file("t.csv", GOOD), {"encoding": "klingon"}, InputError, "no encoding"),
    ("UTF-16 with half a character", file("t.csv", GOOD.encode("utf-16") + b"\x00"), {}, InputError, "encoding utf-16"),
    # tables that are not tables
    ("header only", file("t.csv", "a,b,y\n"), {}, InputError, "0 rows"),
    ("one row", file("t.csv", "a,b,y\n1,2,yes\n"), {}, InputError, "1 row,"),
    ("nine rows", file("t.csv", "a,b,y\n" + "1,2,yes\n" * 9), {}, InputError, "at least 10"),
    ("target twice", file("t.csv", "a,y,y\n" + ROWS), {}, InputError, "more than once.*positions 2, 3"),
    ("no header", file("t.csv", ROWS), {}, InputError, "no column `y`.*no header was found"),
    ("too many columns", file("t.csv", ",".join(f"c{i}" for i in range(20_001)) + "\n"), {}, InputError, "20,001"),
    ("separator of two characters", file("t.csv", GOOD), {"separator": "::"}, InputError, "separator"),
    ("wrong separator", file("t.csv", GOOD), {"separator": ";"}, InputError, "there is no column `y`"),
    ("quote that never closes", file("t.csv", longer('1,"2,yes\n')), {}, InputError, "quote opens in line 21"),
    ("row too long", file("t.csv", longer("1," + "x" * 20_000_000 + ",yes\n")), {}, InputError, "8 MB"),
    ("rows too long and too short", file("t.csv", longer("1,2,yes,4\n5\n")), {}, ContractError, "line 21: 4 cells"),
    # JSON lines
    ("broken JSON", file("t.jsonl", '{"a": 1, "y": 2}\n{"a": 1,\n'), {}, InputError, "line 2"),
    ("JSON that is no object", file("t.jsonl", "[1, 2]\n"), {}, InputError, "line 1"),
    ("JSON nested without end", file("t.jsonl", '{"a":' + "[" * 100_000 + "\n"), {}, InputError, "line 1"),
    ("JSON objects without keys", file("t.jsonl", "{}\n{}\n"), {}, InputError, "no columns"),
    # targets that cannot be learned
    ("no such target", file("t.csv", GOOD), {"target": "z"}, InputError, "the columns are `a`, `b`, `y`"),
    ("target in capitals", file("t.csv", GOOD), {"target": "Y"}, InputError, "did you mean `y`"),
    ("target position too high", file("t.csv", GOOD), {"target": 4}, InputError, "no column `4`"),
    ("one class", file("t.csv", GOOD.replace("no", "yes")), {}, InputError, "every row is `yes`"),
    ("target all missing", file("t.csv", GOOD.replace("yes", "NA").replace("no", "")), {}, InputError, "is missing"),
    ("too many classes", file("t.csv", "a,b,y\n" + "".join(f"{i},{i % 7},k{i}\n" for i in range(99))), {},
     InputError, "too many classes"),
    ("constant number", file("t.csv", "a,y\n" + "".join(f"{i * i},7.5\n" for i in range(30))), {},
     InputError, "every row"),
    ("positive class that is none", file("t.csv", GOOD), {"positive": "maybe"}, InputError, "does not occur"),
    ("regression on words", file("t.csv", GOOD), {"kind": "regression"}, InputError, "needs numbers"),
    ("no feature left", file("t.csv", "a,y\n" + "1,yes\n1,no\n" * 20), {}, InputError, "no column is left"),
    # cells
    ("words among numbers", file("t.csv", longer("1,oops,yes\n2,ouch,no\n3,argh,no\n4,no,no\n")), {"as": "number"},
     ContractError, r"oops \(row 20\)"),
    ("infinities", file("t.csv", longer("1,inf,yes\n1,-Infinity,no\n2,1e999,no\n" * 2)), {"as": "number"},
     ContractError, "inf"),
    # databases
    ("missing database", lambda f: f"sqlite:///{f / 'none.db'}", {"query": "SELECT 1"},
     NotFoundError, "no such database"),
    ("no database file", not_a_database, {"query": "SELECT 1"}, UnavailableError, "not a database"),
    ("no query", database, {}, InputError, "its tables: rows"),
    ("no such table", database, {"query": "SELECT * FROM rose"}, InputError, "no such table"),
    ("broken query", database, {"query": "SELECT FROM WHERE"}, InputError, "syntax"),
    ("query that deletes", database, {"query": "DELETE FROM rows"}, RefusedError, "begins with DELETE"),
    ("query with a second statement", database, {"query": "SELECT 1; DROP TABLE rows"}, RefusedError, "one reading"),
    ("deletion behind WITH", database, {"query": "WITH x AS (SELECT 1) DELETE FROM rows"}, RefusedError, "writes"),
    ("attaching a file", database, {"query": "ATTACH 'x.db' AS x"}, RefusedError, "begins with ATTACH"),
    ("query without rows", database, {"query": "SELECT * FROM rows WHERE a < 0"}, InputError, "0 rows"),
    ("server that is not there", lambda f: "postgresql://u:secret@127.0.0.1:1/x", {"query": "SELECT 1"},
     UnavailableError, "cannot be reached"),
]  # fmt: skip


def run(spec: str | Path, store: Store, changes: dict[str, Any]) -> None:
    names = ("separator", "header", "encoding", "missing", "query", "within")
    options = data.SourceOptions(**{k: v for k, v in changes.items() if k in names})
    others = {"target": "y"} | {k: v for k, v in changes.items() if k not in names}
    source = data.open_source(spec, msgspec.structs.replace(options, target=str(others["target"])))
    kind = others.pop("as", "")
    schema = data.survey(source, **others).schema
    if kind:  # as a person would say it in schema.toml
        columns = (structs.replace(c, type=kind) if c.name == "b" else c for c in schema.columns)
        schema = structs.replace(schema, columns=tuple(columns))
    data.ingest(source, store=store, schema=schema)


@pytest.mark.parametrize(("make", "changes", "kind", "message"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_bad_input_is_a_clear_error_with_a_hint(
    make: Maker, changes: dict[str, Any], kind: type[PalioError], message: str, tmp_path: Path, store: Store
) -> None:
    with pytest.raises(kind, match=message) as caught:
        run(make(tmp_path), store, changes)
    assert caught.value.hint
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 700
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("n_columns", [1_000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_a_table_may_have_thousands_of_columns(n_columns: int, tmp_path: Path, store: Store) -> None:
    names = [f"c{i}" for i in range(n_columns - 1)]
    rows = (",".join(str((i * 31 + j) % 97) for j in range(n_columns - 1)) + f",{i % 2}\n" for i in range(30))
    path = tmp_path / "wide.csv"
    path.write_text(",".join([*names, "y"]) + "\n" + "".join(rows))
    began = time.process_time()
    run(path, store, {})
    assert time.process_time() - began < n_columns / 100  # guards against quadratic time, not against a slow machine


def test_formula_like_cells_stay_text(tmp_path: Path, store: Store) -> None:
    cells = ["=cmd|' /C calc'!A0", "+1+1", "@SUM(A1)", "-2+3"]
    rows = "".join(f'"{cells[i % 4]}",{i},{i % 2}\n' for i in range(40))
    source = data.open_source(file("t.csv", "f,n,y\n" + rows)(tmp_path))
    snapshot = data.ingest(source, store=store, target="y")
    assert data.read(store, snapshot)["f"].to_list()[:4] == cells


def test_integers_beyond_64_bits_are_numbers_or_names(tmp_path: Path, store: Store) -> None:
    rows = "".join(f"{10**25 if i == 30 else i * i},{10**30 + i},{i % 2}\n" for i in range(40))
    found = data.survey(data.open_source(file("t.csv", "huge,code_id,y\n" + rows)(tmp_path)), target="y").schema
    assert found.column("huge").type == "number"
    assert (found.column("code_id").type, found.column("code_id").feature) == ("category", False)


def test_a_file_outside_the_allowed_folder_is_refused(tmp_path: Path, store: Store) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    outside = file("t.csv", GOOD)(tmp_path)
    (inside / "link.csv").symlink_to(outside)
    for path in (outside, inside / ".." / "t.csv", inside / "link.csv"):
        with pytest.raises(RefusedError, match="lies outside"):
            run(path, store, {"within": str(inside)})


def test_a_query_leaves_the_database_as_it_was(tmp_path: Path, store: Store) -> None:
    url = database(tmp_path)
    before = (tmp_path / "t.db").read_bytes()
    for query in ("DELETE FROM rows", "WITH x AS (SELECT 1) DELETE FROM rows", "SELECT 1; DROP TABLE rows"):
        with pytest.raises(PalioError):
            run(url, store, {"query": query})
    assert (tmp_path / "t.db").read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["project", "t.db"]
