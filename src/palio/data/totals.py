"""Notice that a table ends with its sums: a row of another kind than all others, which would be learned from."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow as pa

_LAST_ROWS = 5
_WORDS = frozenset(
    "total, totals, grand total, subtotal, sub-total, sum, overall, summe, gesamt, gesamtsumme, insgesamt, "
    "zwischensumme, somme, total général, totale, somma, suma, soma, totaal, som, razem, ИТОГО, ВСЕГО".casefold().split(
        ", "
    )
)


class LastRows:
    """Keep the last rows of a table."""

    def __init__(self) -> None:
        self._rows: list[dict[str, object]] = []

    def add(self, batch: pa.RecordBatch) -> None:
        """Take in more rows."""
        last = batch.slice(max(0, batch.num_rows - _LAST_ROWS)).to_pylist()
        self._rows = [*self._rows, *last][-_LAST_ROWS:]

    def doubts(self, counts_of: Callable[[str], Mapping[str, int] | None]) -> list[str]:
        """Say which of the last rows are sums: they hold a word for it that stands in no other row.

        Args:
            counts_of: Name of a column → its values and their rows, if they are known.
        """
        for row in self._rows:
            for name, cell in row.items():
                word = cell.strip() if isinstance(cell, str) else ""
                if word.rstrip(": ").casefold() in _WORDS and (counts_of(name) or {}).get(word) == 1:
                    shown = ", ".join(str(cell) for cell in row.values() if cell not in (None, ""))[:80]
                    return [f"a row at the end seems to hold sums, no case ({shown}): if so, delete it from the file"]
        return []
