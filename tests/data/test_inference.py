"""The survey finds types, roles and the task in the whole file."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from palio import data
from palio.core.errors import InputError
from palio.core.records import Column
from palio.data.inference import resolve
from palio.store import Store


def survey(folder: Path, columns: dict[str, list[object]], **options: object) -> data.Survey:
    names = list(columns)
    rows = zip(*columns.values(), strict=True)
    text = "\n".join([",".join(names), *(",".join(str(cell) for cell in row) for row in rows)])
    (folder / "t.csv").write_text(text + "\n")
    return data.survey(data.open_source(folder / "t.csv"), **({"target": "y"} | options))  # type: ignore[arg-type]


def column(folder: Path, cells: list[object], name: str = "x") -> Column:
    labels: list[object] = [("no", "yes")[i % 2] for i in range(len(cells))]
    other: list[object] = [i * i % 17 for i in range(len(cells))]
    return survey(folder, {name: cells, "other": other, "y": labels}).schema.column(name)


def cycle(values: list[object], n: int = 60) -> list[object]:
    return [values[i % len(values)] for i in range(n)]


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([3, 1, 2], "integer"),
        ([3, 1, "NA", ""], "integer"),
        (["+3", -1, 2], "integer"),
        ([3.5, 1, 2], "number"),
        ([1e300, 0, 3], "number"),
        (["1.0", "2.0"], "number"),
        (["true", "False", "TRUE"], "boolean"),
        (["yes", "no", "?"], "category"),
        (["007", "123", "9"], "category"),
        (["1,234.50", "12.5", "7"], "number"),
        (["$1.50", "$2", "(3.25)"], "number"),
        (["12 kg", "7 kg"], "integer"),
        (["12 %", "7 %"], "integer"),
        (["\u22125", "1 234", "2\u00a0345"], "integer"),
        (["03/01/22", "25/12/21"], "datetime"),
        (["2023-W05", "2022-W50"], "datetime"),
        (["2023 Q1", "Q3 2022"], "datetime"),
        (["5. März 2022", "1. Mai 2021"], "datetime"),
        (["10:00 AM 2022", "soon"], "category"),
        (["yes", "No", "Y", "f", "TRUE"], "boolean"),
        (["5+", "1", "2"], "category"),
        (["2020-01-31", "2021-12-01", ""], "datetime"),
        (["2020-01-31T10:00:00Z", "2021-12-01T10:00:00+02:00"], "datetime"),
        (["31.01.2020", "01.12.2021"], "datetime"),
        (["01/31/2020 10:30", "12/01/2021 11:30"], "datetime"),
        (["2020-01-31", "soon"], "category"),
    ],
)
def test_the_narrowest_type_that_holds_all_cells_is_taken(cells: list[object], kind: str, tmp_path: Path) -> None:
    assert column(tmp_path, cycle(cells)).type == kind


@pytest.mark.parametrize(
    ("first", "last", "kind"),
    [
        (1, 2.5, "number"),
        (1, "007", "integer"),
        ("2020-01-31", "never", "datetime"),
        ("01/02/2020", "25/12/2020", "datetime"),
    ],
)
def test_the_last_row_may_change_the_type_but_two_odd_cells_do_not(
    first: object, last: object, kind: str, tmp_path: Path
) -> None:
    other = 3 if first == 1 else "05/06/2020" if "/" in str(first) else "2021-05-05"
    found = column(tmp_path, [*([first, other] * 100_000), last, last])
    assert found.type == kind


def test_day_and_month_are_told_apart_by_the_whole_file(tmp_path: Path) -> None:
    assert column(tmp_path, [*cycle(["01/02/2020", "03/04/2020"]), "25/12/2020"]).format == "%d/%m/%Y"
    assert column(tmp_path, [*cycle(["01/02/2020", "03/04/2020"]), "12/25/2020"]).format == "%m/%d/%Y"


def test_a_few_words_among_numbers_do_not_make_a_category(tmp_path: Path) -> None:
    found = column(tmp_path, [*(i / 2 for i in range(200)), "oops", "err"])
    assert found.type == "number"
    assert "`oops` (data row 201)" in found.note


def test_range_and_categories_cover_the_whole_file(tmp_path: Path) -> None:
    assert (column(tmp_path, cycle([3, -1, 2])).low, column(tmp_path, cycle([3, -1, 2])).high) == (-1.0, 3.0)
    assert column(tmp_path, cycle(["b", "a", "b"])).categories == ("b", "a")


@pytest.mark.parametrize(
    ("name", "cells", "is_feature"),
    [
        ("No", list(range(1, 61)), False),
        ("anything", list(range(10, 70)), False),
        ("customerID", [f"c-{i * 7919 % 1000}" for i in range(60)], False),
        ("user_id", [i * i for i in range(60)], False),
        ("income", [i * i for i in range(60)], True),
        ("valid", [i * i for i in range(60)], True),
        ("user_id", cycle([1, 5, 9]), True),
        ("constant", [7] * 60, False),
        ("nothing", [""] * 60, False),
        ("sometimes", cycle(["", 1]), True),
        ("review", [f"the {i}th film was rather good I think" for i in range(60)], True),
    ],
)
def test_columns_that_name_rows_or_say_nothing_are_no_features(
    name: str, cells: list[object], is_feature: bool, tmp_path: Path
) -> None:
    found = column(tmp_path, cells, name)
    assert found.feature is is_feature
    assert bool(found.note) is (not is_feature or found.type == "text")  # what a text is taken for is told, too


def test_texts_are_features_where_there_is_nothing_else(tmp_path: Path) -> None:
    texts: list[object] = [f"the {i}th film was rather good I think" for i in range(60)]
    found = survey(tmp_path, {"review": texts, "y": cycle(["good", "bad"])})
    assert found.schema.modality == "text"


def test_one_moment_that_never_goes_back_orders_the_rows(tmp_path: Path) -> None:
    days: list[object] = [f"2020-{1 + i // 28:02}-{1 + i % 28:02}" for i in range(60)]
    labels = cycle(["no", "yes"])
    numbers = cycle([3, 1, 2])
    assert survey(tmp_path, {"at": days, "n": numbers, "y": labels}).schema.time == ("at",)
    assert survey(tmp_path, {"at": days[::-1], "n": numbers, "y": labels}).schema.time == ("at",)
    assert survey(tmp_path, {"at": days[30:] + days[:30], "n": numbers, "y": labels}).schema.time == ()


def test_days_without_a_year_do_not_order_the_rows(tmp_path: Path) -> None:
    parts: dict[str, list[object]] = {"month": [1 + i // 20 for i in range(60)], "day": [1 + i % 20 for i in range(60)]}
    rest: dict[str, list[object]] = {"n": cycle([3, 1, 2]), "y": cycle(["no", "yes"])}
    assert survey(tmp_path, parts | rest).schema.time == ()
    assert survey(tmp_path, {"year": [2020] * 59 + [2021]} | {"month": [12] * 59 + [1]} | rest).schema.time == (
        "year",
        "month",
    )


def test_what_the_user_names_is_taken_as_given(tmp_path: Path) -> None:
    table: dict[str, list[object]] = {
        "a": cycle([1, 2, 3]),
        "b": cycle([5, 6]),
        "c": cycle([7, 9, 8]),
        "y": cycle([0, 1]),
    }
    found = survey(tmp_path, table | {"d": cycle([1.5, 2.5])}, id="a", group="b", exclude=("c",)).schema
    assert (found.target, found.id, found.group) == ("y", "a", "b")
    assert [c.name for c in found.features] == ["d"]


@pytest.mark.parametrize(
    ("cells", "kind", "classes", "positive"),
    [
        (["yes", "no", "no"], "classification", ("no", "yes"), "yes"),
        ([0, 1, 0], "classification", ("0", "1"), "1"),
        (["0.0", "1.0"], "classification", ("0", "1"), "1"),
        (["True", "false"], "classification", ("false", "true"), "true"),
        (["ham", "ham", "rare"], "classification", ("ham", "rare"), "rare"),
        (["a", "b", "c"], "classification", ("a", "b", "c"), None),
        ([1.5, 2.5], "regression", (), None),
        (list(range(0, 42, 2)), "regression", (), None),
        (list(range(0, 40, 2)), "classification", tuple(sorted(str(i) for i in range(0, 40, 2))), None),
    ],
)
def test_the_target_tells_the_task(
    cells: list[object], kind: str, classes: tuple[str, ...], positive: str | None, tmp_path: Path
) -> None:
    task = survey(tmp_path, {"x": [i * i % 41 for i in range(420)], "y": cycle(cells, 420)}).task
    assert (task.kind, task.classes, task.positive) == (kind, classes, positive)


def test_rows_without_a_target_are_counted(tmp_path: Path) -> None:
    found = survey(tmp_path, {"x": [i * i % 41 for i in range(60)], "y": cycle(["yes", "no", ""])})
    assert (found.n_rows, found.n_unlabelled) == (60, 20)


@pytest.mark.parametrize(("wanted", "name"), [("b", "b"), (1, "a"), ("-1", "c"), (-3, "a"), ("2", "2")])
def test_columns_are_named_or_counted(wanted: str | int, name: str) -> None:
    assert resolve(wanted, ("a", "b", "c") if name != "2" else ("a", "b", "2"), "target") == name


@pytest.mark.parametrize("wanted", [0, 4, -4, "d", "B "])
def test_columns_that_are_not_there_are_refused_with_the_list(wanted: str | int) -> None:
    with pytest.raises(InputError, match="the columns are `a`, `b`, `c`"):
        resolve(wanted, ("a", "b", "c"), "target")


REAL = [
    ("adult-train.csv", "column_15", "classification", ">50K", None, ()),
    ("bank.csv", "y", "classification", "yes", None, ()),
    ("beijing-pm25.csv", "pm2.5", "regression", None, "No", ("year", "month", "day", "hour")),
    ("california-housing.csv", "median_house_value", "regression", None, None, ()),
    ("diamonds.csv", "price", "regression", None, None, ()),
    ("mammography.csv", -1, "classification", "'1'", None, ()),
    ("telco-churn.csv", "Churn", "classification", "Yes", "customerID", ()),
]


@pytest.mark.parametrize(("name", "target", "kind", "positive", "id", "time"), REAL, ids=[r[0] for r in REAL])
def test_real_tables_need_nothing_but_the_target(
    name: str,
    target: str | int,
    kind: str,
    positive: str | None,
    id: str | None,
    time: tuple[str, ...],
    shared_data: Path,
) -> None:
    found = data.survey(data.open_source(shared_data / "tabular" / name), target=target)
    assert (found.task.kind, found.task.positive) == (kind, positive)
    assert (found.schema.id, found.schema.time) == (id, time)
    assert found.n_unlabelled == (2_067 if name == "beijing-pm25.csv" else 0)
    if name == "telco-churn.csv":
        assert found.schema.column("TotalCharges").type == "number"
    if name == "adult-train.csv":
        assert "Private" in (found.schema.column("column_2").categories or ())


def test_numbers_beside_an_unknown_mark_are_numbers_and_it_is_told(tmp_path: Path) -> None:
    cells: list[object] = ["k.A." if i % 8 == 0 else i * 0.5 for i in range(80)]
    labels: list[object] = [("no", "yes")[i % 2] for i in range(80)]
    found = survey(tmp_path, {"size": cells, "grade": cycle(["1", "2", "3+"], 80), "y": labels})
    assert found.schema.column("size").type == "number"
    assert "k.A." in (found.schema.column("size").missing or ())
    assert found.schema.column("grade").type == "category"
    assert [note for note in found.notes if note.startswith("`size`: `k.A.` beside numbers is read as missing")]


def test_a_code_says_which_kind_of_digits_make_it_one(tmp_path: Path) -> None:
    cells: dict[str, list[object]] = {
        "zip": cycle(["01067", "10115"]),
        "iban": cycle([10**19 + 7, 10**19 + 8]),
        "y": cycle(["yes", "no"]),
        "n": list(range(0, 600, 10)),
    }
    notes = "\n".join(survey(tmp_path, cells).notes)
    assert "`zip`: digits with leading zeros" in notes
    assert "`iban`: more digits than a number keeps" in notes


def test_spellings_are_of_values_in_a_column_and_of_classes_in_the_target(tmp_path: Path) -> None:
    cells: dict[str, list[object]] = {
        "a": cycle(["x", "X", "z"]),
        "n": cycle([1, 5, 9]),
        "y": cycle(["yes", "Yes", "no"]),
    }
    notes = survey(tmp_path, cells).notes
    assert any(
        "`a`: `X` (20 rows) and `x` (20 rows)" in note and "3 values where 2 may be meant" in note for note in notes
    )
    assert any("`y`: `Yes`" in note and "3 classes where 2 may be meant" in note for note in notes)


def test_a_column_without_a_name_that_counts_up_with_gaps_is_the_index_of_a_data_frame(tmp_path: Path) -> None:
    up: list[object] = [k + k // 9 for k in range(60)]
    other = {"n": cycle([1, 5, 9, 4]), "y": cycle(["yes", "no"])}
    found = survey(tmp_path, {"": up} | other).schema
    assert found.id == "column_1" and "some of which are gone" in found.column("column_1").note
    for name, cells in (("", up[::-1]), ("", [*up[:-1], up[0]]), ("speed", up)):
        assert survey(tmp_path, {name: cells} | other).schema.column(name or "column_1").feature, name


def test_a_table_without_features_says_of_each_column_why_it_is_none(tmp_path: Path) -> None:
    cells: dict[str, list[object]] = {"row": list(range(60)), "same": [1] * 60, "y": cycle(["yes", "no"])}
    with pytest.raises(InputError, match="`row`: counts the rows and `same`: the same in every row\nhint"):
        survey(tmp_path, cells)
    with pytest.raises(InputError, match="`y` is the only one"):
        survey(tmp_path, {"y": cycle(["yes", "no"])})


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (["-999", "20.5", "18.25", "21"], "`-999` (15 rows) lies far from all other values, 18.25 to 21"),
        (["-99", "999", "3", "7", "5"], "`-99` (12 rows) and `999` (12 rows) lie far from all other values, 3 to 7"),
        (["9999", "1", "NA", "3", "40"], 'write missing = ["9999", "NA"] in schema.toml'),
        (["99", "100", "98", "1"], ""),
        (["999", "500", "1200"], ""),
        (["99.5", "1", "2"], ""),
    ],
)
def test_nines_far_from_all_other_values_are_told(cells: list[object], told: str, tmp_path: Path) -> None:
    columns: dict[str, list[object]] = {"x": cycle(cells), "n": cycle([1, 5, 9]), "y": cycle(["yes", "no"])}
    notes = " ".join(survey(tmp_path, columns).notes)
    assert told in notes if told else "lies far" not in notes


def test_nines_that_are_named_are_missing(tmp_path: Path, store: Store) -> None:
    columns = {"x": cycle(["-999", "20.5", "18.25"]), "n": cycle([1, 5, 9]), "y": cycle(["yes", "no"])}
    found = survey(tmp_path, columns)
    x = msgspec.structs.replace(found.schema.column("x"), missing=("-999",))
    schema = msgspec.structs.replace(found.schema, columns=(x, *found.schema.columns[1:]))
    snapshot = data.ingest(data.open_source(tmp_path / "t.csv"), store=store, schema=schema)
    assert data.read(store, snapshot)["x"].to_list()[:3] == [None, 20.5, 18.25]


def test_a_mark_beside_empty_cells_is_one_class_and_it_is_said_why(tmp_path: Path) -> None:
    columns = {"x": cycle([1, 5, 9]), "y": cycle(["X", "", ""])}
    with pytest.raises(InputError, match=r"every cell is `X`, or missing \(40 of 60 rows\)") as caught:
        survey(tmp_path, columns)
    assert "write a word" in str(caught.value.hint)


def test_years_of_two_digits_far_ahead_are_told(tmp_path: Path) -> None:
    born = {"x": cycle(["08/10/61", "25/12/75", "03/04/99"]), "n": cycle([1, 5, 9]), "y": cycle(["yes", "no"])}
    assert any(
        "`x`: years of two digits below 69" in note and "2061-10-08" in note for note in survey(tmp_path, born).notes
    )
    born["x"] = cycle(["08/10/11", "25/12/75", "03/04/99"])
    assert not any("two digits" in note for note in survey(tmp_path, born).notes)


@pytest.mark.parametrize(
    "cells", [["0:07:49", "12:10:00", "3:00:01"], ["08:15", "23:59", "7:00"], ["9:15 AM", "11:30 pm"]]
)
def test_times_of_day_are_told_to_be_categories(cells: list[object], tmp_path: Path) -> None:
    found = survey(tmp_path, {"x": cycle(cells), "n": cycle([1, 5, 9]), "y": cycle(["yes", "no"])})
    assert any("`x`: times of day or durations" in note for note in found.notes)


@pytest.mark.parametrize(("word", "is_told"), [("Total", True), ("Summe:", True), ("all", False)])
def test_sums_below_a_table_are_told(word: str, is_told: bool, tmp_path: Path) -> None:
    cells: dict[str, list[object]] = {
        "x": [*cycle(["N", "S", "W"]), word],
        "n": [*cycle([1, 5, 9]), 300],
        "y": [*cycle(["yes", "no"]), ""],
    }
    assert any("seems to hold sums" in note for note in survey(tmp_path, cells).notes) == is_told
    cells["x"] = [*cycle(["N", "S", word]), word]
    assert not any("seems to hold sums" in note for note in survey(tmp_path, cells).notes), "a value among others"


def test_of_names_of_rows_no_order_is_wished_for(tmp_path: Path) -> None:
    columns: dict[str, list[object]] = {
        "key": [f"2022-{i:05d}" for i in range(200)],
        "pressure": [f"{110 + i % 30}/{70 + i % 20}" for i in range(200)],
        "y": ["yes" if i % 3 else "no" for i in range(200)],
    }
    told = {one.name: " ".join(one.doubts) for one in survey(tmp_path, columns, target="y").readings}
    assert "several numbers" in told["pressure"]
    assert not told["key"]


def test_words_of_scripts_without_blanks_are_text(tmp_path: Path) -> None:
    notes: list[object] = [f"今天我们去看比赛第{n}场非常精彩" for n in range(60)]
    assert column(tmp_path, notes).type == "text"
    names: list[object] = ["北京", "上海", "广州"] * 20
    assert column(tmp_path, names).type == "category"


def test_texts_most_of_which_say_the_same_are_text(tmp_path: Path) -> None:
    notes: list[object] = ["ok" if n % 5 < 3 else f"the parcel {n} came late and was open" for n in range(200)]
    assert column(tmp_path, notes).type == "text"
    countries: list[object] = [f"the republic of {'abcdefgh'[n % 8]}" for n in range(200)]
    assert column(tmp_path, countries).type == "category"


def test_short_words_are_text_where_they_are_all_there_is(tmp_path: Path) -> None:
    names: list[object] = [
        f"{'bdfgkl'[n % 6]}a{'rstmn'[n % 5]}o{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(200)
    ]
    labels: list[object] = [("no", "yes")[n % 2] for n in range(200)]
    found = survey(tmp_path, {"name": names, "y": labels})
    assert found.schema.column("name").type == "text"
    assert found.schema.column("name").feature
    assert found.schema.id is None
    assert any("all there is" in note for note in found.notes)
    beside = survey(tmp_path, {"name": names, "size": list(range(100)) * 2, "y": labels})
    assert not beside.schema.column("name").feature


def test_it_is_told_that_ends_of_long_texts_are_not_read(tmp_path: Path) -> None:
    notes: list[object] = [f"note {n} says " + "one thing more " * (2_000 if n < 3 else 2) for n in range(40)]
    labels: list[object] = [("no", "yes")[n % 2] for n in range(40)]
    found = survey(tmp_path, {"x": notes, "y": labels})
    assert any("3 of 40 texts go on behind 20,000 characters" in note for note in found.notes)
