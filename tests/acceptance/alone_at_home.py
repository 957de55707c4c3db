"""Run programs under an empty home, and see which files and sockets they want, native libraries included."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_CALLS = "connect,bind,sendto,sendmsg,sendmmsg,open,openat,openat2,creat,mkdir,mkdirat"
_ADDRESS = re.compile(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"')
_PORT = re.compile(r"sin6?_port=htons\((\d+)\)")
_PATH = r'\((?:AT_FDCWD, |\d+, )?"(/[^"]+)", .*'
_OPENED = re.compile(rf"^\d+ +(?:open\w*{_PATH}(?:O_CREAT|O_WRONLY|O_RDWR)[^)]*|(?:creat|mkdir\w*){_PATH})\) = \d")
_NAMES = 53


@functools.cache
def why_no_trace() -> str:
    """Return why nothing can be traced here; nothing if it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(["strace", "-f", "-o", os.devnull, "true"], capture_output=True, text=True, check=False)
    return f"strace may not trace here: {tried.stderr.strip()}" if tried.returncode else ""


class Home:
    """A folder that holds nothing but an empty home, a project and a place for passing files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home, self.project, self.passing = (folder / name for name in ("home", "project", "passing"))
        for path in (self.home, self.project, self.passing):
            path.mkdir()
        self._trace = folder / "trace"

    @property
    def env(self) -> dict[str, str]:
        """What a program finds: no word of XDG, of proxies, or of what we switch off."""
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LANG") if name in os.environ}
        return kept | {"HOME": str(self.home), "TMPDIR": str(self.passing), "PYTHONDONTWRITEBYTECODE": "1"}

    def run(self, *command: str, codes: tuple[int, ...] = (0,)) -> str:
        """Run a program to its end, and return what it printed."""
        done = subprocess.run(
            self._traced(command), cwd=self.project, env=self.env, capture_output=True, text=True, check=False
        )
        assert done.returncode in codes, (command, done.stdout[-2000:], done.stderr[-4000:])
        return done.stdout

    @contextlib.contextmanager
    def serving(self, *command: str) -> Iterator[str]:
        """Run a server until the block ends, and give its URL."""
        told = self.folder / "told"
        with (
            told.open("w") as file,
            subprocess.Popen(
                self._traced(command), cwd=self.project, env=self.env, stderr=subprocess.PIPE, stdout=file, text=True
            ) as process,
        ):
            assert process.stderr is not None
            line = process.stderr.readline()
            try:
                found = re.search(r"http://[\w.]+:\d+", line)
                assert found, line + process.stderr.read()
                yield found[0]
            finally:
                self._stop(process)
        assert process.returncode == 0

    def left_at_home(self) -> list[str]:
        """Return the files and folders that are in the home now."""
        return sorted(str(path.relative_to(self.home)) for path in self.home.rglob("*"))

    def far_sockets(self) -> list[str]:
        """Return the calls that reach, or can be reached from, beyond this machine; questions to a name server, too."""
        far = []
        for line in self._lines():
            addresses = [one or other for one, other in _ADDRESS.findall(line)]
            is_near = all(address.startswith("127.") or address == "::1" for address in addresses)
            if not is_near or (addresses and f"{_NAMES}" in _PORT.findall(line)):
                far.append(line)
        return far

    def written_elsewhere(self) -> list[str]:
        """Return the files and folders that were written to, or made, outside of the project and of passing files."""
        allowed = (f"{self.folder}/", "/dev/", "/proc/self/", "/proc/thread-self/")
        matches = (_OPENED.match(line) for line in self._lines())
        paths = {found[found.lastindex or 1] for found in matches if found}
        return sorted(path for path in paths if not path.startswith(allowed))

    def _traced(self, command: tuple[str, ...]) -> list[str]:
        if why_no_trace():
            return list(command)
        trace = ["strace", "-f", "-qq", "--seccomp-bpf", "-A", "-s", "300", "-e", f"trace={_CALLS}"]
        return [*trace, "-o", str(self._trace), *command]

    def _lines(self) -> list[str]:
        return self._trace.read_text("utf-8", errors="replace").splitlines() if self._trace.exists() else []

    def _stop(self, process: subprocess.Popen[str]) -> None:
        """Tell the server to stop: what we have started is either that or its tracer."""
        number = process.pid
        if not why_no_trace():
            children = Path(f"/proc/{number}/task/{number}/children").read_text().split()
            number = int(children[0]) if children else number
        os.kill(number, signal.SIGTERM)
        process.wait(60)


PALIO = (str(Path(sys.executable).with_name("palio")),)
