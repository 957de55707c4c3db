"""Hold rows against their contract: what breaks it, in which column, in how many rows, for example where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import polars as pl

from palio.core.errors import ContractError, did_you_mean
from palio.core.records import Column, OnViolation, Schema, Violation
from palio.data.source import Source
from palio.data.values import DTYPES, clean, dotted, parse

MAX_EXAMPLES = 5


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """A batch held against the contract."""

    frame: pl.DataFrame
    """Values in the types of the contract, columns in its order."""
    rejected: pl.Series
    """Which rows must not be taken."""
    reasons: dict[str, pl.Series]
    """`column: rule` → which rows, for the rules that reject."""
    violations: tuple[Violation, ...]


class Tally:
    """Add up violations over batches."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Violation] = {}

    def add(self, violations: Sequence[Violation]) -> None:
        """Add the violations of one more batch; examples are kept up to five each."""
        for new in violations:
            key = (new.column, new.rule)
            old = self._found.get(key)
            if old is not None:
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
            f"{where}: {len(absent)} of {len(schema.columns)} columns of the contract are absent: {shown}",
            hint=f"{hint}; {near}" if near.startswith("did you mean") else hint,
            facts={"violations": msgspec.to_builtins(violations)},
        )
    return [Violation(column=n, rule="surplus", n_rows=0, action="flag") for n in names if n not in known]


def check(frame: pl.DataFrame, schema: Schema, *, first_row: int = 0) -> Checked:
    """Read cleaned cells as the contract says, and find what breaks it.

    Args:
        frame: Cells as `clean` leaves them; columns that are absent become missing.
        schema: The contract.
        first_row: Position of the first row in its source, for the examples.
    """
    held = frame.schema
    absent = [c for c in schema.columns if c.name not in held]
    if absent:
        frame = frame.with_columns(pl.lit(None, DTYPES[c.type]).alias(c.name) for c in absent)
    held = frame.schema
    parsed = frame.select(
        parse(pl.col(c.name), c, held[c.name]).cast(DTYPES[c.type]).alias(c.name) for c in schema.columns
    )
    rules = [(c, rule, action) for c in schema.columns for rule, action in _rules(c, schema)]
    both = frame.select(pl.col(c.name).alias(f"raw {c.name}") for c in schema.columns).hstack(parsed.get_columns())
    masks = both.select(_broken(c, rule).fill_null(value=False).alias(f"{i}") for i, (c, rule, _) in enumerate(rules))
    counts = masks.sum().row(0) if rules else ()
    violations: list[Violation] = []
    reasons: dict[str, pl.Series] = {}
    rejected = pl.repeat(value=False, n=frame.height, eager=True)
    for i, (column, rule, action) in enumerate(rules):
        if not counts[i]:
            continue
        mask = masks[f"{i}"]
        examples = [
            "" if cell is None else str(cell)[:80]
            for cell in both[f"raw {column.name}"].filter(mask).head(200).unique(maintain_order=True).head(MAX_EXAMPLES)
        ]
        where = mask.arg_true()[0] + first_row + 1
        examples[0] = f"{examples[0] or 'missing'} (row {where:,})"
        violations.append(
            Violation(column=column.name, rule=rule, n_rows=int(counts[i]), examples=tuple(examples), action=action)
        )
        if action == "reject":
            rejected = rejected | mask
            reasons[f"{column.name}: {rule}"] = mask
    return Checked(frame=parsed, rejected=rejected, reasons=reasons, violations=tuple(violations))


def scan(source: Source, schema: Schema) -> Iterator[pl.DataFrame]:
    """Yield the rows of a source as a model wants them: the features and the id, in the types of the contract.

    One row for each row, in order, some ten thousand at a time.

    Raises:
        ContractError: a feature is absent, a cell cannot be read as its type, or a row has another number of cells.
    """
    wanted = [c for c in schema.columns if c.feature or (c.name == schema.id and c.name in source.columns)]
    mine = msgspec.structs.replace(schema, columns=tuple(wanted), target=None)
    features = ", ".join(f"`{c.name}`" for c in schema.features[:20]) + (" …" if len(schema.features) > 20 else "")
    check_columns(
        mine,
        source.columns,
        source.name,
        needed=frozenset(c.name for c in wanted),
        hint=f"the file must hold every column that the model reads: {features}",
    )
    done = 0
    for batch in source.batches():
        frame = dotted(clean(batch.select([c.name for c in wanted]), source.missing), wanted, source.decimal)
        checked = check(frame, mine, first_row=done)
        tally = Tally()
        tally.add(checked.violations)
        tally.add(ragged(source))
        if tally.rejects:
            raise refusal(source.name, tally.rejects)
        done += frame.height
        yield checked.frame
    if source.skipped.n_rows:
        raise refusal(source.name, tuple(ragged(source)))


