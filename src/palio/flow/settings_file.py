"""Change some lines of a `palio.toml` and leave all others, with their comments, as a person wrote them."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from palio.core.config import FILE_NAME
from palio.core.errors import ConfigError

_TABLE = re.compile(r"^\s*\[\s*([A-Za-z0-9_-]+)\s*\]\s*(#.*)?$")
_ANY_TABLE = re.compile(r"^\s*\[")


def line(key: str, value: Any, comment: str = "") -> str:
    """Write one setting, with a comment beside it.

    Example:
        >>> line("seed", 0, "same seed, same champion").split("  #")
        ['seed = 0                              ', ' same seed, same champion']
    """
    # JSON strings, numbers and lists of strings are valid TOML, except that TOML knows no escaped slash or DEL.
    text = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    comment = " ".join("".join(c if c.isprintable() else " " for c in comment).split())
    return f"{key} = {text}".ljust(38) + (f"  # {comment}" if comment else "")


def with_settings(text: str, room: str, changes: Mapping[str, tuple[Any, str] | None]) -> str:
    """Return the text of a `palio.toml` with other settings in one table.

    Args:
        text: What stands there.
        room: Name of the table.
        changes: Key → value and comment; None: the key is taken out.

    Raises:
        ConfigError: the file writes its settings in a way that this cannot change, such as `data.target = …`.
    """
    before = tomllib.loads(text)
    wanted = {key: one[0] for key, one in changes.items() if one is not None}
    if all(before.get(room, {}).get(key) == value for key, value in wanted.items()) and not any(
        key in before.get(room, {}) for key, one in changes.items() if one is None
    ):
        return text
    lines = text.splitlines()
    begin, end = _place(lines, room)
    body = lines[begin:end]
    for key, one in changes.items():
        body = _changed(body, key, None if one is None else line(key, *one), before.get(room, {}).get(key), one)
    after = "\n".join([*lines[:begin], *body, *lines[end:]]) + "\n"
    _check(before, after, room, wanted, [key for key, one in changes.items() if one is None])
    return after


def _place(lines: list[str], room: str) -> tuple[int, int]:
    """Find the lines of a table, without its head; one that is not there begins at the end of the file."""
    for i, text in enumerate(lines):
        found = _TABLE.match(text)
        if found is not None and found[1] == room:
            end = next((j for j in range(i + 1, len(lines)) if _ANY_TABLE.match(lines[j])), len(lines))
            while end > i + 1 and not lines[end - 1].strip():
                end -= 1
            return i + 1, end
    lines += ["", f"[{room}]"]
    return len(lines), len(lines)


def _changed(body: list[str], key: str, new: str | None, was: Any, one: tuple[Any, str] | None) -> list[str]:
    if one is not None and was == one[0]:
        return body
    pattern = re.compile(rf"^\s*(\"{re.escape(key)}\"|{re.escape(key)})\s*=")
    begin = next((i for i, text in enumerate(body) if pattern.match(text)), None)
    if begin is None:
        return body if new is None else [*body, new]
    end = begin + 1
    while end < len(body) and not _is_whole("\n".join(body[begin:end])):
        end += 1  # a list over several lines
    return [*body[:begin], *([] if new is None else [new]), *body[end:]]


def _is_whole(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _check(before: dict[str, Any], after: str, room: str, wanted: Mapping[str, Any], gone: list[str]) -> None:
    table = {key: value for key, value in {**before.get(room, {}), **wanted}.items() if key not in gone}
    expected = {**before, room: json.loads(json.dumps(table, default=str))}
    try:
        found = tomllib.loads(after)
    except tomllib.TOMLDecodeError:
        found = {}
    if json.loads(json.dumps(found, default=str)) != json.loads(json.dumps(expected, default=str)):
        raise ConfigError(
            f"{FILE_NAME} [{room}]: cannot be changed by a program as it is written",
            hint=f"write the table as [{room}] with one key a line, or set "
            + ", ".join(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in wanted.items()),
        )
