from __future__ import annotations

from palio.core.records import Metric
from palio.evaluate.words import number, with_interval


def test_no_number_is_shown_with_an_exponent_that_people_would_stumble_over():
    assert [number(v) for v in (-48578.9, 999.94, 0.0001234, 0.0)] == ["-48,579", "999.9", "0.0001234", "0"]
    assert with_interval(Metric(value=48578.9, low=46490.2, high=50900.0, n_rows=3)) == "48,579 (46,490 to 50,900)"
