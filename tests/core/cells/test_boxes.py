"""What a cell of boxes says, and what it does not accept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palio.core.cells import CellReader, boxes_of, cell_of, kind_of
from palio.core.records import Box, Column

PLACES = st.floats(-1e6, 1e6)
SIZES = st.floats(1e-3, 1e6)


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    left, top, width, height = draw(PLACES), draw(PLACES), draw(SIZES), draw(SIZES)
    label, score = draw(st.text(max_size=9)), draw(st.none() | st.floats(0, 1))
    return Box(label=label, box=(left, top, left + width, top + height), score=score, ignored=draw(st.booleans()))


@given(st.lists(boxes(), max_size=5))
def test_boxes_come_back_bit_for_bit(given: list[Box]) -> None:
    assert boxes_of(cell_of(given)) == tuple(given)


@pytest.mark.parametrize(
    "cell",
    [
        "",
        "{}",
        "[1, 2, 3, 4]",
        '[{"label": "a"}]',
        '[{"label": 3, "box": [0, 0, 1, 1]}]',
        '[{"label": "a", "box": [0, 0, 1]}]',
        '[{"label": "a", "box": [5, 0, 1, 1]}]',
        '[{"label": "a", "box": [0, 0, 0, 1]}]',
        '[{"label": "a", "box": [0, 0, NaN, 1]}]',
        '[{"label": "a", "box": [0, 0, 1, 1], "score": 7}]',
        "[" * 10_000,
    ],
)
def test_what_is_no_list_of_boxes_is_refused(cell: str) -> None:
    with pytest.raises(ValueError):
        boxes_of(cell)


def test_however_a_list_is_written_it_is_one_cell() -> None:
    read = CellReader(Column(name="boxes", type="boxes")).read
    written = '[ {"box": [0, 0, 1, 2], "label": "cat"} ]'
    assert read(written) == read(cell_of(boxes_of([{"label": "cat", "box": [0, 0, 1, 2]}])))


def test_spellings_that_are_one_become_one_where_the_contract_says_so() -> None:
    cell = '[{"label":"Car ","box":[0,0,1,1]},{"label":"dog","box":[0,0,2,2]}]'
    column = Column(name="boxes", type="boxes", categories=("car", "Car "), fold=True)
    read = kind_of(column).parser(column)(cell)
    assert read is not None
    assert [one.label for one in boxes_of(str(read.value))] == ["car", "dog"]
    plain = Column(name="boxes", type="boxes", categories=("car", "Car "))
    read = kind_of(plain).parser(plain)(cell)
    assert read is not None
    assert [one.label for one in boxes_of(str(read.value))] == ["Car ", "dog"]
