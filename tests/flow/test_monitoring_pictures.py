"""A change of the camera shows to `palio monitor`: from the pictures of training to those that are served."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from palio import flow, model, serve, store
from palio.core.monitoring import Review
from palio.model import Outputs
from tests.monitor.movement.test_pictures import scene
from tests.serve.conftest import Wire
from tests.serve.picture_model import ALONE, TASK, picture_bundle

pytest.importorskip("scipy")
N_TRAIN, N_SERVED = 400, 220


def file_of(seed: int, *, light: float) -> bytes:
    held = io.BytesIO()
    scene(seed).point(lambda value: int(value * light)).save(held, "JPEG", quality=90)
    return held.getvalue()


@lru_cache
def taught() -> tuple[dict[str, Any], Outputs]:
    feeds = {"photo": np.array([[file_of(seed, light=1.0)] for seed in range(N_TRAIN)], object)}
    return feeds, picture_bundle().graph.predict(feeds)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[flow.Project]:
    (tmp_path / "palio.toml").write_text('[project]\nname = "moods"\n\n[data]\nsource = "nothing.csv"\n', "utf-8")
    made, (feeds, answers) = picture_bundle(), taught()
    how: dict[str, Any] = {
        "answers": answers,
        "truth": np.arange(N_TRAIN) % 2,
        "described": model.picture_statistics(pl.DataFrame(), feeds, ALONE),
    }
    golden = made.golden()
    facts = {
        name: getattr(made.manifest, name)
        for name in made.manifest.__struct_fields__
        if name not in ("format", "inputs", "outputs", "files", "readings", "precision")
    }
    with flow.Project.open(tmp_path) as opened:
        identity = model.pack(
            opened.store,
            made.model,
            reference=model.make_reference(feeds, ALONE, TASK, **how),
            reference_rows=model.sample_rows(feeds, ALONE, TASK, **how),
            golden=model.Golden(feeds=golden.feeds, outputs=golden.outputs),
            **facts,
        )
        opened.store.promotions.append(
            opened.name, identity, expected=None, kind="promote", decision=None, evidence="0" * 64, reason="a test",
            actor="tester", event_text="version {version} goes live",
        )  # fmt: skip
        yield opened


def served(project: flow.Project, *, light: float) -> Review:
    """Ask for answers about new pictures, and look."""
    champion = project.store.promotions.champion(project.name)
    assert champion is not None
    folder = store.Layout(project.folder).predictions("")
    journal = serve.Journal(folder, project.name, project.config.log)
    provider = serve.fixed(model.load(project.store, champion.bundle), model=project.name, version=champion.version)
    with serve.background(serve.create_app(provider, journal=journal)) as url:
        wire = Wire(url)
        for seed in range(5_000, 5_000 + N_SERVED):
            data = file_of(seed, light=light)
            assert wire("POST", "/predict", data, {"content-type": "image/jpeg"})[0] == 200
        wire.connection.close()
    return project.monitor(since=dt.datetime.now(dt.UTC) - dt.timedelta(hours=1), window="1d")


def moved(review: Review) -> set[str]:
    return {one.subject for one in review.findings if one.subject.startswith("photo.")}


def test_darker_rooms_are_found(project: flow.Project) -> None:
    review = served(project, light=0.6)
    assert {"photo.brightness", "photo.contrast"} <= moved(review)
    assert any("photo.brightness" in one.reason for one in review.findings)


def test_pictures_of_the_same_camera_raise_nothing(project: flow.Project) -> None:
    assert moved(served(project, light=1.0)) == set()
