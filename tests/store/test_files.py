from __future__ import annotations

from pathlib import Path

import pytest

from palio import store


def test_a_file_is_written_whole_and_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "new" / "rows"
    store.write_whole(file, b"first")
    store.write_whole(file, b"second")
    assert file.read_bytes() == b"second"
    assert [path.name for path in file.parent.iterdir()] == ["rows"]
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_what_cannot_be_written_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "new" / "rows"
    store.write_whole(file, b"first")
    with pytest.raises(TypeError):
        store.write_whole(file, "a text")  # type: ignore[arg-type]
    assert file.read_bytes() == b"first"
