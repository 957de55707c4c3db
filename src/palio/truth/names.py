"""What truths are about, by the ids of answers and the keys of rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np

from palio import store

Array = np.ndarray[Any, np.dtype[Any]]
Batch = Mapping[str, Array]


class Names:
    """What a set of truths is about: hashes of prediction ids and keys."""

    def __init__(self, ids: Array, keys: Array) -> None:
        self.ids, self.keys = np.unique(ids), np.unique(keys)

    @classmethod
    def of(cls, feedback: Iterable[Batch], *, caller: str) -> Self:
        """Read the names in feedback that one caller sent."""
        ids, keys = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for batch in feedback:
            mine = batch["caller"] == caller
            ids.append(hashes_of(batch["id"][mine]))
            keys.append(hashes_of(batch["key"][mine & (batch["id"] == "")]))
        return cls(np.concatenate(ids), np.concatenate(keys))

    def hold(self, batch: Batch) -> Array:
        """Say which feedback is about one of them."""
        by_key = batch["id"] == ""
        of_ids = ~by_key & np.isin(hashes_of(batch["id"]), self.ids)
        return np.asarray(of_ids | (by_key & np.isin(hashes_of(batch["key"]), self.keys)), bool)


def feedback_about(folder: Path, model: str, names: Names) -> Iterator[dict[str, Array]]:
    """Yield all feedback about some answers."""
    for batch in store.scan_log(folder, model, kind="feedback"):
        rows = np.flatnonzero(names.hold(batch))
        if len(rows):
            yield {name: batch[name][rows] for name in batch}


def hashes_of(texts: Array) -> Array:
    """Hash texts to 64 bits: of ten million, two meet by chance once in 300,000 times."""
    return np.fromiter(map(hash, texts.tolist()), np.int64, len(texts))
