"""A later file in which day and month change places is not read as other days."""

from __future__ import annotations

from pathlib import Path

import pytest

from palio import data
from palio.core.cells import CellReader
from palio.core.errors import ContractError
from palio.core.records import Schema


def write(path: Path, form: str) -> Path:
    days = [form.format(d=1 + i % 28, m=1 + i % 12) for i in range(60)]
    path.write_text("at,n,y\n" + "".join(f"{day},{i % 7},{'ab'[i % 2]}\n" for i, day in enumerate(days)), "utf-8")
    return path


def schema(folder: Path, form: str) -> Schema:
    return data.survey(data.open_source(write(folder / "first.csv", form)), target="y").schema


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("{m:02}/{d:02}/2022", "{d:02}/{m:02}/2022"),
        ("{m:02}/{d:02}/22", "{d:02}.{m:02}.2022"),
        ("{d}.{m}.2022", "{m}/{d}/2022"),
    ],
)
def test_a_file_with_day_and_month_changed_is_refused(first: str, then: str, tmp_path: Path) -> None:
    source = data.open_source(write(tmp_path / "then.csv", then))
    with pytest.raises(ContractError, match=r"`at`: `[^`]+` is only a day with the") as caught:
        list(data.scan(source, schema(tmp_path, first)))
    assert caught.value.hint


@pytest.mark.parametrize("then", ["{m:02}/{d:02}/2022", "2022-{m:02}-{d:02}"])
def test_a_file_that_leaves_no_doubt_is_read(then: str, tmp_path: Path) -> None:
    found = list(data.scan(data.open_source(write(tmp_path / "then.csv", then)), schema(tmp_path, "{m:02}/{d:02}/22")))
    assert not any(any(one.problems) or one.flags for one in found)


def test_one_slip_of_the_pen_refuses_its_row_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "then.csv", "{m:02}/{d:02}/2022")
    path.write_text(path.read_text().replace("01/01/2022", "31/01/2022", 1))
    (found,) = data.scan(data.open_source(path), schema(tmp_path, "{m:02}/{d:02}/2022"))
    assert [why for why in found.problems if why] == [
        "`at`: `31/01/2022` is not an ISO 8601 date or seconds since 1970 (the column holds: moment, month first)"
    ]


def test_a_day_with_other_marks_is_flagged_as_it_may_be_another(tmp_path: Path) -> None:
    reader = CellReader(schema(tmp_path, "{m:02}/{d:02}/2022").column("at"))
    assert reader.read("01/03/2022").flags == reader.read("2022-01-03").flags == ()
    assert reader.read("01.03.2022").flags == ("unusual form",)
