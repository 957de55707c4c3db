"""Hold rows against their contract: what breaks it, in which column, in how many rows, for example where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa

from palio.core.cells import FORM, FRACTION, MISSING, kind_of
from palio.core.errors import ContractError, did_you_mean
from palio.core.records import Column, OnViolation, Schema, Violation
from palio.core.words import counted
from palio.data.cells.evidence import MIXED_SHARE
from palio.data.cells.frame import Cells, clean, read_frame
from palio.data.cells.plain import dtype_of
from palio.data.cells.things import labels_in
from palio.data.source import Skipped, Source

MAX_EXAMPLES = 5
_ONE = {"are": "is", "have": "has", "name": "names", "their": "its"}
_MANY = {word: word for word in _ONE}
_RULES = {FORM: "form", FRACTION: "fraction"}
"""What a flag of the reader is called as a rule."""


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """A batch held against the contract."""

    frame: pl.DataFrame
    """Values in the types of the contract, columns in its order."""
    rejected: pl.Series
    """Which rows must not be taken."""
    reasons: dict[str, pl.Series]
    """`column: rule` → which rows, for the rules that reject."""
    flagged: dict[str, pl.Series] = msgspec.field(default_factory=dict)
    """Column → which rows have something unusual in it, for the rules that flag."""
    violations: tuple[Violation, ...]


class Tally:
    """Add up violations over batches."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Violation] = {}

    def add(self, violations: Sequence[Violation], *, again: bool = False) -> None:
        """Add the violations of one more batch; examples are kept up to five each.

        Args:
            violations: Of the batch.
            again: They were added before and are judged in another way now.
        """
        for new in violations:
            key = (new.column, new.rule)
            old = self._found.get(key)
            if old is not None and not again:
                examples = tuple(dict.fromkeys((*old.examples, *new.examples)))[:MAX_EXAMPLES]
                new = msgspec.structs.replace(new, n_rows=old.n_rows + new.n_rows, examples=examples)
            self._found[key] = new

    @property
    def violations(self) -> tuple[Violation, ...]:
        """All violations, those that reject rows first."""
        return tuple(sorted(self._found.values(), key=lambda v: (v.action != "reject", -v.n_rows, v.column, v.rule)))

    @property
    def rejects(self) -> tuple[Violation, ...]:
        """The violations that reject rows."""
        return tuple(v for v in self.violations if v.action == "reject")


def check_columns(
    schema: Schema, names: Sequence[str], where: str, *, needed: frozenset[str], hint: str = ""
) -> list[Violation]:
    """Hold the columns of a source against the contract; surplus ones are left out.

    Args:
        schema: The contract.
        names: Columns of the source.
        where: Name of the source.
        needed: Columns that must be there.
        hint: What to do where no column of the source looks like a misspelt one.

    Raises:
        ContractError: a needed column is absent.
    """
    known, given = {c.name for c in schema.columns}, set(names)
    absent = [c.name for c in schema.columns if c.name in needed and c.name not in given]
    if absent:
        violations = [Violation(column=name, rule="absent", n_rows=0) for name in absent]
        shown = ", ".join(f"`{name}`" for name in absent[:8]) + (" …" if len(absent) > 8 else "")
        near = did_you_mean(absent[0], [name for name in names if name not in known])
        hint = hint or "add them, or remove them from schema.toml"
        raise ContractError(
            f"{where}: {len(absent):,} of {counted(len(schema.columns), 'column')} of the contract "
            f"{'is' if len(absent) == 1 else 'are'} absent: {shown}",
            hint=f"{hint}; {near}" if near.startswith("did you mean") else hint,
            facts={"violations": msgspec.to_builtins(violations)},
        )
    return [Violation(column=n, rule="surplus", n_rows=0, action="flag") for n in names if n not in known]


