"""The tutorials: their commands exist, their settings are understood, their Python runs against a real server."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import time
from pathlib import Path

import click
import polars as pl
import pytest

from palio import flow
from palio.cli.app import palio
from palio.core import config
from palio.core.durations import read_duration
from tests.acceptance.live import serving

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "tutorial").glob("*.md"))
SECOND = (ROOT / "docs" / "tutorial" / "second-hour.md").read_text("utf-8")


def blocks(text: str, language: str = "") -> list[str]:
    """Return the fenced blocks of one language."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)
    return [block for kind, block in fenced if kind == language]


def programs(text: str) -> dict[str, str]:
    """Return the Python blocks by the name of the file that the comment in their first line gives."""
    return {block.split("\n", 1)[0].removeprefix("# "): block for block in blocks(text, "python")}


def command_lines() -> list[str]:
    lines = [line for page in PAGES for block in blocks(page.read_text("utf-8")) for line in block.splitlines()]
    return sorted({line.split("  #")[0].removesuffix(" &").strip() for line in lines if line.startswith("palio ")})


@pytest.mark.parametrize("line", command_lines())
def test_every_command_of_a_tutorial_can_be_parsed(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words, command, name = shlex.split(line)[1:], click.Command("none"), "palio"
    group: click.Command | None = palio
    context = click.Context(palio)
    while isinstance(group, click.Group) and words and not words[0].startswith("-"):
        name = words.pop(0)
        group = group.get_command(context, name)
        assert group is not None, f"there is no `{name}`"
        command = group
    for one in command.params:
        if isinstance(one.type, click.Path):
            monkeypatch.setattr(one, "type", click.Path())  # the files of a tutorial are not here
    command.make_context(name, words)


def test_the_settings_of_the_second_hour_are_understood(tmp_path: Path) -> None:
    (tmp_path / "palio.toml").write_text("\n".join(blocks(SECOND, "toml")), "utf-8")
    found = config.load(tmp_path, env={})
    assert read_duration(found.monitor.window).total_seconds() == 60
    assert found.alert.command
    assert found.value.kpis


@pytest.mark.slow
def test_the_programs_of_the_second_hour_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "examples" / "bank" / "bank.csv.gz", tmp_path)
    found = programs(SECOND)
    exec(found["cut.py"], {})
    pl.read_csv("calls.csv")[:12_000].write_csv("calls.csv")
    flow.init("calls.csv", target="y", folder=tmp_path / "bank", exclude=("duration",))
    settings = tmp_path / "bank" / "palio.toml"
    text = settings.read_text("utf-8").replace("budget_s = 300", 'budget_s = 20\nfamilies = ["linear"]')
    settings.write_text(text + "\n".join(blocks(SECOND, "toml")), "utf-8")
    with flow.Project.open(tmp_path / "bank") as project:
        assert project.run().decision.verdict == "yes"
        with serving(tmp_path / "bank", workers=1) as server:
            monkeypatch.setattr(sys, "argv", ["play.py", server.url, "100", "1"])
            monkeypatch.setattr(time, "sleep", lambda _: None)
            exec(found["play.py"], {})
            monkeypatch.undo()
        answered = pl.read_csv(tmp_path / "truths-100.csv")
        assert answered["label"].to_list() == pl.read_csv(tmp_path / "served.csv")["y"][100:600].to_list()
        assert project.feedback(str(tmp_path / "truths-100.csv")).n_rows == 500
