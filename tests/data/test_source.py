"""Any usual way of writing a table gives the same cells."""

from __future__ import annotations

import gzip
import sqlite3
from pathlib import Path

import polars as pl
import pytest

from palio import data
from palio.core.errors import InputError, RefusedError, UnavailableError
from palio.data.sources.delimited import DelimitedSource


def cells(source: data.Source) -> dict[str, list[str | None]]:
    frame = pl.concat([pl.from_arrow(batch) for batch in source.batches()])  # type: ignore[type-var]
    return frame.to_dict(as_series=False)


def opened(path: Path, text: str | bytes, **options: object) -> data.Source:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return data.open_source(path, data.SourceOptions(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_separator_is_found(separator: str, end: str, tmp_path: Path) -> None:
    rows = [["size", "name", "y"], *([str(i), f"n{i % 3}", "yes"] for i in range(9))]
    source = opened(tmp_path / "t.csv", end.join(separator.join(row) for row in rows))
    assert source.columns == ("size", "name", "y")
    assert cells(source)["name"][:4] == ["n0", "n1", "n2", "n0"]


@pytest.mark.parametrize(
    ("encoding", "wanted"),
    [(e, "auto") for e in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1")]
    + [("cp1250", "cp1250")],
)
def test_the_encoding_is_found_or_taken_as_configured(encoding: str, wanted: str, tmp_path: Path) -> None:
    text = "größe,y\n" + "".join(f"{i},Käse\n" for i in range(12))
    source = opened(tmp_path / "t.csv", text.encode(encoding), encoding=wanted)
    assert source.columns == ("größe", "y")
    assert set(cells(source)["y"]) == {"Käse"}


def test_a_letter_that_is_not_utf8_is_found_in_the_last_row(tmp_path: Path) -> None:
    text = "a,y\n" + "1,plain\n" * 300_000 + "2,Käse\n"
    source = opened(tmp_path / "t.csv", text.encode("cp1252"))
    assert cells(source)["y"][-1] == "Käse"
    assert any("cp1252" in note for note in source.notes)


def test_letters_across_the_borders_of_blocks_survive(tmp_path: Path) -> None:
    text = "a,y\n" + "1,ÄÖÜ€\n" * 400_000
    assert set(cells(opened(tmp_path / "t.csv", text))["y"]) == {"ÄÖÜ€"}


def test_gzip_is_read_whatever_the_name(tmp_path: Path) -> None:
    packed = gzip.compress(b"a,y\n1,x\n2,z\n")
    assert cells(opened(tmp_path / "t.csv.gz", packed)) == cells(opened(tmp_path / "t.csv", packed))


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("a,b\n1,2\n3,4\n", ("a", "b")),
        ("1,2\n3,4\n", ("column_1", "column_2")),
        ("red,big\nblue,small\nred,small\n", ("column_1", "column_2")),
        ("color,size\nblue,small\nred,small\n", ("color", "size")),
        ("?,2\n3,4\n", ("column_1", "column_2")),
        ("0,1,2\n5.5,6,7\n", ("0", "1", "2")),
        (",x,y\n0,5,6\n1,7,8\n", ("column_1", "x", "y")),
        ("2020-01-01,5\n2020-01-02,6\n", ("column_1", "column_2")),
    ],
)
def test_the_header_is_found(text: str, columns: tuple[str, ...], tmp_path: Path) -> None:
    assert opened(tmp_path / "t.csv", text).columns == columns


def test_the_user_knows_better_about_the_header(tmp_path: Path) -> None:
    assert opened(tmp_path / "t.csv", "2019,2020\n1,2\n", header="yes").columns == ("2019", "2020")
    assert opened(tmp_path / "t.csv", "a,b\n1,2\n", header="no").columns == ("column_1", "column_2")


def test_quotes_hold_separators_quotes_and_line_ends(tmp_path: Path) -> None:
    source = opened(tmp_path / "t.csv", 'a,b\n"x,1","say ""hi"""\n"two\nlines",z\n')
    assert cells(source) == {"a": ["x,1", "two\nlines"], "b": ['say "hi"', "z"]}


def test_quotes_between_tabs_may_hold_a_quote_at_the_end_of_a_line(tmp_path: Path) -> None:
    source = opened(tmp_path / "t.tsv", 'a\tb\tc\n1\t"she said ""no""\nand left"\tx\n2\t"a\tb"\ty\n')
    assert cells(source) == {"a": ["1", "2"], "b": ['she said "no"\nand left', "a\tb"], "c": ["x", "y"]}


def test_quotes_between_tabs_may_be_plain_characters(tmp_path: Path) -> None:
    source = opened(tmp_path / "t.tsv", 'a\tb\nham\t"hello you\nspam\twin "now"\nham\t"x\n')
    assert cells(source) == {"a": ["ham", "spam", "ham"], "b": ['"hello you', 'win "now"', '"x']}


def test_rows_with_another_number_of_cells_are_told_with_their_lines(tmp_path: Path) -> None:
    source = opened(tmp_path / "t.csv", "a,b\n1,2\n3\n4,5\n6,7,8\n")
    assert cells(source) == {"a": ["1", "4"], "b": ["2", "5"]}
    assert source.skipped.rows == [(3, 1, "3"), (5, 3, "6,7,8")]


def test_blank_lines_around_the_rows_do_not_count(tmp_path: Path) -> None:
    assert cells(opened(tmp_path / "t.csv", "\n\na,b\n1,2\n\n3,4\n\n")) == {"a": ["1", "3"], "b": ["2", "4"]}


def test_a_source_can_be_read_again(tmp_path: Path) -> None:
    source = opened(tmp_path / "t.csv", "a,b\n1,2\n3,4\n")
    assert cells(source) == cells(source)


def test_equal_bytes_read_in_another_way_have_another_fingerprint(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    first = opened(path, "a,b\n1,2\n").fingerprint
    assert first == data.open_source(path).fingerprint
    assert first != data.open_source(path, data.SourceOptions(header="no")).fingerprint
    assert first != data.open_source(path, data.SourceOptions(missing=("-",))).fingerprint
    assert first != opened(path, "a,b\n1,3\n").fingerprint


def test_json_lines_have_the_keys_of_all_rows(tmp_path: Path) -> None:
    source = opened(tmp_path / "t.jsonl", '{"a": 1, "b": true}\n\n{"c": {"x": [1]}, "a": null}\n')
    assert cells(source) == {"a": ["1", None], "b": ["true", None]}
    assert list(source.passed_over) == ["c.x"]


def test_a_query_is_asked_once(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "t.db") as connection:
        connection.execute("CREATE TABLE t (a INTEGER, b REAL, c TEXT, at TEXT)")
        connection.execute("INSERT INTO t VALUES (1, 0.1, 'x:y', '12:30'), (NULL, 2, NULL, '::1')")
    connection.close()
    query = "SELECT a, b, c, at FROM t WHERE at <> '12:31' -- : and % are no parameters, nor is '%x'"
    source = data.open_source(f"sqlite:///{tmp_path / 't.db'}", data.SourceOptions(query=query))
    (tmp_path / "t.db").unlink()
    assert cells(source) == {"a": ["1", None], "b": ["0.1", "2.0"], "c": ["x:y", None], "at": ["12:30", "::1"]}


def test_credentials_never_show(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError) as caught:
        data.open_source(
            "postgresql://annabel:secret@127.0.0.1:1/x?password=secret", data.SourceOptions(query="SELECT 1")
        )
    assert "secret" not in str(caught.value)
    assert "annabel" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "n_rows", "n_columns"),
    [
        ("tabular/adult-train.csv", 32_561, 15),
        ("tabular/adult-test.csv", 16_281, 15),
        ("tabular/bank.csv", 45_211, 17),
        ("tabular/beijing-pm25.csv", 43_824, 13),
        ("tabular/california-housing.csv", 20_640, 10),
        ("tabular/diamonds.csv", 53_940, 10),
        ("tabular/mammography.csv", 11_183, 7),
        ("tabular/telco-churn.csv", 7_043, 21),
        ("text/sms-spam.tsv", 5_574, 2),
        ("text/ag-news-7600.csv", 7_600, 3),
        ("text/sst2-train.tsv", 6_920, 2),
        ("text/sst2-dev.tsv", 872, 2),
    ],
)
def test_real_files_have_the_rows_that_they_are_known_to_have(
    name: str, n_rows: int, n_columns: int, shared_data: Path
) -> None:
    source = data.open_source(shared_data / name)
    assert sum(batch.num_rows for batch in source.batches()) == n_rows
    assert len(source.columns) == n_columns
    assert source.skipped.n_rows == 0
    assert isinstance(source, DelimitedSource)
    assert source.dialect.header == (source.columns[0] != "column_1")


