"""The line that names the columns is found among titles, comments, numbers and separators."""

from __future__ import annotations

from pathlib import Path

import pytest

from palio import data
from palio.core.errors import InputError
from palio.testing.source import cells
from tests.data.sources.spreadsheets import write_xlsx

BODY = "p,1.5,yes\nq,2.5,no\nr,3.5,yes\n"
ROWS = [tuple(line.split(",")) for line in BODY.splitlines()]


def opened(folder: Path, text: str, **options: str) -> data.Source:
    (folder / "t.csv").write_text(text, "utf-8")
    return data.open_source(folder / "t.csv", data.SourceOptions(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Sales report\n\na,b,y\n" + BODY, "above the table"),
        ("Sales report,,\n,,\na,b,y\n" + BODY, "above the table"),
        (",2019,\na,b,y\n" + BODY, "above the table"),
        ("# made by hand, in May\n#\na,b,y\n" + BODY, ""),
        ("#a,b,y\n" + BODY, ""),
        ("a,b,y\n" + BODY + "# 3 rows exported\n", "comment"),
        ("# by hand\na,b,y\np,1.5,yes\n# q is late\nq,2.5,no\nr,3.5,yes\n", "comment"),
        ("sep=,\na,b,y\n" + BODY, ""),
        ("a,b,y,\n" + BODY.replace("\n", ",\n"), "`column_4` is passed over"),
        ("a,b,y\n" + BODY.replace("\n", ",\n"), "`column_4` is passed over"),
        ("a,b,y\n" + BODY.replace("yes\n", "yes,\n"), ""),
        ("a,b,y,,\n" + BODY, "passed over"),
        ("a,b,y\np,1.5,yes\na,b,y\nq,2.5,no\nr,3.5,yes\n", "1 line repeats the header"),
        ("a,b,y\n-,-,-\n" + BODY + "\n(3 rows affected)\n", ""),
        ("a,b,y\r\n" + BODY + "\x1a", ""),
        ('"a", "b", "y"\n' + BODY, ""),
        ("a,b,y\n" + BODY.replace("\n", "\r"), ""),
    ],
)
def test_what_stands_around_the_table_is_no_row(text: str, said: str, tmp_path: Path) -> None:
    source = opened(tmp_path, text)
    rows = cells(source)
    names = tuple(name.removeprefix("#") for name in source.columns)
    assert (names, rows, source.skipped.n_rows) == (("a", "b", "y"), ROWS, 0)
    assert said in " ".join(source.notes)


@pytest.mark.parametrize(
    ("names", "target"),
    [
        ("region,2019,y", ""),
        ("region,2019,2020", "2020"),
        ("1,2,3", "3.0"),
        ("region,NA,y", "y"),
        ("region,2020-01,y", ""),
        ("5,7,y", "y"),
    ],
)
def test_numbers_dates_and_marks_can_be_names(names: str, target: str, tmp_path: Path) -> None:
    text = names.replace("3", target or "3") + "\n" + BODY
    source = opened(tmp_path, text, target=target)
    assert source.columns == tuple(text.split("\n")[0].split(","))
    assert source.form.header and cells(source) == ROWS


@pytest.mark.parametrize("text", ["p,2019,yes\nq,2018,no\np,2017,yes\n", "1,2,yes\n2,3,no\n3,4,no\n", "5,,\n6,2,yes\n"])
def test_rows_are_not_taken_for_names(text: str, tmp_path: Path) -> None:
    source = opened(tmp_path, text, target="3")
    assert not source.form.header
    assert len(cells(source)) == len(text.splitlines())


def test_a_position_says_nothing_about_the_header(tmp_path: Path) -> None:
    assert opened(tmp_path, "1,2\n3,4\n", target="2").columns == ("column_1", "column_2")
    assert opened(tmp_path, "1,2020\n3,4\n", target="2020").columns == ("1", "2020")


def test_cells_that_begin_like_comments_are_no_comments(tmp_path: Path) -> None:
    text = "# tweets, by day\ntext,n\n#sun rises,1\nmoon,2\n# a remark\n" + "stars,3\n" * 20
    assert [row[0] for row in cells(opened(tmp_path, text))][:3] == ["#sun rises", "moon", "stars"]
    assert cells(opened(tmp_path, "a,b\n#1,2\n#2,3\n")) == [("#1", "2"), ("#2", "3")]
    assert cells(opened(tmp_path, "a,b\n#1,2\n2,3\n", comment="#")) == [("2", "3")]
    assert len(cells(opened(tmp_path, "a,b\n#1,2\n2,3\n", comment="none"))) == 2


