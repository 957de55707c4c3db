from __future__ import annotations

import subprocess
import sys

import pytest

from palio import truth
from palio.core.doors import door


def test_a_name_is_imported_when_it_is_asked_for_and_then_stays() -> None:
    code = (
        "import sys, palio.measure as room; assert 'numpy' not in sys.modules and 'wilson' not in vars(room); "
        "room.wilson; assert 'numpy' in sys.modules and 'wilson' in vars(room)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_name_that_the_room_does_not_give_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match=r"module 'palio\.truth' has no attribute 'labeled'"):
        truth.labeled  # noqa: B018
    assert not hasattr(truth, "polars")


def test_names_behind_no_module_are_modules() -> None:
    find, _, names = door("palio.core", {"": "clock ids", "seeds": "derive"})
    assert find("clock").__name__ == "palio.core.clock"
    assert names == ["clock", "derive", "ids"]


def test_a_room_lists_its_names_before_they_are_imported() -> None:
    code = (
        "import palio.truth as room; assert {'labelled', 'Gatherer', '__doc__'} <= set(dir(room)); "
        "from palio.truth import *; labelled"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
