"""A picture travels as bytes or as base64, however clients write that."""

from __future__ import annotations

import base64
import urllib.parse
from typing import Any

import pytest

from palio.core.errors import InputError
from palio.model.cells.pictures import bytes_of

DATA = bytes(range(256)) * 2
TEXT = base64.b64encode(DATA).decode()
assert "+" in TEXT and "/" in TEXT and TEXT.endswith("=")


@pytest.mark.parametrize(
    "cell",
    [
        DATA,
        TEXT,
        base64.encodebytes(DATA).decode(),
        base64.urlsafe_b64encode(DATA).decode(),
        TEXT.rstrip("="),
        f"data:image/png;base64,{TEXT}",
        f"DATA:IMAGE/PNG;BASE64,{urllib.parse.quote(TEXT)}",
        {"b64": TEXT},
    ],
)
def test_every_way_to_write_bytes_gives_the_same_bytes(cell: Any) -> None:
    assert bytes_of(cell) == DATA


@pytest.mark.parametrize(
    "cell",
    [
        "",
        "  ",
        "/etc/passwd",
        "photos/cat.jpg",
        "http://a.example/cat.jpg",
        5,
        {"b64": 5},
        {"url": TEXT},
        TEXT[:-2] + "#=",
    ],
)
def test_what_is_no_picture_is_refused(cell: Any) -> None:
    with pytest.raises(InputError, match="base64"):
        bytes_of(cell)
