"""How columns may become features: what a family asks for, and what may be tuned."""

from __future__ import annotations

from typing import Literal

import msgspec

Style = Literal["tree", "forest", "linear"]
Operation = Literal["ratio", "difference", "product", "days", "missing"]
Encode = Literal["none", "target", "count", "both"]


class Derived(msgspec.Struct, frozen=True, kw_only=True):
    """A number that is made of several columns of a row.

    Example:
        >>> Derived(operation="ratio", columns=("price", "area")).name
        'price / area'
    """

    operation: Operation
    """`ratio`, `difference`, `product` of two numbers, `days` between two moments, or how many cells are `missing`."""
    columns: tuple[str, ...]
    """Two columns, for `missing` one or more."""

    @property
    def name(self) -> str:
        """Name of the feature."""
        if self.operation == "missing":
            return "missing cells"
        if self.operation == "days":
            return f"days from {self.columns[1]} to {self.columns[0]}"
        sign = {"ratio": "/", "difference": "-", "product": "*"}[self.operation]
        return f"{self.columns[0]} {sign} {self.columns[1]}"


class PreprocessingOptions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What may be tuned; the defaults suit most tables."""

    min_count: int = 5
    """A value seen in fewer rows is rare: all rare values, and those never seen, share one code."""
    max_categories: int = 100
    """Values of a column that keep a code of their own, most frequent first."""
    one_hot_limit: int = 12
    """Style `forest`: a column with more values becomes one ordered code instead of an indicator per value."""
    twins: bool = True
    """Style `linear`: a heavy-tailed column enters a second time, as its signed logarithm."""
    encode: Encode = "target"
    """What else is said of a category of many values: the mean `target` of its rows, how many there are, or both.

    Style `forest` then takes it in place of the ordered code, which knows the row's own truth.
    """
    encode_from: int = 100
    """Categories of more values than this are encoded; of fewer, codes tell as much (LOG.md: features of columns)."""
    days: bool = True
    """The days between two moments of a row are features, if there are not too many pairs of moments."""
    derived: tuple[Derived, ...] = ()
    """Numbers to make of several columns."""
    texts: bool = True
    """Texts become numbers: directions, scores and facts (see `palio.model.text.features`)."""
