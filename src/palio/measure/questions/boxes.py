"""What is where in a picture: boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from palio.core.cells.boxes import boxes_of, cell_of, counted
from palio.core.errors import InputError
from palio.core.records import Task
from palio.measure.boxes.agreement import agree
from palio.measure.boxes.objects import Objects, as_objects
from palio.measure.boxes.scenes import Scenes
from palio.measure.questions.answers import PREDICTION, TRUTH, UNKNOWN, Answers
from palio.measure.sample import Array, one_value_per_row


class Boxes:
    """What is where? A truth is the `Objects` of a picture, or None where nobody has looked.

    Example:
        >>> question = Boxes(Task(kind="detection", target="y", classes=("cat",)))
        >>> truth = question.truth(['[{"label": "cat", "box": [1, 2, 3, 4]}]', "[]", None])
        >>> [None if one is None else len(one) for one in truth]
        [1, 0, None]
    """

    default_metric = "ap"
    tie_break = "ap50"
    error_metric = "box_mistakes"
    error_step = (0.01, "mistake avoided in 100 pictures")
    lacking = "nothing is marked in them"
    simplest = "no box"
    is_text = True
    described_as = "boxes"
    names: tuple[str, ...] = (PREDICTION,)
    mistakes: Array = np.ones(())

    def __init__(self, task: Task) -> None:
        self.task = task

    def truth(self, labels: Sequence[Any] | Array) -> Array:
        """Read cells; None, an empty cell and what is no list of boxes are not known."""
        return self._read(labels, 0.0)

    def truth_in(self, columns: Mapping[str, Array]) -> Array:
        """Read the column `truth`."""
        return self.truth(columns[TRUTH])

    def labels(self, truth: Array) -> Array:
        """Write cells: with scores where one is below 1, as answers have them."""
        return self._written(truth, scored=False)

    def shown(self, value: Any) -> str:
        """Count what there is, or what is said from the threshold on."""
        here: Objects = value.take(value.is_said & ~value.ignored)
        return counted(here.boxes(self.task.classes))

    def known(self, truth: Array) -> Array:
        """Tell of which pictures it is known what is in them, all of it of the task's classes or ignored."""
        return np.array([one is not None and bool(((one.classes >= 0) | one.ignored).all()) for one in truth], bool)

    def labelled(self, truth: Array) -> Array:
        """Tell which pictures somebody has looked at."""
        return np.array([one is not None for one in truth], bool)

    def usable(self, answers: Answers) -> Array:
        """Tell which pictures are answered with boxes of the task's classes."""
        return self.known(answers.prediction)

    def answers(self, columns: Mapping[str, Array]) -> Answers:
        """Read answers of a model with the task's threshold."""
        return Answers(self._read(columns[PREDICTION], self.task.threshold))

    def columns(self, answers: Answers) -> dict[str, Array]:
        """Write answers."""
        return {PREDICTION: self._written(answers.prediction, scored=True)}

    def sample(self, truth: Array, answers: Answers) -> Scenes:
        """Set answers against the truth."""
        found = Scenes(
            self.task,
            one_value_per_row("truth", truth, object),
            one_value_per_row("prediction", answers.prediction, object),
        )
        for name, fine in (("truth", self.known(found.truth)), ("prediction", self.usable(answers))):
            if not fine.all():
                raise InputError(
                    f"{name}: {int((~fine).sum())} pictures hold boxes of no class of the task, or were not looked at",
                    hint="drop pictures whose boxes are not known",
                )
        return found

    def losses(self, truth: Array, answers: Answers) -> Array:
        """Count the boxes missed, and false alarms by how sure they are."""
        scenes = self.sample(truth, answers)
        flat, (true, found, _) = scenes.flat, scenes.tally
        wrong = flat.is_said & flat.counted[0, 0] & ~flat.hits[0, 0]
        alarms = np.bincount(flat.said_in[wrong], flat.said_score[wrong], scenes.n_rows)
        return np.asarray(true - found + alarms, np.float64)

    def errors(self, truth: Array, answers: Answers) -> Array:
        """Count the boxes missed and the false alarms, from the threshold on."""
        true, found, wrong = Scenes(self.task, truth, answers.prediction).tally
        return np.asarray(true - found + wrong, np.float64)

    def differ(self, one: Answers, other: Answers) -> Array:
        """Tell in which pictures not each box has a partner of its class that half overlaps, from the thresholds on."""
        return np.array(
            [not agree(a, b) for a, b in zip(one.prediction, other.prediction, strict=True)],
            bool,
        )

    def constant(self, truth: Array) -> tuple[float, ...]:  # noqa: ARG002
        """Return how many boxes are answered: none, whatever there is."""
        return (0.0,)

    def always(self, constant: Sequence[float], n_rows: int) -> Answers:
        """Answer that nothing is there."""
        if tuple(constant) != (0.0,):
            raise InputError(f"baseline: {list(constant)}, expected [0.0]: no boxes")
        return Answers(_column([as_objects((), ())] * n_rows))

    def counts(self, truth: Array) -> dict[str, int]:
        """Count the boxes of each class."""
        total = np.zeros(len(self.task.classes), np.int64)
        for one in truth:
            if one is not None:
                mine = one.classes[(one.classes >= 0) & ~one.ignored]
                total += np.bincount(mine, minlength=len(total))
        return dict(zip(self.task.classes, total.tolist(), strict=True))

    def holds(self, truth: Array, n_each: int) -> bool:
        """Tell whether there are so many boxes at least."""
        return sum(self.counts(truth).values()) >= n_each

    def sizes(self, answers: Answers) -> Array:
        """Count the boxes from the threshold on."""
        return np.array([int(one.is_said.sum()) for one in answers.prediction], np.float64)

    def distinct(self, truth: Array) -> Array:
        """Return all pictures: what is in them is hardly ever the same."""
        return truth

    def _read(self, cells: Sequence[Any] | Array, threshold: float) -> Array:
        return _column([self._objects(cell, threshold) for cell in cells])

    def _objects(self, cell: Any, threshold: float) -> Objects | None:
        if isinstance(cell, Objects):
            return cell
        if cell is None or (isinstance(cell, str) and not cell.strip()) or isinstance(cell, float):
            return None
        try:
            return as_objects(boxes_of(cell), self.task.classes, unknown=UNKNOWN, threshold=threshold)
        except ValueError:
            return None

    def _written(self, column: Array, *, scored: bool) -> Array:
        return _column([None if one is None else self._cell(one, scored=scored) for one in column])

    def _cell(self, one: Objects, *, scored: bool) -> str:
        return cell_of(one.boxes(self.task.classes, scored=scored or bool((one.scores < 1).any())))


def _column(cells: Sequence[Any]) -> Array:
    column = np.empty(len(cells), object)
    for place, cell in enumerate(cells):
        column[place] = cell
    return column
