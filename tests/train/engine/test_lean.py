from __future__ import annotations

import subprocess
import sys

import pytest

BOTH = """
import sys
from palio.train.engine import lean
lean.load({family!r})
print({family!r} in sys.modules, [name for name in ("pandas", "sklearn") if name in sys.modules])
import numpy, {family}
lean.let_go()
import {family}, sklearn
print({whole})
"""


def said(script: str) -> list[str]:
    """Run a script in a process of its own: what is loaded here already cannot be loaded lean."""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("family", "whole"),
    [
        ("lightgbm", "lightgbm.LGBMClassifier(verbose=-1).fit([[0.0], [1.0]] * 30, [0, 1] * 30).n_classes_"),
        ("xgboost", "xgboost.XGBClassifier(n_estimators=2).fit([[0.0], [1.0]] * 30, [0, 1] * 30).n_classes_"),
    ],
)
def test_a_library_comes_without_what_is_not_needed_and_whole_to_who_asks_later(family: str, whole: str) -> None:
    lean, loaded_later = said(BOTH.format(family=family, whole=whole))
    assert lean == "True []"
    assert loaded_later == "2"


def test_families_without_such_a_library_load_nothing() -> None:
    script = "import sys; from palio.train.engine import lean; n = len(sys.modules); lean.load('linear')"
    assert said(f"{script}; print(len(sys.modules) == n)") == ["True"]


def test_what_was_hidden_and_what_was_loaded_before_can_be_had_afterwards() -> None:
    script = "import sys, pandas; from palio.train.engine import lean; lean.load('lightgbm'); import sklearn.base"
    assert said(f"{script}; print(sys.modules['pandas'] is pandas)") == ["True"]
