"""Answers turned back into rows: which of them, and what stands where the log holds no cell."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from palio import store, truth
from palio.core.records import Column, Schema, Task
from palio.core.serving import Feedback
from palio.data import RowIds
from palio.truth.gathering import Gathered
from tests.logs import write_log

BEGIN = dt.datetime(2026, 5, 4, 13, tzinfo=dt.UTC)
LATER = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)
TASK = Task(kind="classification", target="y", classes=("no", "yes"))
SCHEMA = Schema(
    columns=(
        Column(name="customer", type="category", feature=False),
        Column(name="hour", type="integer", feature=False),
        Column(name="age", type="number"),
        Column(name="region", type="category"),
        Column(name="note", type="text", feature=False),
        Column(name="y", type="category", feature=False),
    ),
    target="y",
    id="customer",
    time=("hour",),
)


def write_answers(folder: Path, keys: list[str], *, request: str = "r", labels: str = "yes") -> None:
    """Log answers about some customers, an hour apart, and their truths."""
    n, ids = len(keys), [f"{request}-{i}" for i in range(len(keys))]
    moments = np.datetime64(BEGIN.replace(tzinfo=None), "us") + np.arange(n) * np.timedelta64(1, "h")
    columns: dict[str, Any] = {"id": np.array(ids, object), "at": moments, "key": np.array(keys, object)}
    columns["input.age"] = np.where(np.arange(n) % 3 == 0, np.nan, np.arange(n) + 0.5)
    columns["input.region"] = np.array(["", "north"] * n, object)[:n]
    write_log(folder, "m", columns, tag=request)
    with store.FeedbackLog(folder, "m", redaction=store.Redaction(salt="s")) as feedback:
        feedback.add([Feedback(prediction_id=i, label=labels, at=BEGIN) for i in ids])


def gather(gatherer: truth.Gatherer) -> Gathered:
    found = gatherer.gather(received_before=LATER, answered_before=None)
    assert found is not None
    return found


def known(*ids: str) -> RowIds:
    found = RowIds("customer")
    found.repeated(pl.Series(list(ids), dtype=pl.String))
    return found


def test_answers_come_back_as_rows_in_the_order_of_their_answers(tmp_path: Path) -> None:
    write_answers(tmp_path, ["c", "a", "b"])
    gatherer = truth.Gatherer(tmp_path, "m", schema=SCHEMA, task=TASK)
    rows = gather(gatherer).rows
    assert rows.select("customer", "hour", "age", "region", "y").rows() == [
        ("c", 13.0, None, None, "yes"),
        ("a", 14.0, 1.5, "north", "yes"),
        ("b", 15.0, 2.5, None, "yes"),
    ]
    assert gatherer.notes[0] == "The moment of the answer stands for `hour`." and "`note`" in gatherer.notes[1]
    assert gatherer.n_fit == 3 and gatherer.n_repeated == gatherer.n_unfit == 0


def test_rows_whose_id_the_data_holds_are_left_out_and_of_one_id_the_newest_answer_counts(tmp_path: Path) -> None:
    keys = [f"k{i}" for i in range(2_000)]
    write_answers(tmp_path, [*keys, "k1999", ""])
    gatherer = truth.Gatherer(tmp_path, "m", schema=SCHEMA, task=TASK, ids=known(*keys[:1_500], "other"))
    rows = gather(gatherer).rows
    assert rows["customer"].to_list() == [*keys[1_500:1_999], "k1999", None]
    assert rows["age"].to_list()[-2] == 2_000.5 and gatherer.n_repeated == 1_501


def test_columns_may_be_called_anything(tmp_path: Path) -> None:
    strange = {"customer": "^.*$", "hour": "@at", "note": "@row"}
    columns = tuple(msgspec.structs.replace(c, name=strange.get(c.name, c.name)) for c in SCHEMA.columns)
    schema = msgspec.structs.replace(SCHEMA, columns=columns, id="^.*$", time=())
    write_answers(tmp_path, ["b", "a", "b", "known"])
    gatherer = truth.Gatherer(tmp_path, "m", schema=schema, task=TASK, ids=known("known"))
    rows = gather(gatherer).rows
    assert rows["^.*$"].to_list() == ["a", "b"] and rows["age"].to_list() == [1.5, 2.5]


def test_a_key_that_was_hashed_is_nobodys_id(tmp_path: Path) -> None:
    write_answers(tmp_path, ["a", "a"])
    gatherer = truth.Gatherer(tmp_path, "m", schema=SCHEMA, task=TASK, ids=known("a"), holds_keys=False)
    assert gather(gatherer).rows["customer"].to_list() == [None, None]


def test_what_was_learned_from_is_not_gathered_again_and_labels_that_changed_are_counted(tmp_path: Path) -> None:
    write_answers(tmp_path, ["a", "b"])
    first = gather(truth.Gatherer(tmp_path, "m", schema=SCHEMA, task=TASK))
    with store.FeedbackLog(tmp_path, "m", redaction=store.Redaction(salt="s")) as feedback:
        feedback.add([Feedback(prediction_id="r-1", label="no", at=BEGIN)])
    write_answers(tmp_path, ["c"], request="later")
    learned = truth.Learned.read([first.learned()])
    again = truth.Gatherer(tmp_path, "m", schema=SCHEMA, task=TASK, learned=learned)
    assert gather(again).rows["customer"].to_list() == ["c"]
    assert again.n_corrected == 1


def test_groups_that_the_log_does_not_know_are_not_torn_apart() -> None:
    columns = (Column(name="age", type="integer"), Column(name="household", type="category", feature=False))
    schema = Schema(columns=columns, target="y", group="household")
    assert "rows are kept together by `household`" in truth.obstacle(schema)
    assert truth.obstacle(schema, method="random") == ""
    with_group = msgspec.structs.replace(
        schema, columns=(columns[0], msgspec.structs.replace(columns[1], feature=True))
    )
    assert truth.obstacle(with_group) == ""
    assert "does not hold `age` as it was" in truth.obstacle(with_group, hidden={"age"})


@pytest.mark.parametrize(("column", "is_fine"), [("year", True), ("Hour", True), ("quarter", False)])
def test_moments_in_parts_are_told_by_their_names(column: str, is_fine: bool) -> None:
    when = Column(name=column, type="integer", feature=False)
    schema = Schema(columns=(Column(name="age", type="integer"), when), target="y", time=(column,))
    assert (truth.obstacle(schema) == "") is is_fine


PICTURES = Schema(
    columns=(
        Column(name="file", type="text", feature=False),
        Column(name="photo", type="image"),
        Column(name="photo.brightness", type="number", feature=False),
        Column(name="photo.likeness", type="text", feature=False),
        Column(name="part", type="category", feature=False),
        Column(name="y", type="category", feature=False),
    ),
    target="y",
    id="file",
)


def test_pictures_come_back_where_their_bytes_are_kept(tmp_path: Path) -> None:
    pixels = pytest.importorskip("palio.pixels")
    rng = np.random.default_rng(0)
    files = [pixels.as_jpeg(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)) for _ in range(30)]
    digests = [hashlib.sha256(one).hexdigest() for one in files]
    kept = store.KeptPictures(tmp_path, most_bytes=2**20)
    for digest, file in list(zip(digests, files, strict=True))[:-1]:
        kept.keep(digest, file)
    ids = [f"r-{i}" for i in range(30)]
    columns: dict[str, Any] = {"id": np.array(ids, object), "input.photo": np.array(digests, object)}
    columns["at"] = np.datetime64(BEGIN.replace(tzinfo=None), "us") + np.arange(30) * np.timedelta64(1, "s")
    write_log(tmp_path, "m", columns, tag="r")
    with store.FeedbackLog(tmp_path, "m", redaction=store.Redaction(salt="s")) as feedback:
        feedback.add([Feedback(prediction_id=i, label="yes", at=BEGIN) for i in ids])
    gatherer = truth.Gatherer(tmp_path, "m", schema=PICTURES, task=TASK, pictures=kept, part="part")
    rows = gather(gatherer).rows
    assert rows["photo"].to_list() == digests[:-1] and gatherer.n_unfit == 1
    assert rows["file"].to_list() == [f"served/{one[:16]}" for one in digests[:-1]]
    assert rows["photo.brightness"].null_count() == 0 and rows["photo.likeness"].null_count() == 0
    assert set(rows["part"].to_list()) == {"train", "test"}
    again = gather(truth.Gatherer(tmp_path, "m", schema=PICTURES, task=TASK, pictures=kept, part="part")).rows
    assert again.equals(rows)


def test_pictures_that_nobody_keeps_are_no_rows() -> None:
    assert "pictures_mb" in truth.obstacle(PICTURES)
    assert truth.obstacle(PICTURES, keeps_pictures=True) == ""