def unusual(frame: pl.DataFrame, schema: Schema) -> dict[str, int]:
    """Count, by column, the rows of a frame with values that the contract does not know but allows.

    Unknown categories, numbers out of the range seen, and missing values where no row had one.
    """
    held = frame.schema
    mine = msgspec.structs.replace(schema, columns=tuple(c for c in schema.features if c.name in held))
    counts: dict[str, int] = {}
    for violation in check(frame, mine).violations:
        counts[violation.column] = counts.get(violation.column, 0) + violation.n_rows
    return counts


def ragged(source: Source) -> list[Violation]:
    """Report the rows that the last reading left out because of their number of cells."""
    skipped = source.skipped
    if not skipped.n_rows:
        return []
    examples = tuple(f"line {line:,}: {n} cells" for line, n, _ in skipped.rows[:MAX_EXAMPLES])
    return [Violation(column="", rule="cells", n_rows=skipped.n_rows, examples=examples)]


def refusal(where: str, violations: Sequence[Violation]) -> ContractError:
    """Turn violations into the error that refuses the rows: the worst first, all of them in its facts."""
    worst = violations[0]
    subject = f"column `{worst.column}`" if worst.column else "the rows"
    what = {
        "type": "cannot be read as their type",
        "missing": "are missing, but may not be",
        "range": "are out of range",
        "category": "are not among the known values",
        "id": "name rows that another row is called already",
        "cells": "have another number of cells than there are columns",
    }.get(worst.rule, worst.rule)
    more = f"; {len(violations) - 1} more kinds" if len(violations) > 1 else ""
    cells = "rows" if worst.rule == "cells" else "cells"
    return ContractError(
        f"{where}: {subject}: {worst.n_rows:,} {cells} {what}, e.g. {', '.join(worst.examples[:3])}{more}",
        hint=f'{_remedy(worst)}, or set [data] on_violation to "quarantine"',
        facts={"violations": msgspec.to_builtins(list(violations))},
    )


def _remedy(worst: Violation) -> str:
    if worst.rule == "missing":
        return f'fill them in, write on_missing = "flag" for `{worst.column}` in schema.toml'
    if worst.rule == "id":
        return "keep one row for each id, remove [data] id if the column does not name rows"
    return "correct them, list a mark under [data] missing"


def _rules(column: Column, schema: Schema) -> list[tuple[str, OnViolation]]:
    rules: list[tuple[str, OnViolation]] = [("type", "reject")] if column.type not in ("category", "text") else []
    if column.name != schema.target and (
        column.on_missing == "reject" or (column.feature and column.on_missing == "flag")
    ):
        rules.append(("missing", column.on_missing))
    if column.feature or column.name == schema.target:
        if (column.low is not None or column.high is not None) and column.on_out_of_range != "accept":
            rules.append(("range", column.on_out_of_range))
        if column.categories is not None and column.on_unknown != "accept":
            rules.append(("category", column.on_unknown))
    return rules


def _broken(column: Column, rule: str) -> pl.Expr:
    raw, value = pl.col(f"raw {column.name}"), pl.col(column.name)
    if rule == "type":
        return raw.is_not_null() & value.is_null()
    if rule == "missing":
        return raw.is_null()
    if rule == "category":
        return value.is_not_null() & ~value.is_in(list(column.categories or ()))
    number = value.to_physical().cast(pl.Float64) / 1e6 if column.type == "datetime" else value.cast(pl.Float64)
    outside = pl.lit(value=False)
    if column.low is not None:
        outside = outside | (number < column.low)
    if column.high is not None:
        outside = outside | (number > column.high)
    return outside
