"""Read a record from what a person wrote (TOML, JSON): an unknown key is an error with the nearest name."""

from __future__ import annotations

import json
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from palio.core.errors import InputError, did_you_mean

Kind = TypeVar("Kind")


def read_file(file: Path) -> Any:
    """Parse a TOML file, or a JSON file if its name ends in `.json`.

    Raises:
        InputError: it cannot be read, or is neither.
    """
    try:
        text = file.read_text("utf-8")
        return json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}", hint="name a file that is there") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file}: not valid: {error}", hint="write TOML, or JSON in a file called .json") from None


def read_record(kind: type[Kind], value: Any, *, where: str) -> Kind:
    """Convert parsed TOML or JSON to a record, and refuse keys that it does not know.

    Args:
        kind: The record's class, or a tuple of records such as `tuple[Rule, ...]`.
        value: What was parsed; times may be text.
        where: What it is, for errors, e.g. `palio.toml [[serve.rules]]`.

    Raises:
        InputError: an unknown key, at any depth, or a value of the wrong type.

    Example:
        >>> from palio.core.serving import Rule
        >>> read_record(Rule, {"caller": "ann", "hours": "08:00-18:00"}, where="rule").caller
        'ann'
        >>> read_record(Rule, {"calller": "ann"}, where="rule")
        Traceback (most recent call last):
        palio.core.errors.InputError: rule: unknown key `calller`
        hint: did you mean `caller`?
    """
    _check_keys(kind, value, where)
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$")
        place = path.rstrip("`").lstrip(".")
        raise InputError(
            f"{where}: {f'`{place}`: ' if place else ''}{what[0].lower()}{what[1:]}",
            hint="correct the value that is named",
        ) from None


def _check_keys(kind: Any, value: Any, where: str) -> None:
    for inner in _choices(kind):
        if typing.get_origin(inner) is tuple and isinstance(value, list | tuple):
            for number, item in enumerate(value):
                _check_keys(typing.get_args(inner)[0], item, f"{where} {number + 1}")
        elif isinstance(inner, type) and issubclass(inner, msgspec.Struct) and isinstance(value, Mapping):
            fields = typing.get_type_hints(inner)
            for key, below in value.items():
                if key not in inner.__struct_fields__:
                    raise InputError(f"{where}: unknown key `{key}`", hint=did_you_mean(key, inner.__struct_fields__))
                _check_keys(fields[key], below, where)


def _choices(kind: Any) -> tuple[Any, ...]:
    is_union = typing.get_origin(kind) in (typing.Union, types.UnionType)
    return typing.get_args(kind) if is_union else (kind,)
