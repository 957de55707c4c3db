"""Learn networks that read words in their order, from nothing: what `lstm` and `textcnn` share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from palio import model
from palio.core.errors import InputError
from palio.core.records import Modality, Task, TaskKind, TokenReading
from palio.train.deep.plan import Network, Plan
from palio.train.deep.texts import Kind, Texts, padded, read, reading_of, text_network, word_tokenizer
from palio.train.examples import Array, Examples, Feeds, Shape
from palio.train.families.networks import LearnsInEpochs, NetworkFitted, hurried, n_scores, settings
from palio.train.family import Params, check_time, need_two_classes


@dataclass(frozen=True)
class WordOrder(LearnsInEpochs):
    """A network on ids of words, one body for each column of texts."""

    name: Kind
    width: int
    pace: float
    """Seconds of a text in an epoch, at this width."""

    tasks: tuple[TaskKind, ...] = ("classification", "regression")
    modalities: tuple[Modality, ...] = ("text",)
    needs: tuple[str, ...] = ("text",)
    packages: tuple[str, ...] = ("torch", "tokenizers")
    n_settings: int = 4
    longest = 2

    def seconds(self, shape: Shape, params: Params) -> float:
        """Estimate one fit: each epoch goes through all texts."""
        each = shape.n_rows * self.pace * shape.n_features * (0.3 + 0.7 * int(params["width"]) / self.width)
        return float(4.0 + int(params["epochs"]) * (each + 1e-4 * max(1, shape.n_classes)))

    def defaults(self, shape: Shape, task: Task) -> Sequence[Params]:
        """Return a network of middling width."""
        return [{"width": self.width, "rate": 2e-3, "word_dropout": 0.05, "epochs": 5}]

    def suggest(self, trial: Any, shape: Shape, task: Task) -> Params:
        """Draw the width, the rate, how many words are made unknown, and for how long it learns."""
        return settings(
            trial,
            {
                "width": ([self.width // 2, self.width, self.width * 2],),
                "rate": (5e-4, 1e-2),
                "word_dropout": ([0.0, 0.05, 0.1, 0.2],),
                "epochs": ([3, 5, 8],),
            },
        )

    def hurry(self, params: Params, share: float) -> Params:
        """Take fewer epochs."""
        return hurried(params, share)

    def fit(
        self,
        examples: Examples,
        *,
        params: Params,
        seed: int,
        deadline: float | None = None,
        watch: Examples | None = None,
    ) -> NetworkFitted:
        """Learn the vocabulary, then for `epochs`.

        Raises:
            OutOfTime: the deadline came before the first step.
            InputError: no column holds words, fewer than two classes have examples, or the network cannot learn.
            UnavailableError: torch is not installed.
        """
        check_time(deadline)
        need_two_classes(examples, self.name)
        from palio.train.deep.calm import calm

        readings = _readings(examples, self.name)
        check_time(deadline)
        n = n_scores(examples.task)
        plan = Plan(
            epochs=int(params["epochs"]),
            steps=int(params.get("steps", 0)),
            batch=int(np.clip(len(examples.target) // 40, 8, 64)),
            rate=float(params["rate"]),
            decay=0.01,
            warm_up=0.1,
            end=0.05,
            clip=1.0,
            ema=0.98,
            patience=3,
        )
        with calm():
            sizes = [_size_of(reading) for reading in readings]
            module = text_network(self.name, sizes, n or 1, width=int(params["width"]), seed=seed)
            trained = self.teach(
                Network(module, n),
                texts_of(examples, readings, word_dropout=float(params["word_dropout"]), seed=seed),
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
        )


def _readings(examples: Examples, family: str) -> tuple[TokenReading, ...]:
    """Learn how each column of texts is read; columns without words are left out."""
    feeds = examples.feeds()
    found = []
    for column in examples.schema.features:
        if column.type == "text":
            name = model.input_name(column.name)
            texts = feeds[name][:, 0].tolist()
            reading = reading_of(name, texts, word_tokenizer(texts))
            if _size_of(reading) > 2:
                found.append(reading)
    if not found:
        raise InputError(f"{family}: no column holds words", hint=f"leave `{family}` out of [train] families")
    return tuple(found)


def _size_of(reading: TokenReading) -> int:
    import tokenizers

    return int(tokenizers.Tokenizer.from_str(reading.tokenizer).get_vocab_size())


def texts_of(
    rows: Examples | Feeds, readings: Sequence[TokenReading], *, word_dropout: float = 0.0, seed: int = 0
) -> Texts:
    """Return rows as networks on texts take them; of feeds the truth is not known, and not asked for."""
    feeds = rows.feeds() if isinstance(rows, Examples) else rows
    columns = tuple(read(reading, feeds[reading.input][:, 0].tolist()) for reading in readings)
    if isinstance(rows, Examples):
        return Texts(columns, rows.target, rows.weights, word_dropout=word_dropout, seed=seed)
    return Texts(columns, np.zeros(len(columns[0]), np.int64))


def add_texts(builder: model.GraphBuilder, module: Any, readings: Sequence[TokenReading]) -> str:
    """Add a network on the ids and masks of some columns; return its scores."""
    from palio.train.deep.exporting import exported

    example, inputs = example_of(len(readings)), dict[str, str]()
    for place, reading in enumerate(readings):
        tensor = builder.reading(reading).tensor
        inputs |= {f"ids{place}": f"{tensor}.ids", f"mask{place}": f"{tensor}.mask"}
    return model.inline(builder, exported(module, example), inputs)[0]


def example_of(n_columns: int) -> dict[str, Array]:
    """Return a few texts, one of which is empty."""
    found: dict[str, Array] = {}
    for place in range(n_columns):
        ids, mask = padded([[1] * (5 + place), [1, 1], [], [1] * 9])
        found |= {f"ids{place}": ids, f"mask{place}": mask}
    return found
