from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from palio.core.monitoring import Alert
from palio.monitor import LEASE_S, AlertRules, AlertState, Arrived, Message, Owed, claim, pending
from palio.monitor.alerts.alerting import Look, Persistence, standing
from palio.monitor.alerts.messages import MAX_CLAIMS, Told
from tests.monitor.alert_worlds import NOW, alert, finding, message

HOUR = dt.timedelta(hours=1)
COOLDOWN_S = 5 * 3600.0


def tell(
    told: tuple[Told, ...], now_open: list[Alert], *, at: float, over: set[str] | None = None, **facts: Any
) -> tuple[tuple[Told, ...], list[tuple[str, str]]]:
    """Say what is sent `at` hours after the begin."""
    facts = {"cooldown_s": COOLDOWN_S, "on": ("page", "warn")} | facts
    told, messages = pending(told, now_open, over=over or set(), now=NOW + at * HOUR, **facts)
    return told, [(one.alert.id, one.state) for one in messages]


def test_an_open_alert_is_told_at_once_and_then_once_a_cooldown() -> None:
    told: tuple[Told, ...] = ()
    sent = []
    for hour in range(12):
        told, said = tell(told, [alert()], at=hour)
        sent += [(hour, state) for _, state in said]
    assert sent == [(0, "open"), (5, "still_open"), (10, "still_open")]


def test_that_an_alert_is_over_is_told_once() -> None:
    told, _ = tell((), [alert()], at=0)
    told, said = tell(told, [], at=1, over={"f1"})
    assert said == [("f1", "recovered")]
    assert tell(told, [], at=2, over={"f1"})[1] == []
    assert tell(told, [], at=9, over={"f1"}) == ((), [])  # after the cooldown it is forgotten


def test_an_alert_of_which_nothing_is_known_stays_as_it_was() -> None:
    told, _ = tell((), [alert()], at=0)
    assert tell(told, [], at=99) == (told, [])


def test_an_alert_that_flaps_is_told_again_only_after_the_cooldown() -> None:
    told, _ = tell((), [alert()], at=0)
    told, said = tell(told, [], at=1, over={"f1"})
    told, said = tell(told, [alert()], at=2)
    assert said == []
    told, said = tell(told, [alert()], at=5)
    assert said == [("f1", "open")]


def test_a_higher_severity_is_told_at_once_and_a_lower_one_is_not() -> None:
    told, _ = tell((), [alert(severity="warn")], at=0)
    told, said = tell(told, [alert(severity="page")], at=1)
    assert said == [("f1", "still_open")]
    told, said = tell(told, [alert(severity="warn")], at=2)
    assert said == []
    told, said = tell(told, [alert(severity="page")], at=3)
    assert said == []  # people know the worst already


def test_nobody_is_reminded_of_a_severity_that_is_not_asked_for() -> None:
    told, _ = tell((), [alert()], at=0)
    assert tell(told, [alert(severity="note")], at=50, on=("page",)) == (told, [])


def test_a_clock_that_was_far_ahead_silences_nobody() -> None:
    told, _ = tell((), [alert()], at=1000)
    assert tell(told, [alert()], at=0)[1] == [("f1", "still_open")]


def test_the_same_decision_gives_the_same_messages() -> None:
    assert pending((), [alert()], over=(), now=NOW, cooldown_s=1) == pending(
        (), [alert()], over=(), now=NOW, cooldown_s=1
    )


steps = st.lists(
    st.tuples(st.sets(st.sampled_from(["a", "b", "c"])), st.integers(0, 9), st.booleans()), min_size=1, max_size=60
)
rules = st.integers(1, 4).flatmap(lambda m: st.tuples(st.integers(1, m), st.just(m)))


