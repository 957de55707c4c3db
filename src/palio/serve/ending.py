"""Let threads that are inside of a model end before the process does.

When Python ends, it stops its daemon threads by force. One that is inside of a model just then is in C++, which takes
that for a fault: the process dies of SIGABRT after all has been answered and written.
"""

from __future__ import annotations

import atexit
import threading
import time
import weakref

PATIENCE_S = 10.0
"""Longest wait for all of them; a load that never ends keeps no process alive for longer."""
_inside: weakref.WeakSet[threading.Thread] = weakref.WeakSet()


def let_end(thread: threading.Thread) -> threading.Thread:
    """Wait for this thread when the process ends; return it."""
    _inside.add(thread)
    return thread


@atexit.register
def _wait() -> None:
    end = time.monotonic() + PATIENCE_S
    for thread in list(_inside):
        if thread.is_alive():
            thread.join(max(0.0, end - time.monotonic()))
