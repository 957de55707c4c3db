"""Hand an alert to a program: JSON on its standard input, no shell, none of our secrets, ended in time."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from palio.core.errors import ConfigError, RefusedError, TimeLimitError
from palio.monitor.alerts.delivery import Sent, attempt
from palio.monitor.alerts.payload import Payload, as_json

LIMIT_S = 30.0


class Command:
    """A program with its arguments that gets alerts."""

    name = "command"

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        folder: Path,
        env: Mapping[str, str] | None = None,
        limit_s: float = LIMIT_S,
    ) -> None:
        if not arguments or not arguments[0] or any("\0" in one for one in arguments):
            raise ConfigError(
                "palio.toml [alert]: `command`: got no program, or a zero character",
                hint='write a list: ["notify", "--urgent"]',
            )
        self._arguments = list(arguments)
        self._folder = folder
        self._env = env
        self._limit_s = limit_s

    @property
    def shown(self) -> str:
        """The program, without its arguments."""
        return self._arguments[0]

    def send(self, payload: Payload) -> Sent:
        """Run it once; it has done its part when it ends with status 0 within the time limit."""
        return attempt(lambda: self._run(as_json(payload)))

    def _run(self, data: bytes) -> str:
        env = os.environ if self._env is None else self._env
        try:
            process = subprocess.Popen(
                self._arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=self._folder,
                env={name: value for name, value in env.items() if not name.startswith("PALIO_")},
                start_new_session=True,
            )
        except OSError as error:
            raise RefusedError(f"could not be started: {(error.strerror or 'unknown').lower()}") from None
        try:
            process.communicate(data, timeout=self._limit_s)
        except subprocess.TimeoutExpired:
            raise TimeLimitError(f"did not end within {self._limit_s:g} s, and was killed") from None
        finally:
            if process.poll() is None:
                _kill_group(process)
        if process.returncode != 0:
            status = process.returncode
            raise RefusedError(f"was ended by signal {-status}" if status < 0 else f"ended with status {status}")
        return "ended with status 0"


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a program and all that it has started and that has not left its group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
