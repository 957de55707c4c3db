"""A room is entered by its door, which says the same to checkers of types and to Python."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOORS = [path for path in sorted((ROOT / "src" / "palio").glob("*/__init__.py")) if "door(" in path.read_text("utf-8")]


def named(door: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Return name to module as types are told it, and as Python is."""
    room = f"palio.{door.parent.name}"
    for node in ast.parse(door.read_text("utf-8")).body:
        if isinstance(node, ast.If):
            told = {
                alias.asname or "": one.module or ""
                for one in node.body
                if isinstance(one, ast.ImportFrom)
                for alias in one.names
            }
            table = next(ast.literal_eval(one) for one in ast.walk(node) if isinstance(one, ast.Dict))
            return told, {name: f"{room}.{home}".rstrip(".") for home in table for name in table[home].split()}
    raise AssertionError(f"{door} has no `if TYPE_CHECKING`")


def test_every_room_has_a_door_and_there_is_one_kind_of_door() -> None:
    assert len(DOORS) >= 13
    own = [
        path
        for path in (ROOT / "src" / "palio").rglob("*.py")
        if "def __getattr__(name: str)" in path.read_text("utf-8")
    ]
    assert own == [ROOT / "src" / "palio" / "__init__.py"], "use palio.core.doors"


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.parent.name)
def test_types_and_python_are_told_the_same(door: Path) -> None:
    told, given = named(door)
    assert told == given
    room = import_module(f"palio.{door.parent.name}")
    assert room.__all__ == sorted(given)
    assert all(getattr(room, name) is not None for name in room.__all__)


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.parent.name)
def test_no_module_bears_the_name_of_what_its_room_gives(door: Path) -> None:
    inside = {path.stem for path in door.parent.iterdir()}
    _, given = named(door)
    assert not {name for name, home in given.items() if home.count(".") > 1} & inside
