"""Look at the pictures of requests beside the event loop: bytes become pixels before rows are put together."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from palio import model as models
from palio.core.errors import ContractError, InputError
from palio.core.records import Manifest, PictureReading, Reading
from palio.serve.protocols.datatypes import Array
from palio.serve.protocols.wire import WireError

SMALL_PIXELS = 2_000_000
"""Requests of pictures that have no more together do not wait for larger ones, which have a thread of their own."""
MOST_PIXELS = 400_000_000
"""Of all pictures of one request: some seconds of work."""
MOST_FITTED_BYTES = 128 * 2**20
"""Of all pictures of one request, as the graph takes them."""

_Key = tuple[int, int, str]


class Sent:
    """A picture that a client sent: a cell of feeds.

    Args:
        data: Bytes of its file; None if the client sent pixels.
        shown: Pixels of shape (size, size, 3), if the client sent these.
    """

    __slots__ = ("_fitted", "data", "digest", "shown", "sides")

    def __init__(self, data: bytes | None, shown: Array | None = None) -> None:
        self.data, self.shown = data, shown
        self.digest = ""
        """SHA-256 of what was sent, in hexadecimal; known once it was seen."""
        self.sides: tuple[int, int] | None = None if shown is None else (0, 0)
        """Width and height as it is shown, where a model answers in its pixels; known once it was seen."""
        self._fitted: dict[_Key, Array] = {}

    def read(self) -> bytes:
        """Return the bytes of its file."""
        if self.data is None:
            raise InputError("picture: pixels of another size", hint="send the file")
        return self.data

    def fitted(self, reading: PictureReading) -> Array | None:
        """Return its pixels as a reading wants them, if they are known."""
        if self.shown is not None and len(self.shown) == reading.size:
            return self.shown
        return self._fitted.get(_key(reading))

    def see(self, readers: Sequence[models.PictureReader], row: int) -> None:
        """Decode it, if that was not done, and take its digest. Raises `InputError` if it is no usable picture."""
        for reader in readers:
            if self.fitted(reader.reading) is None:
                self._fitted[_key(reader.reading)] = reader.picture(self.read(), row)
            if reader.is_placed and self.sides is None:
                self.sides = reader.sides(self.read())
        if not self.digest:
            held = self.data if self.shown is None else np.ascontiguousarray(self.shown).data
            self.digest = hashlib.sha256(held or b"").hexdigest()

    def for_log(self, *, with_bytes: bool) -> Sent:
        """Return a copy without pixels, which would fill the memory while it waits."""
        copy = Sent(self.data if with_bytes else None)
        copy.digest, copy.sides = self.digest, self.sides
        return copy


def _key(reading: PictureReading) -> _Key:
    return reading.size, reading.short, reading.fit


class Sight:
    """Sees the pictures of one model's requests. Safe to share between threads.

    Args:
        readings: Of its graph.
        manifest: Names its columns.
        is_placed: The model answers in the pixels of each picture.
    """

    def __init__(self, readings: Sequence[Reading], manifest: Manifest, *, is_placed: bool = False) -> None:
        self.columns = tuple(column for column in manifest.schema.features if column.type == "image")
        """Columns of pictures."""
        self.inputs = {models.input_name(column.name): models.PictureColumn(column) for column in self.columns}
        self._readers: dict[str, list[models.PictureReader]] = {name: [] for name in self.inputs}
        self._bytes_a_row = 0
        for reading in readings:
            if isinstance(reading, PictureReading) and reading.input in self._readers:
                self._readers[reading.input].append(models.PictureReader(reading, is_placed=is_placed))
                self._bytes_a_row += 3 * reading.size**2

    def size_of(self, name: str) -> tuple[int, ...]:
        """List the sizes that clients may send an input in, as pixels."""
        return tuple(sorted({reader.reading.size for reader in self._readers[name]}))

    def n_bytes(self, n_rows: int) -> int:
        """Tell how much memory the pictures of a request take once they are seen.

        Raises:
            WireError: 413, too much for one request.
        """
        size = n_rows * self._bytes_a_row
        if size > MOST_FITTED_BYTES:
            most = max(1, MOST_FITTED_BYTES // self._bytes_a_row)
            raise WireError(413, f"{n_rows} pictures are more than the {most} that are allowed in one request")
        return size

    def __call__(self, feeds: Mapping[str, Array], most_pixels: int = MOST_PIXELS) -> dict[str, Array] | None:
        """Decode all pictures of a request.

        Args:
            feeds: Cells of pictures are bytes, base64 or `Sent`; a uint8 array holds pixels.
            most_pixels: Together; None comes back if they have more, so that somebody patient does it.

        Returns:
            The feeds, with `Sent` cells in the place of pictures.

        Raises:
            ContractError: a picture that cannot be used, by row.
            WireError: 413, too many pixels for one request.
        """
        found = dict(feeds)
        for name in self.inputs:
            found[name] = _sent(self.inputs[name], feeds[name])
        seen = [(name, row, cell) for name in self.inputs for row, cell in enumerate(found[name][:, 0].tolist())]
        n_pixels = 0
        for name, row, cell in seen:
            n_pixels += self._weigh(name, row, cell)
            if n_pixels > most_pixels:
                if most_pixels >= MOST_PIXELS:
                    raise WireError(413, f"the pictures have more than {MOST_PIXELS:,} pixels together; send fewer")
                return None
        for name, row, cell in seen:
            try:
                cell.see(self._readers[name], row)
            except InputError as error:
                raise self._refused(name, row, error) from None
        return found

    def _weigh(self, name: str, row: int, cell: Sent) -> int:
        if cell.data is None or not self._readers[name]:
            return 0
        from palio import pixels

        try:
            header = pixels.look(cell.data, self._readers[name][0].limits)
        except InputError as error:
            raise self._refused(name, row, error) from None
        return header.width * header.height

    def _refused(self, name: str, row: int, error: InputError) -> ContractError:
        said = error.message.removeprefix("picture: ").partition(f"`{name}`: ")
        return self.inputs[name].refusal(row, f"cannot be used: {said[2] or said[0]}", error.hint)


def _sent(column: models.PictureColumn, values: Array) -> Array:
    """Put pictures into cells of their own."""
    found = np.empty((len(values), 1), object)
    if values.dtype == np.uint8:
        for row, shown in enumerate(values):
            found[row, 0] = Sent(None, shown)
        return found
    for row, cell in enumerate(values[:, 0].tolist()):
        if isinstance(cell, str):
            cell = column.read([cell])[0][0, 0]
        found[row, 0] = cell if isinstance(cell, Sent) else Sent(cell)
    return found


def for_log(feeds: Mapping[str, Array], *, with_bytes: bool = True) -> dict[str, Array]:
    """Return feeds as the log may hold them while they wait."""
    found = dict(feeds)
    for name, values in feeds.items():
        if values.dtype == object and values.size and isinstance(values.flat[0], Sent):
            cells = [cell.for_log(with_bytes=with_bytes) for cell in values.flat]
            found[name] = np.array(cells, object).reshape(values.shape)
    return found