def test_a_query_on_postgresql_gives_the_same_cells_and_cannot_write(postgres_url: str) -> None:
    import sqlalchemy as sa

    engine = sa.create_engine(postgres_url, poolclass=sa.pool.NullPool)
    with engine.begin() as connection:
        connection.execute(
            sa.text("CREATE TABLE t (a bigint, b double precision, c text, d date, e boolean, f numeric)")
        )
        connection.execute(
            sa.text("INSERT INTO t VALUES (1, 0.1, '50%', '2020-01-31', true, 1.50), (NULL, 2, NULL, NULL, false, 3)")
        )
    query = "SELECT *, '12:30'::text AS g FROM t WHERE c IS NULL OR c LIKE '%\\%' ORDER BY a NULLS LAST"
    source = data.open_source(postgres_url.replace("+psycopg", ""), data.SourceOptions(query=query))
    assert cells(source) == {
        "a": ["1", None],
        "b": ["0.1", "2.0"],
        "c": ["50%", None],
        "d": ["2020-01-31", None],
        "e": ["true", "false"],
        "f": ["1.50", "3"],
        "g": ["12:30", "12:30"],
    }
    for writing in ("WITH x AS (DELETE FROM t RETURNING a) SELECT * FROM x", "SELECT nextval('s')", "TABLE nowhere"):
        with pytest.raises((RefusedError, InputError)):
            data.open_source(postgres_url, data.SourceOptions(query=writing))
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM t")).scalar_one() == 2
    engine.dispose()
