"""From the outputs of a graph to answers in the words of measurement."""

from __future__ import annotations

import numpy as np

from palio.core.records import Task
from palio.measure import Answers, boxes, questions
from palio.model.graph.session import Outputs


def answers_of(outputs: Outputs, task: Task, *, asked: Task | None = None) -> Answers:
    """Read what a graph said to rows.

    Args:
        outputs: As the graph gives them.
        task: Of the graph: the order of its probabilities.
        asked: The question, with its own order of classes; `task` if None.

    Returns:
        Answers in the order of the question. A class that it does not know is `UNKNOWN`. Boxes count from the score on
        that is the graph's own threshold, whatever that of the question.

    Example:
        >>> task = Task(kind="classification", target="y", classes=("no", "yes"))
        >>> answers_of(Outputs(np.array(["yes"], object), np.array([[0.7, 0.3]])), task).prediction.tolist()
        [1]
    """
    asked, p = asked or task, outputs.probabilities
    if p is not None:
        p = np.asarray(p, np.float64)
        if asked.classes != task.classes:  # to a class that it does not have it gives no chance
            columns = dict(zip(task.classes, p.T, strict=True))
            p = np.stack([columns.get(label, np.zeros(len(p))) for label in asked.classes], axis=1)
    said = Answers(questions.of(asked).truth(np.ravel(outputs.prediction)), p)
    return boxes.at_threshold(said, task.threshold) if outputs.are_boxes else said
