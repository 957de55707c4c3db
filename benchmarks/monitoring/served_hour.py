"""Troubles that only a running server can have, and late truths in every spelling: what is told of each.

    python benchmarks/monitoring/served_hour.py [--folder FOLDER]

Starts `palio serve` on the orders of `day.py`, makes trouble, sends truths by wire and file, and prints what the server
and `palio feedback`, `palio monitor` and `palio watch --once` say, beside what is true.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from day import INPUTS, begin, orders

PALIO = str(Path(sys.executable).with_name("palio"))
SPELLINGS = {"yes": ["yes", " yes", "YES", "Yes "], "no": ["no", "NO ", " No", "no"]}
Told = tuple[str, str]


def ask(url: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Send a request; return status and answer."""
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{url}{path}", data), timeout=60) as answer:
            text, status = answer.read(), answer.status
    except urllib.error.HTTPError as error:
        text, status = error.read(), error.code
    try:
        return status, json.loads(text)
    except ValueError:
        return status, text.decode()


def records_of(rows: dict[str, Any]) -> list[dict[str, Any]]:
    """Write rows as a client sends them."""
    columns = {name: rows[name].tolist() for name in INPUTS}
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def palio(folder: Path, *arguments: str) -> str:
    """Run a verb, and return what it prints."""
    done = subprocess.run(
        [PALIO, *arguments, "--dir", str(folder)], capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    return done.stdout + done.stderr


def hour(folder: Path, *, n_rows: int = 600) -> Iterator[Told]:
    """Yield what was done (`made`) and what is told about it."""
    process = subprocess.Popen([PALIO, "serve", "--dir", str(folder), "--port", "0"], stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        url = re.search(r"serving on (\S+)", process.stderr.readline())
        assert url is not None
        yield from served(folder, url[1].rstrip("/"), n_rows)
    finally:
        process.terminate()
        process.wait(30)
    yield "made", "the server has ended"
    yield from (("monitor", line) for line in palio(folder, "monitor").splitlines())
    yield from (("watch", line) for line in palio(folder, "watch", "--once", "--no-train").splitlines())


def served(folder: Path, url: str, n_rows: int) -> Iterator[Told]:
    """Make trouble for a server that runs."""
    rows = orders(np.random.default_rng(11), n_rows)
    records, truths, ids = records_of(rows), rows["late"].tolist(), []
    for start in range(0, n_rows, 50):
        status, told = ask(url, "/predict", {"records": records[start : start + 50]})
        assert status == 200, told
        ids += [one["id"] for one in told["predictions"]]
    yield "made", f"{n_rows} orders are asked about in requests of 50"
    absent = [{name: cell for name, cell in one.items() if name != "distance"} for one in records[:5]]
    yield "made", "five requests without `distance`, which training always had"
    yield "server", str(ask(url, "/predict", {"records": absent}))
    shutil.rmtree(folder / ".palio" / "predictions" / "orders" / "answers")
    yield "made", f"the log's folder of answers is deleted: the {n_rows} answers so far are gone"
    time.sleep(1.5)
    yield "server", str(ask(url, "/v2/health/ready"))
    again = []
    for start in range(0, n_rows, 50):
        status, told = ask(url, "/predict", {"records": records[start : start + 50]})
        again += [one["id"] for one in told["predictions"]]
    long = [{**one, "note": f"{place} " + "x" * 2_000_000} for place, one in enumerate(records[:15])]
    statuses = [ask(url, "/predict", {"records": [one]})[0] for one in long]
    yield "made", f"fifteen notes of 2 million characters: answered with {sorted(set(statuses))}"
    time.sleep(1.5)
    yield "made", f"the {n_rows} orders are asked about once more"
    yield "server", str(ask(url, "/v2/health/ready"))
    yield from truths_of(folder, url, ids, again, truths)


def truths_of(folder: Path, url: str, lost: list[str], ids: list[str], truths: list[str]) -> Iterator[Told]:
    """Tell the truth in every way that people do."""
    third = len(ids) // 3
    spelled = [SPELLINGS[label][place % 4] for place, label in enumerate(truths)]
    given = [{"prediction_id": one, "label": label} for one, label in zip(ids[:third], spelled, strict=False)]
    yield "made", f"{third} truths by wire, spelled as people do"
    yield "server", str(ask(url, "/feedback", {"feedback": given}))
    yield "made", "a truth that is no class, and one without an id"
    yield "server", str(ask(url, "/feedback", {"feedback": [{"prediction_id": ids[0], "label": "perhaps"}]}))
    yield "server", str(ask(url, "/feedback", {"feedback": [{"label": "yes"}]}))
    yesterday = (dt.datetime.now(dt.UTC) - dt.timedelta(days=1)).date().isoformat()
    with (folder / "truths.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["prediction_id", "late", "at", "refund"])
        for place in range(third, len(ids)):
            writer.writerow([ids[place], spelled[place], "", 1.5 if truths[place] == "yes" else 0])
        for place in range(20):  # said again, as it was
            writer.writerow([ids[place], truths[place], "", 0])
        for place in range(20, 30):  # corrected
            writer.writerow([ids[place], "no" if truths[place] == "yes" else "yes", "", 0])
        for place in range(40):
            writer.writerow([lost[place], truths[place], "", 0])
        for place in range(7):
            writer.writerow([f"of-another-server-{place}.0", "yes", "", 0])
        for place in range(5):
            writer.writerow([ids[third + place], "yes", yesterday, 0])
        writer.writerow([ids[-1], "", "", 0])
    yield (
        "made",
        (
            f"a file with {len(ids) - third} truths, 20 said again, 10 corrections, 40 about answers that are gone, "
            "7 of another server, 5 known before their answer, 1 that is empty, and refunds"
        ),
    )
    yield from (("feedback", line) for line in palio(folder, "feedback", str(folder / "truths.csv")).splitlines())


def main() -> None:
    told = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    told.add_argument("--folder", type=Path)
    asked = told.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.folder or Path(scratch) / "orders"
        if not (folder / "palio.toml").exists():
            begin(folder, 2)
        for kind, line in hour(folder):
            print(f"{kind:8} {line[:600]}", flush=True)


if __name__ == "__main__":
    main()
