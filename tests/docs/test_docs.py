"""What is not documented does not exist: settings, errors, verbs with their options, routes, links."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import click
import pytest

from palio.cli.app import VERBS, palio
from palio.core import config, errors
from palio.core.records import Deployment, Manifest, Schema, Task

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
SHARED_OPTIONS = {"--dir", "--json"}


def read(name: str) -> str:
    return (DOCS / "reference" / name).read_text("utf-8")


def section(text: str, heading: str) -> str:
    """Return what stands under a heading, up to the next heading of any level."""
    match = re.search(rf"^#+ {re.escape(heading)}$\n(.*?)(?=^#|\Z)", text, re.M | re.S)
    assert match is not None, f"there is no heading `{heading}`"
    return match[1]


@pytest.mark.parametrize("room", config.Config.__struct_fields__)
def test_every_setting_is_documented_with_its_default(room: str) -> None:
    table = getattr(config.Config(), room)
    text = section(read("settings.md"), f"[{room}]")
    rows = dict(re.findall(r"^\| `(\w+)` \| .*? \| `(.*?)` \| .+ \|$", text, re.M))
    shown = {
        key: json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
        for key, value in ((key, getattr(table, key)) for key in table.__struct_fields__)
    }
    assert rows == shown


def all_errors() -> list[type[errors.PalioError]]:
    found, waiting = [], [errors.PalioError]
    while waiting:
        kind = waiting.pop()
        found.append(kind)
        waiting.extend(kind.__subclasses__())
    return [kind for kind in found if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", all_errors(), ids=lambda kind: kind.__name__)
def test_every_error_is_documented_with_its_exit_code_and_status(kind: type[errors.PalioError]) -> None:
    assert f"| `{kind.__name__}` | {kind.exit_code} | {kind.http_status} |" in read("errors.md")
    assert re.search(rf"^[│ ├└─]*{kind.__name__}$", read("errors.md"), re.M), "it is missing in the tree"


def commands() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(palio)
    for verb in VERBS:
        command = palio.get_command(context, verb)
        assert command is not None
        yield from below(f"palio {verb}", command)


def below(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        for word, inner in command.commands.items():
            yield from below(f"{name} {word}", inner)


@pytest.mark.parametrize(("name", "command"), list(commands()), ids=[name for name, _ in commands()])
def test_every_verb_and_option_is_documented(name: str, command: click.Command) -> None:
    text = section(read("commands.md"), name)
    options = {option for p in command.params if isinstance(p, click.Option) for option in p.opts if option[:2] == "--"}
    assert set(re.findall(r"^\| `(--[\w-]+)` \|", text, re.M)) == options - SHARED_OPTIONS


@pytest.mark.parametrize(("name", "command"), list(commands()), ids=[name for name, _ in commands()])
def test_every_verb_says_what_it_does(name: str, command: click.Command) -> None:
    assert command.help
    if not isinstance(command, click.Group):
        assert {option for p in command.params for option in p.opts} >= SHARED_OPTIONS


def test_every_route_is_documented() -> None:
    from palio.serve import Caps, create_app, openapi

    task = Task(kind="classification", target="y", classes=("no", "yes"))
    manifest = Manifest(
        format=1, task=task, schema=Schema(columns=()), inputs=(), outputs=(), family="dummy", params={}, seed=0,
        n_parameters=0, snapshot="", parts="", trained_on=(), metrics={}, parity=(), versions={}, files={},
    )  # fmt: skip
    described = openapi(manifest, Deployment(model="NAME", version=1, bundle=""))["paths"]
    app = cast("Any", create_app(cast("Any", object()), caps=Caps()))
    pages = {route.path for route in app._pages.routes}
    documented = set(re.findall(r"^\| `(/[^`]*)` \|", read("http.md"), re.M))
    routes = {path.replace("NAME", "{name}") for path in described if "/versions/" not in path}
    assert documented == routes | pages


def pages() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md")), *(ROOT / "examples").rglob("*.md")]


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text("utf-8")):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        other = (page.parent / file).resolve() if file else page
        assert other.exists(), f"{target} leads nowhere"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", other.read_text("utf-8"), re.M)
            anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in anchors, f"{target} leads to no heading"


def test_the_index_names_every_page() -> None:
    text = (DOCS / "index.md").read_text("utf-8")
    pages_below = [p for p in DOCS.rglob("*.md") if p.name != "index.md" and "decisions" not in p.parts]
    for page in pages_below:
        assert f"({page.relative_to(DOCS).as_posix()})" in text, f"{page.name} is missing in docs/index.md"
