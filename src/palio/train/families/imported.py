"""Let a detector compete that others taught and wrote as ONNX: it is read as it does best, and never learns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from palio import model
from palio.core.records import Modality, PictureReading, Task, TaskKind
from palio.train.deep import pictured
from palio.train.examples import Array, Examples, Shape
from palio.train.families.boxed import BoxedFitted, Said, need_boxes
from palio.train.family import FixedSettings, Params, check_time, n_threads
from palio.train.foreign.choosing import Reading, Wanted, choose
from palio.train.foreign.decoding import Decoding, decoded, emit_decoded
from palio.train.foreign.opening import Foreign, open_foreign

DECODINGS = ("auto", "yolox-grid", "yolo", "detr", "boxes-scores-classes")


@lru_cache(maxsize=4)
def _opened(where: str, changed: float) -> Foreign:  # noqa: ARG001 — part of the key
    return open_foreign(where)


def opened(where: str) -> Foreign:
    """Open a file once as long as it does not change. Errors as in `open_foreign`."""
    path = Path(where).expanduser()
    return _opened(where, path.stat().st_mtime if path.is_file() else 0.0)


@dataclass(frozen=True)
class Imported(FixedSettings):
    """A detector from a file.

    How it wants pictures (order of channels, scale, fit), what its numbers mean, and which of its classes is which of
    ours is tried on labelled pictures, as far as it is not declared; the settings say what was found.
    """

    imported: str = ""
    """Path of the ONNX file; empty: there is nothing to compete with."""
    decode: str = "auto"
    """One of `DECODINGS`."""
    knows: tuple[str, ...] = ()
    """Names of its classes in its own order; empty: what the file says, or what labelled pictures show."""

    name = "imported"
    tasks: tuple[TaskKind, ...] = ("detection",)
    modalities: tuple[Modality, ...] = ("image",)
    needs: tuple[str, ...] = ("image",)
    n_settings = 0
    warms_up = False
    is_network = True

    def suits(self) -> tuple[str, str] | None:
        """Say why it has nothing to compete with, and what helps; None if it has."""
        if not self.imported:
            return "no file is named", "set [train] imported to the path of an ONNX file"
        return None

    def seconds(self, shape: Shape, params: Params) -> float:
        """Estimate one fit: some pictures are read in some ways."""
        return 10.0 + 1e-4 * shape.n_rows + 1e-4 * shape.n_features + 1e-4 * max(1, shape.n_classes)

    def defaults(self, shape: Shape, task: Task) -> Sequence[Params]:
        """Return the one file."""
        return [{"imported": opened(self.imported).label if self.imported else "", "decode": self.decode}]

    def suggest(self, trial: Any, shape: Shape, task: Task) -> Params:
        """Return the one file."""
        return {key: trial.suggest_categorical(key, [one]) for key, one in self.defaults(shape, task)[0].items()}

    def fit(
        self,
        examples: Examples,
        *,
        params: Params,
        seed: int,
        deadline: float | None = None,
        watch: Examples | None = None,
    ) -> BoxedFitted:
        """Find out how the file is to be read, where the settings do not say it.

        Raises:
            OutOfTime: the deadline has come.
            InputError: the file cannot be read, its outputs are not known, or it finds nothing of what is labelled.
        """
        check_time(deadline)
        foreign, column = opened(self.imported), pictured.column_of(examples)
        notes: tuple[str, ...] = ()
        if "read" in params:
            reading = _reading_of(params["read"])
        else:
            need_boxes(examples, self.name)
            wanted = Wanted(decode=self.decode, names=self.knows)
            reading, notes = choose(foreign, examples, column, wanted, threads=n_threads(), deadline=deadline)
        runner = foreign.runner(n_threads())
        how, ids = reading.how, reading.ids

        def say(pixels: Array) -> Said:
            outputs = foreign.run(runner, foreign.wanted(pixels, order=reading.order, scale=reading.scale))
            corners, scores = decoded(how, outputs, ids, foreign.size)
            return corners, np.clip(scores, 0, 1)

        def add(builder: model.GraphBuilder, pixels: str) -> tuple[str, str, int | None]:
            values = foreign.emit_wanted(builder, pixels, order=reading.order, scale=reading.scale)
            corners, scores = emit_decoded(builder, how, foreign.emit(builder, values), ids, foreign.size)
            return corners, builder.node("Clip", scores, *_unit(builder)), None

        return BoxedFitted(
            task=examples.task,
            reading=PictureReading(
                input=column,
                size=foreign.size,
                fit=reading.fit,  # type: ignore[arg-type]
                batch=0 if foreign.any_batch else 1,
            ),
            say=say,
            add=add,
            n_parameters=_n_parameters(foreign.graph),
            settled={"read": _facts(reading)},
            notes=notes,
        )


def _unit(builder: model.GraphBuilder) -> tuple[str, str]:
    return builder.constant(0.0, "float32"), builder.constant(1.0, "float32")


def _facts(reading: Reading) -> dict[str, Any]:
    return {**vars(reading), "how": reading.how.facts(), "ids": list(reading.ids), "worth": round(reading.worth, 4)}


def _reading_of(facts: dict[str, Any]) -> Reading:
    how = Decoding(**{**facts["how"], "outputs": tuple(facts["how"]["outputs"])})
    return Reading(**{**facts, "how": how, "ids": tuple(facts["ids"])})


def _n_parameters(graph: bytes) -> int:
    import onnx

    return sum(int(np.prod(one.dims)) for one in onnx.load_model_from_string(graph).graph.initializer)


FAMILY = Imported()
