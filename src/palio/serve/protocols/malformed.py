"""Say what is wrong with a body that is no JSON, where it is one of the things that clients often send."""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Sequence

from palio.serve.protocols.wire import WireError

_MARKS: Sequence[tuple[bytes, str]] = (
    (codecs.BOM_UTF8, "the body begins with a byte order mark (BOM), which JSON does not have; send UTF-8 without it"),
    (codecs.BOM_UTF16_LE, "the body is UTF-16; send UTF-8, without a byte order mark (BOM)"),
    (codecs.BOM_UTF16_BE, "the body is UTF-16; send UTF-8, without a byte order mark (BOM)"),
)
_OTHERS: Sequence[tuple[bytes, str]] = (
    (b"\x1f\x8b", "the body is compressed; say so in the header content-encoding: gzip"),
    (b"\xff\xd8\xff", "the body is a picture; say so in the header content-type: image/jpeg"),
    (b"\x89PNG", "the body is a picture; say so in the header content-type: image/png"),
    (b"GIF8", "the body is a picture; say so in the header content-type: image/gif"),
    (b"RIFF", "the body is a picture; say so in the header content-type: image/webp"),
    (b"PAR1", "the body is Parquet; send it to /invocations, content-type: application/vnd.apache.parquet"),
)
"""How other bodies begin, whose content type was forgotten or is what a client says of any."""
_SINGLE_QUOTES = re.compile(rb"\s*(?:'|[{\[][\s{\[]*')")
_LOOK_AT_BYTES = 2**20
"""A larger body is not read again to say why it cannot be read."""
_MOMENT = 64
_BREAKS = "it breaks off at character "
_HALF = re.compile(rb"(?<!\\)(?:\\\\)*\\u[dD][89a-fA-F]")
"""An escape for half of a character, of which JSON needs both halves."""


class _NoNumberError(Exception):
    """Something stands for a number that JSON, or a float, cannot hold."""


def not_json(body: bytes | memoryview, hint: str = "") -> WireError:
    """Return the refusal of a body that is no JSON; `hint` says what to send where nothing better is known.

    Example:
        >>> not_json(b'{"age": NaN}').message
        'the body is not JSON: a number is NaN, for which JSON has no word; send null for a missing value'
    """
    begin = bytes(body[:_MOMENT])
    for mark, what in (*_MARKS, *_OTHERS):
        if begin.startswith(mark):
            return WireError(400, what)
    if not begin.strip():
        return WireError(400, "the body is not JSON: it is empty" + (f"; {hint}" if hint else ""))
    if _SINGLE_QUOTES.match(begin):
        return WireError(400, "the body is not JSON: names and texts stand in double quotes")
    why = _look(bytes(body)) if len(body) <= _LOOK_AT_BYTES else ""
    hint = "" if why and not why.startswith(_BREAKS) else hint
    return WireError(400, "the body is not JSON" + (f": {why}" if why else "") + (f"; {hint}" if hint else ""))


def is_json_in_json(value: object) -> bool:
    """Tell whether what was read is a text that holds JSON: who calls `json=json.dumps(…)` encodes twice."""
    return isinstance(value, str) and value.lstrip()[:1] in ("{", "[")


TWICE = "the body is a JSON text that holds JSON: it was encoded twice"


def _look(body: bytes) -> str:
    """Return the first of what clients get wrong, if nothing else is wrong before it."""
    try:
        json.loads(body.decode(), parse_constant=_bare_word, parse_float=_finite)
    except UnicodeDecodeError:
        return "its texts are not UTF-8"
    except _NoNumberError as found:
        return str(found)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            return "something follows its end; send many records as one list"
        return f"{_BREAKS}{error.pos}" if error.pos else ""
    except (ValueError, RecursionError):
        return ""
    return "a text holds half of a character, such as an emoji that was cut in two" if _HALF.search(body) else ""


def _bare_word(word: str) -> None:
    raise _NoNumberError(f"a number is {word}, for which JSON has no word; send null for a missing value")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _NoNumberError("a number is larger than a float can hold")
    return number
