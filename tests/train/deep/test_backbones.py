"""Backbones: any kind, taken apart and put together again, answers as it did."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from palio import model
from palio.core.errors import InputError
from palio.train.deep.backbones import open_backbone
from palio.train.deep.calm import calm
from palio.train.deep.exporting import SCORES, check_export, exported
from palio.train.deep.features import fit_head, frozen_graph, through
from palio.train.deep.finetuning import finetuning
from palio.train.deep.folding import fold_pads
from palio.train.deep.pictures import Pictures
from palio.train.deep.places import place_of
from tests.train.deep.small_backbones import SMALL, folder_of

torch = pytest.importorskip("torch", reason="torch is not installed")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")

KNOWN = frozenset(SMALL) - {"swin"}
PIXELS = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)


@pytest.fixture(params=list(SMALL))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def expected(folder: Path, kind: str) -> np.ndarray:
    """What transformers itself answers."""
    own = transformers.AutoModel.from_pretrained(folder).eval()
    values = (PIXELS / 255.0 - [0.5, 0.4, 0.3]) / [0.2, 0.3, 0.4]
    with torch.inference_mode():
        answer = own(pixel_values=torch.from_numpy(values.astype(np.float32)).permute(0, 3, 1, 2))
    if kind == "vit":
        return answer.last_hidden_state[:, 0].numpy()
    if kind == "dinov2":
        tokens = answer.last_hidden_state
        return torch.cat([tokens[:, 0], tokens[:, 1:].mean(dim=1)], dim=1).numpy()
    return answer.pooler_output.flatten(1).numpy()


def test_a_backbone_answers_as_its_makers_do(kind: str, tmp_path: Path) -> None:
    folder = folder_of(kind, tmp_path)
    with calm():
        backbone = open_backbone(place_of(str(folder)))
        assert (backbone.size, backbone.short) == (32, 36)
        assert (len(backbone.blocks) > 1) == (kind in KNOWN)
        found = through(model.Graph(frozen_graph(backbone)), PIXELS)
    assert found.shape == (5, backbone.n_features)
    np.testing.assert_allclose(found, expected(folder, kind), rtol=1e-3, atol=1e-4)


def test_no_normalisation_is_left_that_could_be_folded(kind: str, tmp_path: Path) -> None:
    blocks = open_backbone(place_of(str(folder_of(kind, tmp_path)))).blocks
    left = [one for block in blocks for one in block.modules() if isinstance(one, torch.nn.BatchNorm2d)]
    assert not left


def test_convolutions_pad_by_themselves_where_that_changes_nothing(tmp_path: Path) -> None:
    own = transformers.AutoModel.from_pretrained(folder_of("mobilenet_v2", tmp_path)).eval()
    for size in (32, 31):
        values = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
        with torch.inference_mode():
            before = own(pixel_values=values).pooler_output
            n_folded = fold_pads(own)
            torch.testing.assert_close(own(pixel_values=values).pooler_output, before)
        assert (n_folded > 30) == (size == 32)  # all of stride 1, once


def test_the_front_and_the_rest_are_the_whole(kind: str, tmp_path: Path) -> None:
    with calm():
        backbone = open_backbone(place_of(str(folder_of(kind, tmp_path))))
        features = through(model.Graph(frozen_graph(backbone)), PIXELS)
        head = fit_head(features, np.array([0, 1, 2, 0, 1]), 3, penalties=(1.0,))
        for freeze in (0, len(backbone.blocks) // 2, len(backbone.blocks)):
            own = finetuning(backbone, 3, freeze=freeze, head=head)
            (inputs,) = own.material(Pictures(PIXELS, np.zeros(5, np.int64))).seen(np.arange(5))
            graph = exported(own.rest(), {"values": inputs})
            assert check_export(graph, own.rest(), {"values": inputs}) < 1e-4
            found = model.Graph(graph).run({"values": inputs})[SCORES]
            np.testing.assert_allclose(found, head.scores(features), rtol=1e-3, atol=1e-3)


def test_the_later_a_block_the_faster_it_learns(tmp_path: Path) -> None:
    with calm():
        own = finetuning(open_backbone(place_of(str(folder_of("resnet", tmp_path)))), 2, freeze=1)
    paces = {name: own.network.pace(name) for name, _ in own.network.module.named_parameters()}
    assert paces["head.weight"] == 1.0
    assert paces["head.weight"] >= max(paces.values())
    assert min(paces.values()) == paces[next(iter(paces))] < 1.0


def test_a_backbone_can_be_used_again_after_it_was_taught(tmp_path: Path) -> None:
    with calm():
        backbone = open_backbone(place_of(str(folder_of("resnet", tmp_path))))
        before = through(model.Graph(frozen_graph(backbone)), PIXELS)
        own = finetuning(backbone, 2, freeze=1)
        with torch.no_grad():
            for one in own.rest().parameters():
                one.add_(1.0)
        np.testing.assert_array_equal(through(model.Graph(frozen_graph(backbone)), PIXELS), before)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    for where in (str(tmp_path / "nowhere"), "./nowhere", ""):
        with pytest.raises(InputError, match="no such folder"):
            place_of(where)
    with pytest.raises(InputError, match="cannot be opened"):
        place_of(str(tmp_path))


def test_weights_that_could_hold_a_program_are_not_read(tmp_path: Path) -> None:
    folder = folder_of("resnet", tmp_path)
    own = transformers.AutoModel.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    torch.save(own.state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(InputError, match="cannot be opened"):
        open_backbone(place_of(str(folder)))
