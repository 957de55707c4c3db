"""What every kind of cell must keep, as tests that its author subclasses; and cells and columns to try things on."""

from __future__ import annotations

import math
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from palio.core.cells import FORM, MISSING, MISSING_VALUE, CellReader, Kind, Read, kind_of
from palio.core.records import Column, ColumnType

BLANKS = st.text(" \t\n\u00a0\u2009", max_size=3)
_WORDS = (
    "a",
    "A",
    "New York",
    "new  york",
    "1",
    "1.0",
    "01",
    "-1",
    "yes",
    "No",
    "true",
    "none",
    "NA",
    "?",
    "é",
    "価格",
)
_PAIRS = (("yes", "no"), ("true", "false"), ("Ja", "Nein"), ("1", "0"), ("false", "true"))
_FORMS = (None, "%d/%m/%Y", "%m/%d/%y", "%Y-%m-%d", "%Y%m%d", "%Y", "%b %d, %Y", "epoch", "excel", "%Y-Q%q", "%G-W%V")
_MARKS = (None, None, (), ("-999",), ("?", "x", "0"), ("none", "1"))
_POLICIES = st.sampled_from(("accept", "flag", "reject"))
# one suite is run for many kinds; of boxes, few cells that are drawn can be read
_tries = settings(
    suppress_health_check=(HealthCheck.differing_executors, HealthCheck.filter_too_much), max_examples=50, deadline=None
)


def columns_of(kind: ColumnType) -> st.SearchStrategy[Column]:
    """Draw contracts of one column: ranges, categories, marks, decimal, unit, form and policies."""
    common: dict[str, st.SearchStrategy[Any]] = {
        "name": st.just("x"),
        "type": st.just(kind),
        "missing": st.sampled_from(_MARKS),
        "on_missing": _POLICIES,
        "on_out_of_range": _POLICIES,
        "on_unknown": _POLICIES,
    }
    own: dict[str, st.SearchStrategy[Any]] = {}
    if kind in ("number", "integer"):
        end = st.none() | st.integers(-2000, 2000).map(float)
        own = {
            "decimal": st.sampled_from(".,"),
            "unit": st.sampled_from(("", "", "kg", "%", "€")),
            "low": end,
            "high": end,
        }
    elif kind == "datetime":
        end = st.none() | st.integers(-3_000_000_000, 3_000_000_000).map(float)
        own = {"format": st.sampled_from(_FORMS), "low": end, "high": end}
    elif kind == "category":
        some = st.lists(st.sampled_from(_WORDS), unique=True, max_size=6).map(tuple)
        own = {"categories": st.none() | some | st.sampled_from(_PAIRS), "fold": st.booleans()}
    elif kind == "boolean":
        own = {"categories": st.sampled_from((None, ("true", "false"), ("false",)))}
    return st.fixed_dictionaries(common | own).map(_column)


def _column(fields: dict[str, Any]) -> Column:
    if None not in (fields.get("low"), fields.get("high")):
        fields["low"], fields["high"] = sorted((fields["low"], fields["high"]))
    return Column(**fields)


def cells_of(column: Column) -> st.SearchStrategy[Any]:
    """Draw cells that JSON could hold, and that are likely to be read, misread or refused in a column."""
    hard = kind_of(column).hard(column)
    known = (*(column.categories or ()), *(column.missing or MISSING))
    near = [end for end in (column.low, column.high) if end is not None]
    edges = [value for end in near for value in (end, end - 1, end + 1, end + 0.5)]
    texts = st.sampled_from([*known, *map(str, edges), *(cell for cell in hard if isinstance(cell, str))])
    return st.one_of(
        st.sampled_from(hard),
        st.tuples(BLANKS, texts, BLANKS).map("".join),
        st.sampled_from([*edges, 0, 0.0, -999, -999.0, 1, None]),
        st.booleans(),
        st.integers() | st.integers(-(10**30), 10**30),
        st.floats(),
        st.text(max_size=20),
    )


def _about(column: Column, value: float) -> Any:
    """Stand for a number as it is shown: moments to the microsecond, others with twelve digits."""
    return pytest.approx(value, abs=2e-6) if column.type == "datetime" else pytest.approx(value, rel=1e-11)


