import numpy as np
import pytest

from palio.monitor.quality.calibration import Calibrator, best_kind, log_loss_of


@pytest.mark.parametrize("kind", ["isotonic", "platt"])
def test_calibrated_forecasts_mean_what_they_say(kind):
    rng = np.random.default_rng(0)
    chance = rng.random(20_000)
    said = 1 / (1 + np.exp(-3 * np.log(chance / (1 - chance))))
    truth = (rng.random(20_000) < chance).astype(int)
    forecast = np.stack([1 - said, said], axis=1)
    calibrated = Calibrator(forecast, truth, kind)(forecast)[:, 1]
    assert np.abs(calibrated - chance).mean() < 0.02


def test_many_classes_add_up_to_one():
    rng = np.random.default_rng(1)
    forecast = rng.dirichlet(np.ones(4), 500)
    calibrated = Calibrator(forecast, rng.integers(0, 4, 500), "isotonic")(rng.dirichlet(np.ones(4), 100))
    assert calibrated.sum(1) == pytest.approx(np.ones(100))
    assert (calibrated >= 0).all()


def test_few_rows_prefer_the_curve_and_steps_prefer_the_steps():
    rng = np.random.default_rng(2)
    said = rng.random(150)
    truth = (rng.random(150) < said).astype(int)
    assert best_kind(np.stack([1 - said, said], axis=1), truth, np.arange(150) % 5)[0] == "platt"
    said = rng.random(5000)
    truth = (rng.random(5000) < np.where(said > 0.3, 0.9, 0.1)).astype(int)
    assert best_kind(np.stack([1 - said, said], axis=1), truth, np.arange(5000) % 5)[0] == "isotonic"


def test_a_certain_forecast_that_fails_costs_no_more_than_rows_can_tell():
    assert log_loss_of(np.array([[1.0, 0.0]] * 8), np.ones(8, int)) == pytest.approx(np.log(10))
