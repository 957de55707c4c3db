"""Putting the prediction log in order: repair, joining, retention."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from palio.core.errors import IntegrityError
from palio.store import PredictionLog, log_segments, scan_log, tidy_log
from palio.store.arrow_reading import messages
from palio.store.predictions_tidy import Tidied
from tests.store.log_rows import DAY, LAYOUT, rows, series


def noon() -> dt.datetime:
    return DAY


def write(folder: Path, *sizes: int) -> Path:
    first = 0
    with PredictionLog(folder, clock=noon) as log:
        for n_rows in sizes:
            log.append(series(), *rows(first, n_rows))
            first += n_rows
    (segment,) = log_segments(folder, "bank")
    return segment


def ids(folder: Path) -> list[int]:
    return [int(name) for batch in scan_log(folder, "bank") for name in batch["id"].tolist()]


def test_a_tail_cut_at_any_byte_is_repaired_so_that_polars_reads_it(tmp_path: Path) -> None:
    segment = write(tmp_path, 100, 95, 3)
    whole = segment.read_bytes()
    with segment.open("rb") as file:
        ends = [message.end for message in messages(file)]
    for size in [*range(ends[-2], len(whole), 37), ends[-1], len(whole) - 1]:
        segment.write_bytes(whole[:size])
        n_rows = 195 if size < ends[-1] else 198
        assert ids(tmp_path) == list(range(n_rows))
        assert tidy_log(tmp_path, today=DAY.date()) == Tidied(repaired=1)
        assert pl.read_ipc_stream(segment)["id"].cast(int).to_list() == list(range(n_rows))
        assert tidy_log(tmp_path, today=DAY.date()) == Tidied()


def test_a_segment_without_a_whole_batch_is_removed(tmp_path: Path) -> None:
    segment = write(tmp_path, 5)
    segment.write_bytes(LAYOUT.schema[:-3])
    tidy_log(tmp_path, today=DAY.date())
    assert not segment.exists()


def test_small_batches_become_large_ones_with_the_same_rows(tmp_path: Path) -> None:
    segment = write(tmp_path, *[1] * 500, 3, 2)
    before, size = pl.read_ipc_stream(segment), segment.stat().st_size
    assert tidy_log(tmp_path, today=DAY.date()) == Tidied(compacted=1)
    assert pl.read_ipc_stream(segment).equals(before)
    assert ids(tmp_path) == list(range(505))
    assert segment.stat().st_size < size / 5
    with segment.open("rb") as file:
        assert len(list(messages(file))) == 2
    assert tidy_log(tmp_path, today=DAY.date()) == Tidied()


def test_a_segment_that_grows_is_left_alone(tmp_path: Path) -> None:
    with PredictionLog(tmp_path, clock=noon) as log:
        for first in range(50):
            log.append(series(), *rows(first, 1))
        assert tidy_log(tmp_path, today=DAY.date()) == Tidied()
        log.append(series(), *rows(50, 1))
    assert ids(tmp_path) == list(range(51))


def test_days_that_are_too_old_are_removed_and_foreign_files_stay(tmp_path: Path) -> None:
    segment = write(tmp_path, 5)
    note = segment.with_name("note.txt")
    note.write_text("mine")
    stranger = tmp_path / "bank" / "answers" / "2026-99-99"
    stranger.mkdir()
    assert tidy_log(tmp_path, retention_days=30, today=DAY.date() + dt.timedelta(days=30)) == Tidied()
    assert tidy_log(tmp_path, retention_days=30, today=DAY.date() + dt.timedelta(days=31)) == Tidied(removed=1)
    assert not segment.exists()
    assert note.exists()
    assert stranger.exists()
    note.unlink()
    tidy_log(tmp_path, retention_days=30, today=DAY.date() + dt.timedelta(days=31))
    assert not segment.parent.exists()


def test_one_segment_that_cannot_be_read_keeps_no_other_from_its_order(tmp_path: Path) -> None:
    segment = write(tmp_path, *[1] * 500)
    stranger = segment.with_name("000.arrows")
    for column in ([[1, 2]], [{"a": 1}]):
        pl.DataFrame({"x": column}).write_ipc_stream(stranger)
        before = stranger.read_bytes()
        assert tidy_log(tmp_path, today=DAY.date()).compacted <= 1
        assert stranger.read_bytes().startswith(before)
    assert tidy_log(tmp_path, today=DAY.date()) == Tidied()
    with segment.open("rb") as file:
        assert len(list(messages(file))) == 2


def test_what_only_looks_like_a_day_of_a_log_is_not_removed(tmp_path: Path) -> None:
    """The folder of the log may be one that others use, too."""
    for place in ("photos/summer/2020-01-01", "bank/other/2020-01-01"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / ".kept").write_text("x")
    elsewhere = tmp_path / "a" / "b" / "elsewhere" / "answers" / "2020-01-01"
    elsewhere.mkdir(parents=True)
    (elsewhere / "a.arrows").write_text("x")
    (tmp_path / "linked").symlink_to(elsewhere.parents[1])
    tidy_log(tmp_path, retention_days=1, today=DAY.date())
    assert len(list(tmp_path.rglob(".kept"))) == 2
    assert (elsewhere / "a.arrows").exists()


def test_no_retention_keeps_everything(tmp_path: Path) -> None:
    write(tmp_path, 100)
    assert tidy_log(tmp_path, retention_days=0, today=DAY.date() + dt.timedelta(days=9999)) == Tidied()
    assert len(ids(tmp_path)) == 100


def test_leftovers_of_a_killed_rewrite_go_after_a_while(tmp_path: Path) -> None:
    segment = write(tmp_path, 100)
    fresh, old = segment.with_name(".a.arrows.tmp"), segment.with_name(".b.arrows.new")
    fresh.touch()
    old.touch()
    os.utime(old, (time.time() - 3600,) * 2)
    tidy_log(tmp_path, today=DAY.date())
    assert fresh.exists()
    assert not old.exists()


TIDY = """
import datetime as dt, sys
from pathlib import Path
from palio.store import tidy_log
print("go", flush=True)
tidy_log(Path(sys.argv[1]), today=dt.date(2026, 5, 4))
"""


@pytest.mark.slow
def test_a_rewrite_that_is_killed_at_any_moment_loses_no_row(tmp_path: Path) -> None:
    for moment in range(12):
        folder = tmp_path / str(moment)
        write(folder, *[1] * 2000)
        process = subprocess.Popen([sys.executable, "-c", TIDY, str(folder)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.03 * moment)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert ids(folder) == list(range(2000))
        tidy_log(folder, today=DAY.date())
        assert ids(folder) == list(range(2000))


def test_a_stream_without_a_time_is_named_as_none_of_the_log(tmp_path: Path) -> None:
    segment = write(tmp_path, 5)
    pl.DataFrame({"x": [1.5]}).write_ipc_stream(segment.with_name("000.arrows"))
    with pytest.raises(IntegrityError, match=r"000\.arrows: it has no column `at`"):
        ids(tmp_path)
