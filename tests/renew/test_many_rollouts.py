"""Many seeded rollouts of challengers whose quality is known: few that are sound fall, few that are bad get through."""

from __future__ import annotations

import numpy as np
import pytest

from palio.core.serving import Observations, Seen
from palio.measure import bin_latencies
from palio.renew.judging import judge

from .conftest import BEGIN, at, rollout, state

N_ROLLOUTS, N_LOOKS, PER_LOOK = 100, 80, 60


def fate(seed: int, *, error_rate: float = 0.005, slower: float = 1.0, share: float = 0.3) -> str:
    """Judge one rollout, a look a minute, 60 requests to the challenger in each; return how it ended."""
    rng = np.random.default_rng(seed)
    sizes = {"champion": 4 * PER_LOOK, "challenger": PER_LOOK}
    counts = {name: np.zeros(2, int) for name in sizes}
    errors = dict.fromkeys(sizes, 0)
    bins = {name: bin_latencies(np.empty(0)) for name in sizes}
    now_state, plan = state(mode="canary"), rollout(inconclusive_limit=N_LOOKS)
    for minute in range(1, N_LOOKS + 1):
        seen = {}
        for name, size in sizes.items():
            is_rival = name == "challenger"
            errors[name] += int(rng.binomial(size, error_rate if is_rival else 0.005))
            bins[name] = bins[name] + bin_latencies(rng.lognormal(-6, 0.5, size) * (slower if is_rival else 1.0))
            n_yes = int(rng.binomial(size, share if is_rival else 0.3))
            counts[name] += (size - n_yes, n_yes)
            seen[name] = Seen(
                n_requests=size * minute, n_errors=errors[name], latencies=tuple(bins[name].tolist()),
                predictions=tuple(counts[name].tolist()),
            )  # fmt: skip
        observed = Observations(since=BEGIN, until=at(60 * minute), **seen)
        now_state, _ = judge(plan, now_state, observed, at(60 * minute))
        if now_state.status != "running" or now_state.step != 1:
            return now_state.status if now_state.status != "running" else "went on"
    return "cannot tell"


def fates(**given: float) -> dict[str, int]:
    ends = [fate(seed, **given) for seed in range(N_ROLLOUTS)]
    return {end: ends.count(end) for end in set(ends)}


def test_sound_challengers_go_on() -> None:
    found = fates()
    assert found.get("rolled back", 0) <= 5
    assert found.get("went on", 0) >= 90


@pytest.mark.parametrize("flaw", [{"error_rate": 0.06}, {"slower": 4.0}, {"share": 0.7}], ids=str)
def test_bad_challengers_are_rolled_back(flaw: dict[str, float]) -> None:
    found = fates(**flaw)
    assert found.get("went on", 0) == 0
    assert found.get("rolled back", 0) >= 95


def test_challengers_at_the_limit_rarely_go_on() -> None:
    assert fates(error_rate=0.016).get("went on", 0) <= 5, "0.011 beyond the champion's, where 0.01 is allowed"
