from __future__ import annotations

import msgspec
import pytest

from palio.core.serving import Analysis, Observations, Rollout, RolloutState, Step
from palio.renew.judging import judge, wants_look
from palio.renew.rollouts import DEFAULT_STEPS

from .conftest import at, observations, rollout, seen_role, state

GOOD = observations()
BAD = observations(challenger=seen_role(3000, n_errors=500))
UNSURE = observations(n=10)


def drive(plan: Rollout, seen: list[Observations], start: RolloutState, every_s: float = 60) -> list[str]:
    """Judge once a minute; return the sentences."""
    said, now, now_state = [], 0.0, start
    looks = iter(seen)
    while True:
        now += every_s
        for _ in range(20):
            given = next(looks, None) if wants_look(plan, now_state, at(now)) else None
            if wants_look(plan, now_state, at(now)) and given is None:
                return said
            now_state, text = judge(plan, now_state, given, at(now))
            if not text:
                break
            said.append(text)
        if now_state.status != "running":
            return [*said, now_state.status]


def test_the_default_steps_lead_to_a_promotion() -> None:
    said = drive(rollout(*DEFAULT_STEPS), [GOOD] * 4, state(step=0, mode="off"))
    assert said[-1] == "promoted"
    assert [text for text in said if text.startswith("The challenger answers")] == [
        "The challenger answers 5% of the requests.",
        "The challenger answers 25% of the requests.",
        "The challenger answers 50% of the requests.",
    ]


def test_a_bad_look_rolls_back_and_says_why() -> None:
    new, text = judge(rollout(), state(), BAD, at(60))
    assert (new.status, new.mode, new.weight) == ("rolled back", "off", 0.0)
    assert text.startswith("Rolled back") and "500 of 3,000 requests failed" in text and new.reason in text


def test_bad_looks_within_the_limit_are_forgiven() -> None:
    plan = rollout(failure_limit=1)
    first, text = judge(plan, state(), BAD, at(60))
    assert first.status == "running" and "Bad look 1, 1 are allowed" in text
    assert judge(plan, first, BAD, at(120))[0].status == "rolled back"
    assert judge(plan, first, GOOD, at(120))[0].step == 2


def test_good_looks_must_come_in_a_row() -> None:
    plan = rollout(consecutive_successes=2, failure_limit=5)
    said = drive(plan, [GOOD, BAD, GOOD, GOOD], state())
    assert said[-1] == "promoted" and sum("look" in text for text in said) == 4
    assert drive(plan, [GOOD, BAD, GOOD], state())[-1] == "Good look 1 of 2: " + said[2].partition(": ")[2]


def test_looks_that_cannot_tell_wait_for_a_person_in_the_end() -> None:
    said = drive(rollout(inconclusive_limit=2), [UNSURE] * 9, state())
    assert said[-1] == "paused" and len(said) == 4
    assert said[-2].startswith("3 looks could not tell, so the rollout waits for a person: only 10 of the 100")


def test_a_dry_run_says_what_it_would_have_found_and_goes_on() -> None:
    said = drive(rollout(dry_run=True), [BAD], state())
    assert said[0].startswith("A dry run would have found this bad") and said[-1] == "promoted"


def test_an_analysis_looks_no_more_often_than_it_should() -> None:
    plan = rollout(interval_s=300, consecutive_successes=2)
    assert not wants_look(plan, state(), at(299)) and wants_look(plan, state(), at(300))
    assert judge(plan, state(), GOOD, at(299)) == (state(), "")
    looked, _ = judge(plan, state(), GOOD, at(300))
    assert not wants_look(plan, looked, at(599)) and wants_look(plan, looked, at(600))


def test_a_clock_that_was_ahead_at_the_last_look_does_not_keep_from_looking() -> None:
    ahead = msgspec.structs.replace(state(), looked_at=at(86_400))
    assert wants_look(rollout(interval_s=300), ahead, at(60))
    timed = rollout(Step(kind="pause", duration_s=60), Step(kind="promote"))
    assert judge(timed, msgspec.structs.replace(state(step=0), since=at(86_400)), None, at(0))[0].step == 1


def test_who_answers_while_a_person_is_waited_for_is_said() -> None:
    asks = rollout(Step(kind="set_weight", weight=0.25), Step(kind="pause"))
    canary, _ = judge(asks, state(step=0), None, at(0))
    assert judge(asks, canary, None, at(1))[1].endswith("Meanwhile the challenger answers 25% of the requests.")
    assert judge(rollout(Step(kind="pause")), state(step=0), None, at(0))[1].endswith("the champion answers alone.")


def test_a_pause_ends_by_itself_or_by_a_person() -> None:
    timed = rollout(Step(kind="pause", duration_s=60), Step(kind="promote"))
    assert judge(timed, state(step=0), None, at(59))[1] == ""
    assert judge(timed, state(step=0), None, at(60))[0].step == 1
    paused, text = judge(rollout(Step(kind="pause")), state(step=0), None, at(0))
    assert paused.status == "paused" and "waits for a person" in text
    assert judge(rollout(Step(kind="pause")), paused, None, at(9999)) == (paused, "")


def test_steps_that_do_not_promote_end_with_a_person() -> None:
    assert drive(rollout(Step(kind="set_weight", weight=0.5)), [], state(step=0))[-1] == "paused"


@pytest.mark.parametrize("status", ["promoted", "rolled back", "aborted", "paused"])
def test_what_is_over_or_paused_stays_as_it_is(status: str) -> None:
    over = msgspec.structs.replace(state(), status=status)  # type: ignore[arg-type]
    assert judge(rollout(), over, GOOD, at(9999)) == (over, "")


def test_each_step_counts_anew() -> None:
    plan = rollout(Step(kind="analysis", analysis=Analysis()), Step(kind="pause", duration_s=5))
    new, _ = judge(plan, state(step=0, failures=0, inconclusive=3, successes=0), GOOD, at(60))
    assert (new.step, new.successes, new.failures, new.inconclusive, new.looked_at) == (1, 0, 0, 0, None)
    assert new.since == at(60)
