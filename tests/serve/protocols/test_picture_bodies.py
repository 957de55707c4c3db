"""Bodies that hold files: what they mean, and that nothing but a refusal comes of damaged ones."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from palio.core.records import Column
from palio.serve.protocols.picture_bodies import records_of
from palio.serve.protocols.wire import Caps, Request, WireError

ONE: Any = SimpleNamespace(columns=(Column(name="photo", type="image"),))
TWO: Any = SimpleNamespace(columns=(Column(name="front", type="image"), Column(name="back", type="image")))
PART = b'--b\r\nContent-Disposition: form-data; name="%s"%s\r\nContent-Type: image/png\r\n\r\n%s\r\n'


def asked(body: bytes, kind: bytes, sight: Any = ONE, **caps: Any) -> Any:
    return records_of(Request(body, None, b"", kind), sight, Caps(**caps))


def form(*parts: tuple[bytes, bool, bytes], sight: Any = ONE, **caps: Any) -> Any:
    body = b"".join(PART % (name, b'; filename="x"' if is_file else b"", value) for name, is_file, value in parts)
    return asked(body + b"--b--\r\n", b'multipart/form-data; charset=utf-8; boundary="b"', sight, **caps)


def test_json_is_left_to_others() -> None:
    assert asked(b"{}", b"application/json") is None
    assert asked(b"{}", b"") is None


def test_a_body_of_a_picture_is_one_row() -> None:
    for kind in (b"image/jpeg", b"IMAGE/PNG; q=1", b"application/octet-stream"):
        assert asked(b"bytes", kind) == [{"photo": b"bytes"}]
    with pytest.raises(WireError, match="takes 2 pictures a row"):
        asked(b"bytes", b"image/jpeg", TWO)


def test_the_parts_of_a_form_are_rows() -> None:
    assert form((b"photo", True, b"1"), (b"photo", True, b"2")) == [{"photo": b"1"}, {"photo": b"2"}]
    assert form((b"upload", True, b"\r\n--\r\n"), (b"age", False, b"3")) == [{"photo": b"\r\n--\r\n", "age": "3"}]
    rows = form((b"front", True, b"1"), (b"back", True, b"2"), (b"front", True, b"3"), (b"back", True, b"4"), sight=TWO)
    assert rows == [{"front": b"1", "back": b"2"}, {"front": b"3", "back": b"4"}]
    for_each = form((b"photo", True, b"1"), (b"n", False, b"5"), (b"photo", True, b"2"), (b"n", False, b"6"))
    assert [row["n"] for row in for_each] == ["5", "6"]


@pytest.mark.parametrize(
    ("parts", "sight", "status"),
    [
        ([], ONE, 400),
        ([(b"age", False, b"3")], ONE, 400),
        ([(b"age", False, b"\xff"), (b"photo", True, b"1")], ONE, 400),
        ([(b"front", True, b"1"), (b"back", True, b"2"), (b"back", True, b"2")], TWO, 400),
        ([(b"front", True, b"1")], TWO, 400),
        ([(b"photo", True, b"1")] * 4, ONE, 413),
    ],
)
def test_forms_that_make_no_rows_are_refused(parts: Any, sight: Any, status: int) -> None:
    with pytest.raises(WireError) as refused:
        form(*parts, sight=sight, max_rows=3)
    assert refused.value.status == status


def test_damaged_forms_are_refused_and_nothing_else() -> None:
    random = np.random.default_rng(0)
    good = np.frombuffer(PART % (b"photo", b'; filename="x"', b"1" * 50) * 3 + b"--b--\r\n", np.uint8)
    for trial in range(3_000):
        bad = good.copy()
        bad[random.integers(0, len(bad), 3)] = random.integers(0, 256, 3)
        body = bad.tobytes()[: random.integers(0, len(bad) + 1)] if trial % 2 else bad.tobytes()
        try:
            rows = asked(body, b"multipart/form-data; boundary=b")
        except WireError as refusal:
            assert refusal.status in (400, 413)
        else:
            assert all(set(map(type, row.values())) <= {bytes, str} for row in rows)
