"""Which of some classes a row belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Any

import numpy as np

from palio.core.cells import label
from palio.core.errors import InputError
from palio.core.records import Task
from palio.measure.questions.answers import NO_LABEL, PREDICTION, TRUTH, UNKNOWN, Answers, probability_names
from palio.measure.sample import Array, Sample, one_value_per_row


class Classes:
    """Which class? A truth is the index of the class in the task's order, or `NO_LABEL` or `UNKNOWN`.

    Example:
        >>> question = Classes(Task(kind="classification", target="y", classes=("no", "yes")))
        >>> question.truth(["yes", None, "no", "maybe"]).tolist()
        [1, -1, 0, -2]
    """

    tie_break = "f1_macro"
    error_metric = "accuracy"
    error_step = (0.01, "percentage point of accuracy")
    lacking = "too few classes among them"
    simplest = "the most common answer"
    is_text = True
    described_as = ""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.default_metric = "roc_auc" if len(task.classes) == 2 else "log_loss"
        self._n = len(task.classes)

    @property
    def names(self) -> tuple[str, ...]:
        """The prediction, and a probability for each class."""
        return PREDICTION, *probability_names(self.task.classes)

    @property
    def mistakes(self) -> Array:
        """Shape (n_classes, n_classes): 1 beside the diagonal."""
        return 1 - np.eye(self._n)

    def truth(self, labels: Sequence[Any] | Array) -> Array:
        """Return the index of each label's class, int64; `label` says which spellings are one class."""
        places = {name: place for place, name in enumerate(self.task.classes)} | {"": NO_LABEL}
        cells: list[Any] = labels.tolist() if isinstance(labels, np.ndarray) else list(labels)
        if not set(map(type, cells)) <= {str}:
            cells = ["" if cell is None or cell != cell else label(cell) for cell in cells]
        return np.fromiter(map(places.get, cells, repeat(UNKNOWN)), np.int64, len(cells))

    def truth_in(self, columns: Mapping[str, Array]) -> Array:
        """Read the column `truth`."""
        return self.truth(columns[TRUTH])

    def labels(self, truth: Array) -> Array:
        """Return the label of each class; of what is no class, an empty one."""
        return np.array([*self.task.classes, "", ""], dtype=object)[truth]

    def shown(self, value: Any) -> str:
        """Name the class."""
        return self.task.classes[int(value)]

    def known(self, truth: Array) -> Array:
        """Tell which rows are of a class."""
        return np.asarray(truth >= 0)

    def labelled(self, truth: Array) -> Array:
        """Tell which rows have a label, of a class or not."""
        return np.asarray(truth != NO_LABEL)

    def usable(self, answers: Answers) -> Array:
        """Tell which rows have a class, and probabilities that are some."""
        fine = answers.prediction >= 0
        if (p := answers.probabilities) is not None:
            fine = fine & np.isfinite(p).all(axis=1) & (p >= 0).all(axis=1)
        return np.asarray(fine, bool)

    def answers(self, columns: Mapping[str, Array]) -> Answers:
        """Read answers; the probabilities of a row are made to add up to 1, and are left out if a class has none."""
        prediction = self.truth(columns[PREDICTION])
        names = probability_names(self.task.classes)
        if any(name not in columns for name in names):
            return Answers(prediction)
        p = np.stack([np.asarray(columns[name], np.float64) for name in names], axis=1)
        total = p.sum(axis=1, keepdims=True)
        return Answers(prediction, np.divide(p, total, out=np.full_like(p, np.nan), where=total > 0))

    def columns(self, answers: Answers) -> dict[str, Array]:
        """Write answers."""
        found = {PREDICTION: self.labels(answers.prediction)}
        if (p := answers.probabilities) is not None:
            found |= {name: p[:, place] for place, name in enumerate(probability_names(self.task.classes))}
        return found

    def sample(self, truth: Array, answers: Answers) -> Sample:
        """Set answers against the truth."""
        found = Sample(
            self.task,
            one_value_per_row("truth", truth, np.int64),
            one_value_per_row("prediction", answers.prediction, np.int64),
            None if answers.probabilities is None else np.asarray(answers.probabilities, np.float64),
        )
        for name, values in (("truth", found.truth), ("prediction", found.prediction)):
            if values.min() < 0 or values.max() >= self._n:
                raise InputError(
                    f"{name}: class index outside 0…{self._n - 1}", hint="drop rows whose class is not known"
                )
        p = found.probabilities
        if p is not None and p.shape != (found.n_rows, self._n):
            raise InputError(f"probabilities: shape {p.shape}, expected {(found.n_rows, self._n)}")
        if p is not None and not ((p >= -1e-9) & (p <= 1 + 1e-9)).all():
            raise InputError("probabilities: a value is missing or outside [0, 1]")
        return found

    def losses(self, truth: Array, answers: Answers) -> Array:
        """Return negative log-likelihoods; 0 or 1 without probabilities."""
        found = self.sample(truth, answers)
        losses: Array = self.errors(truth, answers) if found.probabilities is None else found.log_losses
        return losses

    def errors(self, truth: Array, answers: Answers) -> Array:
        """Return 1 where the class is wrong."""
        wrong: Array = answers.prediction != truth
        return wrong.astype(np.float64)

    def differ(self, one: Answers, other: Answers) -> Array:
        """Tell which rows get another class."""
        return np.asarray(one.prediction != other.prediction)

    def constant(self, truth: Array) -> tuple[float, ...]:
        """Return the share of each class."""
        found = np.bincount(truth, minlength=self._n)
        return tuple((found / found.sum()).tolist())

    def always(self, constant: Sequence[float], n_rows: int) -> Answers:
        """Answer the most common class, and each class as probable as it is common."""
        if len(constant) != max(self._n, 1) or not np.isfinite(constant).all():
            raise InputError(f"baseline: {len(constant)} numbers, expected one per class")
        shares = np.asarray(constant, dtype=np.float64) / np.sum(constant)
        return Answers(np.full(n_rows, int(shares.argmax())), np.tile(shares, (n_rows, 1)))

    def counts(self, truth: Array) -> dict[str, int]:
        """Count the rows of each class."""
        found = np.bincount(truth[truth >= 0], minlength=self._n)
        return dict(zip(self.task.classes, found.tolist(), strict=True))

    def holds(self, truth: Array, n_each: int) -> bool:
        """Tell whether there are so many rows of two classes at least; of two, of both."""
        return int((np.bincount(truth[truth >= 0], minlength=self._n) >= n_each).sum()) >= 2

    def sizes(self, answers: Answers) -> Array:
        """Return the place of the class: there is no order."""
        return answers.prediction.astype(np.float64)

    def distinct(self, truth: Array) -> Array:
        """Return what occurs."""
        return np.unique(truth)
