"""Whether cells that are wrong are told of, and cells that are right are not."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from palio.core.monitoring import Finding, Reference
from palio.monitor.movement.inputs import excess_p, input_findings
from palio.monitor.movement.units import KNOWN
from palio.monitor.windows import WindowBuilder
from tests.monitor import populations
from tests.monitor.populations import SINCE, Table, reference_of


def counted(reference: Reference, table: Table, **more: np.ndarray):
    n_rows = len(next(iter(table.values())))
    builder = WindowBuilder(reference, model="m", bundle="b", version=1, since=SINCE, until=SINCE)
    builder.add(
        {
            "bundle": np.full(n_rows, "b", object),
            "id": np.array([f"r{i}.0" for i in range(n_rows)], object),
            **{f"input.{name}": values for name, values in table.items()},
            **more,
        }
    )
    return builder.finish()


def seen(reference: Reference, table: Table, **more: np.ndarray) -> list[Finding]:
    return list(input_findings(reference, counted(reference, table, **more), min_rows=50))


@pytest.fixture
def chance() -> np.random.Generator:
    return np.random.default_rng(1)


@pytest.mark.parametrize("name", ["adult", "bank"])
@pytest.mark.parametrize("n_rows", [100, 1_000, 20_000])
def test_rows_of_the_same_origin_show_nothing(name: str, n_rows: int, shared_data: Path, chance) -> None:
    table = getattr(populations, name)(shared_data)
    everything = len(next(iter(table.values())))
    found = []
    for _ in range(5):
        rows = chance.integers(0, everything, 5_000)
        reference = reference_of(table, rows)
        for _ in range(4):
            some = chance.integers(0, everything, n_rows)
            found += seen(reference, {name: values[some] for name, values in table.items()})
    assert found == []


def temperatures(chance: np.random.Generator, n_rows: int) -> np.ndarray:
    return np.round(chance.normal(12, 9, n_rows), 1)


@pytest.mark.parametrize("change", KNOWN, ids=lambda one: f"{one.factor:.4g}+{one.offset:.4g}")
@pytest.mark.parametrize("shape", ["normal", "skewed"])
def test_every_known_change_of_unit_is_recognised(change, shape: str, chance) -> None:
    def draw(n_rows: int) -> np.ndarray:
        if shape == "normal":
            return chance.normal(12, 9, n_rows)
        return chance.lognormal(3, 0.7, n_rows)

    reference = reference_of({"x": draw(10_000)})
    found = [one for one in seen(reference, {"x": draw(3_000) * change.factor + change.offset}) if one.kind == "unit"]
    assert [one.subject for one in found] == ["x"]
    assert found[0].effect == pytest.approx(change.factor)
    assert found[0].severity == "warn"


def test_degrees_are_named(chance) -> None:
    reference = reference_of({"t": temperatures(chance, 10_000)})
    (one,) = [f for f in seen(reference, {"t": np.round(temperatures(chance, 2_000) * 1.8 + 32)}) if f.kind == "unit"]
    assert one.reason == "`t` looks like 1.8 times what it was in training plus 32, as °F instead of °C would be"
    assert "answers are likely wrong" in one.consequence


def test_a_strange_factor_is_told_without_a_name(chance) -> None:
    reference = reference_of({"x": chance.lognormal(2, 0.5, 10_000)})
    (one,) = [f for f in seen(reference, {"x": chance.lognormal(2, 0.5, 2_000) * 47}) if f.kind == "unit"]
    assert one.effect == pytest.approx(47, rel=0.05)
    assert "instead" not in one.reason


def test_a_unit_that_only_some_senders_changed_is_recognised(chance) -> None:
    values = chance.lognormal(2, 0.5, 3_000)
    values[::5] *= 1_000
    (one,) = [f for f in seen(reference_of({"x": chance.lognormal(2, 0.5, 10_000)}), {"x": values}) if f.kind == "unit"]
    assert one.effect == 1_000
    assert "in 20% of the rows" in one.reason


@pytest.mark.parametrize("shift", [0.5, 1.0, 2.0, 3.0])
def test_a_shift_or_growth_is_no_change_of_unit(shift: float, chance) -> None:
    reference = reference_of({"x": chance.normal(10, 2, 10_000), "y": chance.lognormal(2, 0.5, 10_000)})
    moved = {"x": chance.normal(10 + 2 * shift, 2, 3_000), "y": chance.lognormal(2, 0.5, 3_000) * 1.35**shift}
    assert [one for one in seen(reference, moved) if one.kind == "unit"] == []


def test_a_number_that_is_rounded_otherwise_is_told_of(chance) -> None:
    reference = reference_of({"price": np.round(chance.lognormal(3, 1, 5_000), 2)})
    (one,) = seen(reference, {"price": np.round(chance.lognormal(3, 1, 2_000))})
    assert (one.kind, one.measure) == ("unit", "share")
    assert "most values have 0 digits behind the point, 2 digits in training" in one.reason


def test_a_column_that_stands_still_is_not_taken_for_rounded(chance) -> None:
    reference = reference_of({"humidity": np.round(chance.normal(55, 20, 5_000), 1)})
    assert [one for one in seen(reference, {"humidity": np.full(2_000, 55.0)}) if one.kind == "unit"] == []


def test_missing_cells_are_told_of_when_they_are_more_than_ever(chance) -> None:
    usual = np.where(chance.random(10_000) < 0.02, np.nan, chance.normal(size=10_000))
    reference = reference_of({"x": usual})
    assert seen(reference, {"x": usual[:2_000]}) == []
    (one,) = seen(reference, {"x": np.where(chance.random(2_000) < 0.2, np.nan, chance.normal(size=2_000))})
    assert (one.kind, one.severity, one.measure) == ("missing", "warn", "share")
    assert one.effect == pytest.approx(0.2, abs=0.03)
    assert "1.9% in training" in one.reason


def test_cells_that_were_missing_in_one_block_may_be_so_again(chance) -> None:
    usual = chance.normal(size=16_000)
    usual[3_000:4_000] = np.nan
    assert seen(reference_of({"x": usual}), {"x": usual[2_500:4_500]}) == []


def test_unseen_categories_are_told_of(chance) -> None:
    names = np.array(["a", "b", "c", "new"], object)
    reference = reference_of({"k": names[chance.integers(0, 3, 5_000)]})
    (one,) = seen(reference, {"k": names[chance.integers(0, 4, 1_000)]})
    assert (one.kind, one.subject, one.severity) == ("contract", "k", "warn")
    assert "other categories than the 3 that are known" in one.reason
    assert "new" not in one.reason  # what callers send is not repeated


def test_rare_categories_that_a_small_reference_missed_are_expected(chance) -> None:
    names = np.array([f"v{k}" for k in range(90)], object)
    share = 1 / np.arange(1, 91) ** 1.5
    draw = lambda n: {"k": names[chance.choice(90, n, p=share / share.sum())]}  # noqa: E731
    assert [seen(reference_of(draw(300)), draw(3_000)) for _ in range(20)].count([]) == 20


def test_values_out_of_range_are_told_of(chance) -> None:
    reference = reference_of({"x": chance.uniform(0, 1, 5_000)})
    (one,) = seen(reference, {"x": chance.uniform(-0.1, 1, 5_000)})
    assert one.kind == "contract"
    assert "below, 1 above" in one.reason


def test_flags_of_the_server_are_told_of_once_per_column(chance) -> None:
    reference = reference_of({"x": chance.normal(size=1_000)})
    flags = np.full(1_000, "", object)
    flags[:60] = "x: unknown category\ny: out of range"
    found = seen(reference, {"x": chance.normal(size=1_000)}, flags=flags)
    assert sorted(one.subject for one in found) == ["x", "y"]
    assert found[0].severity == "warn"


def test_requests_that_broke_the_contract_are_told_of_in_small_windows_too(chance) -> None:
    reference = reference_of({"x": chance.normal(size=1_000)})
    window = counted(reference, {"x": chance.normal(size=40)})
    broken = msgspec.structs.replace(window, violations={"`age` is missing": 9, "other": 1})
    (one,) = input_findings(reference, broken, min_rows=200)
    assert (one.subject, one.severity) == ("requests", "warn")
    assert "10 requests (20.0%)" in one.reason
    assert "9 of them: `age` is missing" in one.reason


def test_chance_of_an_excess_holds_its_level(chance) -> None:
    p = [excess_p(a, 2_000, b, 1_000) for a, b in chance.binomial([2_000, 1_000], 0.02, (2_000, 2)).tolist()]
    assert np.mean(np.array(p) < 0.05) <= 0.06
