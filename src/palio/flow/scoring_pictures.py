"""Score pictures: a file, a folder, an archive, or a list; what cannot be read keeps its line and is told why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from palio import data, model
from palio.core.cells import carries_text
from palio.core.errors import ContractError, InputError
from palio.core.records import Column, PictureReading, Schema
from palio.flow import sources
from palio.measure import questions

if TYPE_CHECKING:
    import polars as pl

    from palio.flow.opened import Opened
    from palio.model import Bundle

FILE, PROBLEM = "file", "problem"
Array = np.ndarray[Any, np.dtype[Any]]


class _Seen:
    """A picture whose pixels are known, as each reading of the graph wants them."""

    def __init__(self, pixels: dict[PictureReading, Array], sides: tuple[int, int] | None) -> None:
        self._pixels, self.sides = pixels, sides

    def fitted(self, reading: PictureReading) -> Array | None:
        return self._pixels.get(reading)


class PictureScorer:
    """Answers pictures with one model.

    Args:
        bundle: The model.

    Raises:
        InputError: it looks at several pictures a row.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self.schema: Schema = bundle.manifest.schema
        pictures = [column for column in self.schema.features if column.type == "image"]
        if len(pictures) != 1:
            raise InputError(
                f"the model looks at {len(pictures)} pictures a row", hint="ask a server for it: palio serve"
            )
        self.finds_boxes = bundle.graph.finds_boxes
        self.picture: Column = pictures[0]
        self._input = model.input_name(self.picture.name)
        self._readers = [
            model.PictureReader(reading)
            for reading in bundle.graph.readings
            if isinstance(reading, PictureReading) and reading.input == self._input
        ]
        self.most_bytes = min((reader.reading.max_bytes for reader in self._readers), default=50_000_000)
        self.others = tuple(column for column in self.schema.features if column.type != "image")
        self._pool = ThreadPoolExecutor(min(8, cpu_count() or 1))

    def score(self, asking: data.Asking) -> pl.DataFrame:
        """Return file, answers and problem of some pictures; problems that are found are added to `asking`.

        Where the model finds boxes, width and height of each picture stand before its problem.
        """
        import polars as pl

        seen = list(self._pool.map(self._see, asking.pictures, asking.problems))
        for row, one in enumerate(seen):
            if isinstance(one, str):
                asking.problems[row] = one
        good = [row for row, why in enumerate(asking.problems) if not why]
        columns: dict[str, Any] = {FILE: pl.Series(asking.files, dtype=pl.String)}
        columns |= self._answers([seen[row] for row in good], good, asking)
        if self.finds_boxes:
            sides = [one.sides if isinstance(one, _Seen) else None for one in seen]
            for place, name in enumerate(("width", "height")):
                columns[name] = pl.Series([one and one[place] for one in sides], dtype=pl.Int64)
        columns[PROBLEM] = pl.Series([why or None for why in asking.problems], dtype=pl.String)
        return pl.DataFrame(columns)

    def _answers(self, seen: Sequence[Any], good: Sequence[int], asking: data.Asking) -> dict[str, Any]:
        import polars as pl

        question = questions.of(self._bundle.manifest.task)
        kinds: dict[str, Any] = dict.fromkeys(question.names, pl.Float64)
        if question.is_text:
            kinds[questions.PREDICTION] = pl.String
        found: dict[str, Any] = {name: [] for name in kinds}
        if good:
            cells = np.empty((len(good), 1), object)
            cells[:, 0] = seen
            feeds = self._other_feeds(good, asking) | {self._input: cells}
            outputs = self._bundle.graph.predict(feeds)
            answered = question.columns(model.answers_of(outputs, question.task))
            found = {name: np.asarray(values).tolist() for name, values in answered.items()}
        n_rows = len(asking.files)
        spread: dict[str, Any] = {}
        for name, kind in kinds.items():
            cells_of: list[Any] = [None] * n_rows
            for row, value in zip(good, found[name], strict=True):
                cells_of[row] = value
            spread[name] = pl.Series(cells_of, dtype=kind)
        return spread

    def _other_feeds(self, good: Sequence[int], asking: data.Asking) -> dict[str, Array]:
        import polars as pl

        if not self.others:
            return {}
        schema = msgspec.structs.replace(self.schema, columns=self.others, target=None, id=None, time=(), group=None)
        frame = asking.frame
        if frame is None:
            kinds: dict[str, Any] = {c.name: pl.String if carries_text(c) else pl.Float64 for c in self.others}
            frame = pl.DataFrame({name: pl.Series([None] * len(asking.files), dtype=kinds[name]) for name in kinds})
        return model.feeds_from_frame(frame[list(good)], schema)

    def _see(self, file: bytes, problem: str) -> _Seen | str:
        if problem:
            return problem
        try:
            seen = {reader.reading: reader.picture(file) for reader in self._readers}
            return _Seen(seen, self._readers[0].sides(file) if self.finds_boxes else None)
        except InputError as error:
            return error.message.partition(f"`{self.picture.name}`: ")[2] or error.message

    def close(self) -> None:
        """Let go of the threads."""
        self._pool.shutdown()


def asking_of(
    project: Opened, scorer: PictureScorer, file: str, *, images: str, query: str, strict: bool
) -> data.PicturesAsking | data.TableAsking:
    """Find out what `file` is: pictures, or a table that names some.

    Raises:
        ContractError: these are pictures alone, and the model reads other columns that must be given.
    """
    path, most = Path(file), scorer.most_bytes
    base = Path(images) if images else None
    if data.holds_pictures(path):
        needed = [column.name for column in scorer.others if not column.missing_allowed]
        if needed:
            raise ContractError(
                f"{file}: the model also reads {', '.join(f'`{name}`' for name in needed[:8])}",
                hint="give a table with these columns and one of paths",
            )
        return data.PicturesAsking(path, images=base, most_bytes=most)
    table = msgspec.structs.replace(project.config.data, images="")
    source = data.open_source(file, sources.options(table, project.folder, query=query))
    own = project.config.data.images
    kept = Path(sources.locate(project.folder, own)) if own and not base else base
    bases = [base] if base else [path.parent, *([kept] if kept else [])]
    return data.TableAsking(source, scorer.schema, bases, most_bytes=most, strict=strict, images=kept)


class Told:
    """Counts what was unusual in other columns."""

    def __init__(self) -> None:
        self.flags: Counter[tuple[str, str]] = Counter()
        self.flagged: Counter[str] = Counter()
        self.examples: dict[tuple[str, str], str] = {}

    def add(self, asking: data.Asking) -> None:
        """Count that of some rows."""
        self.flags.update(asking.flags or {})
        self.flagged.update(asking.flagged or {})
        self.examples = {**(asking.examples or {}), **self.examples}