@settings(max_examples=300, deadline=None)
@given(steps=steps, rule=rules)
def test_no_alert_is_lost_and_none_is_sent_twice_within_the_cooldown(
    steps: list[tuple[set[str], int, bool]], rule: tuple[int, int]
) -> None:
    use = AlertRules(persistence=Persistence(*rule), cooldown_s=COOLDOWN_S)
    told: tuple[Told, ...] = ()
    looks: list[Look] = []
    now, sent, known = NOW, dict[str, dt.datetime](), set[str]()
    for shown, hours, is_new in steps:
        now += hours * HOUR
        if is_new or not looks:
            looks.insert(0, Look(shown=frozenset(shown)))
        found = [finding(one) for one in sorted(looks[0].shown)]
        before = [one.alert for one in told if one.is_open]
        found_now = standing(found, looks, use, now=now, expected_false_per_month=0.1, before=before)
        state = msgspec.json.encode(told)  # as it goes through the ledger
        told, messages = pending(
            msgspec.json.decode(state, type=tuple[Told, ...]),
            found_now.open,
            over=found_now.over,
            now=now,
            cooldown_s=COOLDOWN_S,
        )
        for one in messages:
            if one.state == "recovered":
                assert one.alert.id in known, "it was never told, or told to be over twice"
                known.remove(one.alert.id)
            else:
                last = sent.get(one.alert.id)
                assert last is None or (now - last).total_seconds() >= COOLDOWN_S, "it was sent twice"
                assert (one.state == "still_open") == (one.alert.id in known)
                sent[one.alert.id] = now
                known.add(one.alert.id)
        for one in found_now.open:
            assert (now - sent[one.id]).total_seconds() < COOLDOWN_S, "it was lost"
        assert not known & found_now.over, "nobody was told that it is over"
        assert len({one.id for one in messages}) == len(messages)


# ── what did not arrive ─────────────────────────────────────────────────────────────────────────────────────────────


def take(state: AlertState, *, at_s: float, new: tuple[Message, ...] = (), arrived: Any = ()) -> tuple[Any, Any]:
    now = NOW + dt.timedelta(seconds=at_s)
    return claim(state, new, arrived=arrived, channels=["webhook", "email"], now=now, after=7)[:2]


def test_a_new_message_is_claimed_for_every_channel() -> None:
    owed, mine = take(AlertState(), at_s=0, new=(message(),))
    assert owed == mine == (Owed(message=message(), channels=("webhook", "email"), claimed_at=NOW, after=7),)


def test_a_claim_is_left_to_its_watcher_until_the_lease_runs_out() -> None:
    owed, _ = take(AlertState(), at_s=0, new=(message(),))
    assert take(AlertState(owed=owed), at_s=LEASE_S - 1) == (owed, ())
    again, mine = take(AlertState(owed=owed), at_s=LEASE_S)
    assert again == mine and mine[0].message == message() and mine[0].n_claims == 2


def test_what_has_arrived_on_a_channel_is_not_sent_there_again() -> None:
    owed, _ = take(AlertState(), at_s=0, new=(message(),))
    _, (again,) = take(AlertState(owed=owed), at_s=LEASE_S, arrived={Arrived("m1", "webhook")})
    assert again.channels == ("email",)
    everywhere = {Arrived("m1", "webhook"), Arrived("m1", "email"), Arrived("m2", "email")}
    assert take(AlertState(owed=owed), at_s=LEASE_S, arrived=everywhere) == ((), ())


def test_a_channel_that_is_no_longer_set_is_owed_nothing() -> None:
    owed = (Owed(message=message(), channels=("command",), claimed_at=NOW),)
    assert take(AlertState(owed=owed), at_s=LEASE_S) == ((), ())


def test_claims_come_less_and_less_often_and_end_within_a_day() -> None:
    owed, _ = take(AlertState(), at_s=0, new=(message(),))
    tries, given_up = [0], []
    for minute in range(1, 3 * 24 * 60):
        now = NOW + dt.timedelta(minutes=minute)
        owed, mine, lost = claim(AlertState(owed=owed), (), arrived=(), channels=["webhook", "email"], now=now, after=7)
        tries += [minute] if mine else []
        given_up += lost
    assert tries == [0, 10, 30, 70, 150, 310, 630, 1270]
    assert owed == ()
    assert [(one.message.id, one.n_claims) for one in given_up] == [("m1", MAX_CLAIMS)], "said once"


def test_of_an_alert_the_newest_message_alone_is_owed() -> None:
    owed, _ = take(AlertState(), at_s=0, new=(message(),))
    for state, identity in (("still_open", "m2"), ("recovered", "m3"), ("open", "m4")):
        newer = msgspec.structs.replace(message(identity), state=state)
        owed, mine = take(AlertState(owed=owed), at_s=10, new=(newer,))
        assert [one.message.id for one in owed] == [one.message.id for one in mine] == [identity]
