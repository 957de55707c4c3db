"""What is said of a trial while others go on."""

from __future__ import annotations

from typing import Any

from palio.train.race import Candidate
from palio.train.telling import sentence_of


def said(**facts: Any) -> str:
    made = Candidate(number=13, family="xgboost", asked=facts.pop("asked", {}), seed=0)
    for name, value in facts.items():
        setattr(made, name, value)
    return sentence_of(made, "roc_auc")


def test_a_fault_is_called_one_and_an_attempt_that_does_not_pay_is_not() -> None:
    assert said(failed=True, reason="it crashed") == "Trial 13, xgboost: failed, it crashed."
    assert said(failed=True, reason="none helps", asked={"made": True}) == "Trial 13, xgboost: ended, none helps."
    assert said(was_ended=True, reason="its time was over") == "Trial 13, xgboost: ended, its time was over."
