"""Know whether the folder of the prediction log is still where it was: not moved, not deleted, its disk mounted."""

from __future__ import annotations

import os
import re
from pathlib import Path

from palio.core.errors import UnavailableError
from palio.store.layout import OURS

MOUNTS = Path("/proc/self/mountinfo")
_ESCAPED = re.compile(r"\\([0-7]{3})")


class LogPlace:
    """The root of a prediction log, under one writer.

    What was there when the writer began is made again if it is gone: the root itself, and Palio's own folder above it.
    What lies above is not: whoever moves a project does not want another one under the old name.

    Args:
        folder: The root.
        mounts: Where the system tells what is mounted where; see `proc_pid_mountinfo(5)`.
    """

    def __init__(self, folder: Path, *, mounts: Path = MOUNTS) -> None:
        self._folder = folder
        self._mounts = mounts
        self._mount = _mount_of(folder, _read(mounts)) if folder.is_dir() else ""
        """Where the disk of the log is mounted; empty before the log has been made."""

    def make(self) -> None:
        """Make the root if it is not there.

        Raises:
            OSError: it cannot be made.
            UnavailableError: the folder that it lay in is gone.
        """
        if not self._mount:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._mount = _mount_of(self._folder, _read(self._mounts))
        elif not self._folder.is_dir():
            if not self.is_there():
                raise unwritable(f"the folder that it lay in is gone: {self._folder.parent}")
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def trouble(self) -> str:
        """Say what is wrong with the place, or nothing: once it has been made, its folder and its disk are there."""
        if self._mount and self._mount not in (_read(self._mounts) or {self._mount}):
            return f"its disk is no longer mounted at {self._mount}"
        if self._mount and not self.is_there():
            return f"the folder that it lay in is gone: {self._folder.parent}"
        if self._folder.is_dir() and not os.access(self._folder, os.W_OK | os.X_OK):
            return "its folder is read-only"
        return ""

    def is_there(self) -> bool:
        """Tell whether the root is there, or can be made again."""
        above = self._folder.absolute().parent
        return self._folder.is_dir() or above.is_dir() or (above.name == OURS and above.parent.is_dir())


def unwritable(why: str) -> UnavailableError:
    """Say that nothing can be logged."""
    return UnavailableError(
        f"the prediction log cannot be written: {why}",
        hint="free space, make its folder writable or put it back; or name another with [log] dir and start again",
    )


def _mount_of(folder: Path, mounts: set[str]) -> str:
    place = os.path.realpath(folder)
    above = [mount for mount in mounts if place == mount or place.startswith(mount.rstrip("/") + "/")]
    return max(above, key=len, default="/")


def _read(mounts: Path) -> set[str]:
    """Return where disks are mounted, bound folders among them; nothing where the system does not say."""
    try:
        lines = mounts.read_text("utf-8", errors="surrogateescape").splitlines()
        return {_ESCAPED.sub(lambda found: chr(int(found[1], 8)), line.split(" ")[4]) for line in lines}
    except (OSError, IndexError):
        return set()
