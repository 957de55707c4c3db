"""What must not be known is not in the log."""

from __future__ import annotations

import stat
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from palio.store import Redaction, salt_of


@given(st.text(max_size=20), st.text(max_size=20))
def test_equal_texts_have_equal_hashes_and_others_do_not(one: str, other: str) -> None:
    first, second = Redaction(salt="s").texts([one, other])
    assert (first == second) == (one.encode("utf-8", "replace") == other.encode("utf-8", "replace"))


def test_another_salt_gives_another_hash() -> None:
    assert Redaction(salt="a").texts(["ann"]) != Redaction(salt="b").texts(["ann"])


def test_an_empty_key_stays_empty() -> None:
    assert Redaction(salt="a").texts([""]) == [""]


def test_cells_do_not_run_into_each_other_in_the_hash_of_a_row() -> None:
    def row(*cells: str) -> list[np.ndarray]:  # type: ignore[type-arg]
        return [np.array([cell], object) for cell in cells]

    first, second = Redaction().rows([row("ab", "a"), row("c", "bc")])
    assert first != second


def test_the_salt_is_made_once_and_kept_for_its_owner(tmp_path: Path) -> None:
    salt = salt_of(tmp_path / "log")
    assert len(salt) == 64
    assert salt_of(tmp_path / "log") == salt
    assert [path.name for path in (tmp_path / "log").iterdir()] == [".salt"]
    assert stat.S_IMODE((tmp_path / "log" / ".salt").stat().st_mode) == 0o600
