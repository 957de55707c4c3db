"""Pictures are kept beside the log: each once, the newest ones, for their owner alone."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

from palio.store import KeptPictures


def test_what_was_kept_is_read_again_by_anybody_who_opens_the_folder(tmp_path: Path) -> None:
    kept = KeptPictures(tmp_path, most_bytes=1000)
    kept.keep("ab12", b"bytes")
    kept.keep("ab12", b"bytes")
    other = KeptPictures(tmp_path, most_bytes=0)
    assert other.has("ab12") and other.read("ab12") == b"bytes"
    assert not other.has("cd34") and other.read("cd34") is None and not other.has("")
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_beyond_the_size_those_go_that_were_not_asked_about_for_longest(tmp_path: Path) -> None:
    kept = KeptPictures(tmp_path, most_bytes=1000)
    for number in range(30):
        kept.keep(f"{number:04}", bytes(100))
        os.utime(next(tmp_path.rglob(f"{number:04}")), (number, number))
    held = [number for number in range(30) if kept.has(f"{number:04}")]
    assert held[-1] == 29 and 5 <= len(held) <= 11
    assert held == list(range(held[0], 30))


def test_what_is_too_old_is_forgotten(tmp_path: Path) -> None:
    kept = KeptPictures(tmp_path, most_bytes=1000)
    for number, name in enumerate(("aa", "bb")):
        kept.keep(name, b"1")
        at = time.time() - (1 - number) * 3 * 86_400
        os.utime(next(path for path in tmp_path.rglob(name) if path.is_file()), (at, at))
    assert kept.forget(days=0) == 0
    assert kept.forget(days=2) == 1
    assert not kept.has("aa") and kept.has("bb")


def test_nothing_is_kept_where_nothing_may_be_or_the_disk_refuses(tmp_path: Path) -> None:
    nothing = KeptPictures(tmp_path, most_bytes=0)
    nothing.keep("ab", b"1")
    (tmp_path / "file").touch()
    refused = KeptPictures(tmp_path / "file", most_bytes=100)
    refused.keep("ab", b"1")
    assert not nothing.has("ab") and not refused.has("ab")


def test_a_digest_is_no_way_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    assert KeptPictures(tmp_path / "log", most_bytes=9).read("../../secret") is None
