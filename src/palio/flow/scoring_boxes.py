"""Write what was found in pictures: a document, a table, or the pictures with boxes on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol, Self

from palio import data, pixels
from palio.core.cells import boxes_of
from palio.core.errors import InputError

if TYPE_CHECKING:
    import polars as pl

    from palio.core.records import Box, Task

_ROWS_OF_BOXES = (".csv", ".parquet")


def threshold_of(output: Path, task: Task, given: float | None) -> float:
    """Return how sure a box must be to be written: all of them where tools will score them, else as the model says.

    Raises:
        InputError: what is given is no number from 0 to 1.
    """
    if given is not None and not 0 <= given <= 1:
        raise InputError(f"--threshold: {given:g}, a number from 0 to 1 is possible")
    return given if given is not None else 0.0 if output.suffix == ".json" else task.threshold


class Sink(Protocol):
    """Where goes what is found in pictures."""

    keeps_order: bool
    """Whether pictures must come in their order."""

    def __enter__(self) -> Self:
        """Begin."""

    def write(self, frame: pl.DataFrame, pictures: Sequence[bytes] = ()) -> None:
        """Put what a scorer says of some pictures behind the rest.

        Args:
            frame: `file`, `prediction`, `width`, `height`, `problem`.
            pictures: Their files.
        """

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """End: what was written appears, or, after an error, nothing of it."""


class Table:
    """One row a box; in `.jsonl` one object a picture."""

    keeps_order = True

    def __init__(self, frames: Any, output: Path, threshold: float) -> None:
        self._frames, self._output, self._threshold = frames, output, threshold

    def __enter__(self) -> Self:
        self._frames.__enter__()
        return self

    def write(self, frame: pl.DataFrame, pictures: Sequence[bytes] = ()) -> None:  # noqa: ARG002 — it holds none
        """Put the boxes of some pictures behind the rest."""
        found = list(_found(frame, self._threshold))
        rows = self._output.suffix in _ROWS_OF_BOXES
        self._frames.write(data.box_rows(found) if rows else _a_picture_each(found))

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._frames.__exit__(kind, *rest)


class Document:
    """All of it in the form of COCO."""

    keeps_order = True

    def __init__(self, output: Path, task: Task, threshold: float) -> None:
        self._output, self._task, self._threshold = output, task, threshold
        self._partial = output.with_name(f".{output.name}.partial")

    def __enter__(self) -> Self:
        self._output.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._partial.open("wb")
        self._coco = data.Coco(self._file, self._task.classes)
        return self

    def write(self, frame: pl.DataFrame, pictures: Sequence[bytes] = ()) -> None:  # noqa: ARG002 — it holds none
        """Put what is found in some pictures behind the rest."""
        self._coco.add(_found(frame, self._threshold))

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            with self._file:
                if kind is None:
                    self._coco.end()
            if kind is None:
                self._partial.replace(self._output)
        finally:
            self._partial.unlink(missing_ok=True)


class Drawings:
    """A folder of the pictures, with their boxes on them, under their own paths.

    Raises:
        InputError: there is something in the folder: nobody's pictures are written over.
    """

    keeps_order = False

    def __init__(self, folder: Path, task: Task, threshold: float) -> None:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError(
                f"{folder}: there is something already", hint="name a new folder, or a file that ends in .json or .csv"
            )
        self._folder, self._threshold = folder, threshold
        self._shades = {label: place for place, label in enumerate(task.classes)}
        self._taken: dict[str, str] = {}
        """Path below the folder, in lower case → the picture that is drawn there."""

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def write(self, frame: pl.DataFrame, pictures: Sequence[bytes] = ()) -> None:
        """Draw what is found."""
        for one, picture in zip(_found(frame, self._threshold), pictures, strict=True):
            if one.problem:
                continue
            marks = [(box.box, f"{box.label} {_percent(box)}", self._shades[box.label]) for box in one.boxes]
            target = self._folder / self._free(one.file)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(pixels.drawn(picture, marks[::-1]))

    def _free(self, file: str) -> Path:
        """Return where a picture is drawn: no two, such as `a.png` and `a.png.jpg`, at one place."""
        path, n = _inside(file), 1
        while self._taken.setdefault(str(path).lower(), file) != file:
            n += 1
            path = _inside(file).with_stem(f"{_inside(file).stem}-{n}")
        return path

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Leave what was drawn."""


def _found(frame: pl.DataFrame, threshold: float) -> Iterator[data.Found]:
    """Read what a scorer says of pictures."""
    for file, cell, width, height, problem in frame.iter_rows():
        boxes = boxes_of(cell) if cell is not None else ()
        said = tuple(box for box in boxes if (box.score or 0.0) >= threshold)
        yield data.Found(file, said, None if width is None else (width, height), problem or "")


def _a_picture_each(found: Sequence[data.Found]) -> pl.DataFrame:
    import polars as pl

    kind = pl.Struct({"label": pl.String, "box": pl.List(pl.Float64), "score": pl.Float64})
    cells = [
        None if one.problem else [{"label": box.label, "box": list(box.box), "score": box.score} for box in one.boxes]
        for one in found
    ]
    return pl.DataFrame(
        {
            "file": pl.Series([one.file for one in found], dtype=pl.String),
            "prediction": pl.Series(cells, dtype=pl.List(kind)),
            "problem": pl.Series([one.problem or None for one in found], dtype=pl.String),
        }
    )


def _percent(box: Box) -> int:
    return round(100 * (box.score or 0.0))


def _inside(file: str) -> Path:
    """Return the path of a picture below a folder, whatever it is called: nothing is written anywhere else."""
    parts = [part for part in PurePosixPath(file.replace("\\", "/")).parts if part not in ("/", "..", ".")]
    path = Path(*[part.replace(":", "_") for part in parts] or ["picture"])
    return path if path.suffix.lower() in (".jpg", ".jpeg") else path.with_name(f"{path.name}.jpg")
