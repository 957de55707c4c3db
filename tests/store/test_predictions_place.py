"""Folders and disks that vanish under a writer: it is noticed, and what can go on goes on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from palio import store
from palio.core.errors import UnavailableError
from palio.store.predictions_place import LogPlace
from tests.store.log_rows import rows, series


def begun(folder: Path, *, is_strict: bool = False) -> store.PredictionLog:
    """A log to which three rows have been written."""
    log = store.PredictionLog(folder, is_strict=is_strict)
    log.append(series(), *rows(0, 3))
    log.sync()
    return log


def kept(folder: Path) -> list[str]:
    return sorted(name for batch in store.scan_log(folder, "bank") for name in batch["id"].tolist())


def project(folder: Path) -> Path:
    root = folder / "project" / ".palio" / "predictions"
    root.parent.mkdir(parents=True)
    return root


@pytest.mark.parametrize("what", ["segment", "day", "root", "ours"])
@pytest.mark.parametrize("is_strict", [False, True])
def test_what_is_deleted_under_the_writer_is_noticed_and_later_rows_are_kept(
    tmp_path: Path, what: str, is_strict: bool
) -> None:
    root = project(tmp_path)
    with begun(root, is_strict=is_strict) as log:
        (segment,) = store.log_segments(root, "bank")
        gone = {"segment": segment, "day": segment.parent, "root": root, "ours": root.parent}[what]
        segment.unlink() if gone == segment else shutil.rmtree(gone)
        assert log.look() == ""
        assert log.n_vanished == 3
        log.append(series(), *rows(3, 2))
        log.sync()
    assert kept(root) == [f"{i:09d}" for i in (3, 4)]


@pytest.mark.parametrize("change", ["another file", "emptied", "moved away", "a link elsewhere"])
def test_a_segment_that_is_no_longer_itself_is_left(tmp_path: Path, change: str) -> None:
    root = project(tmp_path)
    with begun(root) as log:
        (segment,) = store.log_segments(root, "bank")
        if change == "another file":
            shutil.copy(segment, tmp_path / "copy")
            (tmp_path / "copy").replace(segment)
        elif change == "emptied":
            segment.write_bytes(b"")
        elif change == "moved away":
            root.rename(tmp_path / "archive")
        else:
            root.rename(tmp_path / "archive")
            (tmp_path / "other").mkdir()
            root.symlink_to(tmp_path / "other")
        log.append(series(), *rows(3, 2))  # without a look before: what is written must be found, too
        log.sync()
        assert log.n_vanished == 3
    assert set(kept(root)) >= {f"{i:09d}" for i in (3, 4)}


def test_a_project_that_is_moved_takes_its_log_along_and_leaves_no_ghost(tmp_path: Path) -> None:
    root = project(tmp_path)
    with begun(root) as log:
        (tmp_path / "project").rename(tmp_path / "renamed")
        assert "is gone" in log.look()
        log.append(series(), *rows(3, 2))
    assert not (tmp_path / "project").exists()
    assert len(kept(tmp_path / "renamed" / ".palio" / "predictions")) == 5


def test_a_strict_writer_takes_nothing_while_its_project_is_elsewhere(tmp_path: Path) -> None:
    root = project(tmp_path)
    with begun(root, is_strict=True) as log:
        (tmp_path / "project").rename(tmp_path / "renamed")
        with pytest.raises(UnavailableError, match="is gone"):
            log.append(series(), *rows(3, 2))
        assert not (tmp_path / "project").exists()
        (tmp_path / "renamed").rename(tmp_path / "project")
        log.append(series(), *rows(5, 1))
        log.sync()
    assert kept(root) == [f"{i:09d}" for i in (0, 1, 2, 5)]


def test_a_promise_is_not_kept_by_a_file_that_nobody_finds(tmp_path: Path) -> None:
    root = project(tmp_path)
    with begun(root, is_strict=True) as log:
        log.append(series(), *rows(3, 2))
        shutil.rmtree(root)  # between the write and the wait for the disk
        with pytest.raises(UnavailableError, match="removed or moved"):
            log.sync()
        log.append(series(), *rows(5, 1))
        log.sync()
    assert kept(root) == ["000000005"]


def test_a_disk_that_is_no_longer_mounted_is_told_until_it_is_back(tmp_path: Path) -> None:
    disk, mounts = tmp_path / "a disk", tmp_path / "mounts"
    disk.mkdir()
    line = "36 35 98:0 / {} rw,noatime shared:1 - ext4 /dev/sdb1 rw\n"
    both = line.format("/") + line.format(str(disk).replace(" ", "\\040"))
    mounts.write_text(both)
    place = LogPlace(disk / "log", mounts=mounts)
    place.make()
    assert place.trouble() == ""
    mounts.write_text(line.format("/"))
    assert place.trouble() == f"its disk is no longer mounted at {disk}"
    mounts.write_text(both)
    assert place.trouble() == ""
    mounts.unlink()  # where the system does not say, nothing is claimed
    assert place.trouble() == ""
