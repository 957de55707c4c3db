"""A column that gives the target away is told before anything is learned from it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from palio import data


def told(folder: Path, columns: dict[str, list[object]]) -> str:
    names = list(columns)
    rows = zip(*columns.values(), strict=True)
    (folder / "t.csv").write_text("\n".join([",".join(names), *(",".join(map(str, row)) for row in rows)]) + "\n")
    found = data.survey(data.open_source(folder / "t.csv"), target="y")
    return " ".join(doubt for one in found.readings for doubt in one.doubts if "--exclude" in doubt)


def truth(n: int = 200) -> tuple[list[object], list[float]]:
    chance = random.Random(4)
    scores = [chance.gauss(0, 1) for _ in range(n)]
    return ["yes" if score + chance.gauss(0, 0.7) > 0 else "no" for score in scores], scores


def test_a_copy_of_the_target_in_other_words_is_told(tmp_path: Path) -> None:
    y, scores = truth()
    copy: list[object] = [{"yes": 1, "no": 0}[str(one)] for one in y]
    assert "it alone tells `y`" in told(tmp_path, {"a": list(scores), "won": copy, "y": y})


def test_a_column_that_is_filled_afterwards_is_told(tmp_path: Path) -> None:
    y, scores = truth()
    left: list[object] = [f"2022-05-{1 + i % 28:02d}" if one == "yes" else "" for i, one in enumerate(y)]
    assert "it is missing in the rows of one class" in told(tmp_path, {"a": list(scores), "left_on": left, "y": y})


def test_a_number_that_parts_the_classes_without_exception_is_told(tmp_path: Path) -> None:
    y, scores = truth()
    late: list[object] = [30 + i % 90 if one == "yes" else i % 29 for i, one in enumerate(y)]
    assert "up to 28 `y` is `no` and from 30 on `yes`" in told(tmp_path, {"a": list(scores), "days_late": late, "y": y})


def test_a_target_in_another_unit_is_told(tmp_path: Path) -> None:
    _, scores = truth()
    chance = random.Random(5)
    columns: dict[str, list[object]] = {
        "a": [score + chance.gauss(0, 1) for score in scores],
        "cents": [round(100 * score + 3, 2) for score in scores],
        "y": [round(score, 6) for score in scores],
    }
    assert "it goes with `y` as `y` in another unit would" in told(tmp_path, columns)


def test_marks_that_two_columns_share_make_no_copy(tmp_path: Path) -> None:
    chance = random.Random(6)
    rows = [(-9999.0, -9999.0) if i % 8 == 0 else (chance.random(), chance.random()) for i in range(200)]
    columns: dict[str, list[object]] = {
        "a": [chance.random() for _ in rows],
        "x": [x for x, _ in rows],
        "y": [y for _, y in rows],
    }
    assert not told(tmp_path, columns)


def test_classes_are_told_as_they_are_called_and_numbers_as_far_as_they_differ(tmp_path: Path) -> None:
    y, scores = truth()
    braced: list[object] = ["{a}" if one == "yes" else "{b}" for one in y]
    late: list[object] = [2_000_000 + i + (1_000 if one == "yes" else 0) for i, one in enumerate(y)]
    last = max(int(str(one)) for one, label in zip(late, y, strict=True) if label == "no")
    first = min(int(str(one)) for one, label in zip(late, y, strict=True) if label == "yes")
    found = told(tmp_path, {"a": list(scores), "late": late, "y": braced})
    assert f"up to {last} `y` is `{{b}}` and from {first} on `{{a}}`" in found


@pytest.mark.parametrize("n_wrong", [5, 20])
def test_what_only_goes_with_the_target_is_not_told(tmp_path: Path, n_wrong: int) -> None:
    y, scores = truth()
    near: list[object] = [one if i >= n_wrong else "other" for i, one in enumerate(y)]
    assert not told(tmp_path, {"a": list(scores), "near": near, "y": y})


def test_a_column_of_parts_is_told_with_how_to_keep_them(tmp_path: Path) -> None:
    y, scores = truth()
    part: list[object] = ["test" if i % 5 == 0 else "train" for i in range(len(y))]
    assert 'method = "given"' in told(tmp_path, {"a": list(scores), "part": part, "y": y})
