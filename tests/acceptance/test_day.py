"""A day with every kind of trouble, and an hour of a server in trouble: what is told is what happened."""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks" / "monitoring"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def troubles():
    sys.path.insert(0, str(BENCHMARKS))
    import day
    import served_hour

    yield day, served_hour
    sys.path.remove(str(BENCHMARKS))


def of_windows(told):
    """Return what is told after each window: kind of line → lines."""
    windows = []
    for kind, line in told:
        if kind == "look":
            windows.append(defaultdict(list))
        if windows:
            windows[-1][kind].append(line)
    return windows


def found(window, start):
    return [line for line in window["finding"] if line.startswith(start)]


def test_the_story_of_a_day_with_every_kind_of_trouble_is_true(troubles, tmp_path: Path) -> None:
    day, _ = troubles
    folder = tmp_path / "orders"
    day.begin(folder, 2)
    first, second, unit, absent, texts, away, *_, last, _ = of_windows(day.day(folder))
    for calm in (first, second):  # copies, probes and retries alarm nobody
        assert calm["look"][0].endswith("good") and not found(calm, "[warn]") and not found(calm, "[page]")
    assert found(unit, "[warn] unit weight") and "in another unit" not in str(unit["watch"])
    assert unit["next"][0].startswith("Check the unit of “weight”") and "Retrain" not in str(unit["next"])
    assert found(absent, "[warn] missing distance")
    assert "can only be told by truths" in found(absent, "[warn] missing distance")[0]
    assert found(texts, "[note] contract note")
    fell = found(texts, "[page] quality")  # of the window in which weights were wrong, whose truths have come now
    assert fell and all("`weight` in another unit" in one for one in fell)
    assert "Retrain on" not in str(texts["next"]) and "Planned" not in str(texts["watch"])
    assert "an input was broken" in texts["plan"][0]
    assert found(away, "[warn] volume different rows")
    assert found(last, "[page] quality roc_auc") or found(last, "[page] concept_drift")
    assert any("east" in one for one in found(last, "[page] quality"))
    told = [line for window in (first, second, unit) for line in window["alert"]]
    assert told == []  # nothing hurts yet, as far as anybody can know


def test_what_a_server_in_trouble_and_late_truths_are_told_is_true(troubles, tmp_path: Path) -> None:
    day, served_hour = troubles
    folder = tmp_path / "orders"
    day.begin(folder, 2)
    told = list(served_hour.hour(folder))
    lines = defaultdict(str)
    for kind, line in told:
        lines[kind] += line + "\n"
    assert "answered with [200]" in lines["made"]
    assert "column `distance` is absent" in lines["server"]
    assert re.search(r"removed or moved by .* with 600 records", lines["server"])
    assert "{'received': 200}" in lines["server"] and "{'perhaps': 1}" in lines["server"]
    assert "482 truths taken, 1 without a label left out" in lines["feedback"]
    assert "411 met an answer, 11 of them correct an earlier truth" in lines["feedback"]
    assert "47 have a prediction id that no answer has" in lines["feedback"]
    counted = [int(n) for n in re.findall(r"^  (\d+) (?:met|have|say|are)", lines["feedback"], re.MULTILINE)]
    assert sum(counted) == 482, lines["feedback"]
    assert "615 rows" in lines["monitor"] and "Traceback" not in lines["monitor"] + lines["watch"]
    assert "47 of 683 truths met none" in lines["monitor"]
    assert lines["watch"].startswith(("Good.", "Have a look."))
