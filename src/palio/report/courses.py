"""How a network learned: its loss and its metric, epoch by epoch."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from palio.core.records import Run
from palio.core.words import counted
from palio.report import charts, words
from palio.report.charts import Plot, Points, scale_of
from palio.report.facts import ReportFacts
from palio.report.rounding import clean, number


def course(facts: ReportFacts) -> dict[str, Any] | None:
    """Show how the network that was chosen learned, or the heaviest one of a mix; None if there is none."""
    run = _taught(facts)
    if run is None or run.course is None or facts.search is None:
        return None
    epochs, term = run.course.epochs, words.term(facts.search.metric)
    numbered = list(enumerate(epochs, start=1))
    learned = [(n, one.learned) for n, one in numbered if one.learned is not None]
    watched = [(n, one.watched) for n, one in numbered if one.watched is not None]
    scores = [(n, one.score) for n, one in numbered if one.score is not None]
    drawn = [
        ("Loss: learned from (dashed), held out", _plot(watched, learned, y_title="Loss")),
        (f"{term.title} on held-out rows", _plot(scores, (), y_title=term.title)),
    ]
    return {
        "sentence": _sentence(run, scores, term.title, up=term.higher_is_better),
        "notes": [clean(note, limit=200) for note in run.course.notes],
        "plots": [(title, plot) for title, plot in drawn if plot is not None],
    }


def _taught(facts: ReportFacts) -> Run | None:
    chosen = facts.chosen
    if chosen is None or facts.search is None or chosen.course is not None:
        return chosen
    weights = {one.run: one.weight for one in chosen.members}
    members = [run for run in facts.search.runs if run.id in weights and run.course is not None]
    return max(members, key=lambda run: weights[run.id], default=None)


def _sentence(run: Run, scores: Points, metric: str, *, up: bool) -> str:
    done, planned = (0, 0) if run.course is None else (len(run.course.epochs), run.course.n_epochs)
    of = f" of {planned}" if done < planned else ""
    said = f"{words.family(run.family)} learned for {done}{of} {'epoch' if done == 1 and not of else 'epochs'}"
    if not scores:
        return f"{said}."
    best = (max if up else min)(scores, key=lambda point: point[1])
    when = counted(int(best[0]), "epoch", "epochs")
    return f"{said}; “{metric}” on held-out rows was best after {when}: {number(best[1])}."


def _plot(points: Points, reference: Points, *, y_title: str) -> Markup | None:
    if len(points) < 2:
        return None
    values = [value for _, value in (*points, *reference)]
    x = charts.Scale(1.0, float(max(n for n, _ in points)))
    plot = Plot(x, scale_of(values), x_title="Epoch", y_title=y_title)
    plot.line(reference, "diagonal")
    plot.line(points, "path accent")
    plot.dots(points, "dot accent")
    said = "; ".join(f"epoch {n:g}: {number(value)}" for n, value in points)
    return plot.render(title=f"{y_title} by epoch", description=said)
