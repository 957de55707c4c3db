"""A change of the camera, the light or the compression is a drift of the statistics of pictures, nothing else is."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image, ImageFilter

from palio import model, pixels
from palio.core.cells import PICTURE_STATISTICS
from palio.core.monitoring import Reference, Window
from palio.core.records import Column, Schema, Task
from palio.model import Outputs
from palio.monitor.movement.drift import drift_of
from palio.monitor.movement.inputs import input_findings
from palio.monitor.windows import WindowBuilder
from tests.monitor.populations import SINCE

SCHEMA = Schema(
    target="y",
    columns=(Column(name="photo", type="image"), Column(name="y", type="category", feature=False)),
)
TASK = Task(kind="classification", target="y", classes=("no", "yes"), positive="yes")
Change = Callable[[Image.Image], Image.Image]
CHANGES: dict[str, tuple[Change, int, set[str]]] = {
    "darker": (lambda image: image.point(lambda value: int(value * 0.6)), 90, {"brightness", "contrast"}),
    "blurred": (lambda image: image.filter(ImageFilter.GaussianBlur(1)), 90, {"sharpness", "noise"}),
    "grey": (lambda image: image.convert("L").convert("RGB"), 90, {"saturation"}),
    "compressed": (lambda image: image, 10, {"blockiness"}),
    "smaller": (lambda image: image.resize((48, 36)), 90, {"pixels"}),
}


def scene(seed: int) -> Image.Image:
    """Make a picture of some coloured shapes, as different as photographs are."""
    chance = np.random.default_rng(seed)
    height, width = 72, 96
    canvas = np.full((height, width, 3), chance.integers(40, 200, 3), np.float64)
    for _ in range(12):
        top, left = chance.integers(0, height - 8), chance.integers(0, width - 8)
        high, wide = chance.integers(4, 40, 2)
        canvas[top : top + high, left : left + wide] = chance.integers(0, 256, 3)
    canvas += chance.normal(0, chance.uniform(2, 8), canvas.shape)
    return Image.fromarray(np.clip(canvas, 0, 255).astype(np.uint8))


def files(seeds: range, change: Change = lambda image: image, quality: int = 90) -> list[bytes]:
    found = []
    for seed in seeds:
        file = io.BytesIO()
        change(scene(seed)).save(file, "JPEG", quality=quality)
        found.append(file.getvalue())
    return found


def described(data: list[bytes]) -> dict[str, Any]:
    numbers = [pixels.statistics(pixels.decoded(one)) for one in data]
    return {name: np.array([one[name] for one in numbers]) for name in PICTURE_STATISTICS}


def made(data: list[bytes], frame: pl.DataFrame) -> tuple[Reference, dict[str, Any]]:
    feeds = {"photo": np.array(data, object).reshape(-1, 1)}
    n = len(data)
    p = np.random.default_rng(0).dirichlet([1, 1], n)
    how: dict[str, Any] = {
        "answers": Outputs(prediction=np.array(TASK.classes, object)[p.argmax(axis=1)], probabilities=p),
        "truth": np.arange(n) % 2,
        "described": model.picture_statistics(frame, feeds, SCHEMA),
    }
    return model.make_reference(feeds, SCHEMA, TASK, **how), model.sample_rows(feeds, SCHEMA, TASK, **how)


@lru_cache
def reference() -> Reference:
    return made(files(range(400)), pl.DataFrame())[0]


def counted_of(data: list[bytes], *, unknown: int = 0) -> Window:
    n = len(data)
    log = {f"input.photo.{name}": np.append(values, [np.nan] * unknown) for name, values in described(data).items()}
    n += unknown
    batch = {
        "id": np.array([f"r{row}.0" for row in range(n)], object),
        "bundle": np.full(n, "b", object),
        "n_rows": np.ones(n, np.int32),
        "input.photo": np.full(n, "0" * 64, object),
        **log,
    }
    window = WindowBuilder(reference(), model="m", bundle="b", version=1, since=SINCE, until=SINCE)
    window.add(batch)
    return window.finish()


def drifted(data: list[bytes], *, unknown: int = 0) -> set[str]:
    counted = counted_of(data, unknown=unknown)
    moved = {one.column for one in drift_of(reference(), counted, min_rows=50) if one.drifted}
    return moved | {one.subject for one in input_findings(reference(), counted, min_rows=50)}


def test_pictures_are_watched_by_their_statistics() -> None:
    columns = [one for one in reference().columns if one.role == "feature"]
    assert [one.name for one in columns] == [f"photo.{name}" for name in PICTURE_STATISTICS]
    assert {(one.source, one.kind) for one in columns} == {("photo", "number")}
    assert all(sum(one.counts) == sum(map(sum, one.blocks)) == 400 for one in columns)


def test_statistics_that_ingest_has_written_down_are_those_that_would_be_computed() -> None:
    data = files(range(30))
    frame = pl.DataFrame({f"photo.{name}": values for name, values in described(data).items()})
    assert made(data, frame)[0] == made(data, pl.DataFrame())[0]


def test_the_rows_of_a_bundle_hold_the_same_columns_as_the_log() -> None:
    from palio.model.bundle.reference import decode_rows, encode_rows

    data = files(range(30))
    rows = made(data, pl.DataFrame())[1]
    assert {f"input.photo.{name}" for name in PICTURE_STATISTICS} < rows.keys()
    assert "input.photo" not in rows
    back = decode_rows(encode_rows(rows), SCHEMA, TASK)
    assert np.array_equal(back["input.photo.noise"], described(data)["noise"])


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_of_the_camera_is_found(name: str) -> None:
    change, quality, wanted = CHANGES[name]
    found = drifted(files(range(1_000, 1_200), change, quality))
    assert {f"photo.{one}" for one in wanted} <= found


def test_other_pictures_of_the_same_camera_are_no_drift() -> None:
    assert drifted(files(range(2_000, 2_200))) == set()


def test_pictures_that_there_was_no_time_for_are_no_drift() -> None:
    assert drifted(files(range(2_000, 2_200)), unknown=300) == set()


def test_sizes_of_pictures_are_told_in_pixels() -> None:
    change, quality, _ = CHANGES["smaller"]
    told = input_findings(reference(), counted_of(files(range(1_000, 1_100), change, quality)), min_rows=50)
    (reason,) = (one.reason for one in told if one.subject == "photo.pixels")
    assert "(6,912 to 6,912)" in reason
