"""Use every package that we ship a little: `python every_dependency.py PART`, in a folder where it may write."""

from __future__ import annotations

import importlib
import sys
import warnings
from typing import Any

import numpy as np

WIRE = """
click cryptography fsspec flatbuffers google.protobuf grpc grpc_health.v1.health grpc_reflection.v1alpha.reflection
httptools msgspec opentelemetry.exporter.otlp.proto.http.trace_exporter opentelemetry.sdk.trace prometheus_client
psycopg rich sqlalchemy starlette.applications uvicorn uvloop
"""


def _rows() -> tuple[Any, Any]:
    x = np.random.default_rng(0).normal(size=(200, 4))
    return x, (x[:, 0] > 0).astype(int)


def wire() -> None:
    """What a server, a store and a command line are made of."""
    for name in WIRE.split():
        importlib.import_module(name)


def tables() -> None:
    """What learns from tables, reads and writes them."""
    import catboost
    import fastexcel  # noqa: F401
    import jinja2  # noqa: F401
    import lightgbm
    import optuna
    import polars as pl
    import scipy.stats  # noqa: F401
    import xgboost
    from sklearn.ensemble import RandomForestClassifier

    x, y = _rows()
    lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(x, y)
    catboost.CatBoostClassifier(iterations=3, verbose=False, allow_writing_files=False).fit(x, y)
    xgboost.XGBClassifier(n_estimators=3).fit(x, y)
    RandomForestClassifier(3, n_jobs=2).fit(x, y)
    optuna.create_study().optimize(lambda trial: trial.suggest_float("a", 0, 1), n_trials=2)
    pl.DataFrame({"a": [1.0]}).write_parquet("a.parquet")
    pl.scan_parquet("a.parquet").collect()


def watching() -> None:
    """What finds a concept that drifts."""
    from river import drift

    for detector in (drift.ADWIN(), drift.PageHinkley(), drift.KSWIN(seed=0)):
        for value in np.linspace(0, 1, 200).tolist():
            detector.update(value)


def networks() -> None:
    """What learns from pictures and texts."""
    import PIL.Image  # noqa: F401
    import torch

    from palio.train.deep.backbones import transformers_there

    warnings.simplefilter("ignore")
    net = torch.nn.Linear(4, 1)
    steps = torch.optim.AdamW(net.parameters())
    net(torch.randn(8, 4)).sum().backward()
    steps.step()
    torch.onnx.export(net, (torch.randn(1, 4),), "net.onnx", dynamo=False)
    transformers = transformers_there()
    size = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    transformers.BertModel(transformers.BertConfig(vocab_size=50, **size)).save_pretrained("network")
    transformers.AutoModel.from_pretrained("network", use_safetensors=True, local_files_only=True)
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    cutter = Tokenizer(models.WordLevel(unk_token="?"))
    cutter.pre_tokenizer = pre_tokenizers.Whitespace()
    cutter.train_from_iterator(["a b"], trainers.WordLevelTrainer(special_tokens=["?"]))
    cutter.save("cutter.json")


if __name__ == "__main__":
    globals()[sys.argv[1]]()
