from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from palio import __version__
from palio.cli import app


def palio(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    program = str(Path(sys.executable).with_name("palio"))
    return subprocess.run([program, *arguments], capture_output=True, text=True, cwd=cwd, check=False)


def test_version_and_help_import_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['palio', '--help']\n"
        "from palio.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'polars', 'sqlalchemy', 'onnxruntime', 'sklearn', 'pyarrow'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert palio("--version").stdout == f"palio {__version__}\n"


def test_the_package_can_be_called_as_the_command_is() -> None:
    for arguments in (["--version"], ["log", "--dir", "nowhere", "--json"]):
        called = subprocess.run(
            [sys.executable, "-m", "palio", *arguments], capture_output=True, text=True, check=False
        )
        told = palio(*arguments)
        assert (called.returncode, called.stdout, called.stderr) == (told.returncode, told.stdout, told.stderr)


@pytest.mark.parametrize("name", app.VERBS)
def test_every_verb_explains_itself(name: str) -> None:
    done = palio(name, "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage: palio" in done.stdout


def test_an_unknown_verb_suggests_the_nearest() -> None:
    done = palio("rnu")
    assert done.returncode == 2
    assert "did you mean `run`?" in done.stderr


def test_an_error_is_one_json_object_on_stdout_with_its_exit_code(tmp_path: Path) -> None:
    done = palio("run", "--json", cwd=tmp_path)
    assert done.returncode == 2
    told = json.loads(done.stdout)
    assert told["kind"] == "ConfigError"
    assert "palio init" in told["hint"]
    assert "Traceback" not in done.stderr


def test_an_error_for_people_is_message_and_hint(tmp_path: Path) -> None:
    done = palio("serve", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "hint: run palio init" in done.stderr
