"""Warnings of threads are told once, by the filters of who waits for them."""

from __future__ import annotations

import warnings

import pytest

from palio.train.held_warnings import held_warnings


def test_where_warnings_are_errors_a_held_one_is_an_error_at_the_end() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ended = False
        with pytest.raises(RuntimeWarning, match="odd"), held_warnings():
            warnings.warn("odd", RuntimeWarning, stacklevel=1)
            ended = True
    assert ended


def test_what_is_ignored_stays_ignored() -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("ignore")
        with held_warnings():
            warnings.warn("odd", RuntimeWarning, stacklevel=1)
    assert told == []
