"""Truths are read as the target was."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from palio.core.errors import ContractError
from palio.core.records import Column, Task
from palio.serve.feedback import Truths

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
PRICE = Column(name="price", type="number", feature=False, decimal=",", unit="€")
GRADE = Column(name="grade", type="integer", feature=False)
ILL = Column(name="ill", type="category", feature=False, categories=("no", "Yes"), fold=True, missing=("", "NA"))


def read(column: Column, cell: Any, kind: str = "classification", classes: tuple[str, ...] = ()) -> str | float:
    task = Task(kind=kind, target=column.name, classes=classes)  # type: ignore[arg-type]
    return Truths(task, column).read({"key": 7.0, "label": cell}, now=NOW, where="row 0").label


@pytest.mark.parametrize(("cell", "number"), [("1.234,50 €", 1234.5), ("1.500", 1500.0), (" (3) ", -3.0), (2.5, 2.5)])
def test_a_number_is_read_with_the_marks_of_the_target(cell: Any, number: float) -> None:
    assert read(PRICE, cell, "regression") == number


@pytest.mark.parametrize("cell", ["1.5", "12 kg", "soon", "yes"])
def test_what_is_no_number_under_the_contract_is_refused(cell: Any) -> None:
    with pytest.raises(ContractError, match="not a finite number"):
        read(PRICE, cell, "regression")


@pytest.mark.parametrize(
    ("column", "classes", "cell", "label"),
    [
        (GRADE, ("1", "2"), "1.0", "1"),
        (GRADE, ("1", "2"), 1, "1"),
        (GRADE, ("1", "2"), " 02 ", "2"),
        (ILL, ("no", "Yes"), "YES", "Yes"),
        (ILL, ("no", "Yes"), "No ", "no"),
        (ILL, ("no", "Yes"), True, "Yes"),
        (ILL, ("no", "Yes"), "perhaps", "perhaps"),
        (ILL, ("no", "Yes", "None"), "None", "None"),
    ],
)
def test_a_class_is_read_as_a_cell_of_the_target(
    column: Column, classes: tuple[str, ...], cell: Any, label: str
) -> None:
    assert read(column, cell, classes=classes) == label


def test_a_mark_of_the_target_says_that_the_truth_is_not_known_yet() -> None:
    with pytest.raises(ContractError, match="missing"):
        read(ILL, "NA", classes=("no", "Yes"))


def test_a_key_is_the_same_as_number_and_as_text() -> None:
    truths = Truths(Task(kind="classification", target="ill", classes=("no", "Yes")), ILL)
    keys = {truths.read({"key": k, "label": "no"}, now=NOW, where="row 0").key for k in (7, 7.0, "7", " 7")}
    assert keys == {"7"}


@pytest.mark.parametrize("key", [4711, 4711.0, "4711", " 4711.0 "])
def test_a_key_is_the_same_however_a_table_wrote_its_number(key: Any) -> None:
    assert Truths(None).read({"key": key, "label": "a"}, now=NOW, where="row 0").key == "4711"


@pytest.mark.parametrize("at", [1_760_000_000, 1_760_000_000_000, "1760000000", "1760000000.0", "2025-10-09T08:53:20Z"])
def test_a_moment_may_be_a_count_of_seconds(at: Any) -> None:
    truths = Truths(None, zone="Europe/Berlin")
    read = truths.read({"key": 1, "label": "a", "at": at}, now=NOW, where="row 0")
    assert read.at == dt.datetime(2025, 10, 9, 8, 53, 20, tzinfo=dt.UTC)
    assert truths.n_without_zone == 0


@pytest.mark.parametrize("at", [20251009, "20251009"])
def test_eight_digits_are_a_day(at: Any) -> None:
    truths = Truths(None)
    read = truths.read({"key": 1, "label": "a", "at": at}, now=NOW, where="row 0")
    assert (read.at.date(), truths.n_days) == (dt.date(2025, 10, 9), 1)


@pytest.mark.parametrize("at", [2025, 12, True, -1.0, float("inf"), 1e300])
def test_other_numbers_are_no_moment(at: Any) -> None:
    with pytest.raises(ContractError, match="not a moment"):
        Truths(None).read({"key": 1, "label": "a", "at": at}, now=NOW, where="row 0")


BOXES = Column(name="boxes", type="boxes", feature=False)
FRACTIONS = [{"label": "cat", "box": [0.1, 0.2, 0.6, 1.0]}, {"label": "dog", "box": [0, 0, 0.5, 0.5]}]


@pytest.mark.parametrize("cell", [FRACTIONS, json.dumps(FRACTIONS), FRACTIONS[:1]])
def test_boxes_in_fractions_are_refused_and_not_taken_for_parts_of_a_pixel(cell: Any) -> None:
    with pytest.raises(ContractError, match="in fractions of the picture") as error:
        read(BOXES, cell, "detection", ("cat", "dog"))
    assert "in pixels" in error.value.hint


@pytest.mark.parametrize("corners", [(-9, 0, -1, 9), (0, -20, 9, 5)])
def test_boxes_beside_every_picture_are_refused(corners: tuple[float, ...]) -> None:
    with pytest.raises(ContractError, match="outside of any picture"):
        read(BOXES, [{"label": "cat", "box": list(corners)}], "detection", ("cat",))
    assert read(BOXES, [{"label": "cat", "box": [-1, -1, 9_000, 9]}], "detection", ("cat",))


@pytest.mark.parametrize("cell", ["[]", [], [{"label": "cat", "box": [0, 0, 1, 2]}]])
def test_nothing_and_what_is_small_are_truths(cell: Any) -> None:
    assert str(read(BOXES, cell, "detection", ("cat",))).startswith("[")
