from __future__ import annotations

import subprocess
import sys

import pytest

from palio import train
from palio.core.errors import InputError
from palio.train.table import load_family


def test_every_family_is_found_under_its_name() -> None:
    assert all(load_family(name).name == name for name in train.FAMILIES)


def test_an_unknown_family_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match="did you mean `forest`"):
        load_family("forrest")


def test_importing_the_room_loads_no_heavy_library() -> None:
    code = (
        "import sys, palio.train; print([m for m in ('sklearn', 'lightgbm', 'optuna', 'polars') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
