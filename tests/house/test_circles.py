"""No module of Palio needs a module that needs it, in whatever way it is imported."""

from __future__ import annotations

import ast
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src"


def imports() -> dict[str, set[str]]:
    """Find what each module imports: inside of functions and for types alone, too. Front doors only hand on."""
    files = {_name(path): path for path in (SOURCE / "palio").rglob("*.py")}
    doors = {name for name, path in files.items() if path.name == "__init__.py"}
    found: dict[str, set[str]] = {}
    for name, path in files.items():
        if name in doors:
            continue
        named = set()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                named |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
            elif isinstance(node, ast.Import):
                named |= {alias.name for alias in node.names}
        found[name] = (named & files.keys()) - doors - {name}
    return found


def circles(graph: dict[str, set[str]]) -> list[frozenset[str]]:
    """Return the sets of nodes that reach each other.

    Source: Tarjan 1972, SIAM Journal on Computing 1(2).
    """
    number, low, path, found = dict[str, int](), dict[str, int](), list[str](), list[frozenset[str]]()

    def visit(node: str) -> None:
        number[node] = low[node] = len(number)
        path.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in number:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in path:
                low[node] = min(low[node], number[other])
        if low[node] == number[node]:
            first = path.index(node)
            if len(path) - first > 1:
                found.append(frozenset(path[first:]))
            del path[first:]

    for node in sorted(graph):
        if node not in number:
            visit(node)
    return found


def _name(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_circles_are_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"e"}, "e": {"d"}, "f": {"a"}, "g": set[str]()}
    assert set(circles(graph)) == {frozenset("abc"), frozenset("de")}
    assert circles({"a": {"b"}, "b": {"c"}, "c": set()}) == []


def test_modules_stand_in_an_order() -> None:
    assert [sorted(circle) for circle in circles(imports())] == []
