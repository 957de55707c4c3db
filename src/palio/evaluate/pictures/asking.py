"""Ask a model about pictures that were changed: decoded once, changed as arrays, answered by the graph that serves."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from palio import measure, model
from palio.core.records import PictureReading, Task
from palio.evaluate.answers import Array, answers_of
from palio.measure import Answers

if TYPE_CHECKING:
    import polars as pl

    from palio.model import Bundle

AT_ONCE = 128
"""Changed pictures made at once: bounds memory."""


@dataclass(frozen=True)
class Asked:
    """Rows whose pictures can be changed.

    Args:
        bundle: Who is asked.
        reading: Of the picture column.
        frame: The rows.
        truth: Shape (n_rows,), class indices, or an `Objects` each.
        pixels: Shape (n_rows, S, S, 3), uint8, as the graph takes them.
        answers: To the pictures as they are.
        task: Order of the classes.
        deadline: Moment on `time.monotonic` by which all should be done.
        places: Of a detection, shape (n_rows, 6): where each picture lies in what the graph takes, and its sides.
    """

    bundle: Bundle
    reading: PictureReading
    frame: pl.DataFrame
    truth: Array
    pixels: Array
    answers: Answers
    task: Task
    deadline: float | None = None
    places: Array | None = None

    @property
    def sides(self) -> Array:
        """Return width and height of each picture, shape (n_rows, 2), of a detection."""
        assert self.places is not None  # noqa: S101 - who finds boxes knows where pictures lie
        return self.places[:, 4:]

    @property
    def is_over(self) -> bool:
        """Tell whether the time is over."""
        return self.deadline is not None and time.monotonic() >= self.deadline

    @property
    def probabilities(self) -> Array:
        """Return the probabilities of the classes, shape (n_rows, n_classes)."""
        found = self.answers.probabilities
        if found is None:
            return np.asarray(np.eye(len(self.task.classes))[self.answers.prediction.astype(int)])
        return found

    @property
    def is_right(self) -> Array:
        """Tell which rows are answered rightly; of boxes, with nothing missed and no false alarm."""
        return np.asarray(measure.questions.of(self.task).errors(self.truth, self.answers) == 0)

    @property
    def holds(self) -> Array:
        """Tell what each picture holds, shape (n_rows, n_classes), bool: one class, or all those that have a box."""
        return held(self.truth, len(self.task.classes))

    @property
    def may_be_misled(self) -> Array:
        """Tell of which classes a picture is not, nor is said to be, shape (n_rows, n_classes), bool.

        Of classes they are rightly answered; of boxes, no such box is shown.
        """
        if self.places is None:
            return np.asarray(self.is_right[:, None] & ~self.holds)
        return np.asarray(~self.holds & ~self.calls(shown(self.answers, len(self.task.classes))))

    def calls(self, probability: Array) -> Array:
        """Tell what is answered, shape (n, n_classes), bool: the likeliest class, or all that have a box shown."""
        if self.places is None:
            return np.asarray(np.arange(probability.shape[1]) == probability.argmax(axis=1)[:, None])
        return np.asarray(probability >= self.answers.prediction[0].threshold)

    def again(self, rows: Array, pixels: Array) -> Answers:
        """Answer rows with other pictures in the place of theirs.

        Args:
            rows: Places of the rows.
            pixels: Shape (len(rows), S, S, 3), uint8.
        """
        feeds = self.bundle.feeds(self.frame[rows])
        return answers_of(self.bundle, self.bundle.graph.predict({**feeds, self.reading.input: pixels}), task=self.task)

    def probability(self, rows: Array, pixels: Array) -> Array:
        """Return how probable classes are with other pictures, shape (len(rows), n_classes); of boxes, the surest."""
        found = self.again(rows, pixels)
        if self.places is not None:
            return shown(found, len(self.task.classes))
        if found.probabilities is None:
            return np.asarray(np.eye(len(self.task.classes))[found.prediction.astype(int)])
        return np.asarray(found.probabilities)

    def picture(self, row: int) -> str:
        """Return the identity of a row's picture."""
        return str(self.frame.item(int(row), self.column))

    @property
    def column(self) -> str:
        """Return the column that holds the pictures."""
        return column_of(self.bundle, self.reading)


def held(truth: Array, n_classes: int) -> Array:
    """Tell which classes pictures hold, shape (n_rows, n_classes), bool."""
    if truth.dtype != object:
        return np.asarray(np.arange(n_classes) == truth[:, None])
    found = np.zeros((len(truth), n_classes), bool)
    for row, one in enumerate(truth):
        found[row, one.classes[one.classes >= 0]] = True
    return found


def shown(answers: Answers, n_classes: int) -> Array:
    """Return how sure the surest box of each class is, shape (n_rows, n_classes); 0 where there is none."""
    found = np.zeros((len(answers), n_classes))
    for row, one in enumerate(answers.prediction):
        known = one.classes >= 0
        np.maximum.at(found[row], one.classes[known], one.scores[known])
    return found


def reading_of(bundle: Bundle) -> PictureReading | None:
    """Return how a bundle reads its pictures: the first of its readings that is one of pictures."""
    return next((one for one in bundle.graph.readings if isinstance(one, PictureReading)), None)


def column_of(bundle: Bundle, reading: PictureReading) -> str:
    """Return the column of the schema that a reading reads."""
    return next(c.name for c in bundle.manifest.schema.features if model.input_name(c.name) == reading.input)


def pixels_of(bundle: Bundle, reading: PictureReading, frame: pl.DataFrame) -> Array:
    """Return the pictures of rows as the graph takes them, uint8 (n_rows, S, S, 3)."""
    cells = bundle.feeds(frame)[reading.input].ravel().tolist()
    found: Array = model.reader_of(reading).feeds(cells)[f"{reading.tensor}.pixels"]
    return found


def places_of(bundle: Bundle, reading: PictureReading, frame: pl.DataFrame) -> Array:
    """Return where the pictures of rows lie in what the graph takes, and their sides, shape (n_rows, 6)."""
    cells = bundle.feeds(frame)[reading.input].ravel().tolist()
    reader: Any = model.reader_of(reading)
    found: Array = reader.places(cells)
    return found
