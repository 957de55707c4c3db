"""What arrives as a tensor is held to the contract of its column."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palio.core.errors import ContractError
from palio.core.records import Column
from palio.serve.protocols.guards import guard_of


@pytest.mark.parametrize(
    ("limits", "allowed"),
    [({"low": 1}, "at least 1"), ({"high": 3}, "at most 3"), ({"low": 1, "high": 3}, "between 1 and 3")],
)
def test_a_number_out_of_range_is_refused_also_where_one_end_is_open(limits: dict[str, Any], allowed: str) -> None:
    check = guard_of(Column(name="n", type="number", on_out_of_range="reject", **limits))
    assert not check(np.array([[2.0], [np.nan]]))
    with pytest.raises(ContractError, match=allowed):
        check(np.array([[0.0], [4.0]]))


def test_a_missing_value_is_flagged_refused_or_usual_as_its_column_says() -> None:
    number, text = np.array([[2.0], [np.nan]]), np.array([["a"], [""]], dtype=object)
    flagged = [
        guard_of(Column(name="n", type="number", low=0, on_missing="flag"))(number),
        guard_of(Column(name="c", type="category", categories=("a",), on_missing="flag"))(text),
    ]
    assert flagged == [["n: missing"], ["c: missing"]]
    for kind, values in (("number", number), ("text", text)):
        assert not guard_of(Column(name="x", type=kind))(values)  # type: ignore[arg-type]
        with pytest.raises(ContractError, match="missing"):
            guard_of(Column(name="x", type=kind, on_missing="reject"))(values)  # type: ignore[arg-type]
