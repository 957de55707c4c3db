"""Golden rows tell: extremes, missing and unknown values are among them, and they survive their file."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palio.core.errors import IntegrityError
from palio.model import Graph, make_golden
from palio.model.bundle.golden import MAX_ROWS, decode_golden, encode_golden


def test_golden_rows_hold_extremes_missing_and_unknown_values(champion: Any) -> None:
    golden = make_golden(Graph(champion.graph), champion.frame, champion.schema)
    amounts = golden.feeds["amount"][:, 0]
    assert len(amounts) <= MAX_ROWS
    assert np.nanmin(amounts) == champion.frame["amount"].min()
    assert np.nanmax(amounts) == champion.frame["amount"].max()
    assert np.isnan(amounts).any()
    assert {"", "never seen"} <= set(golden.feeds["colour"][:, 0].tolist())


def test_golden_rows_survive_their_file_bit_by_bit(champion: Any) -> None:
    golden = make_golden(Graph(champion.graph), champion.frame, champion.schema)
    data = encode_golden(golden)
    again = decode_golden(data)
    assert encode_golden(again) == data
    np.testing.assert_array_equal(again.outputs.probabilities, golden.outputs.probabilities)


def test_a_short_frame_gives_few_golden_rows(champion: Any) -> None:
    golden = make_golden(Graph(champion.graph), champion.frame.head(1), champion.schema)
    assert len(golden.outputs.prediction) == 3


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b'{"inputs": {}, "outputs": {}}',
        b'{"inputs":{"x":{"datatype":"FP64","shape":[9],"data":[1]}},"outputs":{}}',
    ],
)
def test_bytes_that_are_no_golden_rows_are_refused(data: bytes) -> None:
    with pytest.raises(IntegrityError, match=r"golden\.json"):
        decode_golden(data)
