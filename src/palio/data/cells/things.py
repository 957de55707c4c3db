"""What is in cells of boxes, without where."""

from __future__ import annotations

from palio.core.cells import boxes_of


def labels_in(cell: str | None) -> set[str]:
    """Return what is in a cell of boxes, those that are ignored left out; nothing where it cannot be read."""
    try:
        return {one.label for one in boxes_of(cell) if not one.ignored} if cell else set()
    except ValueError:
        return set()
