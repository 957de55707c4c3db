"""`palio monitor`: one screen, whatever the state and the terminal; a page, JSON and an exit code for those who ask."""

from __future__ import annotations

import datetime as dt
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len

from palio import flow
from palio.cli.app import palio
from palio.cli.screen import spark
from palio.cli.watching import read_since
from palio.core.errors import InputError
from palio.core.monitoring import Review

HERE = Path(__file__).resolve().parent


def _worlds() -> ModuleType:
    """The reviews that the page is tested with, too."""
    spec = importlib.util.spec_from_file_location("reviews_of_worlds", HERE.parent / "report" / "reviews.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


reviews = _worlds()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "palio.toml").write_text(
        '[project]\nname = "term-deposit"\n[data]\nsource = "calls.csv"\ntarget = "y"\n[value]\ncurrency = "CHF"\n',
        encoding="utf-8",
    )
    return tmp_path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Lets `Project.monitor` give a review of a known world, and keeps what it was asked."""
    seen: dict[str, Any] = {"world": "fallen"}

    def monitor(_: flow.Project, **options: Any) -> Review:
        seen.update(options)
        found = reviews.WORLDS[seen["world"]]()
        assert isinstance(found, Review)
        return found

    monkeypatch.setattr(flow.Project, "monitor", monitor, raising=False)
    return seen


def monitor(project: Path, *arguments: str, env: dict[str, str] | None = None, **more: Any) -> Result:
    # a runner keeps a wide stdout of its own; whatever the terminal of who runs the tests, nothing is asked of it
    return CliRunner(env={"COLUMNS": "100", "NO_COLOR": "1"} | (env or {})).invoke(
        palio, ["monitor", "--dir", str(project), *arguments], **more
    )


@pytest.mark.parametrize("world", reviews.WORLDS)
def test_every_state_fits_one_screen(world: str, project: Path, asked: dict[str, Any]) -> None:
    asked["world"] = world
    done = monitor(project)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert 5 < len(lines) <= 40
    assert max(map(cell_len, lines)) <= 100
    assert "\x1b" not in done.stdout
    assert not [c for c in done.stdout if c < " " and c != "\n"]
    for label in ("quality", "columns", "answers", "alerts", "next"):
        assert any(line.startswith(label) for line in lines), label


@pytest.mark.parametrize("columns", ["40", "62", "300"])
def test_a_narrow_terminal_cuts_lines_and_a_wide_one_does_not_stretch_them(
    columns: str, project: Path, asked: dict[str, Any]
) -> None:
    done = monitor(project, env={"COLUMNS": columns})
    assert done.exit_code == 0, done.output
    assert max(map(cell_len, done.stdout.splitlines())) <= min(100, int(columns))


def test_the_screen_says_what_matters_and_what_to_do(project: Path, asked: dict[str, Any]) -> None:
    said = monitor(project).stdout
    for told in (
        "term-deposit, version 3",
        "ACT NOW  Quality has fallen",
        "Ranking (ROC AUC): real 0.713 ± 0.013 (26 March), expected 0.801, estimated",
        "real CHF 1,630 ± 110 (26 March), expected CHF 1,840",
        "3 of 11 moved",
        "2.1 ms",
        "Value: calls worth making since 24 March, 8 windows, −202 EUR a day",
        "2. Retrain nothing for what came of “rate”: quality fell while it was broken.",
    ):
        assert told in said, told


def test_a_terminal_without_unicode_gets_no_blocks_and_no_traceback(project: Path, asked: dict[str, Any]) -> None:
    done = CliRunner(charset="ascii", env={"COLUMNS": "100"}).invoke(palio, ["monitor", "--dir", str(project)])
    assert done.exit_code == 0, done.output
    assert "Ranking (ROC AUC): real 0.713" in done.stdout
    assert "?????" not in done.stdout


def test_json_is_the_review_and_nothing_else(project: Path, asked: dict[str, Any]) -> None:
    told = json.loads(monitor(project, "--json").stdout)
    assert told["verdict"] == "act"
    assert told["html"] is None
    assert len(told["windows"]) == 34
    asked["world"] = "broken"
    assert json.loads(monitor(project, "--json").stdout)["false_alarm_rate"] is None


def test_the_page_lands_in_the_reports_of_the_project_or_where_it_is_told(
    project: Path, asked: dict[str, Any], tmp_path: Path
) -> None:
    done = monitor(project, "--html")
    assert done.exit_code == 0, done.output
    page = project / "reports" / "monitoring.html"
    assert page.read_text("utf-8").startswith("<!doctype html>")
    assert "CHF a day" in page.read_text("utf-8").replace("\u00a0", " ")
    assert f"page: {page}" in done.stdout.splitlines()  # in one line however long, so that it can be copied
    other = tmp_path / "elsewhere" / "page.html"
    assert json.loads(monitor(project, "--json", "--html", str(other)).stdout)["html"] == str(other)
    assert other.exists()


def test_a_page_that_cannot_be_written_is_a_clear_error(project: Path, asked: dict[str, Any]) -> None:
    done = monitor(project, "--html", str(project / "palio.toml" / "page.html"))
    assert done.exit_code == 2
    assert "cannot write" in done.stderr


@pytest.mark.parametrize(
    ("world", "limit", "code"),
    [
        ("fallen", None, 0),
        ("fallen", "page", 4),
        ("fallen", "warn", 4),
        ("drifting", "page", 0),
        ("drifting", "warn", 4),
        ("good", "warn", 0),
        ("old_bundle", "warn", 0),
    ],
)
def test_the_verdict_is_an_exit_code_only_if_asked_for(
    world: str, limit: str | None, code: int, project: Path, asked: dict[str, Any]
) -> None:
    asked["world"] = world
    assert monitor(project, *(("--fail-on", limit) if limit else ())).exit_code == code
    done = monitor(project, "--json", *(("--fail-on", limit) if limit else ()))
    assert done.exit_code == code
    assert json.loads(done.stdout)["version"] == 3


def test_options_reach_the_project(project: Path, asked: dict[str, Any]) -> None:
    monitor(project, "--since", "2026-03-01", "--window", "6h", "--segment", "job", "--segment", "contact")
    assert asked["since"] == dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    assert asked["window"] == "6h"
    assert asked["segments"] == ("job", "contact")
    monitor(project)
    assert asked["since"] is None
    assert asked["segments"] == ()


def test_since_is_a_length_of_time_or_a_moment() -> None:
    noon = dt.datetime(2026, 3, 31, 12, tzinfo=dt.UTC)
    assert read_since("7d", now=noon) == noon - dt.timedelta(days=7)
    assert read_since("2026-03-01T08:00+02:00") == dt.datetime(2026, 3, 1, 6, tzinfo=dt.UTC)
    for wrong in ("yesterday", "", "7", "999999w", "2026-13-01"):
        with pytest.raises(InputError, match="--since"):
            read_since(wrong)


def test_a_wrong_since_is_one_json_object(project: Path, asked: dict[str, Any]) -> None:
    done = monitor(project, "--since", "long ago", "--json")
    assert done.exit_code == 2
    assert "2026-03-01" in json.loads(done.stdout)["hint"]


def test_many_windows_share_the_blocks_of_a_line() -> None:
    assert len(spark([float(i) for i in range(400)], 40, low=0.0, high=399.0)) == 40
    assert spark([], 10, low=0.0, high=1.0) == ""
    assert spark([1.0, 1.0], 10, low=1.0, high=1.0) == "▁▁"
