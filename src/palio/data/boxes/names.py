"""Read the names of classes that stand beside files of boxes: a name a line, or the few lines of YAML that hold them.

Of YAML only that is read which such files hold: keys with a word, a list or a map of words; nothing is made of tags,
anchors or documents, and nothing can be executed.
"""

from __future__ import annotations

import re

from palio.core.errors import InputError

_KEY = re.compile(r"^(\s*)(?:\"([^\"]*)\"|'([^']*)'|([^\s#:'\"\[{-][^:#]*?))\s*:(?:\s+(.*))?$")
_ITEM = re.compile(r"^(\s*)-\s+(.*)$")
Value = str | list[str] | dict[str, str]


def lines_of(data: bytes) -> list[str]:
    """Return the names of a file that has one a line; empty lines at its end are none."""
    lines = [line.strip() for line in data.decode("utf-8-sig", "replace").splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def yaml_of(data: bytes, where: str) -> dict[str, Value]:
    r"""Return the keys of a YAML file that stand at its left edge.

    Raises:
        InputError: a list or map is not closed.

    Example:
        >>> yaml_of(b"nc: 2\nnames: [cat, 'big dog']  # two\n", "data.yaml")
        {'nc': '2', 'names': ['cat', 'big dog']}
        >>> yaml_of(b"names:\n  0: cat\n  1: dog\n", "data.yaml")
        {'names': {'0': 'cat', '1': 'dog'}}
    """
    found: dict[str, Value] = {}
    key = ""
    lines = data.decode("utf-8-sig", "replace").splitlines()
    at = 0
    while at < len(lines):
        line, at = _bare(lines[at]), at + 1
        if not line.strip() or line.startswith(("---", "%")):
            continue
        item, pair = _ITEM.match(line), _KEY.match(line)
        if item and key:
            held = found.get(key)
            found[key] = [*(held if isinstance(held, list) else []), _word(item[2])]
            continue
        if not pair:
            continue
        name = next((word for word in pair.groups()[1:4] if word is not None), "").strip()
        text = (pair[5] or "").strip()
        if pair[1] and key:
            held = found.get(key)
            found[key] = {**(held if isinstance(held, dict) else {}), name: _word(text)}
            continue
        while text[:1] in ("[", "{") and not _is_closed(text):
            if at >= len(lines):
                raise InputError(f"{where}: a list or map is not closed", hint="close it")
            text, at = f"{text} {_bare(lines[at]).strip()}", at + 1
        key = name
        found[key] = _value(text)
    return found


def named(value: Value | None) -> dict[str, str]:
    """Return number → name of a list or map of names."""
    if isinstance(value, dict):
        return value
    return {str(place): name for place, name in enumerate(value)} if isinstance(value, list) else {}


def _value(text: str) -> Value:
    if text.startswith("["):
        return [_word(part) for part in _parts(text[1:-1])]
    if text.startswith("{"):
        pairs = [_pair(part) for part in _parts(text[1:-1])]
        return {_word(name): _word(word) for name, word in pairs}
    return _word(text)


def _pair(text: str) -> tuple[str, str]:
    match = re.match(r"\s*(\"[^\"]*\"|'[^']*'|[^:]*)\s*:\s*(.*)$", text)
    return (match[1], match[2]) if match else (text, "")


def _parts(text: str) -> list[str]:
    """Cut at commas outside of quotes."""
    found, part, quote = [], "", ""
    for sign in text:
        if sign == quote:
            quote = ""
        elif not quote and sign in "\"'":
            quote = sign
        if sign == "," and not quote:
            found.append(part)
            part = ""
        else:
            part += sign
    return [one for one in (*found, part) if one.strip()]


def _is_closed(text: str) -> bool:
    return text.rstrip().endswith("]" if text.startswith("[") else "}")


def _word(text: str) -> str:
    text = text.strip().rstrip(",").strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        inner = text[1:-1]
        return inner.replace("''", "'") if text[0] == "'" else inner.replace('\\"', '"')
    return text


def _bare(line: str) -> str:
    """Cut a comment off, unless the sign stands within quotes or a word."""
    quote = ""
    for place, sign in enumerate(line):
        if sign == quote:
            quote = ""
        elif not quote and sign in "\"'" and (place == 0 or line[place - 1] in " [{,:-"):
            quote = sign
        elif sign == "#" and not quote and (place == 0 or line[place - 1].isspace()):
            return line[:place].rstrip()
    return line.rstrip()
