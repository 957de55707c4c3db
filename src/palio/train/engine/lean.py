"""Load libraries of trees without what they look for only to offer more: in a worker that takes most of its start.

LightGBM loads scikit-learn, and with it pandas, for classes that no family here uses: 1.7 s of CPU in place of .5. In a
process that is ours alone these are hidden while it loads. Families that others wrote may want those classes, so before
one comes in, what was loaded so is let go of, and is loaded whole when it is asked for again.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator, Sequence

LIBRARIES = {"lightgbm": "lightgbm", "xgboost": "xgboost"}
"""Family → the library that it needs, and that can do without `LEFT_OUT`."""
LEFT_OUT = ("pandas", "sklearn", "pyarrow", "matplotlib", "dask", "graphviz")


def load(family: str) -> None:
    """Load what a family needs, lean; nothing happens for other families, or where it is loaded already."""
    library = LIBRARIES.get(family)
    if library is None or library in sys.modules:
        return
    with contextlib.suppress(Exception), _hidden(LEFT_OUT):  # who needs it will say so
        importlib.import_module(library)


def let_go() -> None:
    """Let go of what was loaded lean, so that it is loaded whole by whoever asks for it next."""
    for name in [name for name in sys.modules if name.partition(".")[0] in LIBRARIES.values()]:
        del sys.modules[name]


@contextlib.contextmanager
def _hidden(names: Sequence[str]) -> Iterator[None]:
    """Let imports of libraries fail for a while, as if they were not installed; those that are loaded stay."""
    absent = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type] # None: the import says that it is not there
    try:
        yield
    finally:
        for name in absent:
            if sys.modules.get(name) is None:
                sys.modules.pop(name, None)
