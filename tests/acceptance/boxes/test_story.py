"""The whole story of a detector: champion, a worse camera, labels, a challenger, a canary, a new champion."""

from __future__ import annotations

import base64
import json
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from palio import flow
from palio.core.records import Decision
from palio.core.renewal import Renewal
from palio.renew import loop_story, renewal_standing
from palio.store import open_store
from tests.acceptance.boxes.scenes import SIZE, coarse, jpeg, scene, write_coco, write_detector
from tests.acceptance.live import Wire, palio, serving, wait_until, watching

pytestmark = pytest.mark.slow

SHRUNK = 2
"""Pictures of the story are so many times smaller than the scenes: a detector learns them in less than a minute."""
N_LABELLED = 240
SHARP = {"picture.sharpness", "picture.noise"}
"""What a coarse camera takes away."""
FIRST, NEW = 3_000, 10_000
"""Seeds of what the first camera sees in production, and of what the new one does."""
SETTINGS = """
[monitor]
window = "5s"
min_rows = 60
labels_after = "1s"

[log]
pictures_mb = 50.0

[retrain]
on = ["drift", "quality"]
release = "canary"
rollout = "rollout.toml"
min_labels = 200
cooldown = "1h"
"""
LOOK = """
[[steps]]
kind = "analysis"
[steps.analysis]
interval_s = 1.0
inconclusive_limit = 600
min_requests = 40
max_latency_ratio = 50.0
max_prediction_drift = 9.0
"""
ROLLOUT = f"""
sticky = "none"

[[steps]]
kind = "shadow"
{LOOK}
[[steps]]
kind = "set_weight"
weight = 0.5
{LOOK}
[[steps]]
kind = "promote"
"""


def small(image: Image.Image) -> Image.Image:
    return image.resize((image.width // SHRUNK, image.height // SHRUNK), Image.Resampling.BOX)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose champion is a detector of somebody else's; one of our own may follow it."""
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("story")
    write_coco(folder / "things", 100, shrunk=SHRUNK)
    write_detector(folder / "colours.onnx")
    palio(folder / "project", "init", str(folder / "things"), "--task", "detection")
    settings = folder / "project" / "palio.toml"
    train = """trials = 3
engine = "inline"
families = ["imported", "detector"]
imported = "../colours.onnx"
imported_classes = ["brick", "ball"]"""
    text = settings.read_text("utf-8").replace("budget_s = 300", f"budget_s = 60\n{train}")
    settings.write_text(text + SETTINGS, "utf-8")
    (folder / "project" / "rollout.toml").write_text(ROLLOUT)
    ran = palio(folder / "project", "run", env={"PALIO_TRAIN_FAMILIES": "imported"})
    assert ran["decision"]["verdict"] == "yes", ran["decision"]
    return folder / "project"


class Camera:
    """Sends pictures, and a person who draws boxes on them later."""

    def __init__(self, wire: Wire, seed: int, *, is_coarse: bool) -> None:
        self._wire, self._is_coarse, self._seed = wire, is_coarse, seed
        self._untold: list[dict[str, Any]] = []
        self.versions: set[int] = set()
        self.failed: list[Any] = []

    def ask(self, n: int) -> None:
        for _ in range(n):
            image, things = scene(self._seed)
            self._seed += 1
            picture = jpeg(small(coarse(image) if self._is_coarse else image))
            status, told = self._wire.predict({"picture": base64.b64encode(picture).decode()})
            if status != 200:
                self.failed.append(told)
                continue
            answer = told["predictions"][0]
            self.versions.add(answer["version"])
            boxes = [
                {"label": label, "box": [one / SHRUNK for one in (x, y, x + SIZE, y + SIZE)]}
                for label, (x, y, _, _) in things
            ]
            self._untold.append({"prediction_id": answer["id"], "label": boxes})

    def tell(self) -> None:
        status, _, body = self._wire("POST", "/feedback", {"feedback": self._untold})
        assert status == 200, body
        self._untold.clear()


def renewal(folder: Path) -> Renewal | None:
    with open_store(folder) as store, flow.Project.open(folder) as project:
        found = renewal_standing(store, project.name)
    return None if found is None else found.renewal


def test_a_detector_that_learned_from_the_new_camera_takes_over(project: Path) -> None:
    with serving(project, workers=1) as server, closing(Wire(server.url)) as wire:
        before = Camera(wire, FIRST, is_coarse=False)
        before.ask(80)
        before.tell()
        assert not SHARP & moved(project)

        camera = Camera(wire, NEW, is_coarse=True)
        camera.ask(N_LABELLED)
        camera.tell()
        wait_until(lambda: moved(project) >= SHARP, within_s=600)

        with watching(project):
            end = time.monotonic() + 1800
            while (found := renewal(project)) is None or not found.is_over:
                assert time.monotonic() < end, (found, (project / "watch.log").read_text()[-3000:])
                is_rolling = found is not None and found.status == "releasing"
                camera.ask(20 if is_rolling else 1)
                camera.tell()
                time.sleep(0.1 if is_rolling else 1.0)
        assert found.status == "released", found.reason
        wait_until(lambda: camera.ask(1) or 2 in camera.versions)
        assert not before.failed and not camera.failed
        assert before.versions == {1}
    check_ledger(project, found)


def moved(project: Path) -> set[str]:
    """Return what has drifted, as `palio monitor` says it."""
    return {one["subject"] for one in palio(project, "monitor")["findings"] if one["kind"] == "drift"}


def check_ledger(project: Path, found: Renewal) -> None:
    with open_store(project) as store, flow.Project.open(project) as opened:
        champion = store.promotions.champion(opened.name)
        decision = store.records.require(Decision, found.decision)
        story = loop_story(store.ledger.events())
        store.ledger.verify()
        family = opened.bundle().manifest.family
    assert champion is not None and champion.version == 2 and family == "detector"
    assert decision.verdict == "yes"
    assert decision.newest is not None and decision.newest.difference.low > 0, "better for the camera that is there now"
    assert "has moved" in story, "what was seen is why it was decided"
    for word in ("decided", "collected", "trained", "compared", "releasing", "released"):
        assert f"  {word}" in story, story
    assert json.dumps(story)
