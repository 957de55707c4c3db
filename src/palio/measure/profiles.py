"""Read the description of rows, also as snapshots and bundles kept it before columns were described by one record."""

from __future__ import annotations

import msgspec

from palio.core.records import ColumnShape, ColumnType, Description, Record

_NUMERIC = ("number", "integer", "datetime")
_CATEGORICAL = ("category", "boolean")


class _ColumnProfile(Record, frozen=True, kw_only=True):
    name: str
    type: ColumnType
    n_rows: int
    n_missing: int
    n_distinct: int | None = None
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    standard_deviation: float | None = None
    edges: tuple[float, ...] = ()
    """All edges: the smallest value, those between bins, the largest value."""
    counts: tuple[int, ...] = ()
    top: tuple[tuple[str, int], ...] = ()


class _Profile(Record, frozen=True, kw_only=True):
    n_rows: int
    columns: tuple[_ColumnProfile, ...]


def decode_description(data: bytes) -> Description:
    """Read a description, or an old profile as one.

    Raises:
        msgspec.MsgspecError: it is neither.
    """
    try:
        return msgspec.json.decode(data, type=Description)
    except msgspec.ValidationError as error:
        try:
            old = msgspec.json.decode(data, type=_Profile)
        except msgspec.ValidationError:
            raise error from None
    return Description(n_rows=old.n_rows, columns=tuple(map(_shape_of, old.columns)))


def _shape_of(old: _ColumnProfile) -> ColumnShape:
    n_known = old.n_rows - old.n_missing
    edges, values, counts = old.edges[1:-1], tuple(value for value, _ in old.top), tuple(n for _, n in old.top)
    if old.type in _NUMERIC:
        values = tuple(sorted(values, key=float)) if len(values) == len(old.counts) else ()
        counts = old.counts or (n_known,)
    else:
        edges, counts = (), (*counts, n_known - sum(counts))
    return ColumnShape(
        name=old.name,
        source=old.name,
        kind="number" if old.type in _NUMERIC else "category" if old.type in _CATEGORICAL else "text",
        edges=edges,
        values=values,
        counts=(*counts, old.n_missing),
        n_distinct=old.n_distinct,
        low=old.low if old.low is not None or not old.edges else old.edges[0],
        high=old.high if old.high is not None or not old.edges else old.edges[-1],
        mean=old.mean,
        standard_deviation=old.standard_deviation,
        is_moment=old.type == "datetime",
    )
