"""What is where in a picture."""

from __future__ import annotations

from palio.core.records.base import Record


class Specimen(Record, frozen=True, kw_only=True):
    """A picture with its boxes drawn, for a person to check how they were read."""

    file: str
    said: str
    """What is in it, or why what is said of it cannot be used."""
    is_wrong: bool
    jpeg: bytes


class Box(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One thing in a picture: what it is and where.

    A cell of the type `boxes` is a JSON list of these; files, log, requests and answers write boxes in this form.
    """

    label: str
    """What it is, by name, never by number."""
    box: tuple[float, float, float, float]
    """Left, top, right and bottom in pixels of the picture as it is shown (after its orientation), from its top left
    corner; continuous: a picture of 10 × 10 pixels reaches from 0 to 10."""
    score: float | None = None
    """How sure a model is, in [0, 1]; None in a truth."""
    ignored: bool = False
    """Whether it neither counts as found nor as missed: a crowd, or marked as difficult."""