def test_the_lower_of_two_rows_of_names_is_the_header_where_it_has_the_target(tmp_path: Path) -> None:
    text = "what,how,end\na,b,y\n" + BODY
    source = opened(tmp_path, text, target="y")
    assert (source.columns, cells(source)) == (("a", "b", "y"), ROWS)
    assert opened(tmp_path, text, target="end").columns == ("what", "how", "end")
    assert opened(tmp_path, "what,how,end\np,q,yes\na,b,y\nr,s,no\n", target="y").columns == ("what", "how", "end")


def test_a_row_of_empty_cells_is_a_row(tmp_path: Path) -> None:
    assert cells(opened(tmp_path, "a,b,y\n" + BODY + ",,\n")) == [*ROWS, ("", "", "")]


def test_names_of_rows_may_have_no_name(tmp_path: Path) -> None:
    assert opened(tmp_path, '"x","y"\n"1",5,6\n"2",7,8\n').columns == ("column_1", "x", "y")
    assert opened(tmp_path, ",x,y\n0,5,6\n1,7,8\n").columns == ("column_1", "x", "y")


def test_names_are_cleaned_and_the_longest_are_passed_over(tmp_path: Path) -> None:
    source = opened(tmp_path, '"price\n(EUR)",\u200b b ,😀,' + "x" * 10_000 + "," + "x" * 20_001 + "\n1,2,3,4,5\n")
    assert source.columns == ("price\n(EUR)", "b", "😀", "x" * 10_000)
    assert list(source.passed_over) == ["column_5"]
    assert cells(source) == [("1", "2", "3", "4")]


def test_a_target_that_cannot_be_read_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no name and no cell"):
        opened(tmp_path, "a,b,y,\n" + BODY.replace("\n", ",\n"), target="column_4")


WIDE = [("p", "1.5", "3", "yes"), ("q", "2.5", "4", "no"), ("r", "3.5", "5", "yes"), ("s", "4.5", "6", "no")]


@pytest.mark.parametrize(
    "lines",
    [
        [",[m],[kg],"],
        ["-,cm,kg,-"],
        ["name,Height of the animal,Its weight,Bought?", '{"id":1},{"id":2},{"id":3},{"id":4}'],
        ["(text),(m),(m),(text)"],
    ],
)
def test_lines_below_the_header_that_describe_columns_are_no_rows(lines: list[str], tmp_path: Path) -> None:
    text = "\n".join(["a,b,c,y", *lines, *map(",".join, WIDE)])
    source = opened(tmp_path, text, target="y")
    assert cells(source) == WIDE
    assert "below the header describe" in " ".join(source.notes)
    rows = [line.split(",") for line in ["a,b,c,y", *lines]] + [[a, float(b), int(c), y] for a, b, c, y in WIDE]
    sheet = data.open_source(write_xlsx(tmp_path / "t.xlsx", {"May": rows}))
    assert cells(sheet) == [(a, float(b), int(c), y) for a, b, c, y in WIDE]
    assert "below the header describe" in " ".join(sheet.notes)


@pytest.mark.parametrize("first", ["p,?,?,yes", "p,lost,lost,yes", "p,,,no", "p,1,lost,no", "p,NA,gone,no"])
def test_a_row_whose_numbers_are_not_known_is_a_row(first: str, tmp_path: Path) -> None:
    source = opened(tmp_path, "\n".join(["a,b,c,y", first, *map(",".join, WIDE)]), target="y")
    assert cells(source)[0] == tuple(first.split(","))


DECLARED = """% by hand
@RELATION cars

@ATTRIBUTE 'body style' {'hard top', sedan}
@attribute "a \\"b\\"" REAL   % metres
@attribute class {yes,no}
@DATA
"""


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("sedan,1.5,yes\n% late\nsedan,?,no\n", [("sedan", "1.5", "yes"), ("sedan", "?", "no")]),
        ("'hard, top',1.5,yes\n'it\\'s',2,no\n", [("hard, top", "1.5", "yes"), ("it's", "2", "no")]),
        ("sedan 1.5 yes\nsedan 2 no\n", [("sedan", "1.5", "yes"), ("sedan", "2", "no")]),
        ("sedan\t1.5\tyes\n", [("sedan", "1.5", "yes")]),
    ],
)
def test_columns_may_be_declared_above_the_rows(rows: str, expected: list[object], tmp_path: Path) -> None:
    (tmp_path / "t.arff").write_text(DECLARED + rows, "utf-8")
    source = data.open_source(tmp_path / "t.arff", data.SourceOptions(target="class"))
    assert source.columns == ("body style", 'a "b"', "class")
    assert cells(source) == expected
    assert "declared above the rows" in " ".join(source.notes)


def test_declared_columns_with_cells_by_their_places_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t.arff").write_text(DECLARED + "{0 sedan, 2 yes}\n", "utf-8")
    with pytest.raises(InputError, match="by their places"):
        data.open_source(tmp_path / "t.arff")
