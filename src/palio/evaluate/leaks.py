"""Suspect a column that says too much: what is filled in after the fact looks brilliant in every test."""

from __future__ import annotations

from palio import measure
from palio.core.records import Evaluation

LARGE_SHARE = 0.6
"""A column with more than this share of all influence stands alone."""
MANY = 4
"""So many columns with some influence; one that outweighs as many others together is suspect."""
NEARLY_PERFECT = 0.05
"""Where less than this share of the simplest guess's shortfall is left, one column that stands alone is suspect."""
PERFECT = 0.001
"""Where less than this share is left, columns together are suspect."""
MIN_COLUMNS, MIN_ROWS, MOST_NAMED = 2, 50, 3
"""Of one column nothing can be left out; of fewer rows all are right by luck now and then."""


def leak_suspect(evaluation: Evaluation) -> tuple[str, float] | None:
    """Return the column that carries more than 60 % of all influence, with its share, if that is suspicious.

    It is where several others tell something, too; or where the answers are nearly perfect, for then a leak leaves
    nothing for the others to tell.
    """
    losses = {i.column: i.loss.value for i in evaluation.importance if i.loss.value > 0}
    if not losses or len(evaluation.importance) < 2:
        return None
    column = max(losses, key=lambda name: losses[name])
    share = losses[column] / sum(losses.values())
    if share > LARGE_SHARE and (len(losses) >= MANY or _is_nearly_perfect(evaluation)):
        return column, share
    return None


def too_good(evaluation: Evaluation) -> tuple[str, ...] | None:
    """Return the columns to look at first where hardly an answer is wrong; None where that is not so.

    Some tables allow it, where a rule made the labels; more often columns together hold the answer. The one that
    `leak_suspect` names speaks for itself. No column is named where there was no time to tell what each is worth.
    """
    told = sorted(
        (one for one in evaluation.importance if one.loss.value > 0), key=lambda one: one.loss.value, reverse=True
    )
    n_read = len(evaluation.importance) if evaluation.reach is None else evaluation.reach.n_read
    says_little = n_read < MIN_COLUMNS or evaluation.n_rows < MIN_ROWS
    if says_little or leak_suspect(evaluation) is not None or not _is_nearly_perfect(evaluation, within=PERFECT):
        return None
    return tuple(one.column for one in told[:MOST_NAMED])


def _is_nearly_perfect(evaluation: Evaluation, *, within: float = NEARLY_PERFECT) -> bool:
    found, dummy = evaluation.metrics.get(evaluation.primary), evaluation.baseline.get(evaluation.primary)
    if found is None or dummy is None:
        return False
    perfect = 1.0 if measure.higher_is_better(evaluation.primary) else 0.0
    return abs(perfect - found.value) < within * abs(perfect - dummy.value)