def marked(schema: Schema, missing: Sequence[str]) -> Schema:
    """Write the marks of a source into the columns that have none of their own, if they are not the usual ones."""
    if not missing or set(missing) == set(MISSING):
        return schema
    columns = (
        c if c.missing is not None else msgspec.structs.replace(c, missing=tuple(missing)) for c in schema.columns
    )
    return msgspec.structs.replace(schema, columns=tuple(columns))


def read_batch(batch: pa.RecordBatch, columns: Sequence[Column], *, for_model: bool = False) -> list[Cells]:
    """Read a batch as its columns say; a column that is absent is missing in every row."""
    there = [c for c in columns if c.name in set(batch.schema.names)]
    frame = clean(batch.select([c.name for c in there]), there)
    read = dict(zip((c.name for c in there), read_frame(frame, there, for_model=for_model), strict=True))
    n = batch.num_rows
    for column in columns:
        if column.name not in read:
            nothing = pl.Series([None], dtype=pl.String).new_from_index(0, n)
            read[column.name] = Cells(nothing, nothing.cast(dtype_of(column, for_model=for_model)))
    return [read[c.name] for c in columns]


def check(
    cells: Sequence[Cells],
    schema: Schema,
    *,
    first_row: int = 0,
    skipped: Skipped | None = None,
    on_unread: OnViolation = "reject",
) -> Checked:
    """Find what breaks the contract.

    Args:
        cells: One for each column of the contract, in its order, as `read_batch` gives them.
        schema: The contract.
        first_row: Position of the first row among those that its source yields, for the examples.
        skipped: Rows that the source left out; the examples count them, too.
        on_unread: What becomes of a cell that cannot be read: its row is rejected, or it counts as missing.
    """
    found = [
        (column, one, rule, action, mask)
        for column, one in zip(schema.columns, cells, strict=True)
        for rule, action, mask in _broken(column, one, schema, on_unread)
    ]
    violations: list[Violation] = []
    reasons: dict[str, pl.Series] = {}
    flagged: dict[str, pl.Series] = {}
    rejected = pl.repeat(value=False, n=len(cells[0].raw) if cells else 0, eager=True)
    for column, one, rule, action, mask in found:
        examples = ["" if cell is None else str(cell)[:80] for cell in _different(one.raw.filter(mask))]
        where = _place(mask.arg_true()[0] + first_row, skipped) + 1
        examples[0] = f"{examples[0] or 'missing'} (row {where:,})"
        n_rows = int(mask.sum())
        violations.append(
            Violation(column=column.name, rule=rule, n_rows=n_rows, examples=tuple(examples), action=action)
        )
        if action == "reject":
            rejected = rejected | mask
            reasons[f"{column.name}: {rule}"] = mask
        elif action == "flag":
            before = flagged.get(column.name)
            flagged[column.name] = mask if before is None else before | mask
    frame = pl.DataFrame([one.values.alias(c.name) for c, one in zip(schema.columns, cells, strict=True)])
    return Checked(frame=frame, rejected=rejected, reasons=reasons, flagged=flagged, violations=tuple(violations))


def _place(row: int, skipped: Skipped | None) -> int:
    """Return the place of a row among all that its source has, those that were left out included."""
    if skipped is None or not skipped.places:
        return row
    places = np.sort(np.array([place for place, _ in skipped.places]))
    return row + int(np.searchsorted(places - np.arange(len(places)), row, side="right"))


def _different(cells: pl.Series) -> list[object]:
    return cells.head(200).unique(maintain_order=True).head(MAX_EXAMPLES).to_list()


