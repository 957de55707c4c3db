from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palio.core.errors import InputError
from palio.core.serving import ApiKey, Policy, Rule
from palio.serve.traffic.access import Access, compile_policy
from palio.serve.traffic.rules import ANONYMOUS, Caller, check_policy, policy_digest

NOON = dt.datetime(2026, 5, 4, 12, 0, tzinfo=dt.UTC).timestamp()  # a Monday
ANN, BOB = Caller("ann", "risk"), Caller("bob", "marketing")


def key(name: str, role: str = "caller", **more: Any) -> ApiKey:
    made = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    digest = hashlib.sha256(f"key of {name}".encode()).hexdigest()
    return ApiKey(caller=name, role=role, hash=digest, created_at=made, **more)


KEYS = (key("ann", "risk"), key("bob", "marketing"))


def ask(
    rules: list[Rule],
    caller: Caller = ANN,
    *,
    keys: tuple[ApiKey, ...] = KEYS,
    version: int | str = 3,
    alias: str = "champion",
    purpose: str = "",
    now: float = NOON,
    model: str = "bank",
) -> tuple[int, str]:
    access = compile_policy(Policy(rules=tuple(rules), keys=keys))
    verdict = access.decide(caller, model, version, alias, purpose, now)
    assert verdict.allowed == (verdict.status == 200)
    return verdict.status, verdict.id.partition(":")[2]


MAY = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
ALLOW, DENY = Rule(), Rule(allow=False)


@pytest.mark.parametrize(
    ("rules", "caller", "more", "expected"),
    [
        ([], ANN, {"keys": ()}, (200, "open")),
        ([], ANONYMOUS, {"keys": ()}, (200, "open")),
        ([], ANN, {}, (403, "default")),
        ([], ANONYMOUS, {}, (401, "default")),
        ([ALLOW], ANONYMOUS, {}, (200, "0")),
        ([DENY, ALLOW], ANN, {}, (403, "0")),
        ([DENY], ANONYMOUS, {}, (401, "0")),
        ([DENY], ANONYMOUS, {"keys": ()}, (403, "0")),
        ([Rule(caller="bob"), DENY], ANN, {}, (403, "1")),
        ([Rule(caller="ann"), DENY], ANN, {}, (200, "0")),
        ([Rule(caller="anonymous")], ANONYMOUS, {}, (200, "0")),
        ([Rule(caller="anonymous")], ANN, {}, (403, "default")),
        ([Rule(role="risk")], ANN, {}, (200, "0")),
        ([Rule(role="risk")], BOB, {}, (403, "default")),
        ([Rule(model="bank")], ANN, {}, (200, "0")),
        ([Rule(model="bank")], ANN, {"model": "churn"}, (403, "default")),
        ([Rule(version="3")], ANN, {}, (200, "0")),
        ([Rule(version="4")], ANN, {}, (403, "default")),
        ([Rule(version="challenger")], ANN, {}, (403, "default")),
        ([Rule(version="challenger")], ANN, {"alias": "challenger", "version": 0}, (200, "0")),
        ([Rule(purpose="care")], ANN, {}, (403, "default")),
        ([Rule(purpose="care")], ANN, {"purpose": "care"}, (200, "0")),
        ([Rule(purpose="care")], ANN, {"purpose": "marketing"}, (403, "default")),
        ([Rule(purpose="ads", allow=False), ALLOW], ANN, {"purpose": "ads"}, (403, "0")),
        ([Rule(purpose="ads", allow=False), ALLOW], ANN, {"purpose": "anything"}, (200, "1")),
        ([Rule(days="mon-fri")], ANN, {}, (200, "0")),
        ([Rule(days="sat,sun")], ANN, {}, (403, "default")),
        ([Rule(days="fri-mon")], ANN, {}, (200, "0")),
        ([Rule(hours="08:00-12:00")], ANN, {}, (403, "default")),
        ([Rule(hours="12:00-12:01")], ANN, {}, (200, "0")),
        ([Rule(hours="22:00-24:00")], ANN, {"now": NOON + 11 * 3600}, (200, "0")),
        ([Rule(since=dt.datetime(2026, 5, 5, tzinfo=dt.UTC))], ANN, {}, (403, "default")),
        ([Rule(until=dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC))], ANN, {}, (403, "default")),
        ([Rule(hours="00:00-01:00", allow=False), ALLOW], ANN, {}, (200, "1")),
    ],
)  # fmt: skip
def test_the_first_rule_that_fits_decides(
    rules: list[Rule], caller: Caller, more: dict[str, Any], expected: tuple[int, str]
) -> None:
    assert ask(rules, caller, **more) == expected


@pytest.mark.parametrize(
    ("days", "hour", "day_of_may", "fits"),
    [
        ("fri", 23, 8, True),  # Friday night
        ("fri", 3, 9, True),  # the same night, on Saturday's calendar
        ("fri", 3, 8, False),  # the night before
        ("fri", 12, 8, False),
        ("*", 6, 9, False),
    ],
)
def test_a_window_past_midnight_belongs_to_the_day_it_begins(days: str, hour: int, day_of_may: int, fits: bool) -> None:
    now = dt.datetime(2026, 5, day_of_may, hour, tzinfo=dt.UTC).timestamp()
    assert (ask([Rule(days=days, hours="22:00-06:00")], now=now)[0] == 200) is fits


