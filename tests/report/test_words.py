"""Numbers become sentences that a client understands, and that claim no more than is known."""

from __future__ import annotations

import math

import msgspec
import pytest

from palio.core.records import CalibrationBin, Metric, Task
from palio.report import ReportFacts, verdict, words
from palio.report.advice import advise
from palio.report.rounding import clean, hundredths, interval, number, of_hundred, per_round_number, with_margin

BANK = Task(kind="classification", target="y", classes=("no", "yes"), positive="yes")


def m(value: float, arm: float) -> Metric:
    return Metric(value=value, low=value - arm, high=value + arm, n_rows=100)


@pytest.mark.parametrize("value", [0.123456, 47230.4, 0.00012345, 3.0, 1e9, -12.34])
@pytest.mark.parametrize("share", [0.003, 0.02, 0.15, 0.6])
def test_a_number_is_never_rounded_further_than_half_its_margin(value: float, share: float) -> None:
    arm = abs(value) * share
    shown = float(with_margin(m(value, arm)).split(" ±")[0].replace(",", "").replace("−", "-"))
    assert abs(shown - value) <= arm / 2


def test_a_margin_takes_the_longer_arm() -> None:
    assert of_hundred(Metric(value=0.9, low=0.8, high=0.93, n_rows=10)) == "90 ± 10"


def test_a_certain_number_has_no_margin() -> None:
    assert with_margin(m(0.5, 0.0)) == "0.5"


def test_what_is_not_known_is_said_so() -> None:
    unknown = Metric(value=math.nan, low=math.nan, high=math.nan, n_rows=0)
    assert with_margin(unknown) == number(math.inf) == interval(unknown) == "not known"
    assert hundredths(unknown) == ("not known", "")
    assert words.sentence("precision", unknown, BANK) == "This cannot be told from the test rows."


def test_confusions_per_hundred_add_up_to_a_hundred() -> None:
    shown, base = per_round_number(((333, 333), (333, 1)))
    assert sum(map(sum, shown)) == base == 1000
    assert per_round_number(((333, 333), (333, 1)), base=100)[1] == 100
    assert per_round_number(((0, 0), (0, 0))) == (((0, 0), (0, 0)), 100)


def test_long_and_invisible_text_is_cut() -> None:
    assert len(clean("x" * 500)) == 80
    assert clean("a\u202eb\x00c\nd") == "abc d"


def test_names_from_right_to_left_are_isolated() -> None:
    assert words.quoted("שלום") == "“\u2068שלום\u2069”"
    assert words.quoted("yes") == "“yes”"


def test_a_lower_error_is_better() -> None:
    assert words.better("rmse", m(10, 1), m(20, 1)) == 2
    assert words.better("accuracy", m(0.10, 0.01), m(0.20, 0.01)) == -2
    assert words.better("accuracy", m(0.5, 0.1), m(0.45, 0.1)) == 1


def test_a_champion_is_called_clearly_better_only_if_the_interval_excludes_zero(challenged: ReportFacts) -> None:
    assert challenged.comparison is not None
    unsure = msgspec.structs.replace(challenged.comparison, difference=m(0.01, 0.02))
    assert "as good as" in verdict.against_champion(unsure)
    assert "clearly better" in verdict.against_champion(challenged.comparison)


def test_calibration_names_the_group_that_disagrees_most() -> None:
    bins = (
        CalibrationBin(predicted=0.3, observed=0.28, low=0.2, high=0.36, n_rows=500),
        CalibrationBin(predicted=0.8, observed=0.6, low=0.5, high=0.7, n_rows=90),
    )
    assert words.calibration(bins, BANK) == [
        "When it says 30 %, it happens 28 % of the time.",
        "Least reliable: when it says 80 %, it happens 60 % of the time.",
    ]
    assert words.calibration((), BANK) == []


def test_the_advice_names_the_slice_that_is_worse_and_when_to_retrain(challenged: ReportFacts) -> None:
    done = [a.do for a in advise(challenged)]
    assert any("job = student: collect more rows" in d for d in done)
    assert done[-1] == "Retrain when, in daily use, fewer than 89 of 100 answers stay right."
    assert done[0] == "Set fresh test rows aside."
    assert len(done) <= 8


def test_a_metric_is_called_as_it_is_measured_and_an_old_one_by_its_name() -> None:
    from palio.measure import METRICS

    for name, spec in METRICS.items():
        assert words.term(name) == (spec.title, spec.meaning, spec.higher_is_better)
    assert words.term("mean_bias").title == "Mean bias"
