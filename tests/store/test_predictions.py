"""The prediction log on disk: segments, writers, cuts, full disks."""

from __future__ import annotations

import datetime as dt
import os
import resource
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from palio.core.errors import IntegrityError, UnavailableError
from palio.store import PredictionLog, log_frame, log_segments, scan_log
from palio.store.predictions import model_folder
from tests.alone import alone
from tests.store.log_rows import DAY, rows, series


class Calendar:
    def __init__(self) -> None:
        self.now = DAY

    def __call__(self) -> dt.datetime:
        return self.now


def ids(folder: Path, **where: Any) -> list[int]:
    return [int(name) for batch in scan_log(folder, "bank", **where) for name in batch["id"].tolist()]


def test_a_segment_is_read_while_it_grows_and_after_it_is_closed(tmp_path: Path) -> None:
    with PredictionLog(tmp_path, clock=Calendar()) as log:
        log.append(series(), *rows(0, 5))
        log.append(series(), *rows(5, 2))
        assert ids(tmp_path) == list(range(7))
        assert log_frame(tmp_path, "bank").height == 7
    (segment,) = log_segments(tmp_path, "bank")
    assert segment.parent.relative_to(tmp_path).as_posix() == "bank/answers/2026-05-04"
    assert ids(tmp_path) == pl.read_ipc_stream(segment)["id"].cast(int).to_list() == list(range(7))


def test_what_is_no_file_is_no_segment_and_damage_names_its_file(tmp_path: Path) -> None:
    with PredictionLog(tmp_path, clock=Calendar()) as log:
        log.append(series(), *rows(0, 5))
    (segment,) = log_segments(tmp_path, "bank")
    day = segment.parent
    (day / "folder.arrows").mkdir()
    os.mkfifo(day / "pipe.arrows")
    (day / "dangling.arrows").symlink_to("nowhere")
    (day / "endless.arrows").symlink_to("/dev/zero")
    (day / "empty.arrows").touch()
    (day.parent / "2026-05-05").touch()
    assert ids(tmp_path) == list(range(5))
    whole = bytearray(segment.read_bytes())
    whole[-200:-100] = b"\xff" * 100
    (day / "bad.arrows").write_bytes(bytes(whole))
    with pytest.raises(IntegrityError, match=r"bad\.arrows: a batch of the log is damaged"):
        [batch[name] for batch in scan_log(tmp_path, "bank") for name in batch]


def test_a_segment_ends_when_it_is_large_when_it_is_old_and_at_midnight(tmp_path: Path) -> None:
    calendar = Calendar()
    with PredictionLog(tmp_path, segment_bytes=2000, clock=calendar) as log:
        for first in range(3):
            log.append(series(), *rows(first, 1))
    assert len(log_segments(tmp_path, "bank")) == 3
    with PredictionLog(tmp_path, segment_s=0.0, clock=calendar) as log:
        log.append(series(), *rows(3, 1))
        log.roll()
        log.append(series(), *rows(4, 1))
    assert len(log_segments(tmp_path, "bank")) == 5
    with PredictionLog(tmp_path, clock=calendar) as log:
        log.append(series(), *rows(5, 1))
        calendar.now += dt.timedelta(days=1)
        log.append(series(), *rows(6, 1))
    assert sorted(ids(tmp_path)) == list(range(7))
    assert {path.parent.name for path in log_segments(tmp_path, "bank")} == {"2026-05-04", "2026-05-05"}


def test_kinds_and_bundles_have_segments_of_their_own(tmp_path: Path) -> None:
    with PredictionLog(tmp_path, clock=Calendar()) as log:
        log.append(series(tag="aaa"), *rows(0, 1))
        log.append(series(tag="bbb"), *rows(1, 1))
        log.append(series(kind="failures"), *rows(2, 1))
    assert [path.name[:3] for path in log_segments(tmp_path, "bank")] == ["aaa", "bbb"]
    assert ids(tmp_path, kind="failures") == [2]


@pytest.mark.parametrize("model", ["..", ".", "", "a/b", "../../etc", "ä\0b", "a" * 60])
def test_no_name_of_a_model_leads_out_of_the_log(tmp_path: Path, model: str) -> None:
    with PredictionLog(tmp_path / "log", clock=Calendar()) as log:
        log.append(series(model), *rows(0, 1))
    assert model_folder(tmp_path / "log", model).parent == tmp_path / "log"
    assert [path.name for path in tmp_path.iterdir()] == ["log"]
    assert log_frame(tmp_path / "log", model).height == 1


def test_only_the_owner_can_read_the_log(tmp_path: Path) -> None:
    with PredictionLog(tmp_path / "log", clock=Calendar()) as log:
        log.append(series(), *rows(0, 1))
    (segment,) = log_segments(tmp_path / "log", "bank")
    assert stat.S_IMODE(segment.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o700


WRITER = """
import sys
from pathlib import Path
from palio.store import PredictionLog
from tests.store.log_rows import rows, series
first = int(sys.argv[2])
with PredictionLog(Path(sys.argv[1]), segment_bytes=20_000) as log:
    for i in range(first, first + 1000, 10):
        log.append(series(), *rows(i, 10))
        log.roll()
"""


def test_four_writers_at_once_lose_nothing_and_need_no_lock(tmp_path: Path) -> None:
    started = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(first)]) for first in range(0, 4000, 1000)
    ]
    assert [process.wait(60) for process in started] == [0] * 4
    assert sorted(ids(tmp_path)) == list(range(4000))
    assert len(log_segments(tmp_path, "bank")) > 4


def test_moments_select_rows_within_segments(tmp_path: Path) -> None:
    with PredictionLog(tmp_path, clock=Calendar()) as log:
        log.append(series(), *rows(0, 100))
        log.append(series(), *rows(100, 100))
    second = dt.timedelta(seconds=1)
    window = {"since": DAY + 90 * second, "until": DAY + 110 * second}
    assert ids(tmp_path, **window) == list(range(90, 110))
    assert log_frame(tmp_path, "bank", columns=["id"], **window).get_column("id").cast(int).to_list() == list(
        range(90, 110)
    )
    assert ids(tmp_path, since=DAY + dt.timedelta(days=1)) == []
    berlin = dt.timezone(dt.timedelta(hours=2))
    assert ids(tmp_path, until=(DAY + 3 * second).astimezone(berlin)) == [0, 1, 2]


@alone
def test_a_batch_that_does_not_fit_on_the_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with PredictionLog(tmp_path, clock=Calendar()) as log:
        log.append(series(), *rows(0, 10))
        (segment,) = log_segments(tmp_path, "bank")
        size = segment.stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 1000, before[1]))
        try:
            with pytest.raises(UnavailableError, match="the prediction log cannot be written"):
                log.append(series(), *rows(10, 1000))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert segment.stat().st_size == size
        assert ids(tmp_path) == list(range(10))
        log.append(series(), *rows(10, 5))
    assert ids(tmp_path) == list(range(15))
    assert pl.read_ipc_stream(segment).height == 15


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_named_as_the_trouble(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with PredictionLog(tmp_path / "log") as log, pytest.raises(UnavailableError, match="permission denied"):
        log.append(series(), *rows(0, 1))


def test_a_file_where_the_folder_should_be_is_trouble_too(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("")
    with PredictionLog(tmp_path / "log") as log, pytest.raises(UnavailableError, match="cannot be written"):
        log.append(series(), *rows(0, 1))