HEADERS: list[tuple[dict[bytes, bytes], Caller | str]] = [
    ({}, ANONYMOUS),
    ({b"x-api-key": b"key of ann"}, ANN),
    ({b"authorization": b"Bearer key of bob"}, BOB),
    ({b"authorization": b"bearer key of bob"}, BOB),
    ({b"x-api-key": b" key of ann "}, ANN),
    ({b"x-api-key": b"key of ann", b"authorization": b"Bearer key of bob"}, ANN),
    ({b"x-api-key": b""}, "not known"),
    ({b"x-api-key": b"key of eve"}, "not known"),
    ({b"x-api-key": b"\xff\x00"}, "not known"),
    ({b"x-api-key": hashlib.sha256(b"key of ann").hexdigest().encode()}, "not known"),
    ({b"authorization": b"Basic YW5uOmE="}, "not known"),
    ({b"authorization": b""}, "not known"),
    ({b"x-api-key": b"key of old"}, "expired"),
    ({b"x-api-key": b"key of root"}, "admin port only"),
]


@pytest.mark.parametrize(("headers", "expected"), HEADERS)
def test_a_key_names_its_caller_and_a_bad_one_nobody(headers: dict[bytes, bytes], expected: Caller | str) -> None:
    old = key("old", expires_at=dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC))
    access = compile_policy(Policy(rules=(ALLOW,), keys=(*KEYS, old, key("root", admin=True))))
    caller = access.identify(headers, NOON)
    if isinstance(expected, Caller):
        assert caller == expected
        return
    assert expected in caller.trouble
    verdict = access.decide(caller, "bank", 3, "champion", "", NOON)
    assert (verdict.allowed, verdict.status, verdict.rule) == (False, 401, -1), "though a rule allows everyone"
    assert verdict.headers == ((b"www-authenticate", b"Bearer"),)


def test_without_keys_what_a_caller_sends_is_ignored() -> None:
    assert compile_policy(Policy()).identify({b"x-api-key": b"whatever"}, NOON) == ANONYMOUS


def test_revoking_the_last_key_does_not_open_the_server() -> None:
    revoked = key("ann", expires_at=dt.datetime(2026, 5, 1, tzinfo=dt.UTC))
    assert ask([], ANONYMOUS, keys=(revoked,)) == (401, "default")


def test_only_a_live_admin_key_is_an_admin() -> None:
    ended = key("past", admin=True, expires_at=dt.datetime(2026, 5, 1, tzinfo=dt.UTC))
    access = compile_policy(Policy(keys=(*KEYS, key("root", admin=True), ended)))
    assert access.is_admin({b"x-api-key": b"key of root"}, NOON) == "root"
    assert access.is_admin({b"authorization": b"Bearer key of root"}, NOON) == "root"
    for headers in (
        {},
        {b"x-api-key": b"key of ann"},
        {b"x-api-key": b"key of past"},
        {b"authorization": b"key of root"},
    ):
        assert access.is_admin(headers, NOON) == ""
    assert compile_policy(Policy()).is_admin({b"x-api-key": b"x"}, NOON) == ""


def test_a_quota_counts_rows_of_each_caller() -> None:
    access = compile_policy(Policy(rules=(Rule(quota=10, per="minute"),), keys=KEYS))

    def take(caller: Caller, n_rows: int, now: float) -> tuple[int, int]:
        verdict = access.decide(caller, "bank", 3, "champion", "", now, n_rows)
        return verdict.status, verdict.retry_after_s

    assert take(ANN, 8, NOON) == (200, 0)
    assert take(ANN, 3, NOON) == (429, 6), "1 of 3 rows is missing, and 10 come back in 60 s"
    assert take(BOB, 10, NOON) == (200, 0), "others have their own"
    assert take(ANN, 3, NOON + 6) == (200, 0)
    assert take(ANN, 11, NOON + 999) == (429, 0), "so many at once never will be there"


def test_rows_that_the_body_brings_are_charged_to_the_same_rule() -> None:
    access = compile_policy(Policy(rules=(Rule(caller="bob"), Rule(quota=5)), keys=KEYS))
    verdict = access.decide(ANN, "bank", 3, "champion", "", NOON)
    assert access.charge(verdict, ANN, 4, NOON) == verdict
    late = access.charge(verdict, ANN, 1, NOON)
    assert (late.allowed, late.status, late.id) == (False, 429, verdict.id)
    assert late.headers == ((b"retry-after", b"12"),)


def test_a_new_policy_does_not_give_everyone_a_fresh_quota() -> None:
    rule = Rule(quota=2, per="hour")
    old = Access(Policy(rules=(rule,)))
    assert old.decide(ANONYMOUS, "bank", 3, "champion", "", NOON, 2).allowed
    new = Access(Policy(rules=(Rule(caller="bob"), rule)), old.quotas)
    assert new.decide(ANONYMOUS, "bank", 3, "champion", "", NOON).status == 429


