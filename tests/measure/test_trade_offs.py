from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palio.measure import Offer, front, step_of

NUMBERS = st.sampled_from([0.0, 0.1, 0.2, 0.5, 1.0, 3.0])
"""Few, so that offers are often alike."""
OFFERS = st.lists(st.builds(Offer, NUMBERS, NUMBERS, NUMBERS), max_size=12)


def beats(one: Offer, other: Offer) -> bool:
    pairs = [(one.quality, other.quality), (-one.latency_ms, -other.latency_ms), (-one.size_mb, -other.size_mb)]
    return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)


@given(OFFERS)
def test_no_member_of_the_front_is_beaten_and_every_other_offer_is_by_a_member(offers: list[Offer]) -> None:
    members = front(offers)
    assert len(set(members)) == len(members) and bool(members) == bool(offers)
    for place, offer in enumerate(offers):
        is_beaten = any(beats(offers[member], offer) for member in members)
        assert is_beaten == (place not in members)


@given(OFFERS)
def test_the_front_begins_with_the_best_quality(offers: list[Offer]) -> None:
    qualities = [offers[place].quality for place in front(offers)]
    assert qualities == sorted(qualities, reverse=True)
    assert not offers or qualities[0] == max(offer.quality for offer in offers)


@given(OFFERS, st.randoms())
def test_the_order_of_offers_does_not_matter(offers: list[Offer], chance: object) -> None:
    mixed = list(offers)
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    assert [offers[place] for place in front(offers)] == [mixed[place] for place in front(mixed)]


@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_what_is_not_known_is_no_offer(odd: float) -> None:
    offers = [Offer(0.9, 1.0, 1.0), Offer(odd, 0.1, 0.1), Offer(0.99, odd, 0.1)]
    assert front(offers) == [0]


def test_the_step_that_counts_suits_the_metric() -> None:
    assert step_of("accuracy", 0.02) == 0.001
    assert step_of("log_loss", 0.045) == 0.001
    assert step_of("mae", 0.045) == pytest.approx(0.0001)
    assert step_of("rmse", 1.03) == pytest.approx(0.01)
    assert step_of("rmse", 0.0) == 0.001
    assert step_of("none of ours", math.nan) == 0.001
