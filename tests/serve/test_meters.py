"""What is counted, and how workers add up."""

from __future__ import annotations

from pathlib import Path

from palio.serve.meters import Meters


def lines(meters: Meters) -> dict[str, float]:
    text = meters.render().decode()
    return {
        name: float(value)
        for line in text.splitlines()
        if not line.startswith("#")
        for name, _, value in [line.rpartition(" ")]
    }


def test_answers_are_counted_by_route_and_status_and_timed() -> None:
    meters = Meters()
    for seconds in (0.0001, 0.0002, 0.003, 9.0):
        meters.answered("infer", 200, seconds)
    meters.answered("infer", 400, 0.1)
    told = lines(meters)
    assert told['palio_requests_total{route="infer",status="200"}'] == 4
    assert told['palio_requests_total{route="infer",status="400"}'] == 1
    assert told['palio_request_seconds_bucket{le="0.0002",route="infer"}'] == 2  # an edge belongs to its bucket
    assert told['palio_request_seconds_bucket{le="5.0",route="infer"}'] == 4
    assert told['palio_request_seconds_bucket{le="+Inf",route="infer"}'] == 5
    assert told['palio_request_seconds_count{route="infer"}'] == 5
    assert abs(told['palio_request_seconds_sum{route="infer"}'] - 9.1033) < 1e-9


def test_workers_add_up_and_a_successor_goes_on_where_the_dead_one_ended(tmp_path: Path) -> None:
    first, second = Meters(), Meters()
    numbers = {"a": 1.0}
    for worker, meters in enumerate((first, second)):
        meters.share(tmp_path, worker)
        meters.follow("palio_open", "Open", "", lambda: {"": 5}, gauge=True)
        meters.predicted("bank", "1", 10, ["age: out of range"])
        meters.follow("palio_ended", "Ended", "reason", lambda: numbers)
    second.close()  # publishes
    told = lines(first)
    assert told['palio_rows_total{model="bank",version="1"}'] == 20
    assert told['palio_flags_total{flag="age: out of range"}'] == 2
    assert told['palio_ended_total{reason="a"}'] == 2
    assert told["palio_open"] == 10
    successor = Meters()
    successor.share(tmp_path, 1)
    successor.predicted("bank", "1", 1, [])
    told = lines(successor)
    assert told['palio_rows_total{model="bank",version="1"}'] == 21
    assert told["palio_open"] == 5  # what was open in the dead one is not open any more
    for meters in (first, successor):
        meters.close()


def test_of_the_version_that_answers_the_largest_is_told(tmp_path: Path) -> None:
    meters = [Meters(), Meters()]
    for worker, one in enumerate(meters):
        one.share(tmp_path, worker)
        one._champion.labels("bank").set(worker + 3)
        one.close()
    assert lines(meters[0])['palio_champion_version{model="bank"}'] == 4
