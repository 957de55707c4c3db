from __future__ import annotations

import subprocess
import sys

from palio import measure


def test_every_promised_name_resolves():
    assert all(getattr(measure, name) is not None for name in measure.__all__)


def test_the_room_opens_without_numpy_and_measures_without_scipy_or_scikit_learn():
    code = (
        "import sys, palio.measure as m; assert 'numpy' not in sys.modules; m.score_with_intervals; m.paired; "
        "m.calibration_bins; m.roc_curve; assert not {'scipy', 'sklearn', 'polars'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
