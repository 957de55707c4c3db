"""Hold what families learn from, in a folder that any number of workers read: rows, truth, and how they are cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np

from palio import data, store
from palio.core.records import Schema, Task
from palio.train.examples import Array, Examples, Objective

KEPT_BYTES = 600_000_000
"""A worker keeps the features of all folds if they take less than this, else those of the last one."""


class _Words(msgspec.Struct, frozen=True):
    """What stands beside the rows."""

    schema: Schema
    task: Task
    objective: Objective
    blobs: str
    """Where the bytes of pictures are; empty: nowhere."""


@dataclass(frozen=True)
class Lesson:
    """All rows that may be learned from, and the positions that belong to each part of them.

    Keys of `rows`: `learn 0`, `score 0`, `quarter 0`, `half 0`, … for each fold, shape (n,) int64; `rung0 0`,
    `rung1 0`, …: parts of `learn 0` that are learned from first.
    """

    examples: Examples
    rows: Mapping[str, Array]
    _taken: dict[str, Examples] = field(default_factory=dict, repr=False, compare=False)

    @property
    def n_folds(self) -> int:
        """How many folds there are."""
        return sum(key.startswith("learn ") for key in self.rows)

    def take(self, key: str) -> Examples:
        """Return some of the rows; the same object again, with what was computed from it, while memory allows."""
        if key == "everything":
            return self.examples
        if key not in self._taken:
            shape = self.examples.shape
            if shape.n_rows * shape.n_features * 8 * 3 * self.n_folds > KEPT_BYTES:
                fold = key.split(" ")[-1]
                for other in [name for name in self._taken if name.split(" ")[-1] != fold]:
                    del self._taken[other]
            self._taken[key] = self.examples.take(self.rows[key])
        return self._taken[key]

    def write(self, folder: Path) -> None:
        """Put it into an empty folder."""
        examples = self.examples
        examples.frame.write_ipc(folder / "rows.arrow", compression="uncompressed")
        if examples.target.dtype != object:  # what is where in pictures is read from the rows again
            np.save(folder / "target.npy", examples.target)
        if examples.weights is not None:
            np.save(folder / "weights.npy", examples.weights)
        np.savez(folder / "cuts.npz", allow_pickle=False, **dict(self.rows))
        blobs = "" if examples.blobs is None else examples.blobs.place
        words = _Words(examples.schema, examples.task, examples.objective, blobs)
        (folder / "words.json").write_bytes(msgspec.json.encode(words))


def read_lesson(folder: Path) -> Lesson:
    """Open a lesson that was written; its rows stay on disk until they are used."""
    import polars

    words = msgspec.json.decode((folder / "words.json").read_bytes(), type=_Words)
    weights, target = folder / "weights.npy", folder / "target.npy"
    frame = polars.read_ipc(folder / "rows.arrow")
    examples = Examples(
        frame,
        np.load(target) if target.exists() else data.target_array(frame, words.task),
        words.schema,
        words.task,
        weights=np.load(weights) if weights.exists() else None,
        objective=words.objective,
        blobs=store.open_blobs(words.blobs, folder) if words.blobs else None,
        folder=folder,
    )
    with np.load(folder / "cuts.npz") as cuts:
        return Lesson(examples, {name: cuts[name] for name in cuts.files})
