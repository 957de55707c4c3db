"""Hold back what is warned of while threads of scikit-learn work, and tell it afterwards from one thread."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_LOST = "`sklearn.utils.parallel.delayed` should be used with"
"""What it says when the list of filters that it hands to its threads was emptied by another of them."""


@contextmanager
def held_warnings() -> Iterator[None]:
    """Let no thread meet the filters of this process: each warning is told once, when the block ends.

    Each task of scikit-learn clears the filters, sets them anew and puts back what it found. Before Python 3.14 all
    threads do that to the same list, so that filters were lost for good, and a task that found none warned that it
    is used in a wrong way; where warnings are errors it failed.

    Example:
        >>> with warnings.catch_warnings(record=True) as told:
        ...     warnings.simplefilter("always")
        ...     with held_warnings():
        ...         warnings.warn("twice")
        ...         warnings.warn("twice")
        >>> [str(one.message) for one in told]
        ['twice']
    """
    with warnings.catch_warnings(record=True) as held:
        warnings.simplefilter("always")
        yield
    told = {(one.category, str(one.message)): one for one in held if _LOST not in str(one.message)}
    for one in told.values():
        warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
