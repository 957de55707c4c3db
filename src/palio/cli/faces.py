"""What all verbs share: --dir and --json, errors as text or JSON with their exit code, progress on stderr."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from palio.core.errors import PalioError
from palio.core.progress import Progress

if TYPE_CHECKING:
    from rich.progress import TaskID

EXIT_INTERRUPTED = 130


def verb(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb `--dir` and `--json`, and turn errors into text and exit codes.

    The wrapped function receives `folder: Path` and `as_json: bool` as keyword arguments.
    """

    @click.option(
        "--dir",
        "folder",
        type=click.Path(path_type=Path),
        default=Path(),
        help="Project folder (default: here).",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout and nothing else there.")
    @functools.wraps(function)
    def wrapped(*args: Any, as_json: bool, **kwargs: Any) -> Any:
        try:
            return function(*args, as_json=as_json, **kwargs)
        except PalioError as error:
            show_error(error, as_json=as_json)
            sys.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("interrupted: finished work is kept; the same command goes on from there", err=True)
            sys.exit(EXIT_INTERRUPTED)
        except BrokenPipeError:
            sys.exit(0)
        except Exception as error:  # the one catch-all of this edge: a defect is named, not thrown at a person
            if os.environ.get("PALIO_TRACEBACK"):
                raise
            show_error(_defect(error), as_json=as_json)
            sys.exit(PalioError.exit_code)

    return wrapped


def show_error(error: PalioError, *, as_json: bool) -> None:
    """Print an error: JSON on stdout if asked for, else its message and hint on stderr."""
    if as_json:
        print_json(error.as_json())
    click.secho(error.message, fg="red", err=True)
    if error.hint:
        click.echo(f"hint: {error.hint}", err=True)


def _defect(error: Exception) -> PalioError:
    return PalioError(
        f"Palio has a defect here: {type(error).__name__}: {error}"[:500],
        hint="set PALIO_TRACEBACK=1, run it again, and report what it prints; nothing that was stored is lost",
    )


def print_json(value: Any) -> None:
    """Print one JSON object on stdout, on one line: whoever reads lines gets it whole."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=0).decode())


@contextmanager
def listening(*, as_json: bool) -> Iterator[Progress]:
    """Show progress on stderr while the block runs: a live line on a terminal, plain sentences elsewhere."""
    if as_json or not sys.stderr.isatty():  # a program that reads JSON may pass stderr on to a file
        yield _Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Bar(*columns, TimeElapsedColumn(), console=console, transient=True) as bar:
        yield _Live(bar)


class _Lines:
    """Progress without a terminal: finished sentences only."""

    def say(self, text: str) -> None:
        click.echo(text, err=True)

    def step(self, name: str, done: float, total: float | None = None) -> None:
        pass


class _Live:
    """Progress on a terminal: one bar for what is under way, sentences above it."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._task: TaskID | None = None
        self._name = ""

    def say(self, text: str) -> None:
        self._bar.console.print(text, markup=False)

    def step(self, name: str, done: float, total: float | None = None) -> None:
        called = name.partition(":")[0]  # what follows says how far it is
        if self._task is None or called != self._name:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._task, self._name = self._bar.add_task(name, total=total), called
        self._bar.update(self._task, completed=done, total=total, description=name)
