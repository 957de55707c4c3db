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