def _broken(
    column: Column, cells: Cells, schema: Schema, on_unread: OnViolation
) -> Iterator[tuple[str, OnViolation, pl.Series]]:
    """Name the rules that cells of a column break, what follows, and which cells they are."""
    is_used = column.feature or column.name == schema.target
    if cells.unread is not None and (is_used or column.name in (schema.id, schema.group, *schema.time)):
        yield "type", on_unread, cells.unread
    if column.name != schema.target and (
        column.on_missing == "reject" or (column.feature and column.on_missing == "flag")
    ):
        missing = cells.raw.is_null() if cells.unread is None or on_unread == "reject" else cells.values.is_null()
        if missing.any():
            yield "missing", column.on_missing, missing
    if not is_used:
        return
    for flag, mask in cells.flags.items():
        yield _RULES[flag], "flag", mask
    if column.on_out_of_range != "accept" and (outside := _outside(column, cells.values)) is not None:
        yield "range", column.on_out_of_range, outside
    if column.categories is not None and column.on_unknown != "accept" and kind_of(column).carries_text:
        if column.type == "boxes":
            listed = set(column.categories)
            strange = [not labels_in(cell) <= listed for cell in cells.values.to_list()]
            unknown = pl.Series(strange, dtype=pl.Boolean)
        else:
            unknown = ~cells.values.is_in(list(column.categories)).fill_null(value=True)
        if unknown.any():
            yield "category", column.on_unknown, unknown


def _outside(column: Column, values: pl.Series) -> pl.Series | None:
    if column.low is None and column.high is None:
        return None
    number = values.to_physical().cast(pl.Float64) / 1e6 if column.type == "datetime" else values.cast(pl.Float64)
    low, high = number.min(), number.max()
    if low is None or (
        (column.low is None or float(low) >= column.low) and (column.high is None or float(high) <= column.high)  # type: ignore[arg-type]
    ):
        return None
    outside = pl.Series([False]).new_from_index(0, len(number))
    if column.low is not None:
        outside = outside | (number < column.low).fill_null(value=False)
    if column.high is not None:
        outside = outside | (number > column.high).fill_null(value=False)
    return outside


def spoilt(violations: Sequence[Violation], n_rows: int) -> tuple[Violation, ...]:
    """Return the columns of which so many cells cannot be read that they are something else than the contract says.

    A few bad cells (5 %, or one) count as missing; a source with more of them is another kind of source.
    """
    limit = max(1.0, MIXED_SHARE * n_rows)
    return tuple(v for v in violations if v.rule == "type" and v.n_rows > limit)


def ragged(source: Source) -> list[Violation]:
    """Report the rows that the last reading left out because of their number of cells."""
    skipped = source.skipped
    if not skipped.n_rows:
        return []
    examples = tuple(f"line {line:,}: {counted(n, 'cell')}" for line, n, _ in skipped.rows[:MAX_EXAMPLES])
    return [Violation(column="", rule="cells", n_rows=skipped.n_rows, examples=examples)]


def refusal(where: str, violations: Sequence[Violation]) -> ContractError:
    """Turn violations into the error that refuses the rows: the worst first, all of them in its facts."""
    worst = violations[0]
    subject = f"column `{worst.column}`" if worst.column else "the rows"
    what = {
        "type": "cannot be read as {their} type",
        "missing": "{are} missing, but may not be",
        "range": "{are} out of range",
        "category": "{are} not among the known values",
        "form": "{are} written in another way",
        "fraction": "{are} not whole",
        "id": "{name} rows that another row is called already",
        "cells": "{have} another number of cells than there are columns",
    }.get(worst.rule, worst.rule)
    more = f"; {counted(len(violations) - 1, 'more kind')}" if len(violations) > 1 else ""
    what = what.format_map(_ONE if worst.n_rows == 1 else _MANY)
    cells = counted(worst.n_rows, "row" if worst.rule == "cells" else "cell")
    return ContractError(
        f"{where}: {subject}: {cells} {what}, e.g. {', '.join(worst.examples[:3])}{more}",
        hint=f'{_remedy(worst)}, or set [data] on_violation to "quarantine"',
        facts={"violations": msgspec.to_builtins(list(violations))},
    )


def _remedy(worst: Violation) -> str:
    if worst.rule == "missing":
        return f'fill them in, write on_missing = "flag" for `{worst.column}` in schema.toml'
    if worst.rule == "id":
        return "keep one row for each id, remove [data] id if the column does not name rows"
    return "correct them, list a mark under [data] missing"
