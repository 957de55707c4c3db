"""Read rows that ask for an answer: each keeps its place, and whoever cannot be answered is told why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
import polars as pl

from palio.core.cells import FORM, FRACTION, MISSING_VALUE, RANGE, UNKNOWN, kind_of
from palio.core.records import Column, Schema
from palio.core.words import counted
from palio.data.cells.decimals import DecimalMarks, with_decimal
from palio.data.cells.later_days import LaterDays
from palio.data.contract import Checked, Tally, check, check_columns, ragged, read_batch, refusal
from palio.data.source import Source

_SAID = {"missing": MISSING_VALUE, "range": RANGE, "category": UNKNOWN, "form": FORM, "fraction": FRACTION}


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Some consecutive rows that ask for an answer."""

    frame: pl.DataFrame
    """The features, and the id if there is one, as a model takes them; whole numbers as float64."""
    problems: list[str]
    """Why a row cannot be answered; empty: it can."""
    flags: Counter[tuple[str, str]]
    """Column and what is unusual in it → cells."""
    flagged: Counter[str]
    """Column → rows in which something is unusual in it."""
    examples: dict[tuple[str, str], str]
    """For each of these a cell as it is written."""


def scan(source: Source, schema: Schema, *, strict: bool = False, decimal: str = "") -> Iterator[Arrivals]:
    """Yield the rows of a source as a model wants them, in order, some ten thousand at a time.

    Columns that no model reads are not looked at. A row with another number of cells than there are columns has its
    place, and a problem.

    Args:
        source: Where the rows come from.
        schema: The contract of the model.
        strict: Refuse the source for the first row that cannot be answered.
        decimal: What stands before decimals in this source, if it is not what the contract says.

    Raises:
        ContractError: a feature is absent; the source has another mark before decimals, or day and month change
            places in it; if `strict`, a row cannot be
            answered.
    """
    if decimal:
        schema = with_decimal(schema, decimal)
    wanted = [c for c in schema.columns if c.feature or (c.name == schema.id and c.name in source.columns)]
    mine = msgspec.structs.replace(schema, columns=tuple(wanted), target=None, time=(), group=None)
    features = ", ".join(f"`{c.name}`" for c in schema.features[:20]) + (" …" if len(schema.features) > 20 else "")
    check_columns(
        mine,
        source.columns,
        source.name,
        needed=frozenset(c.name for c in wanted),
        hint=f"the file must hold every column that the model reads: {features}",
    )
    watched = DecimalMarks(wanted), LaterDays(wanted)
    done, n_ragged = 0, 0
    for batch in source.batches():
        cells = read_batch(batch, wanted, for_model=True)
        for watch in watched:
            watch.hold(cells, source.name)
        checked = check(cells, mine, first_row=done, skipped=source.skipped)
        if strict:
            tally = Tally()
            tally.add([v for v in checked.violations if v.column != schema.id])
            tally.add(ragged(source))
            if tally.rejects:
                raise refusal(source.name, tally.rejects)
        problems = _problems(checked, [one.raw for one in cells], schema)
        frame = checked.frame
        for column, one in zip(wanted, cells, strict=True):
            if column.name == schema.id and not column.feature:
                frame = frame.with_columns(one.raw.cast(pl.String).alias(schema.id))  # a name is told as it is written
        new = source.skipped.places[n_ragged:]
        yield _with_ragged(
            Arrivals(frame, problems, *_unusual(checked, mine)), new, done + n_ragged, len(source.columns)
        )
        done, n_ragged = done + batch.num_rows, n_ragged + len(new)
    if source.skipped.n_rows > n_ragged:
        if strict:
            raise refusal(source.name, tuple(ragged(source)))
        texts = {c.name for c in wanted if kind_of(c).carries_text or (c.name == schema.id and not c.feature)}
        empty = pl.DataFrame(schema={c.name: pl.String if c.name in texts else pl.Float64 for c in wanted})
        new = source.skipped.places[n_ragged:]
        yield _with_ragged(Arrivals(empty, [], Counter(), Counter(), {}), new, done + n_ragged, len(source.columns))


def _problems(checked: Checked, raw: list[pl.Series], schema: Schema) -> list[str]:
    """Say for each row why it cannot be answered."""
    problems = [""] * checked.frame.height
    by_name = dict(zip(checked.frame.columns, raw, strict=True))
    for reason, mask in checked.reasons.items():
        name, _, rule = reason.rpartition(": ")
        if name == schema.id:
            continue
        column = schema.column(name)
        for row in mask.arg_true():
            told = _told(column, rule, by_name[name][row])
            problems[row] = f"{problems[row]}; {told}" if problems[row] else told
    return problems


def _told(column: Column, rule: str, cell: object) -> str:
    shown = str(cell)[:60]
    if rule == "missing":
        return f"`{column.name}` is missing"
    if rule == "type":
        kind = kind_of(column)
        how = kind.describe(column)
        more = f" (the column holds: {how})" if "," in how else ""  # it is written in a way of its own
        return f"`{column.name}`: `{shown}` is not {kind.expected}{more}"
    return f"`{column.name}`: `{shown}` is {_SAID.get(rule, rule)}"


def _unusual(
    checked: Checked, schema: Schema
) -> tuple[Counter[tuple[str, str]], Counter[str], dict[tuple[str, str], str]]:
    flags: Counter[tuple[str, str]] = Counter()
    examples: dict[tuple[str, str], str] = {}
    for violation in checked.violations:
        if violation.action == "flag" and violation.column != schema.id:
            key = violation.column, _SAID.get(violation.rule, violation.rule)
            flags[key] += violation.n_rows
            examples.setdefault(key, violation.examples[0] if violation.examples else "")
    rows = Counter({name: int(mask.sum()) for name, mask in checked.flagged.items() if name != schema.id})
    return flags, rows, examples


def _with_ragged(arrivals: Arrivals, skipped: Sequence[tuple[int, int]], first: int, n_columns: int) -> Arrivals:
    """Put the rows that the reader left out back into their places, without cells.

    Args:
        arrivals: The rows that have as many cells as there are columns.
        skipped: The others: place among all rows, and number of cells.
        first: Place of the first row.
        n_columns: Number of columns.
    """
    if not skipped:
        return arrivals
    n = arrivals.frame.height + len(skipped)
    cells = {min(max(place - first, 0), n - 1): n_cells for place, n_cells in skipped}
    given = iter(range(arrivals.frame.height))
    rows = [None if i in cells else next(given, None) for i in range(n)]
    problems = [
        (counted(cells[i], "cell") if i in cells else "another number of cells") + f", not {n_columns:,}"
        if row is None
        else arrivals.problems[row]
        for i, row in enumerate(rows)
    ]
    places = pl.Series(rows, dtype=pl.UInt32)
    frame = arrivals.frame.select(pl.all().gather(places)) if arrivals.frame.height else arrivals.frame.clear(n)
    return Arrivals(frame, problems, arrivals.flags, arrivals.flagged, arrivals.examples)
