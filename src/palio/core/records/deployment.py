"""What is served."""

from __future__ import annotations

from palio.core.records.base import Record


class Deployment(Record, frozen=True, kw_only=True):
    """What a server answers with."""

    model: str
    version: int
    bundle: str
