from __future__ import annotations

import numpy as np

from palio.testing.family import TASKS, examples_of
from palio.train.finals import _says_little
from palio.train.leading import leads_by
from palio.train.race import Candidate
from tests.train.small_parts import field_of, lesson_of, terms

TASK = TASKS["two classes"]
LESSON = lesson_of(examples_of(TASK))
FIELD = field_of(LESSON, terms(TASK, "log_loss"))


def said(number: int, family: str, share: float, *, folds: tuple[int, ...], odd: float | None = None) -> Candidate:
    """Return who gives the truth a share everywhere, but for one odd row of each fold."""
    made = Candidate(number, family, {}, 1, whole_at=number if len(folds) == LESSON.n_folds else None)
    for fold in folds:
        truth = LESSON.examples.target[LESSON.rows[f"score {fold}"]].astype(np.int64)
        shares = np.full(len(truth), share) + np.linspace(-0.01, 0.01, len(truth))
        if odd is not None:
            shares[0] = odd
        answers = np.repeat(1 - shares[:, None], 2, axis=1)
        answers[np.arange(len(truth)), truth] = shares
        made.answers[fold], made.scores[fold] = answers, (float(-np.log(shares).mean()),)
    return made


def test_smaller_losses_on_nearly_all_rows_lead_by_many_errors_and_the_other_way_round() -> None:
    good, bad = said(1, "svm", 0.9, folds=(0,)), said(2, "linear", 0.6, folds=(0,))
    assert (leads_by(FIELD, good, bad, (0,)) or 0.0) > 10
    assert (leads_by(FIELD, bad, good, (0,)) or 0.0) < -10


def test_one_odd_row_leads_by_about_one_error() -> None:
    lucky, unlucky = said(1, "svm", 0.9, folds=(0,)), said(2, "linear", 0.9, folds=(0,), odd=1e-6)
    assert abs(leads_by(FIELD, lucky, unlucky, (0,)) or 0.0) <= 1.01


def test_ranks_have_no_losses_of_rows() -> None:
    field = field_of(LESSON, terms(TASK, "roc_auc"))
    assert leads_by(field, said(1, "svm", 0.9, folds=(0,)), said(2, "linear", 0.6, folds=(0,)), (0,)) is None


def test_the_luck_of_one_row_takes_the_place_of_no_candidate_that_was_scored_on_all_folds() -> None:
    whole = said(1, "lightgbm", 0.9, folds=(0, 1, 2), odd=1e-3)
    lucky, clear = said(2, "xgboost", 0.9, folds=(0,)), said(3, "svm", 0.99, folds=(0,), odd=1e-3)
    assert not _says_little(FIELD, [whole], [whole, lucky])
    assert _says_little(FIELD, [whole], [whole, clear])


def test_boosted_trees_that_lead_are_not_passed_over_for_a_plain_family_that_had_all_folds() -> None:
    plain, boosted = said(1, "linear", 0.9, folds=(0, 1, 2), odd=1e-2), said(2, "lightgbm", 0.9, folds=(0,))
    assert _says_little(FIELD, [plain], [plain, boosted])
