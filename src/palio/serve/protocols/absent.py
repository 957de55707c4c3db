"""Columns that a request leaves out: refused where training always had them, or answered and told; never in silence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from palio.serve.protocols.plans import ColumnPlan
from palio.serve.protocols.wire import Caps, WireError

if TYPE_CHECKING:
    from palio.core.records import Schema
    from palio.serve.protocols.datatypes import Array
    from palio.serve.protocols.plans import InputPlan

_HEADER = b"x-palio-absent"
_MOST_TOLD = 32


class Expected:
    """The columns that the rows of a model are expected to have."""

    def __init__(self, schema: Schema) -> None:
        self.names = tuple(column.name for column in schema.features)
        self.always = tuple(column.name for column in schema.features if column.on_missing == "flag")
        """Those that no row of the training data was without; where one must be given, the reader of cells says so."""
        self._all = frozenset(self.names)

    def absent(self, rows: Sequence[Mapping[str, Any]], caps: Caps, *, status: int) -> tuple[str, ...]:
        """Return the columns that some row leaves out; whoever answers must tell them.

        Raises:
            WireError: `status`, training always had one of them, and the server was not told to answer.
        """
        wanted = self._all
        if all(wanted <= row.keys() for row in rows):
            return ()
        for number, row in enumerate(rows):
            missed = [name for name in self.always if name not in row]
            if missed and caps.absent_columns == "refuse":
                raise _refusal(f"row {number}: column", missed, status)
        return tuple(name for name in self.names if any(name not in row for row in rows))


def fill_absent(
    feeds: dict[str, Array], plans: Mapping[str, InputPlan], caps: Caps
) -> tuple[tuple[str, ...], Sequence[tuple[int, str]]]:
    """Feed missing values for the inputs that a request of tensors leaves out, if the server was told to.

    Returns:
        Their names, and what is unusual about the rows because of them.

    Raises:
        WireError: 400, the server was not told to, or an input has no missing value.
        ContractError: a value of the column must be given.
    """
    absent = tuple(name for name in plans if name not in feeds)
    if not absent:
        return (), ()
    readers = {name: plan.reader for name, plan in plans.items() if isinstance(plan, ColumnPlan)}
    if caps.absent_columns == "refuse" or not feeds or not readers.keys() >= set(absent):
        raise _refusal("input", absent, 400)
    n_rows = len(next(iter(feeds.values())))
    flags: list[tuple[int, str]] = []
    for name in absent:
        feeds[name], raised = readers[name].read([None] * n_rows)
        flags += raised
    return absent, flags


def told(absent: Sequence[str]) -> tuple[tuple[bytes, bytes], ...]:
    """Return the header that names absent columns, percent-encoded as they need it.

    Example:
        >>> told(["age", "Größe, cm"])
        ((b'x-palio-absent', b'age, Gr%C3%B6%C3%9Fe%2C cm'),)
        >>> told(())
        ()
    """
    names = [quote(name, safe=" ") for name in absent]
    more = [f"and {len(names) - _MOST_TOLD} more"] if len(names) > _MOST_TOLD else []
    return ((_HEADER, ", ".join([*names[:_MOST_TOLD], *more]).encode()),) if names else ()


def _refusal(what: str, names: Sequence[str], status: int) -> WireError:
    others = f", and {len(names) - 1} more" if len(names) > 1 else ""
    always = "; no row of the training data was without it" if what != "input" and not others else ""
    return WireError(
        status,
        f"{what} `{names[0]}` is absent{others}{always}",
        hint='send it, null where it is not known; or let such rows be answered: [serve] absent_columns = "answer"',
        fields=tuple(names),
    )
