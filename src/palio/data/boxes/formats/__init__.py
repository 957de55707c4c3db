"""The table of formats of annotation. A new one is a module and a line here."""

from __future__ import annotations

import importlib
from typing import Protocol

from palio.data.boxes.sheets import Annotations

FORMATS = {
    "coco": "palio.data.boxes.formats.coco:Coco",
    "voc": "palio.data.boxes.formats.voc:Voc",
    "yolo": "palio.data.boxes.formats.yolo:Yolo",
    "label studio": "palio.data.boxes.formats.label_studio:LabelStudio",
    "cvat": "palio.data.boxes.formats.cvat:Cvat",
    "csv": "palio.data.boxes.formats.rows:Rows",
}
"""Format → the class that reads it."""
ENDINGS = (".json", ".xml", ".txt", ".csv", ".tsv", ".yaml", ".yml", ".names")
"""Of files that may hold annotation, or what belongs to it."""
MOST_BYTES = 1 << 30
"""Larger files are refused."""


class Format(Protocol):
    """Reads files of annotation of one format: `takes` each, then says all that they hold."""

    def takes(self, key: str, data: bytes) -> bool:
        """Take in a file, if it is of this format.

        Raises:
            InputError: it is, but broken.
        """

    def finish(self, pictures: list[str]) -> Annotations | None:
        """Return what the files say of some pictures, given by their paths; None: they hold no boxes.

        Raises:
            InputError: what they say contradicts itself.
        """


def formats() -> list[Format]:
    """Make a reader of each format."""
    found = []
    for place in FORMATS.values():
        module, _, name = place.partition(":")
        made: Format = getattr(importlib.import_module(module), name)()
        found.append(made)
    return found
