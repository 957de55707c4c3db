"""Pictures with boxes are cut with the rarest thing in them, and keep their part when more come."""

from __future__ import annotations

import itertools
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

from palio import data, split
from palio.core.cells import cell_of
from palio.core.errors import InputError
from palio.core.records import Box, Column, Parts, Schema, Snapshot, Task
from palio.split import things
from palio.store import Store

TASK = Task(kind="detection", target="boxes", classes=("ape", "bee", "cat"))


def cell(*labels: str, at: int = 0) -> str:
    return cell_of(Box(label=label, box=(i, at % 50, i + 5, at % 50 + 9)) for i, label in enumerate(labels))


def frame(n: int = 120, *, films: int = 0) -> pl.DataFrame:
    cells = itertools.cycle(
        [cell("cat"), cell("cat", "cat"), cell("cat", "bee"), cell(), cell("cat", "bee"), cell("cat")]
    )
    held = [next(cells) for _ in range(n)]
    held[::15] = [cell("ape", "cat") for _ in held[::15]]
    held[3] = None  # type: ignore[call-overload]
    rows = {"file": [f"{at}.png" for at in range(n)], "boxes": held, "x": np.arange(n) * 1.5}
    if films:
        rows["sequence"] = [f"film {at * films // n}" for at in range(n)]
    return pl.DataFrame(rows)


def schema_of(rows: pl.DataFrame) -> Schema:
    columns = [
        Column(name="file", type="text", feature=False, missing=()),
        Column(name="boxes", type="boxes", feature=False, missing=()),
        Column(name="x", type="number"),
    ]
    if "sequence" in rows.columns:
        columns.append(Column(name="sequence", type="category", feature=False, missing=()))
    group = "sequence" if "sequence" in rows.columns else None
    return Schema(columns=tuple(columns), target="boxes", id="file", group=group)


def ingested(store: Store, rows: pl.DataFrame, where: Path, parent: Snapshot | None = None) -> Snapshot:
    file = where / f"{rows.height}.parquet"
    rows.write_parquet(file)
    source = data.open_source(str(file))
    return data.ingest(source, store=store, schema=None if parent else schema_of(rows), parent=parent)


def assignment(store: Store, parts: Parts) -> np.ndarray:
    return np.frombuffer(store.blobs.get(parts.assignment), np.uint8)


def test_each_part_holds_its_share_of_the_rarest_thing(store: Store, tmp_path: Path) -> None:
    parts = split.cut(store, ingested(store, frame(), tmp_path), task=TASK)
    assert sum(parts.counts.values()) == 119
    assert {part: held["ape"] for part, held in parts.class_counts.items() if held} == {
        "train": 6, "validation": 0, "test": 2,
    }  # fmt: skip
    assert parts.class_counts["test"][things.NOTHING] > 0
    assert parts.strata[0].key == "ape"


def test_a_picture_of_one_class_alone_can_be_cut(store: Store, tmp_path: Path) -> None:
    rows = frame().with_columns(boxes=pl.lit(cell("cat")))
    parts = split.cut(
        store, ingested(store, rows, tmp_path), task=Task(kind="detection", target="boxes", classes=("cat",))
    )
    assert parts.counts["test"] == 24


def test_pictures_keep_their_part_when_what_is_rare_changes(store: Store, tmp_path: Path) -> None:
    first = ingested(store, frame(), tmp_path)
    parts = split.cut(store, first, task=TASK)
    many = pl.DataFrame(
        {"file": [f"n{i}.png" for i in range(90)], "boxes": [cell("ape", "dog")] * 90, "x": np.arange(90) - 999.5}
    )
    grown = ingested(store, many, tmp_path, parent=first)
    assert set(grown.schema.column("boxes").categories or ()) == {"ape", "cat", "dog", "bee"}
    task = data.infer_task(store, grown)
    assert (task.kind, task.classes) == ("detection", ("ape", "bee", "cat", "dog"))
    again = split.cut(store, grown, task=task, previous=parts)
    assert (assignment(store, again)[:120] == assignment(store, parts)).all()
    assert again.class_counts["test"]["dog"] > 0


def test_frames_of_a_film_stay_together(store: Store, tmp_path: Path) -> None:
    rows = frame(films=20)
    parts = split.cut(store, ingested(store, rows, tmp_path), task=TASK)
    assert parts.method == "grouped"
    placed = rows.with_columns(part=pl.Series(assignment(store, parts))).filter(pl.col("boxes").is_not_null())
    assert placed.group_by("sequence").agg(pl.col("part").n_unique())["part"].to_list() == [1] * 20
    assert parts.class_counts["test"]["ape"] > 0


def test_folds_hold_the_rarest_thing_too(store: Store, tmp_path: Path) -> None:
    snapshot = ingested(store, frame(), tmp_path)
    parts = split.cut(store, snapshot, task=TASK)
    train = split.read(store, snapshot, parts, "train")
    cuts = split.folds(train, parts, TASK, schema=snapshot.schema)
    held = [sum("ape" in text for text in train["boxes"].gather(valid).to_list()) for _, valid in cuts]
    assert sum(held) == 6
    assert max(held) == 1


def test_other_boxes_are_another_test_part(store: Store, tmp_path: Path) -> None:
    cuts = []
    for at, label in enumerate(("cat", "bee")):
        rows = frame(n=120 + at).head(120).with_columns(boxes=pl.lit(cell("cat", label)))
        (tmp_path / str(at)).mkdir()
        cuts.append(split.cut(store, ingested(store, rows, tmp_path / str(at)), task=TASK))
    assert cuts[0].test_id != cuts[1].test_id


def test_a_test_part_without_boxes_is_refused_in_words(store: Store, tmp_path: Path) -> None:
    rows = frame(60).with_columns(
        boxes=pl.Series([cell("cat")] * 48 + [cell()] * 12), part=pl.Series(["train"] * 48 + ["test"] * 12)
    )
    schema = schema_of(rows.drop("part"))
    part = Column(name="part", type="category", feature=False, missing=())
    schema = msgspec.structs.replace(schema, columns=(*schema.columns, part))
    file = tmp_path / "given.parquet"
    rows.write_parquet(file)
    snapshot = data.ingest(data.open_source(str(file)), store=store, schema=schema)
    task = Task(kind="detection", target="boxes", classes=("cat",))
    parts = split.cut(store, snapshot, task=task, method="given")
    with pytest.raises(InputError, match="is not defined on the 12 rows of the sealed test part"):
        split.check_metric(store, snapshot, parts, task)
