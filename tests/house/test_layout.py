"""The house: rooms look back, modules stay small, nothing tells where it was built."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "src" / "palio").rglob("*.py"))
MAX_LINES = 400
TEXTS = {".py", ".md", ".toml", ".sh", ".txt", ".svg", ".html", ".j2", ".css", ".js", ""}
PLACES = re.compile(
    r"/(?:work|root|home/\w+|Users/\w+)/"  # the machine that it was written on
    r"|/tmp/(?!x\b)\w"
    r"|file:///(?!\$)\w"
    r"|\b(?:10|192\.168)(?:\.\d+){2,3}\b"
)


@dataclass(frozen=True)
class Imported:
    """What one line imports."""

    line: int
    names: tuple[str, ...]
    """The modules, in full."""
    is_at_once: bool
    """Whether Python does it when it imports the module."""


@dataclass(frozen=True)
class Source:
    """What is asked of a module, read once."""

    docstring: str | None
    imports: tuple[Imported, ...]
    programs: tuple[str, ...]
    """Texts that begin as a program of ours would."""


@cache
def source_of(path: Path) -> Source:
    tree = ast.parse(path.read_text("utf-8"))
    at_once = {id(node) for node in _at_import(tree)}
    imports, programs = [], []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom | ast.Import):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            imports.append(Imported(node.lineno, tuple(names), id(node) in at_once))
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and re.match(r"\s*(?:from|import) palio", node.value)
        ):
            programs.append(node.value)
    return Source(ast.get_docstring(tree), tuple(imports), tuple(programs))


def _at_import(tree: ast.AST) -> list[ast.AST]:
    """Return the nodes that run when a module is imported by Python, not by a checker of types."""
    found: list[ast.AST] = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        found += [node, *_at_import(node)]
    return found


@cache
def tracked() -> list[Path]:
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, timeout=30
        ).stdout.decode()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is not a git checkout")
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def test_rooms_look_back_never_forward() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    if not lint.exists():
        pytest.skip("import-linter is not installed")
    result = subprocess.run(
        [str(lint), "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(ROOT / "src")))
def test_no_module_is_longer_than_a_sitting(module: Path) -> None:
    assert len(module.read_text("utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(ROOT / "src")))
def test_every_module_says_what_it_is_for(module: Path) -> None:
    if module.name == "py.typed" or not module.read_text("utf-8").strip():
        pytest.skip("the module is empty")
    assert source_of(module).docstring


def test_rooms_enter_each_other_by_the_front_door() -> None:
    rooms = {path.name for path in (ROOT / "src" / "palio").iterdir() if path.is_dir()} - {"core", "testing"}
    side_doors = []
    for module in MODULES:
        own = module.relative_to(ROOT / "src" / "palio").parts[0]
        for imported in source_of(module).imports:
            for name in imported.names:
                package, *inside = name.split(".")
                if package == "palio" and len(inside) > 1 and inside[0] in rooms - {own} and own != "testing":
                    side_doors.append(f"{module.relative_to(ROOT)}: {name}")
    assert not side_doors


def test_no_program_of_ours_is_started_by_a_string() -> None:
    started = [f"{module.relative_to(ROOT)}: {text}" for module in MODULES for text in source_of(module).programs]
    assert not started, "start `python -m palio`, which tools can follow"


def test_who_reads_bytes_does_not_ask_who_sent_them() -> None:
    protocols = sorted((ROOT / "src" / "palio" / "serve" / "protocols").glob("*.py"))
    assert protocols
    curious = [module.name for module in protocols if "palio.serve.traffic" in module.read_text("utf-8")]
    assert not curious, "see docs/decisions/0003-wings-of-serve.md"


def test_no_array_is_padded_to_the_longest_text_of_a_user() -> None:
    padded = re.compile(
        r"(?<!coins)\.astype\((?:str|np\.str_|\"U\d*\")\)|dtype=(?:str|np\.str_)\b"
    )  # coins are 0 and 1
    found = [
        f"{module.relative_to(ROOT)}:{number}"
        for module in MODULES
        for number, line in enumerate(module.read_text("utf-8").splitlines(), start=1)
        if padded.search(line) and "`astype(str)`" not in line
    ]
    assert not found, "use measure.as_texts: one long text would be multiplied by the number of rows"


def test_onnx_runtime_is_imported_behind_one_door() -> None:
    doors = {
        "src/palio/model/graph/runtime.py",
        "benchmarks/serving/peer_servers/session.py",
    }  # the peers do not have ours
    found = {path.relative_to(ROOT).as_posix() for path in tracked() if path.suffix == ".py" and _imports_runtime(path)}
    assert found <= doors, "use palio.model.graph.runtime, which switches its telemetry off first"
    for door in found:
        text = (ROOT / door).read_text("utf-8")
        assert 0 < text.find("ORT_DISABLE_TELEMETRY") < text.find("import onnxruntime")


def _imports_runtime(path: Path) -> bool:
    if "onnxruntime" not in path.read_text("utf-8"):
        return False
    if any(name.split(".")[0] == "onnxruntime" for one in source_of(path).imports for name in one.names):
        return True
    text = path.read_text("utf-8")  # by name, too, unless the door was entered before
    by_name = text.find("import_module(" + '"onnxruntime')
    return by_name >= 0 and not 0 <= text.find("onnx_runtime()") < by_name


HEAVY = {
    "torch": ("train/deep/", "train/families/"),
    "transformers": ("train/deep/",),
    "huggingface_hub": ("train/deep/",),
    "safetensors": ("train/deep/",),
    "tokenizers": ("train/deep/", "train/families/", "model/reading/"),
    "PIL": ("pixels/",),
}
"""Package → where it may be imported, inside of functions: who works with tables never loads it."""


@pytest.mark.parametrize("package", list(HEAVY))
def test_heavy_packages_are_imported_where_they_belong_and_only_when_needed(package: str) -> None:
    found = []
    for module in MODULES:
        place = module.relative_to(ROOT / "src" / "palio").as_posix()
        for imported in source_of(module).imports:
            if package in (name.split(".")[0] for name in imported.names):
                is_there = place.startswith(HEAVY[package])
                if not is_there or (imported.is_at_once and package != "PIL"):  # all of `pixels` is loaded when needed
                    found.append(f"{place}:{imported.line}")
    assert not found


def test_nothing_tells_where_it_was_built() -> None:
    found = []
    for path in tracked():
        if path.suffix not in TEXTS or path == Path(__file__) or path.name == "LICENSE":
            continue
        for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), start=1):
            if PLACES.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert not found


@pytest.mark.parametrize("script", [".ci/run", "examples/bank/demo.sh"])
def test_scripts_are_executable_and_stop_at_the_first_error(script: str) -> None:
    path = ROOT / script
    assert path.stat().st_mode & 0o111
    assert "set -euo pipefail" in path.read_text("utf-8")
    subprocess.run(["bash", "-n", str(path)], check=True, timeout=30)


def test_constraints_pin_every_package_by_version_alone() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][0-9A-Za-z.]*", line) for line in pins)
