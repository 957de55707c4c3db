"""Turn what everybody sends into what the session takes: all readings of one graph, each kind by its own reader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import msgspec
import numpy as np
import numpy.typing as npt

from palio.core.errors import InputError
from palio.core.records import Precision, Reading, TensorSpec, TokenReading
from palio.model.reading.cells import refuse

Array = npt.NDArray[Any]
Feeds = Mapping[str, Array]

METADATA = "palio.readings"
"""Key of the readings in the metadata of an ONNX file."""
BOX_CLASSES = "palio.classes"
"""Key in the metadata of an ONNX file: names of what it finds in pictures, as a JSON list."""
PRECISION = "palio.precision"
"""Key in the metadata of an ONNX file: what a network computes in."""
SORTED_FROM = 64
"""Of fewer texts the order makes no difference to speak of."""
_FINER: tuple[Precision, ...] = ("float64", "float32", "float16", "int8")


def precision_of(metadata: Mapping[str, str]) -> Precision:
    """Return what a graph computes in, as its file says; `float64` if it says nothing.

    Example:
        >>> precision_of({PRECISION: "int8"}), precision_of({})
        ('int8', 'float64')
    """
    said = metadata.get(PRECISION)
    return next((one for one in _FINER if one == said), "float64")


def coarser(one: Precision, other: Precision) -> Precision:
    """Return the coarser of two: what a graph computes in that holds both."""
    return max(one, other, key=_FINER.index)


class Reader(Protocol):
    """Reads the cells of one column."""

    at_once: int
    """Values that go through the graph together, at most: one long text must not widen all others."""

    def prepared(self, cells: Sequence[Any]) -> Sequence[Any]:
        """Return one entry for each cell."""

    def width(self, entry: Any) -> int:
        """Tell how many values an entry takes in the widest tensor."""

    def feeds(self, entries: Sequence[Any]) -> dict[str, Array]:
        """Return the tensors of some entries."""


@runtime_checkable
class Placing(Protocol):
    """A reader that knows where a picture lies in what the graph takes."""

    def places(self, entries: Sequence[Any]) -> Array:
        """Return the places of some entries."""


@runtime_checkable
class Cutting(Protocol):
    """A reader that reads texts up to a length."""

    def is_cut(self, text: str) -> bool:
        """Tell whether a text goes on behind what is read of it."""


def are_cut(reading: Reading, texts: Sequence[str]) -> list[bool]:
    """Tell of texts whether they go on behind what a reading reads of them."""
    reader = reader_of(reading)
    return [isinstance(reader, Cutting) and reader.is_cut(text) for text in texts]


def _kind(reading: Reading) -> tuple[Any, type[Any]]:
    """Return the module that knows a kind of reading, and its reader; pictures and tokens are loaded where met."""
    if reading.__struct_config__.tag == "picture":
        from palio.model.reading import pictures

        return pictures, pictures.PictureReader
    if reading.__struct_config__.tag == "tokens":
        from palio.model.reading import sequences

        return sequences, sequences.TokenReader
    from palio.model.reading import words

    return words, words.WordReader


def reader_of(reading: Reading) -> Reader:
    """Make what reads by a reading."""
    made: Reader = _kind(reading)[1](reading)
    return made


def specs_of(reading: Reading) -> tuple[TensorSpec, ...]:
    """Name the tensors of the graph that a reading feeds; -1 is a free dimension."""
    specs: tuple[TensorSpec, ...] = _kind(reading)[0].specs_of(reading)
    return specs


def tensors_of(reading: Reading) -> tuple[str, ...]:
    """Name the tensors of the graph that a reading feeds."""
    return tuple(spec.name for spec in specs_of(reading))


def brief(reading: Reading) -> Reading:
    """Return a reading as a manifest tells it: without what only the ONNX file needs to hold."""
    found: Reading = _kind(reading)[0].brief(reading)
    return found


class Readers:
    """All readings of one graph.

    Args:
        readings: Of the graph.
    """

    def __init__(self, readings: Sequence[Reading]) -> None:
        self.readings = tuple(readings)
        self._by_input: dict[str, list[Reader]] = {}
        for reading in readings:
            self._by_input.setdefault(reading.input, []).append(reader_of(reading))
        self.column_of = {name: reading.input for reading in readings for name in tensors_of(reading)}
        """Tensor of the graph → the column that it is read from."""

    def order(self, feeds: Feeds) -> Array | None:
        """Return an order of rows in which texts of about one length go through a network together.

        None if there is nothing to gain: of few rows, or where no text is padded to the longest at a price.
        """
        names = {reading.input for reading in self.readings if isinstance(reading, TokenReading)}
        columns = [feeds[name] for name in names if name in feeds]
        if not columns or min(map(len, columns)) < SORTED_FROM:
            return None
        widths = [[len(cell) if isinstance(cell, str | bytes) else 0 for cell in each.ravel()] for each in columns]
        if len(set(map(len, widths))) > 1 or len(widths[0]) != len(columns[0]):
            return None  # it is told what is wrong with it where it is read
        return np.argsort(np.sum(widths, axis=0), kind="stable")

    def chunks(
        self, feeds: Feeds, kept: frozenset[str], *, are_placed: bool = False
    ) -> Iterator[tuple[dict[str, Array], Array | None]]:
        """Read the cells of `feeds`; yield feeds of the session for one run of rows after the other.

        With them come the places of their pictures (see `PictureReader.places`), if they are asked for.

        Args:
            feeds: What everybody sends, one array of shape (n, 1) per column.
            kept: Inputs of the session that travel as they are.
            are_placed: Whether it is asked where pictures lie; there is one column of them then.

        Raises:
            InputError: a column does not hold one cell a row, or a cell that cannot be read.
        """
        read: list[tuple[Reader, Sequence[Any]]] = []
        for name, readers in self._by_input.items():
            cells = _cells(name, feeds[name])
            read += [(reader, reader.prepared(cells)) for reader in readers]
        n_rows = len(read[0][1])
        others = {name: value for name, value in feeds.items() if name in kept}
        start = 0
        while True:
            stop = _stop(read, start, n_rows)
            is_all = start == 0 and stop == n_rows
            found = others if is_all else {name: value[start:stop] for name, value in others.items()}
            found = dict(found)
            places: Array | None = None
            for reader, entries in read:
                found |= reader.feeds(entries[start:stop])
                if are_placed and isinstance(reader, Placing):
                    places = reader.places(entries[start:stop])
            yield found, places
            start = stop
            if start >= n_rows:
                return


def _cells(name: str, values: Array) -> Sequence[Any]:
    if values.dtype == np.uint8 and values.ndim == 4:  # pixels as the graph takes them
        return list(values)
    cells = values.ravel().tolist()
    if values.shape[:1] != (len(cells),):
        raise InputError(f"feeds: `{name}` has the shape {values.shape}", hint="give one cell a row, shape (n, 1)")
    return cells


def _stop(read: Sequence[tuple[Reader, Sequence[Any]]], start: int, n_rows: int) -> int:
    """Return where a run of rows from `start` on ends, so that no tensor grows beyond its cap; at least one row."""
    stop, longest = start, [1] * len(read)
    while stop < n_rows:
        longest = [
            max(most, reader.width(entries[stop])) for most, (reader, entries) in zip(longest, read, strict=True)
        ]
        count = stop + 1 - start
        if count > 1 and any(most * count > reader.at_once for most, (reader, _) in zip(longest, read, strict=True)):
            break
        stop += 1
    return stop


def encode_readings(readings: Sequence[Reading]) -> str:
    """Write readings for the metadata of an ONNX file."""
    return msgspec.json.encode(list(readings)).decode()


def decode_readings(text: str) -> tuple[Reading, ...]:
    """Read readings from the metadata of an ONNX file, which may come from anybody.

    Raises:
        IntegrityError: these are no readings, or they ask for another rule or for more than is allowed.
    """
    try:
        found = msgspec.json.decode(text, type=tuple[Reading, ...])
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise refuse(f"they are not readable ({str(error)[:200]})") from None
    for reading in found:
        _kind(reading)[0].check(reading)
    return found


def decode_classes(text: str) -> tuple[str, ...]:
    """Read names of classes from the metadata of an ONNX file, which may come from anybody; none of an empty text.

    Raises:
        IntegrityError: these are no names.
    """
    try:
        return msgspec.json.decode(text, type=tuple[str, ...]) if text else ()
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise refuse(f"its classes are not readable ({str(error)[:200]})") from None