def test_a_verdict_names_rules_and_rule() -> None:
    policy = Policy(rules=(DENY,), keys=KEYS)
    verdict = compile_policy(policy).decide(ANN, "bank", 3, "champion", "", NOON)
    assert verdict.id == f"{policy_digest(policy)}:0"
    assert policy_digest(policy) != policy_digest(Policy(rules=(ALLOW,)))


def test_purposes_that_callers_invent_take_no_memory() -> None:
    access = compile_policy(Policy(rules=(Rule(purpose="care"),), keys=KEYS))
    for number in range(1000):
        access.decide(ANN, "bank", 3, "champion", f"invented {number}", NOON)
    assert len(access._fitting) == 1


@pytest.mark.parametrize(
    ("rules", "headers", "expected"),
    [
        ((), {}, True),
        ((Rule(caller="ann"),), {}, True),
        ((Rule(caller="anonymous", allow=False),), {}, True),
        ((Rule(role="caller"),), {}, True),
        ((Rule(model="other", purpose="care"),), {}, False),  # what it asks for is not known yet
        ((Rule(caller="anonymous", purpose="care"),), {}, False),
        ((Rule(),), {b"x-api-key": b"made up"}, True),
    ],
)
def test_a_stranger_is_known_before_its_request_is_read(rules: Any, headers: Any, expected: bool) -> None:
    assert compile_policy(Policy(rules=rules, keys=KEYS)).is_stranger(headers, NOON) is expected
    assert not compile_policy(Policy(rules=rules)).is_stranger(headers, NOON)


def test_long_names_that_strangers_invent_take_no_memory() -> None:
    access = compile_policy(Policy(rules=(Rule(model="bank"),), keys=KEYS))
    for number in range(20):
        for model, version in ((f"{number}" * 30_000, "1"), ("bank", f"{number}" * 30_000)):
            assert access.decide(ANONYMOUS, model, version, "", "", NOON).status in (200, 401)
    assert len(access._fitting) == 0


@pytest.mark.parametrize(
    ("rule", "says", "hint"),
    [
        (Rule(days="mon-fry"), "`fry` is no day", "did you mean `fri`"),
        (Rule(days=""), "is no day", "mon-fri"),
        (Rule(hours="8-18"), "window of the day", "08:00-18:00"),
        (Rule(hours="08:00-25:00"), "window of the day", "08:00-18:00"),
        (Rule(hours="08:00-08:00"), "window of the day", "08:00-18:00"),
        (Rule(hours="08:61-09:00"), "window of the day", "08:00-18:00"),
        (Rule(caller=""), "`caller` is empty", "write \\*"),
        (Rule(quota=0), "`quota`: got 0", "allow = false"),
        (Rule(quota=5, allow=False), "denies, and has a quota", "leave"),
        (Rule(since=dt.datetime(2026, 1, 1)), "without a zone", "Z"),
        (Rule(since=MAY, until=MAY), "never", "exchange"),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_be_understood_is_named_with_a_hint(rule: Rule, says: str, hint: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        check_policy(Policy(rules=(ALLOW, rule)), where="palio.toml")
    assert "palio.toml, rule 1" in caught.value.message
    assert caught.match(hint)


DIMENSIONS = st.sampled_from(["*", "a", "b"])
RULES = st.builds(Rule, allow=st.booleans(), caller=DIMENSIONS, role=DIMENSIONS, version=DIMENSIONS, purpose=DIMENSIONS)


@given(
    st.lists(RULES, max_size=6),
    st.sampled_from("ab"),
    st.sampled_from("ab"),
    st.sampled_from("ab"),
    st.sampled_from("abc"),
)
def test_working_a_policy_out_changes_no_answer(
    rules: list[Rule], caller: str, role: str, version: str, purpose: str
) -> None:
    access = compile_policy(Policy(rules=tuple(rules), keys=KEYS))
    asked = {"caller": caller, "role": role, "version": version, "purpose": purpose}
    plainly = next(
        (rule.allow for rule in rules if all(getattr(rule, name) in ("*", asked[name]) for name in asked)), False
    )
    for _ in range(2):  # the second answer comes from memory
        assert access.decide(Caller(caller, role), "m", version, "champion", purpose, NOON).allowed is plainly


def test_telling_truths_needs_a_rule_that_names_it_once_there_are_keys() -> None:
    anything, truths = Rule(caller="web"), Rule(caller="labels", purpose="feedback")
    open_to_all = compile_policy(Policy(rules=(anything,)))
    assert open_to_all.decide(ANONYMOUS, "bank", 1, "champion", "feedback", 0.0).allowed, "there are no keys"
    access = compile_policy(Policy(rules=(anything, truths), keys=KEYS))

    def may(name: str, purpose: str) -> bool:
        return access.decide(Caller(name, "caller"), "bank", 1, "champion", purpose, 0.0).allowed

    assert may("web", "") and not may("web", "feedback")
    assert may("labels", "feedback") and not may("labels", "")
