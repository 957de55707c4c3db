"""The words that all records share: their base, and the types that they name."""

from __future__ import annotations

from typing import Literal

import msgspec

ColumnType = Literal["number", "integer", "boolean", "category", "text", "datetime", "image", "boxes"]
"""How a cell is to be read. `datetime` travels as seconds since 1970 (UTC) into a graph; `image` is the identity of
the image's bytes in the blob store; `boxes` is a JSON list of `Box`."""
TaskKind = Literal["classification", "regression", "detection"]
Modality = Literal["tabular", "text", "image"]
Part = Literal["train", "validation", "test"]
OnViolation = Literal["accept", "flag", "reject"]


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all records: immutable, keyword-only, encodable to JSON."""
