"""Name the columns that pictures with boxes come in: known without loading what reads them."""

from __future__ import annotations

FILE, PICTURE, BOXES, PART, SEQUENCE = "file", "picture", "boxes", "part", "sequence"
