"""Say what is wrong, where, and what to do about it.

    PalioError
    ├── InputError              exit 2   HTTP 400   the caller gave something unusable
    │   ├── ConfigError         exit 2   HTTP 400   a setting in palio.toml, the environment or a flag
    │   └── ContractError       exit 2   HTTP 422   rows that break the schema
    ├── NotFoundError           exit 3   HTTP 404   no such file, version, model, record
    ├── RefusedError            exit 4   HTTP 403   a policy says no
    │   ├── SealError           exit 4   HTTP 403   the sealed test part, or its budget of looks
    │   ├── IntegrityError      exit 4   HTTP 409   bytes that are not what their identity says
    │   └── ConflictError       exit 4   HTTP 409   somebody else changed it first
    └── UnavailableError        exit 5   HTTP 503   a database, a port or an optional package that is not there
        └── TimeLimitError      exit 5   HTTP 504   a model that did not answer in time

Every error carries a one-line `message` (where: what was got, what is allowed), a `hint` (an imperative) and
JSON-safe `facts`. The command line, HTTP and the console render the same object.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, ClassVar


class PalioError(Exception):
    """Base of every error that Palio raises on purpose."""

    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500

    def __init__(self, message: str, *, hint: str = "", facts: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.facts: dict[str, Any] = facts or {}

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message

    def as_json(self) -> dict[str, Any]:
        """Return the error as a JSON-safe object, the same for every face."""
        return {"error": self.message, "hint": self.hint, "kind": type(self).__name__, "facts": self.facts}


class InputError(PalioError):
    """The caller gave something unusable."""

    exit_code = 2
    http_status = 400


class ConfigError(InputError):
    """A setting is unknown, of the wrong type or out of range."""


class ContractError(InputError):
    """Rows break the schema; `facts["violations"]` lists them by column."""

    http_status = 422


class NotFoundError(PalioError):
    """No such file, version, model or record."""

    exit_code = 3
    http_status = 404


class RefusedError(PalioError):
    """A policy says no."""

    exit_code = 4
    http_status = 403


class SealError(RefusedError):
    """The sealed test part was asked for by somebody who may not, or once too often."""


class IntegrityError(RefusedError):
    """Bytes are not what their identity says."""

    http_status = 409


class ConflictError(RefusedError):
    """Somebody else changed it first; read again and retry."""

    http_status = 409


class UnavailableError(PalioError):
    """A database, a port or an optional package is not there."""

    exit_code = 5
    http_status = 503


class TimeLimitError(UnavailableError):
    """A model that loops did not answer in time."""

    http_status = 504


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """Suggest the nearest allowed word, or list the allowed ones.

    Example:
        >>> did_you_mean("learning_rte", ["learning_rate", "depth"])
        'did you mean `learning_rate`?'
    """
    words = sorted(allowed)
    near = difflib.get_close_matches(word, words, n=1)
    if near:
        return f"did you mean `{near[0]}`?"
    shown = ", ".join(f"`{w}`" for w in words[:12])
    return f"use one of {shown}" + (" …" if len(words) > 12 else "")


def need(extra: str, error: ImportError) -> UnavailableError:
    """Turn a missing optional package into an error that names the extra to install."""
    return UnavailableError(
        f"this verb needs the `{extra}` extra: package {error.name or error} is not installed",
        hint=f'run pip install "palio[{extra}]"',
    )
