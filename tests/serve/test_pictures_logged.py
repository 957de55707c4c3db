"""What the prediction log keeps of pictures: digests and statistics, never bytes."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from palio import pixels, serve, store
from palio.core.cells import PICTURE_STATISTICS
from palio.core.config import LogTable
from palio.core.records import Deployment
from palio.serve import journal as journals
from palio.serve.describing import Describer
from palio.serve.journal import Journal
from palio.serve.journal_columns import Entry
from palio.serve.journal_origin import Origin, origin_of
from palio.serve.pictures import Sight, for_log
from tests.serve.conftest import Switch, Wire
from tests.serve.log_entries import MODEL, answer
from tests.serve.picture_model import SIZE, as_text, picture, picture_bundle

FILES = [picture(40), picture(200, size=(64, 48), format="PNG")]
STATISTICS = [f"input.photo.{name}" for name in PICTURE_STATISTICS]


@lru_cache
def origin() -> Origin:
    manifest = picture_bundle().manifest
    deployment = Deployment(model=MODEL, version=1, bundle="a" * 64)
    return origin_of(deployment, manifest.inputs, manifest.outputs, manifest=manifest)


@lru_cache
def sight() -> Sight:
    bundle = picture_bundle()
    return Sight(bundle.graph.readings, bundle.manifest)


def entry(request: str, files: list[Any], *, size_bytes: int = 0) -> Entry:
    feeds = sight()({"photo": np.array(files, object).reshape(-1, 1)})
    assert feeds is not None
    made = answer(request, len(files), origin=origin())
    made.feeds, made.size_bytes = for_log(feeds), size_bytes
    return made


def written(folder: Path, *entries: Entry, **options: Any) -> pl.DataFrame:
    journal = Journal(folder, MODEL, LogTable(**options))
    for one in entries:
        journal.add(one)
    journal.flush()
    assert journal.figures().lost == journal.figures().dropped == 0
    journal.close()
    return store.log_frame(folder, MODEL)


def test_a_picture_is_logged_as_digest_and_statistics(tmp_path: Path) -> None:
    frame = written(tmp_path, entry("r-1", FILES))
    assert frame["input.photo"].to_list() == [hashlib.sha256(data).hexdigest() for data in FILES]
    for row, data in enumerate(FILES):
        wanted = pixels.statistics(pixels.decoded(data))
        assert {name: frame[f"input.photo.{name}"][row] for name in PICTURE_STATISTICS} == wanted


def test_the_bytes_of_a_picture_are_nowhere_in_the_log(tmp_path: Path) -> None:
    written(tmp_path, entry("r-1", FILES))
    logged = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert all(data[200:240] not in logged and as_text(data)[200:240].encode() not in logged for data in FILES)


def test_all_variants_of_the_log_take_pictures(tmp_path: Path) -> None:
    one = entry("r-1", FILES)
    assert written(tmp_path / "hash", one, inputs="hash")["input_hash"].n_unique() == 2
    assert "input.photo" not in written(tmp_path / "none", one, inputs="none").columns
    hidden = written(tmp_path / "redact", one, redact=("photo",))
    assert hidden["input.photo"].null_count() == hidden["input.photo.brightness"].null_count() == 2
    hashed = written(tmp_path / "hashed", one, hash=("photo",))
    assert hashed["input.photo"][0] not in ("", hashlib.sha256(FILES[0]).hexdigest())
    assert hashed["input.photo.brightness"].null_count() == 2


def test_a_full_buffer_costs_statistics_and_never_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "BUFFER_BYTES", 3_000)
    entries = [entry(f"r-{n}", FILES, size_bytes=2_000) for n in range(3)]
    frame = written(tmp_path, *entries)
    assert frame["input.photo"].null_count() == 0
    assert frame["input.photo.brightness"].is_nan().to_list() == [False, False, True, True, True, True]


def test_pictures_are_described_in_no_more_than_their_share_of_the_time() -> None:
    patient, none_left = Describer(burst_s=60.0), Describer(burst_s=0.0, share=0.0)
    assert not any(map(np.isnan, patient.describe(FILES[0])))
    assert all(map(np.isnan, none_left.describe(FILES[0])))
    told = dict(zip(PICTURE_STATISTICS, none_left.describe(FILES[0], (320, 240)), strict=True))
    assert {name for name, value in told.items() if not np.isnan(value)} == {"aspect", "pixels"}
    assert np.exp((told["pixels"] + told["aspect"]) / 2) == pytest.approx(320)
    assert all(map(np.isnan, patient.describe(None))), "pixels of a client say nothing of its camera"
    assert all(map(np.isnan, patient.describe(b"no picture")))


def test_a_server_logs_pictures_of_every_form_in_one_layout(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "bank", LogTable())
    provider: Any = Switch({1: picture_bundle()})
    with serve.background(serve.create_app(provider, journal=journal)) as url:
        wire = Wire(url)
        assert wire("POST", "/predict", FILES[0], {"content-type": "image/jpeg"})[0] == 200
        assert wire.json("POST", "/predict", {"photo": as_text(FILES[1])})[0] == 200
        shown = np.full((1, SIZE, SIZE, 3), 9).tolist()
        tensor = {"name": "photo", "shape": [1, SIZE, SIZE, 3], "datatype": "UINT8", "data": shown}
        assert wire.json("POST", "/v2/models/bank/infer", {"inputs": [tensor]})[0] == 200
        assert wire.json("POST", "/predict", {"photo": as_text(b"secret no picture")})[0] == 422
        wire.connection.close()
    frame = store.log_frame(tmp_path, "bank").sort("at")
    digests = frame["input.photo"].to_list()
    assert digests[:2] == [hashlib.sha256(data).hexdigest() for data in FILES]
    assert len(digests[2]) == 64
    assert frame["input.photo.pixels"].is_nan().to_list() == [False, False, True]
    assert frame["input.photo.pixels"][0] == pytest.approx(np.log(40 * 30))
