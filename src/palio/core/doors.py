"""The front door of a room: its public names, each imported from its module on first use.

A room is entered by its `__init__`, which must cost nothing: who serves does not pay for what trains. It names what
other rooms use, for checkers of types and for Python:

    if TYPE_CHECKING:
        from palio.measure.curves import roc_curve as roc_curve, thin as thin
    else:
        __getattr__, __dir__, __all__ = door(__name__, {"curves": "roc_curve thin"})
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def door(room: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return `__getattr__`, `__dir__` and `__all__` of a package that imports its names on first use.

    Args:
        room: The name of the package.
        homes: Module, as seen from the package, to the names that it holds, with blanks between them. The names
            behind an empty module are modules themselves.

    Example:
        >>> find, _, names = door("palio.core", {"ids": "digest short", "": "clock"})
        >>> names, find("short")("0123456789abcdef")
        (['clock', 'digest', 'short'], '0123456789ab')

    Source: PEP 562.
    """
    home_of = {name: home for home, names in homes.items() for name in names.split()}

    def find(name: str) -> Any:
        if name not in home_of:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        home = home_of[name]
        found = getattr(import_module(f"{room}.{home}"), name) if home else import_module(f"{room}.{name}")
        setattr(sys.modules[room], name, found)  # from now on the package has it
        return found

    return find, lambda: sorted(vars(sys.modules[room]).keys() | home_of), sorted(home_of)
