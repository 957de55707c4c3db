"""Pictures go the way of every other row: from a zip to a champion that answers, on a network with random weights."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.acceptance.live import palio, serving

torch = pytest.importorskip("torch", reason="torch is not installed")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")
Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")

N_EACH = 60


def painted(lies: bool, seed: int) -> bytes:
    """Paint stripes that lie or stand, of any colours and width."""
    rng = np.random.default_rng(seed)
    width, offset = int(rng.integers(3, 7)), int(rng.integers(0, 7))
    places = (np.arange(48) + offset) // width % 2
    stripes = np.broadcast_to(places[:, None] if lies else places[None, :], (48, 48))[..., None]
    light, dark = rng.integers(150, 256, 3), rng.integers(0, 100, 3)
    pixels = np.where(stripes == 1, light, dark) + rng.integers(-20, 20, (48, 48, 3))
    file = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def backbone(folder: Path) -> Path:
    """Save a small network that nobody has taught."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        sizes = {"embedding_size": 16, "hidden_sizes": [16, 32], "depths": [1, 1], "layer_type": "basic"}
        network = transformers.ResNetModel(transformers.ResNetConfig(**sizes))
        for _ in range(40):  # its normalisation layers see something, and nothing is learned
            network.train()(torch.randn(8, 3, 48, 48))
        network.save_pretrained(folder)
    said = {"size": {"shortest_edge": 48}, "crop_size": {"height": 48, "width": 48}, "do_center_crop": True}
    said |= {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "rescale_factor": 1 / 255}
    (folder / "preprocessor_config.json").write_text(json.dumps(said), "utf-8")
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stripes")
    with zipfile.ZipFile(folder / "stripes.zip", "w") as archive:
        for seed in range(2 * N_EACH):
            name = "lying" if seed % 2 else "standing"
            archive.writestr(f"stripes/{name}/{seed}.png", painted(bool(seed % 2), seed))
        archive.writestr("stripes/lying/broken.png", b"\x89PNG\r\n\x1a\n and no more")
        archive.writestr("stripes/README.txt", "Stripes.")
    palio(folder / "project", "init", str(folder / "stripes.zip"))
    return folder / "project"


@pytest.fixture(scope="module")
def ran(project: Path) -> Any:
    taught = {"PALIO_TRAIN_FAMILIES": "features", "PALIO_TRAIN_BACKBONE": str(backbone(project.parent / "backbone"))}
    return palio(project, "run", "--budget", "120", env=taught | {"PALIO_TRAIN_ENGINE": "inline"})


def test_a_zip_of_pictures_leads_to_a_champion(ran: Any) -> None:
    assert ran["decision"]["verdict"] == "yes", ran["decision"]["reasons"]
    assert ran["champion"]["family"] == "features"
    assert ran["evaluation"]["metrics"]["roc_auc"]["value"] > 0.9
    assert ran["parity"]["passed"]
    assert Path(ran["report"]).stat().st_size > 10_000


def test_a_broken_picture_is_set_aside_and_counted(ran: Any, project: Path) -> None:
    assert ran["snapshot"]["n_rows"] == 2 * N_EACH
    told = palio(project, "log")
    assert "1 in quarantine" in json.dumps(told)


def test_a_folder_is_predicted_in_order(ran: Any, project: Path, tmp_path: Path) -> None:
    for seed in range(200, 206):
        (tmp_path / f"{seed}.png").write_bytes(painted(bool(seed % 2), seed))
    (tmp_path / "207.png").write_bytes(b"no picture")
    out = tmp_path.parent / f"{tmp_path.name}.csv"
    palio(project, "predict", str(tmp_path), "--output", str(out))
    with out.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == [f"{seed}.png" for seed in (*range(200, 206), 207)]
    assert [row["prediction"] for row in rows[:6]] == ["standing", "lying"] * 3
    assert rows[6]["prediction"] == ""
    assert rows[6]["problem"]


def test_the_server_answers_a_picture_as_the_file_was_answered(ran: Any, project: Path) -> None:
    picture = painted(True, 301)
    with serving(project, workers=1, env=dict(os.environ)) as server:
        as_it_is = urllib.request.Request(f"{server.url}/predict", picture, {"Content-Type": "image/png"})
        in_json = json.dumps({"picture": base64.b64encode(picture).decode()}).encode()
        as_text = urllib.request.Request(f"{server.url}/predict", in_json, {"Content-Type": "application/json"})
        answers = [json.load(urllib.request.urlopen(one)) for one in (as_it_is, as_text)]
    said = [answer["predictions"][0] if "predictions" in answer else answer for answer in answers]
    assert [one["prediction"] for one in said] == ["lying", "lying"]
    assert said[0]["probabilities"] == said[1]["probabilities"]
