"""Learn texts from a language network that others taught: a linear layer on it, and its last layers taught on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from palio import model
from palio.core.records import Modality, Task, TaskKind, TokenReading
from palio.train.deep.pictured import kept, kept_of_rows
from palio.train.deep.places import label_of, place_of
from palio.train.deep.plan import Network, Plan
from palio.train.deep.texts import Texts, reading_of
from palio.train.examples import Array, Examples, Shape
from palio.train.families.networks import (
    LearnsInEpochs,
    NetworkFitted,
    hurried,
    n_scores,
    settings,
    starting_layer,
)
from palio.train.families.word_order import add_texts, texts_of
from palio.train.family import Params, check_time, need_two_classes

PENALTIES = (1e3, 300.0, 100.0, 30.0)
BEGUN_ON, BRIEFLY_BEGUN_ON, FEWEST_OF_A_CLASS = 2_000, 400, 10
"""Texts that the linear layer is fitted on where layers below it learn on; in a first short fit; of each class."""
FADE = 0.85
"""Each layer learns so much slower than the next."""


@dataclass(frozen=True)
class Encoder(LearnsInEpochs):
    """The mean of what a language network says of the tokens, and a linear layer; `free` layers of it learn on.

    Source: Reimers and Gurevych 2019 (means of tokens); Howard and Ruder 2018 (rates by layer).
    """

    backbone: str = ""
    """Folder or name of the network that others taught."""

    name = "encoder"
    tasks: tuple[TaskKind, ...] = ("classification", "regression")
    modalities: tuple[Modality, ...] = ("text",)
    needs: tuple[str, ...] = ("text",)
    packages = ("torch", "transformers", "tokenizers")
    n_settings = 3
    longest = 2

    def seconds(self, shape: Shape, params: Params) -> float:
        """Estimate one fit: a look at each text, then the epochs."""
        each = shape.n_rows * shape.n_features * 0.015
        epochs = int(params["epochs"]) * (0.2 + 2 * float(params["free"]))
        return float(6.0 + each * (1 + epochs) + 1e-4 * max(1, shape.n_classes))

    def defaults(self, shape: Shape, task: Task) -> Sequence[Params]:
        """Return half of the layers free, for two epochs; then all of them."""
        first = {"backbone": label_of(self.backbone), "free": 0.5, "rate": 1e-4, "epochs": 2}
        return [first, first | {"free": 1.0, "rate": 5e-5, "epochs": 3}]

    def suggest(self, trial: Any, shape: Shape, task: Task) -> Params:
        """Draw how much learns, how fast, and for how long."""
        return settings(
            trial,
            {
                "backbone": ([label_of(self.backbone)],),
                "free": ([0.0, 0.25, 0.5, 1.0],),
                "rate": (2e-5, 3e-4),
                "epochs": ([1, 2, 3, 4],),
            },
        )

    def hurry(self, params: Params, share: float) -> Params:
        """Take fewer epochs; where one is too long, fewer layers."""
        if share >= 1.0:
            return params
        fewer = hurried(params, share)
        left = share * int(params["epochs"]) / int(fewer["epochs"])
        return fewer if left > 0.8 else fewer | {"free": 0.25 if left > 0.4 else 0.0}

    def fit(
        self,
        examples: Examples,
        *,
        params: Params,
        seed: int,
        deadline: float | None = None,
        watch: Examples | None = None,
    ) -> NetworkFitted:
        """Fit the linear layer, then learn for `epochs`.

        Raises:
            OutOfTime: the deadline came before the first step.
            InputError: no backbone was named or it cannot be opened, fewer than two classes have examples, or the
                network cannot learn.
            UnavailableError: torch or transformers is not installed.
        """
        check_time(deadline)
        need_two_classes(examples, self.name)
        import torch

        from palio.train.deep.calm import calm
        from palio.train.deep.encoders import free, layers_of, open_encoder
        from palio.train.deep.layers import layer

        n, place, whole = n_scores(examples.task), place_of(self.backbone), examples.whole()[0]
        with calm():
            encoder = open_encoder(place)
            readings = _readings(whole, encoder.tokenizer, encoder.longest)
            inner = encoder.module.inner
            n_free = round(float(params["free"]) * encoder.n_layers)
            most = BRIEFLY_BEGUN_ON if self.teaching.is_brief else BEGUN_ON
            is_whole = not n_free or len(whole.target) <= most  # what learns on need not begin at its best
            begun = examples if is_whole else _some(examples, most)
            about = f"encoder {place.label} {[(one.input, one.length) for one in readings]}"

            def look(rows: Examples) -> Array:
                return _seen(encoder.module, texts_of(rows, readings), deadline)

            if is_whole:
                seen = kept(examples, about, look)
            else:
                seen = kept_of_rows(begun, f"{about} {_digest(begun)}", lambda: look(begun))
            head = starting_layer(seen, begun, penalties=PENALTIES, seed=seed, deadline=deadline)
            free(inner, n_free)
            n_seen = encoder.n_features * len(readings)
            last = torch.nn.Linear(n_seen, n or 1)
            with torch.no_grad():
                last.weight.copy_(torch.from_numpy(head.weights))
                last.bias.copy_(torch.from_numpy(np.maximum(head.intercepts, -30.0)))
            module = layer(_columns, body=encoder.module, head=last)
            places = {id(one): place for place, one in enumerate(layers_of(inner))}
            depth = {
                f"body.inner.{name}.": encoder.n_layers - 1 - places[id(one)]
                for name, one in inner.named_modules()
                if id(one) in places
            }
            network = Network(
                module,
                n,
                pace=lambda name: next((FADE**deep for start, deep in depth.items() if name.startswith(start)), 1.0),
            )
            plan = Plan(
                epochs=int(params["epochs"]),
                steps=int(params.get("steps", 0)),
                batch=32 if len(examples.target) >= 500 else 8,
                rate=float(params["rate"]),
                decay=0.01,
                warm_up=0.1,
                end=0.0,
                clip=1.0,
                ema=0.98,
            )
            trained = self.teach(
                network,
                texts_of(examples, readings),
                plan,
                examples,
                seed=seed,
                deadline=deadline,
                watch=None if watch is None else texts_of(watch, readings),
            )
        return NetworkFitted(
            trained,
            examples.task,
            lambda rows: texts_of(rows, readings),
            lambda builder, module: add_texts(builder, module, readings),
            batch=32,
        )


def _some(examples: Examples, most: int) -> Examples:
    """Return enough of many rows to begin from: of each class its share, and some of the rarest."""
    target = examples.target
    if len(target) <= most:
        return examples
    order = np.argsort(target, kind="stable")
    rows = order[np.linspace(0, len(order) - 1, most).astype(np.int64)]
    few = [np.flatnonzero(target == label)[:FEWEST_OF_A_CLASS] for label in range(len(examples.task.classes))]
    return examples.take(np.unique(np.concatenate([rows, *few])))


def _digest(rows: Examples) -> str:
    """Return what tells some rows from others."""
    places = rows.whole()[1]
    return hashlib.sha256(b"" if places is None else np.ascontiguousarray(places).tobytes()).hexdigest()


def _readings(examples: Examples, tokenizer: str, longest: int) -> tuple[TokenReading, ...]:
    feeds = examples.feeds()
    names = [model.input_name(column.name) for column in examples.schema.features if column.type == "text"]
    return tuple(reading_of(name, feeds[name][:, 0].tolist(), tokenizer, longest=longest) for name in names)


def _columns(own: Any, *inputs: Any) -> Any:
    import torch

    pairs = zip(inputs[::2], inputs[1::2], strict=True)
    return own.head(torch.cat([own.body(ids, mask) for ids, mask in pairs], dim=1))


def _seen(module: Any, texts: Texts, deadline: float | None, batch: int = 32) -> Array:
    """Return what the frozen network sees, float32 (n_rows, n_features of all columns); alike lengths go together."""
    import torch

    widths = np.array([sum(len(column[row]) for column in texts.columns) for row in range(len(texts.target))])
    order = np.argsort(widths, kind="stable")
    found: list[Array] = []
    with torch.inference_mode():
        for start in range(0, len(order), batch):
            check_time(deadline)
            inputs = [torch.from_numpy(one) for one in texts.seen(order[start : start + batch])]
            parts = [module(ids, mask) for ids, mask in zip(inputs[::2], inputs[1::2], strict=True)]
            found.append(torch.cat(parts, dim=1).numpy())
    seen = np.concatenate(found)
    back: Array = np.empty_like(seen)
    back[order] = seen
    return back


FAMILY = Encoder()
