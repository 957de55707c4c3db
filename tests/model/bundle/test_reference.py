"""A bundle holds what its model was trained on: bins to count later rows into, and rows that it had not seen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from palio import measure, model
from palio.core.errors import IntegrityError
from palio.core.ids import canonical_json, digest
from palio.core.records import Column, Schema, Task
from palio.model import Outputs
from palio.model.bundle import reference as module
from palio.model.bundle.reference import decode_reference, decode_rows, encode_reference, encode_rows
from palio.store import BatchLayout, Field

OLD = Path(__file__).parents[1] / "bundle-format-1"
SCHEMA = Schema(
    columns=(
        Column(name="age", type="integer"),
        Column(name="when", type="datetime"),
        Column(name="town", type="category", categories=("a", "b", "nowhere")),
        Column(name="note", type="text"),
        Column(name="prediction", type="number"),
        Column(name="left out", type="number", feature=False),
        Column(name="y", type="category", feature=False),
    ),
    target="y",
)
TASK = Task(kind="classification", target="y", classes=("no", "yes"), positive="yes")
PRICE = Task(kind="regression", target="y")


def feeds_of(n_rows: int, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    notes = [" ".join(f"w{k}" for k in rng.zipf(1.5, 6)) for _ in range(n_rows)]
    return {
        "age": rng.integers(18, 80, n_rows).astype(float).reshape(-1, 1),
        "when": (1.5e9 + 60.0 * np.arange(n_rows)).reshape(-1, 1),
        "town": rng.choice(np.array(["a", "b", ""], dtype=object), n_rows).reshape(-1, 1),
        "note": np.array(notes, dtype=object).reshape(-1, 1),
        "input:prediction": np.where(rng.random(n_rows) < 0.1, np.nan, rng.normal(size=n_rows)).reshape(-1, 1),
    }


def answers_of(n_rows: int, task: Task = TASK) -> tuple[Outputs, Any]:
    rng = np.random.default_rng(1)
    if task.kind == "regression":
        value = rng.normal(100, 10, n_rows)
        return Outputs(prediction=value), value + rng.normal(size=n_rows)
    p = rng.dirichlet(np.ones(len(task.classes)), n_rows)
    truth = (p.cumsum(axis=1) < rng.random((n_rows, 1))).sum(axis=1)
    return Outputs(prediction=np.array(task.classes, dtype=object)[p.argmax(axis=1)], probabilities=p), truth


def make(n_rows: int = 400, task: Task = TASK, **how: Any) -> tuple[Any, dict[str, Any]]:
    rows = how.pop("rows", None)
    answers, truth = answers_of(n_rows if rows is None else len(rows), task)
    feeds = feeds_of(n_rows)
    shared = {"answers": answers, "truth": truth, "rows": rows} | how
    return (
        model.make_reference(feeds, SCHEMA, task, **shared),
        model.sample_rows(feeds, SCHEMA, task, **{k: v for k, v in shared.items() if k != "in_time_order"}),
    )


def test_every_feature_and_answer_has_bins() -> None:
    reference, rows = make()
    assert [column.name for column in reference.columns] == [
        "age",
        "when",
        "town",
        "note",
        *(f"note.{statistic}" for statistic in measure.statistics_names("text")),
        "input.prediction",
        "prediction",
        "probability_yes",
    ]
    assert [column.name for column in reference.columns if column.role == "answer"] == ["prediction", "probability_yes"]
    assert [column.name for column in reference.columns if column.is_moment] == ["when"]
    by_name = {column.name: column for column in reference.columns}
    assert by_name["town"].values[-1] == "nowhere"
    assert (reference.n_rows, reference.n_scored, reference.in_time_order) == (400, 400, False)
    for column in reference.columns:
        assert sum(column.counts) == 400
        assert tuple(np.sum(column.blocks, axis=0).tolist()) == column.counts
        assert [sum(block) for block in column.blocks] == [25] * 16
        assert measure.log_column(column) in rows


def test_the_rows_of_a_reference_fall_into_its_bins_as_they_did() -> None:
    reference, rows = make()
    found = {one.name: one for one in measure.count_rows(reference.columns, rows)}
    counted = [column for column in reference.columns if column.kind != "text"]
    assert set(found) == {column.name for column in counted}
    for column in counted:
        if column.statistic != "unseen_tokens":  # it is counted as if the row were new
            assert found[column.name].counts == column.counts
        assert (found[column.name].n_low, found[column.name].n_high) == (0, 0)


def test_three_classes_have_a_probability_each_and_regression_has_none() -> None:
    three = msgspec.structs.replace(TASK, classes=("a", "b", "c"), positive=None)
    reference, rows = make(task=three)
    answers = [column.name for column in reference.columns if column.role == "answer"]
    assert answers == ["prediction", "probability_a", "probability_b", "probability_c"]
    assert set(rows["truth"]) == {"a", "b", "c"}
    reference, rows = make(task=PRICE)
    assert [column.name for column in reference.columns if column.role == "answer"] == ["prediction"]
    assert rows["prediction"].dtype == rows["truth"].dtype == np.float64
    assert reference.quality["mae"].low <= reference.quality["mae"].value <= reference.quality["mae"].high


def test_answers_are_counted_on_the_rows_that_have_them() -> None:
    rows = np.arange(300, 400)
    reference, sample = make(rows=rows)
    assert (reference.n_rows, reference.n_scored) == (400, 100)
    by_name = {column.name: column for column in reference.columns}
    assert sum(by_name["age"].counts) == 400
    assert sum(by_name["prediction"].counts) == 100
    assert reference.quality["accuracy"].n_rows == 100
    np.testing.assert_array_equal(sample["input.when"], feeds_of(400)["when"][rows, 0])
    assert np.bincount(sample["block"]).tolist() == [13, 13, 13, 13, 12, 12, 12, 12]


def test_what_the_model_itself_answers_is_counted_into_the_same_bins() -> None:
    own, _ = answers_of(90)
    answered = [column for column in model_reference(own=own).columns if column.role == "answer"]
    assert [sum(column.own) for column in answered] == [90, 90]
    assert own.probabilities is not None
    assert answered[1].own == measure.count(answered[1], own.probabilities[:, 1]).counts
    assert all(column.own == () for column in model_reference().columns)
    price = Task(kind="regression", target="y")
    (value,) = (
        one for one in model_reference(task=price, own=answers_of(90, price)[0]).columns if one.role == "answer"
    )
    assert sum(value.own) == 90


def model_reference(task: Task = TASK, **how: Any) -> Any:
    answers, truth = answers_of(400, task)
    return model.make_reference(feeds_of(400), SCHEMA, task, answers=answers, truth=truth, **how)


def test_blocks_are_runs_of_the_order_that_is_given() -> None:
    backwards = np.arange(400)[::-1]
    reference, rows = make(order=backwards, in_time_order=True)
    assert reference.in_time_order
    assert (np.diff(rows["input.when"]) < 0).all()
    assert (np.diff(rows["block"]) >= 0).all()
    when = next(column for column in reference.columns if column.name == "when")
    assert sum(when.blocks[0][:128]) == 0  # the first block holds the last moments
    _, some = make(rows=np.array([5, 7, 300]), order=backwards)
    assert some["input.when"].tolist() == feeds_of(400)["when"][[300, 7, 5], 0].tolist()


def test_the_sample_is_bounded_and_the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ROWS", 100)
    (_, first), (_, second), (_, other) = make(), make(), make(seed=1)
    assert len(first["truth"]) == 100
    assert (np.diff(first["input.when"]) > 0).all()
    assert encode_rows(first) == encode_rows(second) != encode_rows(other)
    assert set(first["block"]) == set(range(8))
    monkeypatch.setattr(module, "MAX_ROWS_BYTES", 4_000)
    _, few = make()
    assert 10 < len(few["truth"]) < 60
    assert len(encode_rows(few)) < 8_000


def test_the_same_rows_make_the_same_bytes() -> None:
    (first, _), (second, _) = make(), make()
    assert encode_reference(first) == encode_reference(second)
    assert decode_reference(encode_reference(first)) == first


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    _, rows = make()
    found = decode_rows(encode_rows(rows), SCHEMA, TASK)
    assert set(found) == set(rows)
    for name, values in rows.items():
        np.testing.assert_array_equal(found[name], values)
    (tmp_path / "rows.arrows").write_bytes(encode_rows(rows))
    frame = pl.read_ipc_stream(tmp_path / "rows.arrows")  # others read them, too
    assert frame["probability_yes"].to_list() == rows["probability_yes"].tolist()
    assert frame["input.note"].to_list() == rows["input.note"].tolist()


def test_numbers_that_are_not_finite_are_no_trouble() -> None:
    feeds = feeds_of(80)
    feeds["age"][:3, 0] = [np.inf, -np.inf, np.nan]
    feeds["input:prediction"][:] = np.nan
    answers, truth = answers_of(80)
    reference = model.make_reference(feeds, SCHEMA, TASK, answers=answers, truth=truth)
    assert decode_reference(encode_reference(reference)) == reference
    by_name = {column.name: column for column in reference.columns}
    assert by_name["input.prediction"].counts == (0, 80)
    assert by_name["input.prediction"].mean is None


@pytest.fixture
def folder(champion: Any, facts: dict[str, Any], store: Any, tmp_path: Path) -> Path:
    feeds = model.feeds_from_frame(champion.frame, champion.schema)
    how = {"answers": champion.reference(champion.frame), "truth": champion.target}
    identity = model.pack(
        store,
        champion.graph,
        reference=model.make_reference(feeds, champion.schema, champion.task, **how),
        reference_rows=model.sample_rows(feeds, champion.schema, champion.task, **how),
        **{name: fact for name, fact in facts.items() if name != "reference"},
    )
    assert all(check.passed for check in model.verify(store, identity))
    return model.export(store, identity, tmp_path / "bundle")


def test_a_bundle_gives_its_reference(folder: Path, champion: Any) -> None:
    bundle = model.open_folder(folder)
    reference, rows = bundle.reference(), bundle.reference_rows()
    assert bundle.manifest.format == 3
    assert reference is not None and rows is not None
    assert reference.n_rows == len(rows["truth"]) == champion.frame.height
    names = {c.name for c in champion.schema.features}
    assert {column.source for column in reference.columns if column.role == "feature"} == names
    assert rows["truth"].tolist() == champion.frame["answer"].to_list()
    assert sorted(bundle.members) == sorted(path.name for path in folder.iterdir() if path.name != "manifest.json")


def test_a_bundle_of_format_1_has_no_reference() -> None:
    bundle = model.open_folder(OLD)
    assert bundle.reference() is None
    assert bundle.reference_rows() is None


@pytest.mark.parametrize("member", ["reference.json", "reference.arrows"])
@pytest.mark.parametrize("damage", ["edit", "remove"])
def test_a_damaged_reference_is_refused_when_the_bundle_is_opened(folder: Path, member: str, damage: str) -> None:
    data = (folder / member).read_bytes()
    (folder / member).unlink()
    if damage == "edit":
        (folder / member).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(IntegrityError, match=member):
        model.open_folder(folder)


def test_a_reference_that_changes_after_the_bundle_was_opened_is_refused(folder: Path) -> None:
    bundle = model.open_folder(folder)
    (folder / "reference.json").write_bytes(b"{}")
    with pytest.raises(IntegrityError, match=r"reference\.json"):
        bundle.reference()


def test_a_manifest_must_name_the_members_of_its_format(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_bytes())
    for change in ({"format": 1}, {"files": {k: v for k, v in manifest["files"].items() if k != "reference.json"}}):
        (folder / "manifest.json").write_bytes(canonical_json(manifest | change))
        with pytest.raises(IntegrityError, match="it must name"):
            model.open_folder(folder)


def crafted(folder: Path, member: str, data: bytes) -> model.Bundle:
    """Put other bytes into a bundle and repair its hashes."""
    (folder / member).write_bytes(data)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["files"][member] = digest(data)
    (folder / "manifest.json").write_bytes(canonical_json(manifest))
    return model.open_folder(folder)


def column_changed(folder: Path, **change: Any) -> bytes:
    reference = json.loads((folder / "reference.json").read_bytes())
    reference["columns"][0] |= change
    return json.dumps(reference).encode()


@pytest.mark.parametrize(
    "change",
    [
        {"counts": [1, 2, 3]},
        {"counts": []},
        {"edges": [2.0, 1.0], "counts": [1, 1, 1, 1], "blocks": []},
        {"edges": [1.0], "counts": [1, -1, 1], "blocks": []},
        {"blocks": [[1]]},
        {"vocabulary": "AAA="},
        {"statistic": "__import__"},
    ],
)
def test_a_crafted_reference_is_refused(folder: Path, change: dict[str, Any]) -> None:
    bundle = crafted(folder, "reference.json", column_changed(folder, **change))
    with pytest.raises(IntegrityError, match=r"reference\.json"):
        bundle.reference()


@pytest.mark.parametrize("data", [b"", b"{", b"null", b"[" * 100_000, b"\xff"])
def test_a_reference_that_is_none_is_refused(folder: Path, data: bytes) -> None:
    bundle = crafted(folder, "reference.json", data)
    with pytest.raises(IntegrityError, match=r"reference\.json"):
        bundle.reference()


def stream(fields: list[Field], n_rows: int, columns: list[Any]) -> bytes:
    layout = BatchLayout(fields)
    return layout.schema + layout.encode(n_rows, columns)


def test_crafted_rows_are_refused(folder: Path) -> None:
    rows = model.open_folder(folder).reference_rows()
    assert rows is not None
    fewer = encode_rows({name: values for name, values in rows.items() if name != "block"})
    other = encode_rows({**rows, "truth": np.zeros(len(rows["truth"]))})
    many = encode_rows({name: np.repeat(values, 51) for name, values in rows.items()})
    nulls = stream([Field("truth", "null")], 1_000_000, [[]])
    whole = encode_rows(rows)
    lists = BatchLayout([Field(name, "float64", 2) for name in rows]).schema + whole
    for data in (fewer, other, many, nulls, lists, whole[: len(whole) // 2], b"", b"no rows", b"\xff" * 64):
        bundle = crafted(folder, "reference.arrows", data)
        with pytest.raises(IntegrityError, match=r"reference\.arrows") as caught:
            bundle.reference_rows()
        assert caught.value.hint
        assert [check.name for check in model.verify_bundle(bundle) if not check.passed] == ["reference"]


def test_bins_of_a_column_that_no_row_has_are_found_by_verify(folder: Path) -> None:
    bundle = crafted(folder, "reference.json", column_changed(folder, source="elsewhere"))
    assert [check.name for check in model.verify_bundle(bundle) if not check.passed] == ["reference"]


def test_no_two_columns_of_a_reference_have_one_name() -> None:
    names = ("input.prediction", "prediction", "input.input.prediction", "probability_yes", "input.probability_yes")
    schema = Schema(columns=tuple(Column(name=name, type="number") for name in names))
    feeds = {model.input_name(name): np.arange(40.0).reshape(-1, 1) for name in names}
    answers, truth = answers_of(40)
    made = model.make_reference(feeds, schema, TASK, answers=answers, truth=truth)
    assert len({column.name for column in made.columns}) == len(made.columns)
    assert {column.source for column in made.columns if column.role == "feature"} == set(names)


def test_what_was_answered_is_kept_though_another_class_is_more_probable() -> None:
    p = np.tile([0.7, 0.3], (100, 1))
    low = Outputs(prediction=np.array(["yes"] * 100, dtype=object), probabilities=p)
    truth = np.array([1] * 60 + [0] * 40)
    shared = {"answers": low, "truth": truth}
    reference = model.make_reference(feeds_of(100), SCHEMA, TASK, own=low, **shared)
    assert reference.quality["accuracy"].value == 0.6
    (said,) = [column for column in reference.columns if column.name == "prediction"]
    assert said.own == said.counts and sum(said.counts) == 100
    rows = model.sample_rows(feeds_of(100), SCHEMA, TASK, **shared)
    assert set(rows["prediction"]) == {"yes"} and (rows["probability_no"] == 0.7).all()
