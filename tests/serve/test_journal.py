"""The prediction log of a server: cheap to add to, bounded, and under fsync as good as its word."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from palio import store
from palio.core.config import LogTable
from palio.core.long_texts import is_cut
from palio.serve.journal import Journal
from palio.serve.journal_columns import Entry, Recorder
from tests.alone import alone
from tests.serve.log_entries import MODEL, SOME_TIME_NS, answer, failure, foreign_origin, small_origin


def written(folder: Path, *entries: Entry, **options: Any) -> pl.DataFrame:
    """Log entries; return the answers as polars reads them."""
    journal = Journal(folder, MODEL, LogTable(**options))
    for entry in entries:
        journal.add(entry)
    journal.flush()
    assert journal.figures().lost == journal.figures().waiting == 0
    journal.close()
    return store.log_frame(folder, MODEL)


def test_an_answer_is_logged_with_all_that_is_known_of_it(tmp_path: Path) -> None:
    entry = answer("r-1", 2, keys=["k1", "k2"], flags=[[], ["job: unknown category", "age: out of range"]])
    frame = written(tmp_path, entry)
    first, second = frame.to_dicts()
    assert (first["id"], second["id"]) == ("r-1.0", "r-1.1")
    assert first["at"].timestamp() == pytest.approx(SOME_TIME_NS / 1e9)
    assert {name: second[name] for name in ("model", "version", "bundle", "role", "caller", "route")} == {
        "model": "bank",
        "version": "3",
        "bundle": small_origin().bundle,
        "role": "champion",
        "caller": "ann",
        "route": "infer",
    }
    assert (second["decision"], second["status"], second["n_rows"], second["key"]) == ("d-1", 200, 2, "k2")
    assert second["latency_us"] == pytest.approx(1000)
    assert second["flags"].split("\n") == ["job: unknown category", "age: out of range"]
    assert first["flags"] == ""
    assert entry.feeds is not None and entry.outputs is not None
    for name in ("age", "balance", "job", "level", "married"):
        assert frame[f"input.{name}"].equals(pl.Series(entry.feeds[name].ravel().tolist()), null_equal=True)
    assert frame["prediction"].to_list() == ["no", "yes"]
    assert frame.select("probability_no", "probability_yes").to_numpy().tolist() == entry.outputs[
        "probabilities"
    ].tolist()  # fmt: skip


def test_many_requests_of_many_sizes_keep_their_rows_together(tmp_path: Path) -> None:
    frame = written(tmp_path, *(answer(f"r-{n}", n) for n in [1, 3, 2, 1, 700, 5]))
    assert frame["id"].to_list() == [f"r-{n}.{i}" for n in [1, 3, 2, 1, 700, 5] for i in range(n)]
    assert frame.filter(pl.col("id") == "r-3.2")["n_rows"].item() == 3
    ages = answer("x", 700).feeds["age"].ravel().tolist()  # type: ignore[index]
    assert frame.filter(pl.col("n_rows") == 700)["input.age"].to_list() == ages


def test_a_foreign_graph_is_logged_tensor_by_tensor(tmp_path: Path) -> None:
    entry = Entry(
        id="r-1", at_ns=SOME_TIME_NS, origin=foreign_origin(), caller="ann", route="infer", n_rows=2,
        feeds={"x": np.arange(6, dtype=np.float32).reshape(2, 3), "flag": np.array([True, False]),
               "picture": np.zeros((2, 64, 64, 3), np.uint8)},
        outputs={"y": np.arange(4, dtype=np.int64).reshape(2, 2)},
    )  # fmt: skip
    frame = written(tmp_path, entry)
    assert frame["input.x"].to_list() == [[0, 1, 2], [3, 4, 5]]
    assert frame["input.flag"].to_list() == [True, False]
    assert frame["output.y"].to_list() == [[0, 1], [2, 3]]
    assert frame["input.picture"].n_unique() == 1
    assert len(frame["input.picture"][0]) == 32


def test_arrays_that_are_views_or_of_another_type_are_logged_by_value(tmp_path: Path) -> None:
    entry = answer("r-1", 3)
    assert entry.feeds is not None
    wide = np.arange(12, dtype=np.float32).reshape(3, 4)
    entry.feeds = {**entry.feeds, "age": wide[:, 1:2], "job": np.array([b"admin", b"x", b""], object).reshape(-1, 1)}
    frame = written(tmp_path, entry)
    assert frame["input.age"].to_list() == [1, 5, 9]
    assert frame["input.job"].to_list() == ["admin", "x", ""]


def test_failures_have_a_series_of_their_own_without_inputs(tmp_path: Path) -> None:
    written(tmp_path, failure("r-1"), failure("r-2", 503, small_origin()), answer("r-3"))
    frame = store.log_frame(tmp_path, MODEL, kind="failures").sort("id")
    assert frame["id"].to_list() == ["r-1", "r-2"]
    assert frame["status"].to_list() == [403, 503]
    assert frame["reason"].unique().to_list() == ["no rule allows it"]
    assert frame["version"].to_list() == ["", "3"]
    assert not [name for name in frame.columns if name.startswith("input.")]


def test_champion_and_shadow_meet_under_the_same_request(tmp_path: Path) -> None:
    frame = written(tmp_path, answer("r-1"), answer("r-1", origin=small_origin(4), role="shadow"))
    assert sorted(frame.select("id", "version", "role").rows()) == [
        ("r-1.0", "3", "champion"),
        ("r-1.0", "4", "shadow"),
    ]
    assert len(store.log_segments(tmp_path, MODEL)) == 2


def test_columns_are_left_empty_or_hashed_by_name(tmp_path: Path) -> None:
    entries = [answer("r-1", 2, keys=["4711", "4711"])]
    frame = written(tmp_path, *entries, redact=("age", "caller"), hash=("job", "balance", "key"), salt="pepper")
    assert frame["input.age"].null_count() == 2
    assert frame["caller"].to_list() == ["", ""]
    assert frame["key"].to_list() == store.Redaction(salt="pepper").texts(["4711", "4711"])
    assert frame["input.balance"].str.len_chars().to_list() == [32, 32]
    text = b"".join(path.read_bytes() for path in tmp_path.rglob("*.arrows"))
    assert b"4711" not in text
    assert b"student" not in text


def test_a_column_to_hide_that_does_not_exist_is_told(tmp_path: Path) -> None:
    journal = Journal(tmp_path, MODEL, LogTable(redact=("agee",)))
    journal.add(answer("r-1"))
    journal.flush()
    assert journal.trouble == "[log] hides columns that the model does not have: agee"
    journal.close()


def test_inputs_can_be_one_hash_per_row(tmp_path: Path) -> None:
    frame = written(tmp_path, answer("r-1", 5), answer("r-2", 5), inputs="hash", salt="pepper")
    assert not [name for name in frame.columns if name.startswith("input.")]
    hashes = frame["input_hash"].to_list()
    assert hashes[:5] == hashes[5:]
    assert len(set(hashes)) == 5


def test_inputs_can_be_left_out(tmp_path: Path) -> None:
    frame = written(tmp_path, answer("r-1"), inputs="none")
    assert not [name for name in frame.columns if name.startswith("input")]
    assert frame["prediction"].to_list() == ["no"]


def test_of_a_long_text_the_beginning_is_kept_and_of_a_long_key(tmp_path: Path) -> None:
    entry = answer("r-1", keys=["k" * 3000])
    assert entry.feeds is not None
    entry.feeds = {**entry.feeds, "job": np.array([["x" * 2_000_000]], object)}
    frame = written(tmp_path, entry, answer("r-2"), max_text=1000)
    assert frame["input.job"].str.len_chars().max() < 1200  # type: ignore[operator]
    assert [is_cut(text) for text in frame["input.job"]] == [True, False]
    assert frame["key"].str.len_chars().max() < 700  # type: ignore[operator]


def test_what_a_model_answers_is_kept_whole_however_long_it_is(tmp_path: Path) -> None:
    entry, cell = answer("r-1"), json.dumps([{"label": "lamp", "box": [1, 2, 3, 4], "score": 0.5}] * 20)
    assert entry.outputs is not None
    entry.outputs = {**entry.outputs, "prediction": np.array([cell], object)}
    assert written(tmp_path, entry, max_text=100)["prediction"].to_list() == [cell]


def test_a_share_of_the_requests_keeps_its_inputs_and_shadows_go_with_them(tmp_path: Path) -> None:
    both = [e for i in range(600) for e in (answer(f"r-{i}"), answer(f"r-{i}", origin=small_origin(4), role="shadow"))]
    frame = written(tmp_path, *both, inputs="sample", sample=0.25).with_columns(kept=pl.col("input.age").is_not_null())
    assert frame.height == 1200
    assert 0.18 < frame["kept"].mean() < 0.32  # type: ignore[operator]
    assert frame.group_by("id").agg(pl.col("kept").n_unique())["kept"].max() == 1


def test_nothing_is_logged_when_the_log_is_off(tmp_path: Path) -> None:
    journal = Journal(tmp_path, MODEL, LogTable(durability="off"))
    journal.start()
    assert journal.add(answer("r-1")) is None
    journal.close()
    assert list(tmp_path.iterdir()) == []


def test_a_full_buffer_drops_and_counts_and_never_waits(tmp_path: Path) -> None:
    journal = Journal(tmp_path, MODEL, LogTable(buffer_rows=10))
    for i in range(14):
        journal.add(answer(f"r-{i}"))
    assert journal.figures().dropped == 4
    journal.flush()
    journal.add(answer("r-20", 10))
    journal.add(answer("r-21", 1))
    assert journal.figures().dropped == 5
    journal.add(answer("r-22", 1, size_bytes=2**40))
    journal.close()
    assert store.log_frame(tmp_path, MODEL).height == 20


def test_the_thread_writes_by_itself_and_close_writes_the_rest(tmp_path: Path) -> None:
    journal = Journal(tmp_path, MODEL, LogTable(flush_ms=5))
    journal.start()
    journal.add(answer("r-1"))
    until = time.monotonic() + 10
    while journal.figures().written < 1 and time.monotonic() < until:
        time.sleep(0.005)
    assert store.log_frame(tmp_path, MODEL).height == 1
    journal.add(answer("r-2"))
    journal.close()
    assert store.log_frame(tmp_path, MODEL).height == 2


def test_an_entry_that_does_not_fit_its_model_takes_no_other_with_it(tmp_path: Path) -> None:
    bad = answer("bad")
    bad.feeds = {**(bad.feeds or {}), "age": np.zeros((2, 1))}
    journal = Journal(tmp_path, MODEL)
    for entry in (answer("r-1"), bad, answer("r-2")):
        journal.add(entry)
    journal.flush()
    assert journal.figures().lost == 1
    assert "did not fit" in journal.trouble
    journal.close()
    assert store.log_frame(tmp_path, MODEL)["id"].to_list() == ["r-1.0", "r-2.0"]


def full_disk(n_bytes: int | None) -> None:
    """Let no file of this process grow beyond `n_bytes`; None lifts that."""
    most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (most if n_bytes is None else n_bytes, most))


@alone
def test_on_a_full_disk_entries_are_kept_and_written_when_there_is_room(tmp_path: Path) -> None:
    journal = Journal(tmp_path, MODEL)
    journal.add(answer("r-1"))
    journal.flush()
    full_disk(10_000)
    for i in range(2000):
        journal.add(answer(f"r-more-{i}"))
    journal.flush()
    assert journal.trouble.startswith("the prediction log cannot be written: ")
    assert journal.figures().waiting == 2000
    full_disk(None)
    journal.flush()
    assert journal.trouble == ""
    assert (journal.figures().written, journal.figures().lost) == (2001, 0)
    journal.close()
    assert store.log_frame(tmp_path, MODEL)["id"].n_unique() == 2001


def run(folder: Path, work: Callable[[Journal], Any], **options: Any) -> Any:
    async def main() -> Any:
        journal = Journal(folder, MODEL, LogTable(durability="fsync", **options))
        journal.start(asyncio.get_running_loop())
        try:
            return await work(journal)
        finally:
            await asyncio.to_thread(journal.close)

    return asyncio.run(main())


def test_under_fsync_many_requests_share_a_commit(tmp_path: Path) -> None:
    async def work(journal: Journal) -> int:
        told = await asyncio.gather(*(journal.add(answer(f"r-{i}")) for i in range(200)))  # type: ignore[arg-type]
        assert told == [True] * 200
        assert store.log_frame(tmp_path, MODEL).height == 200
        return journal.figures().commits

    assert run(tmp_path, work) < 50  # a quiet machine needs a handful; a commit each would be 200


@alone
def test_under_fsync_a_request_that_cannot_be_logged_is_told_so(tmp_path: Path) -> None:
    async def work(journal: Journal) -> None:
        assert await journal.add(answer("r-1"))  # type: ignore[misc]
        full_disk(100)
        told = await asyncio.gather(*(journal.add(answer(f"r-x{i}")) for i in range(3)))  # type: ignore[arg-type]
        assert told == [False] * 3
        assert journal.trouble.startswith("the prediction log cannot be written")
        full_disk(None)
        assert await journal.add(answer("r-2"))  # type: ignore[misc]
        assert journal.trouble == ""

    run(tmp_path, work)
    assert store.log_frame(tmp_path, MODEL)["id"].to_list() == ["r-1.0", "r-2.0"]


def test_under_fsync_a_full_buffer_refuses(tmp_path: Path) -> None:
    async def work(journal: Journal) -> None:
        assert not await journal.add(answer("r-1", 3))  # type: ignore[misc]
        assert await journal.add(answer("r-2", 2))  # type: ignore[misc]

    run(tmp_path, work, buffer_rows=2)


def test_a_client_that_goes_away_cancels_nobody_elses_answer(tmp_path: Path) -> None:
    async def work(journal: Journal) -> None:
        gone, stays = journal.add(answer("r-1")), journal.add(answer("r-2"))
        assert gone is not None and stays is not None
        gone.cancel()
        assert await stays

    run(tmp_path, work)


def test_a_log_that_is_taken_away_is_told_without_any_request(tmp_path: Path) -> None:
    folder = tmp_path / "project" / "log"
    journal = Journal(folder, MODEL, LogTable(flush_ms=60_000))
    journal.add(answer("r-1", 4))
    journal.flush()
    journal.start()
    shutil.rmtree(folder / MODEL)
    end = time.monotonic() + 10
    while "with 4 records" not in journal.trouble and time.monotonic() < end:
        time.sleep(0.005)
    assert journal.figures().vanished == 4
    journal.add(answer("r-2"))
    journal.close()
    assert store.log_frame(folder, MODEL)["id"].to_list() == ["r-2.0"]


def test_a_log_that_stays_away_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "project" / "log"
    journal = Journal(folder, MODEL, LogTable())
    journal.add(answer("r-1"))
    journal.flush()
    (tmp_path / "project").rename(tmp_path / "renamed")
    for _ in range(3):
        journal._look()
    assert len([one for one in caplog.messages if "is gone" in one]) == 1
    assert "is gone" in journal.trouble
    (tmp_path / "renamed").rename(tmp_path / "project")
    journal.close()


def test_under_fsync_nothing_is_acknowledged_while_the_project_is_elsewhere(tmp_path: Path) -> None:
    async def ask(journal: Journal, request: str) -> bool:
        waiter = journal.add(answer(request))
        assert waiter is not None
        return await waiter

    async def serve() -> None:
        folder = tmp_path / "project" / "log"
        journal = Journal(folder, MODEL, LogTable(durability="fsync"))
        journal.start(asyncio.get_running_loop())
        assert await ask(journal, "r-1")
        (tmp_path / "project").rename(tmp_path / "renamed")
        assert not await ask(journal, "r-2")
        assert "is gone" in journal.trouble
        (tmp_path / "renamed").rename(tmp_path / "project")
        assert await ask(journal, "r-3")
        await asyncio.to_thread(journal.close)
        assert sorted(store.log_frame(folder, MODEL)["id"]) == ["r-1.0", "r-3.0"]

    asyncio.run(serve())


def test_prometheus_reads_the_counters(tmp_path: Path) -> None:
    from prometheus_client import CollectorRegistry, generate_latest

    journal = Journal(tmp_path, MODEL, LogTable(buffer_rows=1))
    registry = CollectorRegistry()
    registry.register(journal)
    for i in range(3):
        journal.add(answer(f"r-{i}"))
    journal.flush()
    text = generate_latest(registry).decode()
    assert 'palio_log_rows_total{outcome="written"} 1.0' in text
    assert 'palio_log_rows_total{outcome="dropped"} 2.0' in text
    assert 'palio_log_rows_total{outcome="vanished"} 0.0' in text
    assert "palio_log_troubled 0.0" in text
    journal.close()


def test_every_layout_begins_with_the_common_columns() -> None:
    for variant in ("all", "hash", "none", "failures"):
        recorder = Recorder(small_origin(), MODEL, variant, redaction=store.Redaction())  # type: ignore[arg-type]
        names = [field.name for field in recorder.series.layout.fields]
        assert names[: len(store.COMMON_FIELDS)] == [field.name for field in store.COMMON_FIELDS]
        assert len(set(names)) == len(names)


SERVER = """
import asyncio, sys
from pathlib import Path
from palio.core.config import LogTable
from palio.core.long_texts import is_cut
from palio.serve.journal import Journal
from tests.serve.log_entries import MODEL, answer, small_origin

