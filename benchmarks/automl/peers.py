"""Install the learners that Palio is compared with, each into an environment of its own, and let them learn and answer.

python benchmarks/automl/peers.py --work FOLDER        # three environments below FOLDER/peers, 2.7 GB, some minutes
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from sets import Written

LEARNERS = Path(__file__).parent / "peer_learners"


class Peer(NamedTuple):
    """One learner of others: its environment (and requirements file), its script, a preset."""

    environment: str
    script: str
    variant: str = ""


PEERS = {
    "lightgbm": Peer("boosting", "with_lightgbm.py"),
    "catboost": Peer("boosting", "with_catboost.py"),
    "flaml": Peer("flaml", "with_flaml.py"),
    "autogluon-medium": Peer("autogluon", "with_autogluon.py", "medium_quality"),
    "autogluon-good": Peer("autogluon", "with_autogluon.py", "good_quality"),
}
DEFAULTS = ("lightgbm", "catboost")
"""Peers without a budget: what one line of a library does."""


@dataclass(frozen=True)
class Answered:
    """What a learner did.

    Attributes:
        classes: In the order of the probabilities; empty for values.
        answers: Of the test rows: probabilities, or values.
        seconds: Of the whole process that learns and saves.
        run_s: Of the part that has a budget; the same as `seconds` but for Palio, whose `init` comes before.
        one_row_ms: Median of answers to single rows.
        mb: What a user would ship.
        note: Anything else, e.g. which family won.
    """

    classes: list[str]
    answers: list[Any]
    seconds: float
    run_s: float
    one_row_ms: float | None
    mb: float | None
    note: str = ""


class PeerError(Exception):
    """A learner gave no answers; says why in one line."""


def install(work: Path, names: list[str]) -> dict[str, str]:
    """Install the environments of these peers; what is there already stays. Returns why one could not be."""
    trouble = {}
    for environment in sorted({PEERS[name].environment for name in names if name in PEERS}):
        folder = work / "peers" / environment
        if (folder / "installed").exists():
            continue
        try:
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True, text=True)
            pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
            wanted = ["-r", str(LEARNERS / f"{environment}.txt")]
            subprocess.run([*pip, *wanted], check=True, capture_output=True, text=True, env=clean_environment())
            (folder / "installed").touch()
        except subprocess.CalledProcessError as error:
            lines = error.stderr.strip().splitlines() or ["no reason given"]
            trouble |= {
                name: f"cannot be installed: {lines[-1]}"
                for name, peer in PEERS.items()
                if peer.environment == environment
            }
    return trouble


def clean_environment(n_threads: int = 0, **more: str) -> dict[str, str]:
    """Give the variables of this process, less those that would let a peer find this checkout's packages."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if n_threads:
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        kept |= dict.fromkeys(names, str(n_threads))
    return kept | more


def call(command: list[str], environment: dict[str, str], limit_s: float) -> tuple[float, int, str]:
    """Run a command, and end it with all its children after `limit_s`; gives seconds, exit code and its stdout.

    Raises:
        PeerError: it took too long.
    """
    began = time.perf_counter()
    with subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            said, complaint = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise PeerError(f"ended after {limit_s:.0f} s") from None
    if process.returncode:
        said = said + "\n" + complaint
    return time.perf_counter() - began, process.returncode, said


