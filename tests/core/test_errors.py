from __future__ import annotations

import pytest

from palio.core import errors


@pytest.mark.parametrize(
    ("kind", "exit_code", "status"),
    [
        (errors.InputError, 2, 400),
        (errors.ConfigError, 2, 400),
        (errors.ContractError, 2, 422),
        (errors.NotFoundError, 3, 404),
        (errors.RefusedError, 4, 403),
        (errors.SealError, 4, 403),
        (errors.IntegrityError, 4, 409),
        (errors.ConflictError, 4, 409),
        (errors.UnavailableError, 5, 503),
    ],
)
def test_every_error_has_its_exit_code_and_status(kind: type[errors.PalioError], exit_code: int, status: int) -> None:
    assert (kind.exit_code, kind.http_status) == (exit_code, status)
    assert kind.__name__ in (errors.__doc__ or ""), "the tree in the docstring is complete"


def test_an_error_reads_message_then_hint() -> None:
    error = errors.InputError("here: this, not that", hint="do so", facts={"n": 1})
    assert str(error) == "here: this, not that\nhint: do so"
    assert error.as_json() == {
        "error": "here: this, not that",
        "hint": "do so",
        "kind": "InputError",
        "facts": {"n": 1},
    }


def test_a_word_like_no_other_gets_the_list_of_allowed_ones() -> None:
    assert errors.did_you_mean("zzz", ["a", "b"]) == "use one of `a`, `b`"


def test_a_missing_package_names_the_extra() -> None:
    error = errors.need("train", ImportError("No module named 'polars'", name="polars"))
    assert "polars" in error.message
    assert 'pip install "palio[train]"' in error.hint
