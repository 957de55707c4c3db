"""Palio runs offline: it tells nobody anything, and writes nothing outside of the project."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from palio.cli.app import VERBS
from tests.acceptance.alone_at_home import PALIO, Home, why_no_trace
from tests.flow.conftest import write_bank
from tests.serve.small_graphs import write_identity

traced = pytest.mark.skipif(bool(why_no_trace()), reason=why_no_trace() or "everything can be traced here")
HURRY = {"budget_s = 300": "budget_s = 30", 'families = ["auto"]': 'families = ["linear"]'}
ALERT = '\n[alert]\ncommand = ["tee", "-a", "alerts.json"]\n[retrain]\nbudget_s = 20\n'
STEPS = """
ingest
split
train
evaluate
promote
run
predict {rows} --output scored.csv
serve
feedback truths.csv
monitor
alert test
watch --once --no-train
retrain
rollback
report
log
model verify
store verify
"""
REFUSED = 4


def live(home: Home) -> None:
    """Start two workers, ask them once, and stop them."""
    row = {"age": 40, "job": "admin.", "marital": "single", "education": "tertiary", "default": "no", "balance": 900}
    row |= {"housing": "no", "loan": "no", "contact": "cellular", "day": 3, "month": "may", "campaign": 1}
    row |= {"pdays": -1, "previous": 0, "poutcome": "unknown"}
    with home.serving(*PALIO, "serve", "--port", "0", "--workers", "2") as url:
        answer = httpx.post(f"{url}/predict", json={"records": [row]}, trust_env=False)
        assert answer.status_code == 200, answer.text
        told = answer.json()["predictions"][0]
    (home.project / "truths.csv").write_text(f"prediction_id,label\n{told['id']},no\n")


def verbs(home: Home) -> list[str]:
    """Run each verb in a process of its own, and return their names."""
    rows = write_bank(home.folder / "bank.csv", n_rows=6000, skip=20_000)
    ran = ["init"]
    home.run(*PALIO, "init", str(rows), "--target", "y", "--exclude", "duration", "--dir", str(home.project))
    settings = home.project / "palio.toml"
    text = settings.read_text("utf-8")
    for before, after in HURRY.items():
        text = text.replace(before, after)
    settings.write_text(text + ALERT, "utf-8")
    for step in STEPS.strip().splitlines():
        ran.append(step.split()[0])
        if step == "serve":
            live(home)
        else:
            home.run(
                *PALIO,
                *step.format(rows=rows).split(),
                codes=(0, 3, REFUSED) if step in ("retrain", "rollback") else (0, REFUSED),
            )
    return ran


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home under which every verb has run."""
    home = Home(tmp_path_factory.mktemp("lived_in"))
    assert set(verbs(home)) == set(VERBS), "each verb must be looked at"
    yield home


@pytest.fixture(scope="module")
def served_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home under which a server of one ONNX file has answered."""
    home = Home(tmp_path_factory.mktemp("served_in"))
    home.run(*PALIO, "--version")
    graph = write_identity(home.folder, "FP32", ["n", 2])
    with home.serving(*PALIO, "serve", "--onnx", str(graph), "--port", "0") as url:
        tensor = {"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}
        answer = httpx.post(f"{url}/v2/models/{graph.stem}/infer", json={"inputs": [tensor]}, trust_env=False)
        assert json.loads(answer.text)["outputs"][0]["data"] == [1, 2]
    yield home


def test_a_server_leaves_nothing_at_home(served_in: Home) -> None:
    assert served_in.left_at_home() == []


@traced
def test_a_server_opens_no_socket_beyond_this_machine(served_in: Home) -> None:
    assert served_in.far_sockets() == []
    assert served_in.written_elsewhere() == []


@pytest.mark.slow
def test_no_verb_leaves_anything_at_home(lived_in: Home) -> None:
    assert lived_in.left_at_home() == []


@pytest.mark.slow
@traced
def test_no_verb_opens_a_socket_beyond_this_machine(lived_in: Home) -> None:
    assert lived_in.far_sockets() == []


@pytest.mark.slow
@traced
def test_no_verb_writes_outside_of_the_project(lived_in: Home) -> None:
    assert lived_in.written_elsewhere() == []


@traced
def test_a_socket_and_a_file_of_a_native_library_would_be_seen(tmp_path: Path) -> None:
    home = Home(tmp_path)
    elsewhere = f"{tmp_path.parent}/elsewhere-{tmp_path.name}"
    calls = [
        f"mkdir(b'{elsewhere}', 0o700)",
        f"creat(b'{elsewhere}/id', 0o600)",
        f"creat(b'{home.home}/id', 0o600)",
        "connect(libc.socket(2, 2, 0), b'\\x02\\0\\0\\x09\\xc0\\0\\2\\1' + bytes(8), 16)",  # 192.0.2.1, port 9
    ]
    home.run(sys.executable, "-c", f"import ctypes; libc = ctypes.CDLL(None); libc.{'; libc.'.join(calls)}")
    assert home.left_at_home() == ["id"]
    assert home.written_elsewhere() == [elsewhere, f"{elsewhere}/id"]
    assert len(home.far_sockets()) == 1


@pytest.mark.slow
@traced
@pytest.mark.parametrize("part", ["wire", "tables", "watching", "networks"])
def test_no_package_that_we_ship_tells_anybody_anything(tmp_path: Path, part: str) -> None:
    if part == "networks":
        pytest.importorskip("transformers")
    home = Home(tmp_path)
    home.run(sys.executable, str(Path(__file__).with_name("every_dependency.py")), part)
    assert home.left_at_home() == []
    assert home.far_sockets() == []
    assert home.written_elsewhere() == []


@pytest.mark.slow
@traced
def test_a_run_that_teaches_networks_tells_nobody_anything(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    home = Home(tmp_path)
    chance, words = random.Random(0), [f"word{i}" for i in range(60)]
    lines = [
        f"{' '.join(chance.choices(words, k=14))} {'lovely' if y == 'good' else 'awful'} {i},{y}"
        for i in range(150)
        for y in ("good", "bad")
    ]
    (home.folder / "texts.csv").write_text("message,label\n" + "\n".join(lines) + "\n")
    home.run(*PALIO, "init", str(home.folder / "texts.csv"), "--target", "label", "--dir", str(home.project))
    settings = home.project / "palio.toml"
    text = settings.read_text("utf-8").replace("[train]\n", '[train]\nfamilies = ["textcnn", "lstm"]\n')
    settings.write_text(text.replace("budget_s = 300", "budget_s = 60"), "utf-8")
    told = json.loads(home.run(*PALIO, "run", "--json", codes=(0, REFUSED)))
    assert home.left_at_home() == []
    assert home.far_sockets() == []
    assert home.written_elsewhere() == []
    if not {one["family"] for one in told["candidates"]} & {"textcnn", "lstm"}:
        pytest.skip("this machine is too busy to teach a network in time")
