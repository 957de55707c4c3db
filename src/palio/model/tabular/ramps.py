"""Bend features: each number as a sum of ramps, so that a sum of features can follow any smooth curve."""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from palio.model.graph.builder import GraphBuilder

Numbers = npt.NDArray[np.float64]


class Ramps(msgspec.Struct, frozen=True, kw_only=True):
    """Ramps that rise from 0 to 1 between two values of a feature.

    Example:
        >>> ramps = Ramps(features=(0, 0), starts=(0.0, 1.0), widths=(1.0, 2.0))
        >>> ramps.apply(np.array([[0.5], [2.0]])).tolist()
        [[0.5, 0.5, 0.0], [2.0, 1.0, 0.5]]

    Source: Gorishniy, Rubachev and Babenko 2022 (piecewise linear encoding).
    """

    features: tuple[int, ...]
    """The feature of each ramp."""
    starts: tuple[float, ...]
    widths: tuple[float, ...]

    def apply(self, features: Numbers) -> Numbers:
        """Return features, shape (n_rows, n_features), and the ramps beside them."""
        if not self.features:
            return features
        risen = (features[:, list(self.features)] - np.array(self.starts)) / np.array(self.widths)
        return np.hstack([features, np.clip(risen, 0.0, 1.0)])

    def emit(self, builder: GraphBuilder, features: str) -> str:
        """Add the nodes; return the tensor of features and ramps."""
        if not self.features:
            return features
        chosen = builder.columns(features, list(self.features))
        moved = builder.node("Sub", chosen, builder.constant(self.starts))
        risen = builder.node("Div", moved, builder.constant(self.widths))
        clipped = builder.node("Clip", risen, builder.constant(0.0), builder.constant(1.0))
        return builder.concat([features, clipped])


def fit_ramps(features: Numbers, n_ramps: int, most: int) -> Ramps:
    """Choose ramps for each feature with more than two values: between quantiles, as many rows on each.

    Args:
        features: Shape (n_rows, n_features).
        n_ramps: How many for a feature; fewer than two make none.
        most: How many for all features together.
    """
    low, high = features.min(axis=0), features.max(axis=0)
    is_number = ~((features == low) | (features == high)).all(axis=0)
    numbers = np.flatnonzero(is_number)
    n_ramps = min(n_ramps, most // max(1, len(numbers)))
    found: list[tuple[int, float, float]] = []
    if n_ramps >= 2:
        edges = np.quantile(features[:, numbers], np.linspace(0, 1, n_ramps + 1), axis=0)
        for place, feature in enumerate(numbers):
            knots = np.unique(edges[:, place])
            if len(knots) > 2:
                pairs = zip(knots[:-1], np.diff(knots), strict=True)
                found += [(int(feature), float(s), float(w)) for s, w in pairs if w > 1e-9]
    columns = tuple(zip(*found, strict=True)) if found else ((), (), ())
    return Ramps(features=columns[0], starts=columns[1], widths=columns[2])