def reason(said: str) -> str:
    """Find what a learner complains of: the error of Palio's JSON, or the last line of anybody else."""
    start, end = said.find("{"), said.rfind("}")
    if start >= 0:
        try:
            told = json.loads(said[start : end + 1])
        except json.JSONDecodeError:
            told = {}
        if words := told.get("error"):
            return str(words)[:300]
        if decision := told.get("decision"):
            return f"refused: {' '.join(decision['reasons'])[:300]}"
    lines = [line.strip() for line in said.strip().splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no reason given"


def ask_peer(name: str, written: Written, *, work: Path, budget_s: float, n_threads: int) -> Answered:
    """Let a peer learn and answer, each in a process of its own.

    Raises:
        PeerError: it failed, or took too long.
    """
    peer = PEERS[name]
    scratch = work / "scratch" / f"{written.name}-{written.seed}-{name}"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    order = {
        "train": str(written.folder / "train.csv"),
        "test": str(written.folder / "test.csv"),
        "target": written.target,
        "task": written.task,
        "metric": written.metric,
        "seed": written.seed,
        "budget_s": budget_s,
        "n_threads": n_threads,
        "variant": peer.variant,
        "model": str(scratch / "model"),
        "answers": str(scratch / "answers.json"),
    }
    python = str(work / "peers" / peer.environment / "bin" / "python")
    seconds = 0.0
    for step in ("learn", "answer"):
        (scratch / "order.json").write_text(json.dumps(order | {"step": step}))
        command = [python, str(LEARNERS / peer.script), str(scratch / "order.json")]
        took, code, said = call(command, clean_environment(n_threads), limit_of(budget_s))
        if code:
            raise PeerError(f"{step}: {reason(said)}")
        seconds = took if step == "learn" else seconds
    told = json.loads((scratch / "answers.json").read_text())
    shutil.rmtree(scratch)
    return Answered(told["classes"], told["answers"], seconds, seconds, told["one_row_ms"], told["mb"])


def limit_of(budget_s: float) -> float:
    """Say when a process is given up: libraries' defaults have no budget and may take their time."""
    return 5 * budget_s + 600


def ask_palio(command: list[str], written: Written, *, work: Path, budget_s: float, n_threads: int) -> Answered:
    """Let Palio learn and answer as a user would: init, run, predict.

    Raises:
        PeerError: it failed, or its gate let nothing go live.
    """
    scratch = work / "scratch" / f"{written.name}-{written.seed}-palio"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    where = ["--dir", str(scratch / "project")]
    source = [str(written.folder / "train.csv"), "--target", written.target, "--task", written.task]
    kept = {"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}
    environment = clean_environment(n_threads, PALIO_TRAIN_SEED=str(written.seed), **kept)
    limit_s = limit_of(budget_s)
    init_s, code, said = call([*command, "init", *source, *where], environment, limit_s)
    if code:
        raise PeerError(f"init: {reason(said)}")
    run_s, code, said = call([*command, "run", "--budget", str(budget_s), *where, "--json"], environment, limit_s)
    if code:
        raise PeerError(f"run: exit code {code}, {reason(said)}")
    told = json.loads(said)
    (work / "palio").mkdir(exist_ok=True)
    (work / "palio" / f"{written.name}-{written.seed}-{budget_s:g}.json").write_text(said)
    output = scratch / "answers.csv"
    test = str(written.folder / "test.csv")
    _, code, said = call([*command, "predict", test, *where, "--output", str(output)], environment, limit_s)
    if code:
        raise PeerError(f"predict: {reason(said)}")
    classes, answers = read_answers(output, written.task)
    chosen = next((one for one in told["candidates"] if one["chosen"]), {})
    shutil.rmtree(scratch)
    return Answered(
        classes,
        answers,
        init_s + run_s,
        run_s,
        chosen.get("latency_ms"),
        chosen.get("size_mb"),
        chosen.get("family", ""),
    )


def read_answers(path: Path, task: str) -> tuple[list[str], list[Any]]:
    """Read what `palio predict` wrote.

    Raises:
        PeerError: a row has no answer.
    """
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if unanswered := [row["problem"] for row in rows if row["problem"]]:
        raise PeerError(f"predict: {len(unanswered)} rows without an answer: {unanswered[0]}")
    if task == "regression":
        return [], [float(row["prediction"]) for row in rows]
    prefix = "probability_"
    names = [name for name in rows[0] if name.startswith(prefix)]
    return [name.removeprefix(prefix) for name in names], [[float(row[name]) for name in names] for row in rows]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=Path, required=True)
    for peer, why in install(parser.parse_args().work.resolve(), list(PEERS)).items():
        print(f"{peer}: {why}")
