"""Classes or a quantity, and what is told of the labels: by rows and repetition, on data whose question is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palio.core.errors import InputError
from palio.core.records import Column, ColumnType
from palio.data.classes import class_of_interest, look_alike, rare, several
from palio.data.task import TaskFound, task_from


def found(labels: Mapping[str, int] | Iterable[Any], type: ColumnType = "integer", **how: Any) -> TaskFound:
    counts = dict(labels) if isinstance(labels, Mapping) else dict(Counter(str(label) for label in labels))
    return task_from(Column(name="y", type=type), counts=counts, n_labelled=sum(counts.values()), **how)


def numbered(first: int, *rows: int) -> dict[str, int]:
    """Name the rows of consecutive whole numbers."""
    return {str(first + i): n for i, n in enumerate(rows) if n}


# rows of each whole number in public tables whose question is known
CLASSES = {
    "iris": numbered(0, 50, 50, 50),
    "glass": numbered(1, 70, 76, 17, 0, 13, 9, 29),
    "shuttle": numbered(1, 45_586, 50, 171, 8_903, 3_267, 10, 13),
    "covertype": numbered(1, 211_840, 283_301, 35_754, 2_747, 9_493, 17_367, 20_510),
    "page blocks": numbered(1, 4_913, 329, 28, 88, 115),
    "arrhythmia": numbered(1, 245, 44, 15, 15, 13, 25, 3, 2, 9, 50, 0, 0, 0, 4, 5, 22),
    "dermatology": numbered(1, 112, 61, 72, 49, 52, 20),
    "digits": numbered(0, 178, 182, 177, 183, 181, 182, 181, 179, 174, 180),
    "heart": numbered(0, 164, 55, 36, 35, 13),
    "a rating": numbered(1, 12, 20, 51, 80, 37),
    "thirty rows of three": numbered(0, 10, 11, 9),
    "ten rows of two": numbered(1, 4, 6),
    "codes of a protocol": {"200": 310, "404": 40, "500": 12},
    "minus one, zero, one": numbered(-1, 30, 40, 30),
}
QUANTITIES = {
    "wine, red": numbered(3, 10, 53, 681, 638, 199, 18),
    "wine, white": numbered(3, 20, 163, 1_457, 2_198, 880, 175, 5),
    "abalone": numbered(1, 1, 1, 15, 57, 115, 259, 391, 568, 689, 634, 487, 267, 203, 126, 103, 67, 58, 42, 32, 26, 14),
    "18 prices": {str(50_000 + 7_919 * i): 1 for i in range(18)},
    "40 rows, 20 numbers": numbered(1, *[2] * 20),
    "years": numbered(2004, *[25] * 12),
    "few years": numbered(2020, 40, 40, 40),
    "ages": numbered(18, *[30] * 20),
    "degrees": numbered(-5, *[25] * 15),
    "12 rows of 0 to 9": numbered(0, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1),
}


@pytest.mark.parametrize("name", CLASSES)
def test_whole_numbers_that_repeat_much_are_classes(name: str) -> None:
    assert found(CLASSES[name]).task.kind == "classification"


@pytest.mark.parametrize("name", QUANTITIES)
def test_whole_numbers_that_hardly_repeat_or_read_like_a_scale_are_a_quantity(name: str) -> None:
    assert found(QUANTITIES[name]).task.kind == "regression"


GAPPED = {str(number): 500 for number in (2, 3, 4, 6, 7, 8, 9, 10, 12, 13, 14)}


@pytest.mark.parametrize(
    ("name", "labels", "kind"),
    [
        ("class", GAPPED, "classification"),
        ("Class ID", GAPPED, "classification"),
        ("class", numbered(0, *[30] * 100), "classification"),
        ("label", numbered(0, *[30] * 100), "classification"),
        ("label", numbered(17, *[30] * 100), "regression"),  # what is learned is often called so
        ("class", QUANTITIES["18 prices"], "regression"),
        ("rings", GAPPED, "regression"),
        ("class of wine, points", QUANTITIES["wine, red"], "regression"),
    ],
)
def test_whole_numbers_that_repeat_under_the_name_of_a_class_are_codes(
    name: str, labels: dict[str, int], kind: str
) -> None:
    said = task_from(Column(name=name, type="integer"), counts=labels, n_labelled=sum(labels.values()))
    assert said.task.kind == kind
    assert ("under the name of a class" in said.reason) == (kind == "classification")


@pytest.mark.parametrize("mean", [2.5, 4.0, 8.0])
@pytest.mark.parametrize("n_rows", [200, 2_000])
def test_counts_are_a_quantity(mean: float, n_rows: int) -> None:
    kinds = [found(np.random.default_rng(seed).poisson(mean, n_rows)).task.kind for seed in range(20)]
    assert kinds.count("regression") >= 18


@given(st.integers(10, 60), st.integers(0, 2**32 - 1))
def test_few_rows_of_all_different_whole_numbers_are_a_quantity(n_rows: int, seed: int) -> None:
    labels = np.random.default_rng(seed).choice(10_000, n_rows, replace=False)
    assert found(labels).task.kind == "regression"


@given(st.integers(2, 5), st.integers(1, 40), st.integers(0, 1))
def test_few_balanced_codes_are_classes(k: int, times: int, first: int) -> None:
    assert found([first + i for i in range(k)] * (k * times)).task.kind == "classification"


@pytest.mark.parametrize("labels", [["0.0", "1.0"], ["1.0", "2.0"], ["0", "1"]])
def test_two_whole_numbers_are_classes_however_they_are_written(labels: list[str]) -> None:
    counts = {str(int(float(label))): 10 for label in labels}
    assert found(counts, "number").task.kind == "classification"
    assert found(counts, "number", has_fraction=True).task.kind == "regression"


def test_the_reason_names_the_word_that_changes_it() -> None:
    assert "18 different numbers in 18 rows hardly repeat" in found(QUANTITIES["18 prices"]).reason
    assert "--task classification" in found(QUANTITIES["years"]).reason
    assert "--task" not in found(QUANTITIES["18 prices"]).reason  # it would be refused
    assert "--task regression" in found(CLASSES["a rating"]).reason
    assert found(CLASSES["a rating"], kind="regression").task.kind == "regression"
    assert found(QUANTITIES["years"], kind="classification").task.kind == "classification"
    assert "--task" not in found({"yes": 4, "no": 6}, "category").reason


def test_labels_of_which_hardly_one_repeats_are_refused_with_what_helps() -> None:
    names = {f"name {i}": 1 for i in range(18)}
    with pytest.raises(InputError, match="18 different values in 18 rows are too many classes, at most 9") as caught:
        found(names, "category")
    assert "column that holds the classes" in caught.value.hint
    with pytest.raises(InputError) as caught:
        found({f"{i}.5": 1 for i in range(18)}, "category")
    assert 'the type "number"' in caught.value.hint
    with pytest.raises(InputError) as caught:
        found(QUANTITIES["18 prices"], kind="classification")
    assert '"regression"' in caught.value.hint
    with pytest.raises(InputError) as caught:
        found({"2024-01-01": 9, "2024-01-02": 9}, "datetime", kind="regression")
    assert "classification" not in caught.value.hint


@pytest.mark.parametrize(
    ("rest", "of_interest"),
    [
        ("no", "yes"),
        ("No", "YES"),
        ("false", "true"),
        ("0", "1"),
        ("-1", "1"),
        ("'-1'", "'1'"),
        ("0", "5"),
        ("n", "y"),
        ("F", "T"),
        ("good", "bad"),
        ("ham", "spam"),
        ("neg", "pos"),
        ("legit", "fraud"),
        ("no default", "default"),
        ("not_churned", "churned"),
        ("Alive", "Dead"),
        ("good", "excellent"),
    ],
)
@pytest.mark.parametrize("share", [0.1, 0.9])
def test_a_name_tells_the_class_of_interest_whatever_its_rows(rest: str, of_interest: str, share: float) -> None:
    counts = {rest: round(100 - 100 * share), of_interest: round(100 * share)}
    assert class_of_interest(sorted(counts), counts, where="y") == (of_interest, "by its name")


@pytest.mark.parametrize(
    "pair", [("1", "2"), ("cat", "dog"), ("<=50K", ">50K"), ("y", "x"), ("0", "-1"), ("true", "spam")]
)
def test_the_rarer_class_is_of_interest_where_no_name_tells(pair: tuple[str, str]) -> None:
    for rarer, other in (pair, pair[::-1]):
        counts = {rarer: 20, other: 80}
        assert class_of_interest(sorted(counts), counts, where="y") == (rarer, "the rarer one")


def test_the_class_of_interest_is_told_and_changed_by_a_word() -> None:
    said = found({"good": 70, "bad": 30}, "category")
    assert said.task.positive == "bad"
    assert any("`bad` is the class of interest, by its name (30 of 100 rows)" in note for note in said.notes)
    assert found({"good": 70, "bad": 30}, "category", positive="good").task.positive == "good"
    with pytest.raises(InputError, match="does not occur") as caught:
        found({"good": 70, "bad": 30}, "category", positive="Good")
    assert caught.value.hint == "did you mean `good`?"


def test_labels_that_differ_in_case_or_blanks_alone_are_told_with_their_rows() -> None:
    (note,) = look_alike("y", {"yes": 80, "Yes": 20, "YES": 1, "no": 99, "not  sure": 4, "not sure": 5})
    assert "`yes` (80 rows), `Yes` (20 rows) and `YES` (1 row)" in note
    assert "`not sure` (5 rows) and `not  sure` (4 rows)" in note
    assert "fold = true" in note and "6 classes where 3 may be meant" in note
    assert look_alike("y", {"yes": 1, "no": 2}) == []


def test_rare_classes_are_told_with_their_rows() -> None:
    (note,) = rare("y", {"a": 1, "b": 2, "c": 300})
    assert "`a` (1 row) and `b` (2 rows)" in note and "`c`" not in note
    assert rare("y", {"a": 3, "b": 4}) == []
    (note,) = rare("y", {f"class {i}": 4 for i in range(30)})
    assert "30 classes in 120 rows, 4 rows of each on average" in note


def test_labels_that_hold_several_of_the_others_are_told() -> None:
    found = several("tags", {"sport": 40, "money": 30, "art": 9, "money;sport": 12, "art, money, sport": 2})
    assert len(found) == 1
    assert "`money;sport` and `art, money, sport` hold several of the other classes (14 rows)" in found[0]
    assert not several("band", {"AC/DC": 4, "Simon & Garfunkel": 3, "Queen": 2})
    assert not several("answer", {"yes": 4, "yes and no": 3})
