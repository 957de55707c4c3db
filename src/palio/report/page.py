"""The page and the summary: put the sections into the template, write the file in one step."""

from __future__ import annotations

import os
import tempfile
from functools import cache
from importlib import resources
from pathlib import Path

import jinja2
from markupsafe import Markup

from palio.core.errors import InputError
from palio.report import pictures, scenes, scrutiny, sections, texts, verdict
from palio.report.advice import advise
from palio.report.facts import ReportFacts
from palio.report.rounding import clean
from palio.report.technical import technical


def write(path: Path | str, *, facts: ReportFacts) -> Path:
    """Write the report as one HTML file that needs nothing else; return where it is.

    The same facts give the same bytes. The file appears whole or not at all. Folders are made as needed.

    Raises:
        InputError: the path cannot be written.
    """
    return save(path, render(facts))


def load() -> None:
    """Read the template now, so that the report need not wait for it."""
    _template()


def save(path: Path | str, page: str) -> Path:
    """Write a page, whole or not at all; make folders as needed; return where it is.

    Raises:
        InputError: the path cannot be written.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".report-", suffix=".html")
        with os.fdopen(handle, "wb") as file:
            file.write(page.encode())
        Path(name).chmod(0o644)
        Path(name).replace(target)
    except OSError as error:
        raise InputError(
            f"report: cannot write `{target}`: {error.strerror or error}",
            hint="name a file in a folder you may write to",
        ) from error
    return target


def render(facts: ReportFacts) -> str:
    """Return the report as HTML."""
    parts = {
        "hero": sections.hero(facts),
        "ability": sections.ability(facts),
        "certainty": sections.certainty(facts),
        "failures": scrutiny.failures(facts),
        "finds": scenes.finds(facts),
        "pictures": pictures.pictures(facts),
        "texts": texts.texts(facts),
        "drivers": scrutiny.drivers(facts),
        "honesty": scrutiny.honesty(facts),
        "more_rows": scrutiny.more_rows(facts),
        "advice": advise(facts),
        "technical": technical(facts),
    }
    return _template().render(
        **parts,
        project=clean(facts.project, limit=80),
        cases=clean(facts.cases, limit=30),
        generated_at=facts.generated_at,
        style=Markup(read_asset("page.css")),  # noqa: S704 - our own file
    )


def summary(facts: ReportFacts) -> str:
    """Return what the report says, as short Markdown for a terminal.

    Text from the data is stripped of control characters, so that it cannot steer the terminal.
    """
    hero, decision = sections.hero(facts), facts.decision
    lines = [f"# {clean(facts.project)}: {hero['state'].lower()}", "", hero["headline"].text, ""]
    lines += [f"- {f.sentence}" + (f" {f.note}" if f.note else "") for f in hero["figures"]]
    if value := sections.ability(facts)["per_day"]:
        lines.append(f"- Worth {value}.")
    if facts.comparison is not None:
        lines.append(f"- {verdict.against_champion(facts.comparison, verdict.champion_of(facts))}.")
    gap = scrutiny.honesty(facts)["verdict"]
    lines += [f"- {gap}"] if gap else []
    more = scrutiny.more_rows(facts)
    lines += [f"- Would more rows help? {more['sentence']}"] if more else []
    if (sight := facts.evaluation.sight) is not None:
        lines += [f"- {pictures.sentence(facts, cue)}" for cue in sight.cues if cue.moves]
    for wording in facts.evaluation.wordings:
        lines += [f"- {texts.sentence(facts, cue)}" for cue in wording.cues if cue.moves]
        lines += [f"- {said}" for said in [texts.checked(wording.checks)] if said]
    slices = scrutiny.failures(facts)["slices"]
    lines += [f"- {slices['sentence']}"] if slices else []
    if decision is not None and decision.reasons:
        lines += ["", "Why:", *[f"- {clean(r, limit=240)}" for r in decision.reasons]]
    if advice := advise(facts):
        lines += ["", "Next:", *[f"{i}. {a.do}" for i, a in enumerate(advice, 1)]]
    return "\n".join(lines) + "\n"


def keep_together(value: object) -> object:
    """Keep a number, its margin and its percent sign on one line."""
    if not isinstance(value, str):
        return value
    return value.replace(" ± ", "\u00a0±\u00a0").replace(" %", "\u00a0%").replace("± ", "±\u00a0")


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, finalize=keep_together, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(read_asset("page.html"))


def read_asset(name: str) -> str:
    """Read a style sheet or a template of this room."""
    return resources.files("palio.report").joinpath(name).read_text(encoding="utf-8")