async def client(journal, origin, number):
    for turn in range(1_000_000):
        request = f"{number}-{turn:x}"
        if await journal.add(answer(request, 1 + turn % 3, origin=origin)):
            sys.stdout.write(request + "\\n")
            sys.stdout.flush()

async def main():
    journal = Journal(Path(sys.argv[1]), MODEL, LogTable(durability="fsync", segment_mb=0.05))
    journal.start(asyncio.get_running_loop())
    origin = small_origin()
    await asyncio.gather(*(client(journal, origin, number) for number in range(16)))

asyncio.run(main())
"""


def kill_after(folder: Path, seconds: float) -> None:
    """Start a writer, kill it some time after its first acknowledgement, and look for all that it acknowledged."""
    process = subprocess.Popen([sys.executable, "-c", SERVER, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    first = process.stdout.readline()
    timer = time.monotonic() + seconds
    lines = [first]
    while time.monotonic() < timer:
        lines.append(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    lines += process.communicate()[0].splitlines(keepends=True)
    acknowledged = {line.strip() for line in lines if line.endswith("\n")}
    assert acknowledged
    logged = {name.rpartition(".")[0] for batch in store.scan_log(folder, MODEL) for name in batch["id"]}
    assert acknowledged <= logged
    store.tidy_log(folder, today=dt.datetime.now(dt.UTC).date())
    for path in store.log_segments(folder, MODEL):
        pl.read_ipc_stream(path)
    assert acknowledged <= {name.rpartition(".")[0] for name in store.log_frame(folder, MODEL)["id"]}


@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.3])
def test_a_killed_writer_has_logged_all_that_it_acknowledged(tmp_path: Path, seconds: float) -> None:
    kill_after(tmp_path, seconds)


@pytest.mark.slow
def test_a_writer_killed_at_twenty_moments_has_logged_all_that_it_acknowledged(tmp_path: Path) -> None:
    for moment in range(20):
        kill_after(tmp_path / str(moment), 0.02 + 0.083 * moment)


def test_settings_of_the_log_are_held_to_their_bounds() -> None:
    from palio.core import config
    from palio.core.errors import ConfigError

    for key, value in {"sample": 1.5, "flush_ms": 0, "retention_days": -1, "durability": "maybe"}.items():
        with pytest.raises(ConfigError, match=rf"\[log\]: `{key}`"):
            config.parse({"log": {key: value}}, env={}, flags={})
    assert json.loads('"fsync"') == config.parse({}, env={"PALIO_LOG_DURABILITY": "fsync"}, flags={}).log.durability
