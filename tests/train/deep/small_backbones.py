"""Small networks of many kinds, as others would bring them, and pictures and texts to teach them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from palio.core.records import Column, Schema, Task
from palio.train import Examples

SMALL: dict[str, dict[str, Any]] = {
    "mobilenet_v2": {"depth_multiplier": 0.25, "image_size": 32},
    "resnet": {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 2], "layer_type": "basic"},
    "convnextv2": {"hidden_sizes": [8, 16], "depths": [1, 2], "num_stages": 2, "image_size": 32},
    "efficientnet": {"width_coefficient": 0.1, "depth_coefficient": 0.1, "hidden_dim": 128, "image_size": 32},
    "vit": {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    | {"image_size": 32, "patch_size": 8},
    "dinov2": {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 32, "patch_size": 8},
    "swin": {"embed_dim": 8, "depths": [1, 1], "num_heads": [1, 2], "window_size": 2, "image_size": 32},
}


def folder_of(kind: str, folder: Path) -> Path:
    """Save a small network of some kind, whose normalisation layers have seen something."""
    import torch
    import transformers

    with torch.random.fork_rng():
        torch.manual_seed(1)
        own = transformers.AutoModel.from_config(transformers.AutoConfig.for_model(kind, **SMALL[kind]))
        for one in own.modules():
            if isinstance(one, torch.nn.BatchNorm2d):
                one.running_mean.normal_(0.0, 0.1)
                one.running_var.uniform_(0.5, 1.5)
    own.save_pretrained(folder)
    said = {"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}, "do_center_crop": True}
    said |= {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.4], "rescale_factor": 1 / 255}
    (folder / "preprocessor_config.json").write_text(json.dumps(said), "utf-8")
    return folder


def encoder_of(folder: Path, texts: list[str]) -> Path:
    """Save a small language network and its tokenizer."""
    import tokenizers
    import torch
    import transformers
    from tokenizers import models, normalizers, pre_tokenizers, processors, trainers

    made = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    made.train_from_iterator(
        texts, trainers.WordPieceTrainer(vocab_size=120, special_tokens=special, show_progress=False)
    )
    made.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    config = transformers.BertConfig(
        vocab_size=made.get_vocab_size(),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=40,
    )
    with torch.random.fork_rng():
        torch.manual_seed(1)
        transformers.BertModel(config).save_pretrained(folder)
    made.save(str(folder / "tokenizer.json"))
    return folder


def picture_examples(task: Task, *, n_rows: int = 90, seed: int = 0) -> Examples:
    """Make pictures of one colour with noise; the more red, the higher the class or value."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    level = rng.random(n_rows)
    cells = []
    for one in level:
        colour = np.array([255 * one, 128, 255 * (1 - one)])
        pixels = np.clip(colour + rng.normal(0, 20, (36, 40, 3)), 0, 255).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        cells.append(file.getvalue())
    n_classes = len(task.classes)
    target = np.minimum((level * n_classes).astype(np.int64), n_classes - 1) if n_classes else 10 + 5 * level
    schema = Schema(columns=(Column(name="picture", type="image"),), target="y")
    return Examples(pl.DataFrame({"picture": cells}), target, schema, task)
