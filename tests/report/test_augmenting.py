"""The contact sheet shows what a network saw while it learned."""

from __future__ import annotations

import io
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from palio.core.records import Manifest, PictureReading
from palio.report import ReportFacts, augmentation
from palio.report.page import render
from palio.store import open_store
from tests.report.test_pictures import a_sight


@pytest.fixture
def manifest(bank: ReportFacts) -> Manifest:
    assert bank.manifest is not None
    reading = PictureReading(input="picture", size=32)
    return msgspec.structs.replace(bank.manifest, readings=(reading,), params={"strength": 2})


def test_pictures_stand_beside_what_becomes_of_them(tmp_path: Path, manifest: Manifest) -> None:
    rng = np.random.default_rng(0)
    with open_store(tmp_path) as store:
        names = []
        for _ in range(3):
            file = io.BytesIO()
            Image.fromarray(rng.integers(0, 255, (40, 40, 3), np.uint8)).save(file, "PNG")
            names.append(store.blobs.put(file.getvalue()))
        made = augmentation(store.blobs, ["0" * 64, *names], manifest)
        sheet = Image.open(io.BytesIO(made))
        assert sheet.width > 7 * 96
        assert sheet.height > 3 * 96
        assert made == augmentation(store.blobs, ["0" * 64, *names], manifest)
        as_they_are = msgspec.structs.replace(manifest, params={"strength": 0})
        assert augmentation(store.blobs, names, as_they_are) == b""
        assert augmentation(store.blobs, ["0" * 64], manifest) == b""
        assert augmentation(store.blobs, names, msgspec.structs.replace(manifest, params={})) == b""


def test_the_page_shows_the_sheet_where_there_is_one(bank: ReportFacts) -> None:
    evaluation = msgspec.structs.replace(bank.evaluation, sight=a_sight())
    facts = msgspec.structs.replace(bank, evaluation=evaluation, augmentation=b"\xff\xd8 sheet \xff\xd9")
    assert 'class="contact" src="data:image/jpeg;base64,' in render(facts)
    assert 'class="contact"' not in render(msgspec.structs.replace(facts, augmentation=b""))


def test_boxes_go_with_their_pictures(tmp_path: Path, manifest: Manifest) -> None:
    task = msgspec.structs.replace(manifest.task, kind="detection", classes=("lamp",))
    detector = msgspec.structs.replace(manifest, task=task, params={"mosaic": 0.5})
    picture = np.full((60, 80, 3), 255, np.uint8)
    picture[15:45, 20:60] = (200, 30, 30)
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    cells = [
        '[{"label":"lamp","box":[20,15,60,45]}]',
        '[{"label":"lamp","box":[20,15,60,45],"ignored":true},{"label":"gone","box":[1,1,9,9]}]',
        "[]",
    ]
    with open_store(tmp_path) as store:
        names = [store.blobs.put(file.getvalue())] * 3
        made = augmentation(store.blobs, names, detector, boxes=cells)
        sheet = np.asarray(Image.open(io.BytesIO(made)).convert("RGB"), int)
        assert augmentation(store.blobs, names, msgspec.structs.replace(detector, params={}), boxes=cells) == b""
    side, gap = 144, 2
    assert sheet.shape[:2] == (3 * (side + gap) + gap, 7 * (side + gap) + gap)
    factor = side / 80
    left, top, right, bottom = (gap + round(one * factor) for one in (20, 15, 60, 45))
    edges = [((top + bottom) // 2, left), ((top + bottom) // 2, right - 1), (top, (left + right) // 2)]
    for down, across in edges:
        assert sheet[down, across, 0] < 130, "a line of its colour lies on the edge of the thing"
        assert abs(sheet[down + side + gap, across] - 170).max() < 60, "and a grey one where nobody is held to it"
    assert (sheet[2 * (side + gap) + gap + 4, left + 40] > 240).all(), "nothing is drawn where nothing is"
