"""What hurts is not the world's fault while an input is broken."""

from __future__ import annotations

import datetime as dt
from typing import Any

from palio.core.blame import blamed, broken_meanwhile
from palio.core.monitoring import Finding

NOON = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def finding(kind: Any, subject: str, *, begin: int = 0, end: int = 3, **more: Any) -> Finding:
    given: dict[str, Any] = {"severity": "warn", "model": "m", "version": 1, "reason": "", "measure": "", "effect": 1.0}
    given |= {"since": NOON + begin * HOUR, "until": NOON + end * HOUR, "n_rows": 100}
    return Finding(id=f"{kind}-{subject}", kind=kind, subject=subject, **given | more)


def test_a_fall_of_quality_names_the_inputs_that_were_broken_meanwhile() -> None:
    fall = finding("quality", "accuracy", severity="page")
    others = [finding("missing", "distance"), finding("unit", "weight", begin=1, end=5), finding("drift", "weight")]
    assert [one.subject for one in broken_meanwhile(fall, others)] == ["weight", "distance"]
    told, *_ = blamed([fall, others[0]], others[1:])
    assert "`weight` in another unit and `distance` missing" in told.consequence


def test_what_was_broken_at_another_time_or_elsewhere_or_hardly_is_not_blamed() -> None:
    fall = finding("quality", "accuracy", segment="region = north")
    before, elsewhere = finding("unit", "weight", begin=-3, end=0), finding("unit", "weight", segment="region = south")
    hardly, older = finding("missing", "weight", severity="note"), finding("unit", "weight", version=0)
    assert broken_meanwhile(fall, [before, elsewhere, hardly, older]) == []
    assert blamed([fall], [before]) == (fall,)


def test_what_hurt_long_before_and_after_an_input_was_broken_hurts_by_itself() -> None:
    fall = finding("quality", "accuracy", end=20)
    assert broken_meanwhile(fall, [finding("unit", "weight", begin=9, end=12)]) == []
    assert broken_meanwhile(fall, [finding("unit", "weight", begin=9, end=19)]) != []


def test_a_movement_is_no_consequence() -> None:
    assert broken_meanwhile(finding("drift", "age"), [finding("unit", "weight")]) == []
