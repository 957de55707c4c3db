from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from palio import measure
from palio.core.errors import InputError
from palio.measure.curves import thin


@pytest.mark.parametrize("decimals", [6, 1])
def test_the_area_under_the_drawn_curve_is_the_metric(draw, decimals):
    a = draw["two"](1, 5000, decimals=decimals)
    x, y = measure.roc_curve(a.truth == 1, a.probabilities[:, 1])
    assert len(x) <= 200
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(y, x) == pytest.approx(sk.roc_auc_score(a.truth, a.probabilities[:, 1]), abs=2e-3)


def test_the_precision_recall_curve_ends_at_the_share_of_positives(draw):
    a = draw["two"](1, 5000)
    x, y = measure.pr_curve(a.truth == 1, a.probabilities[:, 1])
    assert len(x) <= 200 and x[-1] == 1.0 and y[-1] == pytest.approx(a.truth.mean())
    precision, recall, _ = sk.precision_recall_curve(a.truth, a.probabilities[:, 1])
    known = set(zip(recall.round(9), precision.round(9), strict=True))
    assert set(zip(x[1:].round(9), y[1:].round(9), strict=True)) <= known


def test_a_curve_of_one_class_is_refused():
    with pytest.raises(InputError, match="both classes"):
        measure.roc_curve(np.ones(5, dtype=bool), np.arange(5))


def test_thinning_keeps_the_ends_and_short_curves():
    x = np.linspace(0, 1, 1000)
    thin_x, thin_y = thin(x, x**9, max_points=50)
    assert len(thin_x) <= 50 and (thin_x[0], thin_x[-1], thin_y[-1]) == (0, 1, 1)
    assert thin(x[:5], x[:5])[0].tolist() == x[:5].tolist()


def test_confusion_matches_scikit_learn(draw):
    a = draw["three"](1, 500)
    assert (measure.confusion(a.truth, a.prediction, 3) == sk.confusion_matrix(a.truth, a.prediction)).all()
