"""What is looked up of pictures before any is decoded."""

from __future__ import annotations

import polars as pl
import pytest

from palio import pixels
from palio.core.errors import InputError
from palio.core.records import Task
from palio.train.deep import pictured
from palio.train.examples import Examples
from tests.train.deep.small_backbones import picture_examples

TASK = Task(kind="classification", target="y", classes=("no", "yes"), positive="yes")


def test_the_side_of_pictures_is_told_without_decoding_them() -> None:
    examples = picture_examples(TASK, n_rows=20)
    cut = [cell[: len(cell) // 2] for cell in examples.frame.get_column("picture").to_list()]
    with pytest.raises(InputError):
        pixels.decoded(cut[0])
    broken = Examples(pl.DataFrame({"picture": cut}), examples.target, examples.schema, TASK)
    assert pictured.small_side(broken) == pictured.small_side(examples) == 36
