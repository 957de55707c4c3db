"""Everything that a report may tell, as one record."""

from __future__ import annotations

import datetime as dt

import msgspec

from palio.core.records import (
    Comparison,
    Decision,
    Description,
    Evaluation,
    Manifest,
    Parts,
    Promotion,
    Record,
    Run,
    Search,
    Snapshot,
    Task,
)


class ReportFacts(Record, frozen=True, kw_only=True):
    """The records that a report is made of; what is `None` is left out of the page.

    Two reports of equal facts are equal byte for byte: the time comes in as `generated_at`.
    """

    project: str
    generated_at: dt.datetime
    snapshot: Snapshot
    parts: Parts
    task: Task
    evaluation: Evaluation
    """The model that the report is about, on the sealed test part."""
    sources: tuple[tuple[str, int], ...] = ()
    """Where the rows came from and how many, oldest first; empty: all from the snapshot's own source."""
    description: Description | None = None
    """Of all rows of the snapshot."""
    search: Search | None = None
    manifest: Manifest | None = None
    champion_evaluation: Evaluation | None = None
    """The champion until now, on the same rows."""
    comparison: Comparison | None = None
    decision: Decision | None = None
    promotion: Promotion | None = None
    """The ledger line that made this model champion; `None` if it did not go live."""
    looks_used: int | None = None
    """Looks at the sealed test part so far, this one included."""
    pictures: dict[str, bytes] = msgspec.field(default_factory=dict)
    """JPEG files of the pictures that are shown, by identity; those made of two by the name of the transplant."""
    augmentation: bytes = b""
    """JPEG file: how pictures are changed while it learns; empty where they are not."""
    cases: str = "cases"
    """What one row is, in the plural: `customers`, `flats`, `hours`."""
    unit: str = ""
    """Unit of a regression's target: `EUR`, `kWh`, `µg/m³`."""

    @property
    def chosen(self) -> Run | None:
        """The run that the search chose; `None` without a search."""
        if self.search is None:
            return None
        return next((run for run in self.search.runs if run.chosen or run.id == self.search.chosen), None)

    @property
    def is_regression(self) -> bool:
        """Whether the answer is a number."""
        return not self.task.classes

    @property
    def is_binary(self) -> bool:
        """Whether there are two classes and one of them is of interest."""
        return len(self.task.classes) == 2 and self.task.positive is not None
