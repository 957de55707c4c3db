"""The page of columns: safe, self-contained, and it says of each column what was found."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from palio import report
from palio.core.records import ColumnReading, Form, Record, Task

from .test_browser import assert_fits_a_telephone


class Begun(Record, frozen=True, kw_only=True):
    source: str = "sales.csv"
    form: Form = Form(kind="delimited", separator=";", encoding="cp1252", n_before=2)
    task: Task = Task(kind="classification", target="y", classes=("no", "yes"), positive="yes")
    reason: str = "classification of `y`: it holds no numbers"
    n_rows: int = 200
    n_features: int = 2
    readings: tuple[ColumnReading, ...] = ()
    notes: tuple[str, ...] = ("3 of 200 rows have no `y`: kept, but not learned from",)


AMOUNT = ColumnReading(
    name="amount", reading="number, decimal comma, in €", role="feature", examples=(("8.779,57 €", "8779.57"),),
    n_missing=10, n_unread=4, values="1 to 9978.39", doubts=("`<b>` is read as 3; if not, write decimal = \".\"",),
)  # fmt: skip
TYPED = ColumnReading(name="t", reading="number", role="feature", values="0 to 9")
PLAIN = ColumnReading(name="n", reading="whole number, decimal comma", role="feature", examples=(("1", "1"),))
TARGET = ColumnReading(name="y", reading="category", role="target", values="no, yes", n_values=2)
IDLE = ColumnReading(name="k", reading="category", role="not read", why="the same in every row", values="x", n_values=1)
HOSTILE = ColumnReading(
    name="<script>alert(1)</script>" + "w" * 900, reading="category", role="feature", values="</td><img src=x>" * 9,
    n_values=3, doubts=("x" * 600, "`\u202egpj.exe`"),
)  # fmt: skip


def page(*readings: ColumnReading, **changes: Any) -> str:
    return report.columns_page(Begun(readings=readings, **changes), name="sales")


def test_the_page_needs_nothing_and_runs_nothing() -> None:
    html = page(AMOUNT, TARGET, HOSTILE)
    assert "default-src 'none'; style-src 'unsafe-inline'" in html
    assert not re.search(r"<(?:script|link|iframe|img)\b", html)
    assert not re.search(r"(?:src|href)=\"(?!#)", html)
    assert "&lt;script&gt;" in html
    assert "\u202e" not in html
    assert page(AMOUNT, TARGET) == page(AMOUNT, TARGET)


def test_it_says_what_is_doubtful_and_what_to_type() -> None:
    html = page(AMOUNT, TARGET)
    assert "2 columns, 1 of them to look at" in html
    assert '<code class="typed">decimal = &#34;.&#34;</code>' in html
    assert "4 unreadable" in html
    assert ">7\u00a0%<" in html, "what cannot be read counts as missing"
    assert "8.779,57 €" in html
    assert "3 of 200 rows have no <code>y</code>" in html
    assert "nothing is doubtful" in page(PLAIN, TARGET)


def test_what_does_not_matter_is_not_told() -> None:
    rows = report.columns.rows((PLAIN, AMOUNT, TARGET, IDLE), 200)
    assert [row.short for row in rows] == ["whole number", "number, comma, €", "category", "category"]
    assert [row.range for row in rows] == ["", "1 to 9978.39", "2 values", "1 value"]
    (typed,) = report.columns.rows((TYPED,), 200)
    assert (typed.example, typed.range) == ("", "0 to 9"), "a cell that is no text is not written in any way"
    assert report.columns.not_read(rows) == [("k", "the same in every row")]


def test_the_form_of_the_file_is_one_sentence() -> None:
    begun = Begun(readings=(AMOUNT, TARGET))
    assert report.columns.form_sentence(begun) == (
        "sales.csv: 200 rows, 2 columns; `;` between cells, the first line names the columns, "
        "2 lines before it passed over, cp1252"
    )
    assert report.columns.task_sentences(begun)[1] == "why: it holds no numbers"


@pytest.mark.skipif(not any(map(shutil.which, ("chromium", "chromium-browser"))), reason="no chromium on the PATH")
def test_it_fits_a_telephone(tmp_path: Path) -> None:
    report.save(tmp_path / "report.html", page(AMOUNT, PLAIN, TARGET, IDLE, HOSTILE))
    assert_fits_a_telephone(tmp_path)
