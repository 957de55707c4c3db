from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from palio.core.errors import ConfigError
from palio.monitor import Command, render
from tests.monitor.alert_worlds import message

PAYLOAD = render(message(subject="$(touch owned); `touch owned` | touch owned"))


def program(folder: Path, text: str, *arguments: str, **facts: Any) -> Command:
    file = folder / "program.py"
    file.write_text("import json, os, sys, time, subprocess\n" + text, "utf-8")
    return Command([sys.executable, str(file), *arguments], folder=folder, **({"limit_s": 20.0} | facts))


def test_a_program_gets_the_alert_on_its_standard_input(tmp_path: Path) -> None:
    text = "json.dump([json.load(sys.stdin), sys.argv[1:]], open('got.json', 'w')); print('x' * 10**6)"
    sent = program(tmp_path, text, "a b", "$HOME", "*; touch owned").send(PAYLOAD)
    assert sent == (True, 1, "ended with status 0")
    got, arguments = json.loads((tmp_path / "got.json").read_text("utf-8"))
    assert got["schema"] == "palio.alert/1" and got["finding"]["subject"].startswith("$(touch owned)")
    assert arguments == ["a b", "$HOME", "*; touch owned"]
    assert not (tmp_path / "owned").exists()


def test_a_program_sees_none_of_our_secrets(tmp_path: Path) -> None:
    env = os.environ | {"PALIO_ALERT_PASSWORD": "s3cret", "PALIO_LOG_SALT": "salt", "FOO": "bar"}
    assert program(tmp_path, "json.dump(dict(os.environ), open('env.json', 'w'))", env=env).send(PAYLOAD).ok
    seen = json.loads((tmp_path / "env.json").read_text("utf-8"))
    assert seen["FOO"] == "bar" and not [name for name in seen if name.startswith("PALIO_")]


def test_a_program_that_fails_says_how(tmp_path: Path) -> None:
    assert program(tmp_path, "sys.exit(3)").send(PAYLOAD) == (False, 1, "ended with status 3")
    text = "os.kill(os.getpid(), 9)"
    assert program(tmp_path, text).send(PAYLOAD) == (False, 1, "was ended by signal 9")


def test_a_program_that_does_not_read_has_still_done_its_part(tmp_path: Path) -> None:
    large = render(message(reason="x" * 400))
    assert program(tmp_path, "os.close(0)").send(large).ok


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_program_that_does_not_end_is_killed_with_all_that_it_has_started(tmp_path: Path) -> None:
    text = "trap '' TERM; sleep 60 & echo $$ $! > ids.new; mv ids.new ids.txt; sleep 60"
    begin = time.monotonic()
    sent = Command(["sh", "-c", text], folder=tmp_path, limit_s=1.5).send(PAYLOAD)
    assert sent == (False, 1, "did not end within 1.5 s, and was killed")
    assert time.monotonic() - begin < 15
    deadline = time.monotonic() + 10
    processes = [int(one) for one in (tmp_path / "ids.txt").read_text().split()]
    while any(map(is_running, processes)) and time.monotonic() < deadline:
        os.sched_yield()  # the signal is on its way
    assert not any(map(is_running, processes))


def test_a_program_is_in_a_group_of_its_own(tmp_path: Path) -> None:
    assert program(tmp_path, "assert os.getpgrp() == os.getpid() == os.getsid(0)").send(PAYLOAD).ok


@pytest.mark.parametrize("arguments", [["no-such-program"], ["."], ["./nothing"]])
def test_a_program_that_cannot_be_started_is_named(tmp_path: Path, arguments: list[str]) -> None:
    sent = Command(arguments, folder=tmp_path).send(PAYLOAD)
    assert not sent.ok and sent.reason.startswith("could not be started: ")


def test_a_program_may_lie_in_the_project(tmp_path: Path) -> None:
    file = tmp_path / "notify"
    file.write_text("#!/bin/sh\ncat > got.json\n")
    file.chmod(0o755)
    assert Command(["./notify"], folder=tmp_path).send(PAYLOAD).ok
    assert json.loads((tmp_path / "got.json").read_bytes())["id"] == "m1"


@pytest.mark.parametrize("arguments", [[], [""], ["a\0b"], ["a", "\0"]])
def test_a_command_that_is_none_is_refused(tmp_path: Path, arguments: list[str]) -> None:
    with pytest.raises(ConfigError):
        Command(arguments, folder=tmp_path)
