"""What clients often send in place of JSON is named, on every route, and never said back."""

from __future__ import annotations

import gzip

import pytest

from tests.serve.conftest import Wire

ROUTES = ("/predict", "/invocations", "/v2/models/bank/infer")
BODIES = {
    "a byte order mark": (b"\xef\xbb\xbf{}", "byte order mark"),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "UTF-16"),
    "another infinity": (b'{"secret": -Infinity}', "-Infinity"),
    "what Python prints": (b"{'secret': 1}", "double quotes"),
    "what a shell of Windows leaves": (b"'{secret:1}'", "double quotes"),
    "nothing": (b"", "empty"),
    "one value a line": (b'{"inputs": []}\n{"inputs": []}\n', "one list"),
    "JSON in JSON": (b'"{\\"secret\\": 1}"', "encoded twice"),
    "half of it": (b'{"secret": ', "breaks off at character 11"),
    "a comma too many": (b'{"secret": 1,}', "breaks off at character"),
    "a forgotten encoding": (gzip.compress(b'{"secret": 1}'), "content-encoding: gzip"),
    "a forgotten content type": (b"\xff\xd8\xff\xe0secret", "content-type: image/jpeg"),
    "half of an emoji": (b'{"secret": "\\ud83d"}', "half of a character"),
}


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_what_is_no_json_is_named(wire: Wire, route: str, body: tuple[bytes, str]) -> None:
    status, _, answer = wire("POST", route, body[0], {"content-type": "application/json"})
    assert status == 400
    assert body[1] in answer.decode()
    assert b"secret" not in answer


@pytest.mark.parametrize("route", ["/predict", "/invocations"])
def test_a_text_that_is_not_utf_8_is_named(wire: Wire, route: str) -> None:
    status, _, answer = wire("POST", route, b'{"secret": "M\xfcller"}', {"content-type": "application/json"})
    assert status == 400
    assert b"not UTF-8" in answer


@pytest.mark.parametrize("route", ["/predict", "/v2/models/bank/infer"])
def test_a_bare_nan_is_named_where_it_is_not_read(wire: Wire, route: str) -> None:
    status, answer = wire.json("POST", route, b'{"age": NaN}')
    assert status == 400
    assert "NaN" in answer["error"]


@pytest.mark.parametrize("separator", [";", "\t", "|", " ; "])
def test_csv_with_another_separator_is_told_so(wire: Wire, separator: str) -> None:
    text = f"age{separator}job\n40{separator}student\n"
    status, _, answer = wire("POST", "/invocations", text.encode(), {"content-type": "text/csv"})
    assert status == 400
    assert b"separated by commas" in answer


def test_blanks_around_names_and_before_quotes_of_csv_count_for_nothing(wire: Wire) -> None:
    plain = b"age,job,married\n40,student,true\n"
    spaced = b'age, job ,married\n40, "student", "true"\n'
    answers = [wire("POST", "/invocations", text, {"content-type": "text/csv"}) for text in (plain, spaced)]
    assert [status for status, _, _ in answers] == [200, 200] and answers[0][2] == answers[1][2]
    assert "x-palio-flags" not in answers[1][1]
