"""Numbers and dates as features: fill what is missing, cut extremes, standardise."""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from palio.model.graph.builder import GraphBuilder
from palio.model.tabular.dates import Calendar

HEAVY_TAIL = 10.0
"""A column is heavy-tailed if its range is more than this many times the range of its middle 90 %."""
MARGIN = 0.25
"""How far outside the seen range, in parts of it, a value may act on a linear model."""
FOREST_MAX = 1e30
"""Larger values are cut to this: scikit-learn reads float32, and adds all values up to see that they are finite."""


class NumberSpec(msgspec.Struct, frozen=True, kw_only=True):
    """How one number, or one part of a date, becomes a feature."""

    column: str
    part: str = ""
    """Part of a date (see `palio.model.tabular.dates`); empty for a plain number."""
    fill: float = 0.0
    """Takes the place of a missing value (not in style `tree`)."""
    indicator: bool = False
    """Missing values were seen: a feature of its own says so (not in style `tree`)."""
    low: float = 0.0
    high: float = 0.0
    """Values are cut to [low, high] (style `linear`)."""
    center: float = 0.0
    scale: float = 1.0
    twin: tuple[float, float, float] | None = None
    """(unit, center, scale) of the signed logarithm sign(x) · log(1 + |x| / unit)."""

    @property
    def feature_name(self) -> str:
        """Name of the feature."""
        return f"{self.column}:{self.part}" if self.part else self.column

    @property
    def twin_name(self) -> str:
        """Name of the signed logarithm."""
        return f"log {self.feature_name}"

    @property
    def indicator_name(self) -> str:
        """Name of the feature that says that the value is missing."""
        return f"{self.column} is missing"


def fit_number(
    column: str, part: str, values: npt.NDArray[np.float64], *, style: str, twins: bool
) -> NumberSpec | None:
    """Learn one feature from `values`, shape (n,), NaN where missing; None if all rows are alike."""
    known = values[np.isfinite(values)]
    has_missing = bool(np.isnan(values).any())
    if known.size == 0 or (known.min() == known.max() and not has_missing):
        return None
    indicator = has_missing and style != "tree" and part in ("", "year")
    if style != "linear":
        return NumberSpec(column=column, part=part, fill=float(np.median(known)), indicator=indicator)
    return _fit_linear(column, part, known, indicator=indicator, twins=twins)


def _fit_linear(column: str, part: str, known: npt.NDArray[np.float64], *, indicator: bool, twins: bool) -> NumberSpec:
    known = np.clip(known, -1e150, 1e150)  # so that squares stay finite
    fill, low, high = float(np.median(known)), float(known.min()), float(known.max())
    p5, p95 = (float(q) for q in np.quantile(known, [0.05, 0.95]))
    middle = p95 - p5
    heavy = twins and not part and high - low > HEAVY_TAIL * middle
    twin = None
    if heavy:
        sizes = np.abs(known[known != 0])
        unit = float(np.median(sizes))
        logs = np.sign(known) * np.log1p(np.abs(known) / unit)
        l5, l95 = (float(q) for q in np.quantile(logs, [0.05, 0.95]))
        if middle == 0 or logs.max() - logs.min() <= HEAVY_TAIL * (l95 - l5):  # else logarithms do not tame it
            twin = (unit, float(logs.mean()), _positive(float(logs.std())))
        if middle > 0:
            low, high = max(low, p5 - 3 * middle), min(high, p95 + 3 * middle)
    margin = MARGIN * (high - low)
    cut = np.clip(known, low - margin, high + margin)
    return NumberSpec(
        column=column,
        part=part,
        fill=fill,
        indicator=indicator,
        low=low - margin,
        high=high + margin,
        center=float(cut.mean()),
        scale=_positive(float(cut.std())),
        twin=twin,
    )


def _positive(scale: float) -> float:
    return scale if scale > 0 and np.isfinite(scale) else 1.0


def emit_raw(builder: GraphBuilder, sources: list[tuple[str, str]]) -> str:
    """Join numbers, then parts of dates, into one float64 (n, len(sources)) tensor.

    Args:
        builder: Takes the nodes.
        sources: (column, part): numbers (no part) first, then the columns of one part after the other.
    """
    blocks = [builder.input(column) for column, part in sources if not part]
    dated = list(dict.fromkeys(column for column, part in sources if part))
    if dated:
        places = {column: place for place, column in enumerate(dated)}
        calendar = Calendar(builder, builder.concat([builder.input(column) for column in dated]))
        for part in dict.fromkeys(part for _, part in sources if part):
            columns = [column for column, wanted in sources if wanted == part]
            tensor = calendar.part(part)
            blocks.append(tensor if columns == dated else builder.columns(tensor, [places[c] for c in columns]))
    return builder.concat(blocks)


def names_of(specs: tuple[NumberSpec, ...]) -> tuple[str, ...]:
    """Name the features of `specs`: values, then twins, then indicators of missing values."""
    twins = (spec.twin_name for spec in specs if spec.twin)
    missing = (spec.indicator_name for spec in specs if spec.indicator)
    return (*(spec.feature_name for spec in specs), *twins, *missing)


def emit_numbers(builder: GraphBuilder, specs: tuple[NumberSpec, ...], style: str) -> list[str]:
    """Add the nodes of `specs`; return blocks of features: values, then twins, then indicators of missing values."""
    return emit_known(builder, emit_raw(builder, [(s.column, s.part) for s in specs]), specs, style) if specs else []


def emit_known(builder: GraphBuilder, raw: str, specs: tuple[NumberSpec, ...], style: str) -> list[str]:
    """Do the same for numbers that stand in a tensor, float64 (n, len(specs)), NaN where missing."""
    if style == "tree":
        return [raw]
    is_missing = builder.node("IsNaN", raw)
    filled = builder.node("Where", is_missing, builder.constant([s.fill for s in specs]), raw)
    if style == "forest":
        blocks = [builder.node("Clip", filled, builder.constant(-FOREST_MAX), builder.constant(FOREST_MAX))]
    else:
        blocks = _emit_standardised(builder, filled, specs)
    indicators = [index for index, spec in enumerate(specs) if spec.indicator]
    if indicators:
        blocks.append(builder.columns(builder.cast(is_missing, "double"), indicators))
    return blocks


def _emit_standardised(builder: GraphBuilder, filled: str, specs: tuple[NumberSpec, ...]) -> list[str]:
    def vector(name: str) -> str:
        return builder.constant([getattr(spec, name) for spec in specs])

    cut = builder.node("Min", builder.node("Max", filled, vector("low")), vector("high"))
    blocks = [builder.node("Div", builder.node("Sub", cut, vector("center")), vector("scale"))]
    twins = [(index, spec.twin) for index, spec in enumerate(specs) if spec.twin]
    if twins:
        finite = builder.node("Clip", filled, builder.constant(-1e300), builder.constant(1e300))
        chosen = builder.columns(finite, [index for index, _ in twins])
        unit, center, scale = (builder.constant([twin[k] for _, twin in twins]) for k in range(3))
        size = builder.node(
            "Log", builder.node("Add", builder.node("Div", builder.node("Abs", chosen), unit), builder.constant(1.0))
        )
        signed = builder.node("Mul", builder.node("Sign", chosen), size)
        blocks.append(builder.node("Div", builder.node("Sub", signed, center), scale))
    return blocks
