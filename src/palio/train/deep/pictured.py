"""Bring the pictures of examples: as pixels, and as a frozen backbone sees them. What was computed once is kept."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from palio import model, store
from palio.core.errors import InputError
from palio.core.records import PictureReading
from palio.train.deep.features import through
from palio.train.deep.places import Place
from palio.train.examples import Array, Examples, Feeds
from palio.train.family import check_time, n_threads

MAX_KEPT_BYTES, MAX_HELD_BYTES = 4 << 30, 1 << 30
"""Pixels of all rows that are kept on disk, and in memory; of more, each batch is decoded when its turn comes."""
AT_ONCE = 64
SMALL_SIZE, SMALL_SIDE = 96, 64
"""Pictures of at most so small a side are shown to a backbone at this size, not at its own."""
N_LOOKED_AT = 40


@dataclass(frozen=True)
class Front:
    """The frozen blocks of a backbone as a graph, and how pictures are brought before it."""

    graph: bytes
    size: int
    short: int
    n_features: int


def column_of(examples: Examples) -> str:
    """Return the input of the column that holds pictures. Raises `InputError` if there is not exactly one."""
    names = [column.name for column in examples.schema.features if column.type == "image"]
    if len(names) != 1:
        raise InputError(
            f"pictures: {len(names)} columns hold pictures, one is wanted", hint="exclude the others from the features"
        )
    return model.input_name(names[0])


def small_side(examples: Examples) -> int:
    """Return the shorter side of the middling picture, of some that are looked at; no pixel is decoded."""
    from palio import pixels

    cells = examples.feeds()[column_of(examples)][:, 0]
    sides = []
    for row in np.unique(np.linspace(0, len(cells) - 1, N_LOOKED_AT).astype(np.int64)):
        cell = cells[row]
        with contextlib.suppress(InputError):
            seen = pixels.look(cell if isinstance(cell, bytes) else cell.read())
            sides.append(min(seen.height, seen.width))
    return int(np.median(sides)) if sides else SMALL_SIDE + 1


class Cells:
    """Pictures that are decoded when they are taken: `cells[rows]` is uint8 (n, S, S, 3)."""

    def __init__(self, cells: Array, reading: PictureReading) -> None:
        self._cells, self._reader = cells, model.reader_of(reading)
        self._name = f"{reading.tensor}.pixels"
        self.shape = (len(cells), reading.size, reading.size, 3)

    def __len__(self) -> int:
        return len(self._cells)

    def __getitem__(self, rows: Any) -> Array:
        return self._reader.feeds(self._cells[rows].tolist())[self._name]


class Some:
    """Some rows of an array that may be larger than the memory: `some[rows]` reads no others."""

    def __init__(self, held: Array, taken: Array) -> None:
        self._held, self._taken = held, taken
        self.shape = (len(taken), *held.shape[1:])

    def __len__(self) -> int:
        return len(self._taken)

    def __getitem__(self, rows: Any) -> Array:
        return np.asarray(self._held[self._taken[rows]])


def pixels_of(rows: Examples | Feeds, reading: PictureReading, *, deadline: float | None = None) -> Any:
    """Return the pixels of rows, uint8 (n, S, S, 3): an array, or what gives one when it is indexed by rows.

    Raises:
        OutOfTime: the deadline has come.
        InputError: a cell is no picture.
    """
    if not isinstance(rows, Examples):
        return Cells(rows[reading.input][:, 0], reading)
    whole, taken = rows.whole()
    if len(whole.target) * reading.size**2 * 3 > (MAX_HELD_BYTES if whole.folder is None else MAX_KEPT_BYTES):
        return Cells(rows.feeds()[reading.input][:, 0], reading)

    def decoded(examples: Examples) -> Array:
        cells = Cells(examples.feeds()[reading.input][:, 0], reading)
        found = np.empty(cells.shape, np.uint8)
        for start in range(0, len(cells), AT_ONCE):
            check_time(deadline)
            found[start : start + AT_ONCE] = cells[start : start + AT_ONCE]
        return found

    held = _held(whole, f"pixels {reading.input} {reading.size} {reading.short} {reading.fit}", decoded)
    return held if taken is None else Some(held, taken)


def features_of(
    rows: Examples | Feeds, front: Front, reading: PictureReading, *, deadline: float | None = None
) -> Array:
    """Return what a frozen backbone sees in rows, float32 (n, n_features).

    Raises:
        OutOfTime: the deadline has come.
        InputError: a cell is no picture.
    """

    def seen(examples: Examples | Feeds) -> Array:
        feeds = examples.feeds() if isinstance(examples, Examples) else examples
        cells = Cells(feeds[reading.input][:, 0], reading)
        runner = model.Graph(front.graph, threads=n_threads())
        found = np.empty((len(cells), front.n_features), np.float32)
        for start in range(0, len(cells), AT_ONCE):
            check_time(deadline)
            found[start : start + AT_ONCE] = through(runner, cells[start : start + AT_ONCE])
        return found

    if not isinstance(rows, Examples):
        return seen(rows)
    name = hashlib.sha256(front.graph).hexdigest()[:16]
    return kept(rows, f"features {reading.input} {reading.short} {reading.fit} {name}", seen)


def front_of(examples: Examples, place: Place, *, size: int, n_blocks: int | None = None) -> Front:
    """Return the first blocks of a backbone as a graph; it is written once for all workers.

    Raises:
        InputError: the backbone cannot be opened, or written.
        UnavailableError: torch or transformers is not installed.
    """
    from palio.train.deep.backbones import open_backbone
    from palio.train.deep.calm import calm
    from palio.train.deep.features import frozen_graph

    folder = examples.whole()[0].folder
    name = hashlib.sha256(f"{place.label} {size} {n_blocks}".encode()).hexdigest()[:16]
    with _alone(folder, name):
        path = None if folder is None else folder / f"front-{name}.bin"
        if path is not None and path.exists():
            head, _, graph = path.read_bytes().partition(b"\n")
            return Front(graph, **json.loads(head))
        with calm():
            backbone = open_backbone(place, size=size or None)
            graph, n_features = frozen_graph(backbone, n_blocks=n_blocks), backbone.n_features
        front = Front(graph, backbone.size, backbone.short, n_features)
        if path is not None:
            told = {"size": front.size, "short": front.short, "n_features": front.n_features}
            store.write_whole(path, json.dumps(told).encode() + b"\n" + front.graph)
        return front


def kept(rows: Examples, what: str, compute: Callable[[Examples], Array]) -> Array:
    """Return what is computed of rows: once for all that they were taken from; kept on disk where there is a folder.

    The array on disk is mapped: workers share its memory.
    """
    whole, taken = rows.whole()
    held = _held(whole, what, compute)
    return held if taken is None else held[taken]


def kept_of_rows(rows: Examples, what: str, compute: Callable[[], Array]) -> Array:
    """Return what is computed of these very rows, which `what` tells; kept where what is computed of all is."""
    return _kept(rows.whole()[0], what, lambda _: compute())


def _held(whole: Examples, what: str, compute: Callable[[Examples], Array]) -> Array:
    if what not in whole.computed:
        whole.computed[what] = _kept(whole, what, compute)
    return whole.computed[what]


def _kept(whole: Examples, what: str, compute: Callable[[Examples], Array]) -> Array:
    if whole.folder is None:
        return compute(whole)
    name = hashlib.sha256(what.encode()).hexdigest()[:16]
    path = whole.folder / f"computed-{name}.npy"
    with _alone(whole.folder, name):
        if not path.exists():
            part = path.with_suffix(".part")
            with part.open("wb") as file:
                np.save(file, compute(whole), allow_pickle=False)
            part.replace(path)
    found: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    return found


@contextlib.contextmanager
def _alone(folder: Path | None, name: str) -> Iterator[None]:
    """Let one worker compute while the others wait; a worker that dies lets go."""
    if folder is None:
        yield
        return
    with (folder / f"lock-{name}").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
