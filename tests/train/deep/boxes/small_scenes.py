"""Small pictures with bright things in them, and detectors that others would bring."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from palio import measure
from palio.core.cells.boxes import cell_of
from palio.core.records import Box, Column, Schema, Task
from palio.train import Examples

TASK = Task(kind="detection", target="things", classes=("blue", "red"), metric="ap")
SCHEMA = Schema(columns=(Column(name="photo", type="image"), Column(name="things", type="boxes", feature=False)))


def picture(rng: np.random.Generator, n_things: int, *, size: tuple[int, int] = (90, 70)) -> tuple[bytes, str]:
    """Draw bright rectangles on noise; return the file and its cell."""
    from PIL import Image

    wide, high = size
    pixels = rng.integers(60, 110, (high, wide, 3), dtype=np.uint8)
    boxes = []
    for _ in range(n_things):
        w, h = rng.integers(18, 34, 2).tolist()
        left, top = int(rng.integers(0, wide - w)), int(rng.integers(0, high - h))
        kind = int(rng.integers(2))
        pixels[top : top + h, left : left + w] = (30, 40, 230) if kind == 0 else (230, 40, 30)
        boxes.append(Box(label=TASK.classes[kind], box=(left, top, left + w, top + h)))
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue(), cell_of(boxes)


def examples(n: int = 24, seed: int = 0) -> Examples:
    """Return pictures with one thing each, some with none."""
    rng = np.random.default_rng(seed)
    made = [picture(rng, 0 if row % 8 == 7 else 1) for row in range(n)]
    frame = pl.DataFrame(
        {"photo": pl.Series([one for one, _ in made], dtype=pl.Binary), "things": [c for _, c in made]}
    )
    return Examples(frame, measure.questions.of(TASK).truth([cell for _, cell in made]), SCHEMA, TASK)


def query_folder(kind: str, folder: Path) -> Path:
    """Save a small D-FINE or RT-DETRv2."""
    import torch
    import transformers

    same: dict[str, Any] = {"encoder_hidden_dim": 32, "d_model": 32, "decoder_in_channels": [32] * 3, "num_labels": 3}
    same |= {"decoder_ffn_dim": 64, "encoder_ffn_dim": 64, "num_queries": 20, "decoder_layers": 2, "num_denoising": 4}
    same |= {"decoder_attention_heads": 4, "encoder_attention_heads": 4, "anchor_image_size": None}
    with torch.random.fork_rng():
        torch.manual_seed(3)
        if kind == "d_fine":
            backbone = transformers.HGNetV2Config(
                stem_channels=[3, 8, 8],
                stage_in_channels=[8, 16, 32, 64],
                stage_mid_channels=[8, 8, 16, 16],
                stage_out_channels=[16, 32, 64, 64],
                stage_num_blocks=[1] * 4,
                stage_downsample=[False, True, True, True],
                stage_light_block=[False, False, True, True],
                stage_kernel_size=[3, 3, 5, 5],
                stage_numb_of_layers=[2] * 4,
                embedding_size=8,
                hidden_sizes=[16, 32, 64, 64],
                depths=[1] * 4,
                out_features=["stage2", "stage3", "stage4"],
            )
            own = transformers.DFineForObjectDetection(
                transformers.DFineConfig(
                    backbone_config=backbone, encoder_in_channels=[32, 64, 64], feat_channels=[32] * 3, **same
                )
            )
        else:
            backbone = transformers.RTDetrResNetConfig(
                embedding_size=8,
                hidden_sizes=[8, 16, 32, 64],
                depths=[1] * 4,
                layer_type="basic",
                out_features=["stage2", "stage3", "stage4"],
            )
            own = transformers.RTDetrV2ForObjectDetection(
                transformers.RTDetrV2Config(backbone_config=backbone, encoder_in_channels=[16, 32, 64], **same)
            )
    own.save_pretrained(folder)
    said = {"size": {"height": 64, "width": 64}, "do_normalize": False, "rescale_factor": 1 / 255}
    (folder / "preprocessor_config.json").write_text(json.dumps(said), "utf-8")
    return folder