class CellContract:
    """Subclass it, say which type of column, and pytest asks for everything that the doors rely on.

    Example:
        >>> class TestMine(CellContract):
        ...     type = "number"
    """

    __test__ = False
    type: ColumnType

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        cls.__test__ = True

    def columns(self) -> st.SearchStrategy[Column]:
        """Draw contracts of a column of this kind; override it for a kind that knows other words."""
        return columns_of(self.type)

    def kind(self) -> Kind:
        """Return the kind to be tested."""
        return kind_of(Column(name="x", type=self.type))

    @_tries
    @given(st.data())
    def test_a_value_is_text_or_a_finite_number_as_the_kind_says(self, data: st.DataObject) -> None:
        column = data.draw(self.columns())
        value = CellReader(column).read(data.draw(cells_of(column))).value
        if value is None:
            return
        assert type(value) is (str if self.kind().carries_text else float)
        assert not isinstance(value, float) or math.isfinite(value)

    @_tries
    @given(st.data())
    def test_no_cell_breaks_the_reader(self, data: st.DataObject) -> None:
        reader = CellReader(data.draw(self.columns()))
        leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
        nested = st.lists(leaves, max_size=3) | st.dictionaries(st.text(), leaves, max_size=3)
        assert reader.read(data.draw(nested | st.binary())) == Read(None, (), "type")
        reader.read(data.draw(leaves))
        reader.read(
            data.draw(st.sampled_from((10**5000, -(10**400), "9" * 5000, "1 " * 3000, "x" * 20_000, "\0", "\ud800")))
        )

    @_tries
    @given(st.data())
    def test_what_is_missing_or_refused_has_no_value_but_for_policies(self, data: st.DataObject) -> None:
        column = data.draw(self.columns())
        value, flags, problem = CellReader(column).read(data.draw(cells_of(column)))
        policies = {"missing": column.on_missing, "range": column.on_out_of_range, "category": column.on_unknown}
        if problem in policies:
            assert policies[problem] == "reject"
        elif problem == "type":
            assert (value, flags) == (None, ())
        elif value is None:
            assert flags == ((MISSING_VALUE,) if column.on_missing == "flag" else ())
            assert column.missing_allowed

    @_tries
    @given(st.data())
    def test_what_was_read_is_read_again_as_it_is(self, data: st.DataObject) -> None:
        column = data.draw(self.columns())
        reader = CellReader(column)
        value, flags, problem = reader.read(data.draw(cells_of(column)))
        assume(value is not None)
        assert value is not None
        if column.type == "datetime":  # a column may count moments in another unit than they are held in
            value = reader.read(reader.kind.show(value)).value
            assert reader.read(reader.kind.show(value or 0.0)).value == value
            return
        assert reader.read(value) == Read(value, tuple(flag for flag in flags if flag != FORM), problem)

    @_tries
    @given(st.data())
    def test_what_is_shown_is_read_as_what_it_shows(self, data: st.DataObject) -> None:
        column = data.draw(self.columns())
        reader = CellReader(column)
        value = reader.read(data.draw(cells_of(column))).value
        assume(value is not None and column.decimal == ".")
        assert value is not None
        again, flags, _ = reader.read(reader.kind.show(value))
        assert again == (value if isinstance(value, str) else _about(column, value))
        assert FORM not in flags

    @_tries
    @given(st.data())
    def test_blanks_around_a_cell_change_nothing(self, data: st.DataObject) -> None:
        column = data.draw(self.columns())
        cell = data.draw(cells_of(column).filter(lambda cell: isinstance(cell, str)))
        reader = CellReader(column)
        assert reader.read(data.draw(BLANKS) + cell + data.draw(BLANKS)) == reader.read(cell)

    @_tries
    @given(st.data())
    def test_a_number_is_the_same_whole_or_not(self, data: st.DataObject) -> None:
        column = data.draw(self.columns())
        number = data.draw(st.integers(-(2**53), 2**53) | st.sampled_from((0, 1, -999, 2020, 20200101, 44000)))
        reader = CellReader(column)
        assert reader.read(number) == reader.read(float(number))

    @_tries
    @given(st.data())
    def test_a_plain_cell_is_one_that_the_reader_gives_back(self, data: st.DataObject) -> None:
        column = data.draw(self.columns())
        reader = CellReader(column)
        kind = str if self.kind().carries_text else float
        cell = data.draw(cells_of(column).filter(lambda cell: isinstance(cell, kind)))
        if reader.is_plain()(cell):
            assert reader.read(cell) == Read(cell)

    @_tries
    @given(st.data())
    def test_the_usual_cells_are_plain(self, data: st.DataObject) -> None:
        column = data.draw(self.columns())
        reader = CellReader(column)
        for known in column.categories or ():
            assert reader.is_plain()(known) == (reader.read(known) == Read(known))
        if self.type in ("number", "integer"):
            low = -sys.float_info.max if column.low is None else column.low
            inside = data.draw(st.floats(low, sys.float_info.max if column.high is None else column.high))
            assert reader.is_plain()(inside) == (reader.read(inside) == Read(inside))

    @_tries
    @given(st.data())
    def test_hard_cells_tell_what_is_read_what_is_missing_and_what_is_refused(self, data: st.DataObject) -> None:
        reader = CellReader(data.draw(self.columns()))
        found = [reader.read(cell) for cell in reader.kind.hard(reader.column)]
        assert any(read.value is not None for read in found)
        assert any(read.value is None and read.problem in ("", "missing") for read in found)

    @_tries
    @given(st.data())
    def test_it_says_what_it_wants(self, data: st.DataObject) -> None:
        assert self.kind().describe(data.draw(self.columns()))
        assert self.kind().expected
