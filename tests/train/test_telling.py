"""What is said of a trial while others go on."""

from __future__ import annotations

from typing import Any

from palio.train.orders import Word
from palio.train.race import Candidate
from palio.train.telling import Teller, sentence_of
from tests.flow.heard import Heard


def said(**facts: Any) -> str:
    made = Candidate(number=13, family="xgboost", asked=facts.pop("asked", {}), seed=0)
    for name, value in facts.items():
        setattr(made, name, value)
    return sentence_of(made, "roc_auc")


def test_a_fault_is_called_one_and_an_attempt_that_does_not_pay_is_not() -> None:
    assert said(failed=True, reason="it crashed") == "Trial 13, xgboost: failed, it crashed."
    assert said(failed=True, reason="none helps", asked={"made": True}) == "Trial 13, xgboost: ended, none helps."
    assert said(was_ended=True, reason="its time was over") == "Trial 13, xgboost: ended, its time was over."


def words(*steps: int, is_long: bool = False) -> list[str]:
    heard = Heard()
    teller = Teller(heard, "accuracy")
    for step in steps:
        word = {"epoch": 0, "n_epochs": 2, "step": step, "n_steps": 400, "loss": 0.5, "watched": None, "score": None}
        teller.tell(Word(number=1, eta_s=60.0, **word), "cnn", is_long=is_long)
    return heard.said


def test_who_says_its_first_word_when_its_pace_is_known_does_not_go_on_from_before() -> None:
    assert words(2, 3, is_long=True)[0].startswith("cnn: 2 epochs in about 60 s, ends at ")
    assert "going on" not in words(2, is_long=True)[0]
    assert words(2, 3) == [], "a short one is shown where it is live, and told when it is done"
    assert words(37)[0].endswith(", going on at step 38 of 400.")
