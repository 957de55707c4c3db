"""Whatever a person gets wrong: a clear message, a hint, the right exit code, never a traceback."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from palio import flow
from palio.cli.app import palio
from tests.flow.conftest import finished  # noqa: F401 - a fixture

CSV = "size,colour,y\n" + "".join(
    f"{n / 7:.3f},{'red' if n % 3 else 'green'},{'yes' if n % 2 else 'no'}\n" for n in range(60)
)


def call(*arguments: str, exit_code: int) -> str:
    """Call a verb with --json, check the form of its error, and return the message."""
    result = CliRunner().invoke(palio, [*arguments, "--json"])
    assert result.exit_code == exit_code, (result.output, result.exception)
    told = json.loads(result.stdout)
    assert told["error"]
    assert told["hint"], told
    assert "Traceback" not in result.output
    assert "defect" not in told["error"], told
    return str(told["error"])


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    (tmp_path / "rows.csv").write_text(CSV)
    folder = tmp_path / "project"
    flow.init(str(tmp_path / "rows.csv"), target="y", folder=folder)
    return folder


@pytest.mark.parametrize(
    ("content", "target", "exit_code", "says"),
    [
        ("", "y", 2, "empty"),
        ("size,colour,y\n", "y", 2, "row"),
        ("size,colour,y\n1,red,yes\n", "y", 2, "1 row"),
        ("y,a,y\n" + "1,2,yes\n" * 20, "y", 2, "`y` occurs more than once"),
        (CSV, "nobody", 2, "`nobody`"),
        (CSV.replace("yes", "no"), "y", 2, "at least two classes"),
        (CSV.replace("yes", "").replace("no", ""), "y", 2, "missing"),
        ("size,y\n" + "".join(f"{n},name {n}\n" for n in range(5000)), "y", 2, "classes"),
    ],
)
def test_a_file_that_cannot_be_learned_from_is_refused(
    tmp_path: Path, content: str, target: str, exit_code: int, says: str
) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(content)
    message = call("init", str(file), "--target", target, "--dir", str(tmp_path / "p"), exit_code=exit_code)
    assert says in message
    assert not (tmp_path / "p" / "palio.toml").exists()


def test_a_file_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    call("init", str(tmp_path / "nothing.csv"), "--target", "y", "--dir", str(tmp_path), exit_code=3)


def test_a_project_is_not_replaced_by_accident(begun: Path) -> None:
    before = (begun / "palio.toml").read_bytes()
    other = begun.parent / "other.csv"
    other.write_text("a,b,c\n" + "".join(f"{n},{n % 7},{'xy'[n % 2]}\n" for n in range(40)))
    assert "another table" in call("init", str(other), "--target", "c", "--dir", str(begun), exit_code=2)
    assert (begun / "palio.toml").read_bytes() == before


def test_hints_of_init_name_its_options_not_a_file_that_is_not_there_yet(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(CSV)
    arguments = ["init", str(file), "--target", "y", "--dir", str(tmp_path / "p"), "--encoding", "utf-16", "--json"]
    result = CliRunner().invoke(palio, arguments)
    told = json.loads(result.stdout)
    assert result.exit_code == 2
    assert "--encoding" in told["hint"]
    assert "[data]" not in told["hint"] + told["error"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("[train]", "[trian]", "unknown table [trian]"),
        ("budget_s", "budgets", "unknown key `budgets`"),
        ("budget_s = 300", 'budget_s = "soon"', "budget_s"),
        ("budget_s = 300", "budget_s = -1", "budget"),
        ('target = "y"', 'target = "z"', "`z`"),
        ('metric = "auto"', 'metric = "beauty"', "beauty"),
        ('policy = "auto"', 'policy = "50-50"', "policy"),
        ("[project]", "[project", "TOML"),
        ('source = "../rows.csv"', 'source = ""', "source"),
        ('source = "../rows.csv"', 'source = "../gone.csv"', "gone.csv"),
        ("[train]", '[train]\nengine = "ray://host"', "engine"),
        ("[train]", '[train]\nfamilies = ["lihgtgbm"]', "lihgtgbm"),
    ],
)
def test_a_wrong_setting_is_named(begun: Path, old: str, new: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PALIO_TRAIN_ENGINE", raising=False)  # would be heeded before the file
    path = begun / "palio.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    message = call("train", "--dir", str(begun), exit_code=3 if "gone" in says else 2)
    assert says in message


@pytest.mark.parametrize(
    "verb",
    [
        ("serve",),
        ("predict", "rows.csv", "--output", "o.csv"),
        ("report",),
        ("rollback",),
        ("model", "show"),
        ("model", "verify", "12"),
        ("model", "export", "--output", "o"),
        ("promote", "--approve", "abcdef123"),
    ],
)
def test_what_needs_a_champion_says_so(begun: Path, verb: tuple[str, ...]) -> None:
    call(*verb, "--dir", str(begun), exit_code=3)


def test_rows_that_break_the_contract_are_refused_with_counts_and_examples(begun: Path, tmp_path: Path) -> None:
    more = tmp_path / "more.csv"
    more.write_text("size,colour,y\nbig,red,yes\nhuge,red,no\n")
    result = CliRunner().invoke(palio, ["ingest", "--append", str(more), "--dir", str(begun), "--json"])
    assert result.exit_code == 2, result.output
    violation = json.loads(result.stdout)["facts"]["violations"][0]
    assert (violation["column"], violation["n_rows"]) == ("size", 2)
    assert any("big" in example for example in violation["examples"])


def test_a_file_without_a_needed_column_is_not_scored(
    finished: tuple[flow.Project, flow.RunSummary],  # noqa: F811
    tmp_path: Path,
) -> None:
    project, _ = finished
    (tmp_path / "poor.csv").write_text("age,job\n" + "41,management\n" * 20)
    out = tmp_path / "scores.csv"
    message = call(
        "predict", str(tmp_path / "poor.csv"), "--output", str(out), "--dir", str(project.folder), exit_code=2
    )
    assert "`marital`" in message
    assert not out.exists()
    call("predict", str(tmp_path / "poor.csv"), "--output", "scores.xlsx", "--dir", str(project.folder), exit_code=2)


@pytest.mark.parametrize("harm", ["truncate", "edit", "remove"])
def test_a_damaged_bundle_is_refused_by_name(
    finished: tuple[flow.Project, flow.RunSummary],  # noqa: F811
    tmp_path: Path,
    harm: str,
) -> None:
    project, summary = finished
    assert summary.champion is not None
    folder = tmp_path / "copy"
    shutil.copytree(project.folder, folder)
    graph = project.bundle().manifest.files["model.onnx"]
    with flow.Project.open(folder) as copy:
        path = copy.store.blobs.local_path(graph)
    assert path is not None
    content = path.read_bytes()
    path.chmod(0o600)
    if harm == "remove":
        path.unlink()
    else:
        path.write_bytes(content[:-100] if harm == "truncate" else content[:-1] + bytes([content[-1] ^ 1]))
    result = CliRunner().invoke(palio, ["model", "verify", "--dir", str(folder), "--json"])
    assert result.exit_code in (3, 4), result.output
    assert "model.onnx" in result.stdout or graph[:12] in result.stdout
