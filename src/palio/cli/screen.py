"""One screen about a model that is watched: at most 40 lines of at most 100 columns, with or without colour."""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.table import Table
from rich.text import Text

from palio.core.monitoring import Review, WindowReview
from palio.core.records import Metric
from palio.core.words import counted
from palio.report import clean, count, number, remedies, watched, with_margin

WIDTH, SPARK = 100, 40
MOST_OF_NAME = 28
"""Columns of a name of a column."""
_BLOCKS = "▁▂▃▄▅▆▇█"
_STATES = {"good": "bold green", "look": "bold yellow", "act": "bold red", "unknown": "bold"}


def show(review: Review, *, name: str, currency: str, page: Path | None = None) -> None:
    """Print what a review says."""
    plain = "utf" not in (sys.stdout.encoding or "").lower()
    if plain and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    width = min(WIDTH, shutil.get_terminal_size((WIDTH, 40)).columns)
    console = Console(file=sys.stdout, width=width, highlight=False, markup=False, emoji=False)
    with console.capture() as captured:
        for part in screen(review, name=name, currency=currency, page=page, draws=not plain):
            console.print(part, soft_wrap=isinstance(part, Text) and part.overflow == "ignore")
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def screen(
    review: Review, *, name: str, currency: str, page: Path | None = None, draws: bool = True
) -> Iterator[Text | Table]:
    """Make the parts of the screen, from top to bottom."""
    at = review.at.strftime("%Y-%m-%d %H:%M UTC")
    yield _line((clean(name, limit=40), "bold"), (f", version {review.version}, as seen on {at}", "dim"))
    yield Text()
    yield Text.assemble(
        (watched.STATES[review.verdict].upper(), _STATES[review.verdict]),
        ("  " + watched.prose(review.text, limit=230), ""),
    )
    yield Text()
    grid = Table.grid(padding=(0, 2), expand=True)
    grid.add_column(width=8, no_wrap=True, style="dim")
    grid.add_column(ratio=1)
    for label, lines in (
        ("quality", _quality(review, draws)),
        ("value", _value(review, currency, draws)),
        ("columns", _columns(review, draws)),
        ("answers", _answers(review, draws)),
        ("alerts", _alerts(review)),
        ("unknown", _silences(review)),
        ("next", _next(review)),
    ):
        first = True
        for line in lines:
            grid.add_row(label if first else "", line)
            first = False
    yield grid
    if page is not None:
        yield Text()
        yield Text(f"page: {page}", no_wrap=True, overflow="ignore")  # whole, so that it can be copied


def _line(*parts: tuple[str, str]) -> Text:
    return Text.assemble(*parts, no_wrap=True, overflow="ellipsis")


# ── the lines ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _quality(review: Review, draws: bool) -> Iterator[Text]:
    q = watched.quality(review, review.primary)
    if q.real is None and q.estimate is None:
        yield _line(("nothing can be said yet", "dim"))
        return
    said = []
    if q.real is not None:
        said.append(f"real {with_margin(q.real.value)} ({q.real_at})")
    if q.expected is not None:
        said.append(f"expected {number(q.expected)}")
    if q.estimate is not None:
        said.append(f"estimated {with_margin(q.estimate.value)}")
    yield _line((f"{q.title}: ", ""), (", ".join(said), "bold"))
    if draws:
        values = [_quality_of(w, review.primary) for w in watched.in_charge(review)]
        around = () if q.expected is None else (0.95 * q.expected, 1.05 * q.expected)
        yield from _drawn(values, watched.in_charge(review), review, around)


def _quality_of(window: WindowReview, metric: str) -> float:
    known = watched.outcome(window, metric) or watched.estimate(window, metric)
    return known.value.value if known else math.nan


def _value(review: Review, currency: str, draws: bool) -> Iterator[Text]:
    names = watched.kpis(review)
    for name in names[:2]:
        w = watched.worth(review, name, currency)
        said = [f"real {w.realised} ({w.realised_at})"] if w.realised else []
        said += [f"expected {w.expected}"] if w.expected else []
        said += [f"estimated {w.estimated}"] if w.estimated else []
        yield _line((f"{clean(name, limit=40)}, a day: ", ""), (", ".join(said) or "not known yet", "bold"))
        if draws and len(names) == 1:
            values = [_value_of(one, name) for one in watched.in_charge(review)]
            yield from _drawn(values, watched.in_charge(review), review, (0.0,))
    if len(names) > 2:
        yield _line((f"and {counted(len(names) - 2, 'more figure')}: palio monitor --html", "dim"))


def _value_of(window: WindowReview, name: str) -> float:
    found = watched.kpi(window, name)
    known: Metric | None = (found.realised or found.estimated) if found else None
    return known.value if known is not None else math.nan


def shortened(name: str, most: int = MOST_OF_NAME) -> str:
    """Leave out the middle of a name that is too long: names that begin alike are told apart by their ends.

    Example:
        >>> shortened("prediction.box_across.Traffic Cone"), shortened("age")
        ('prediction…ross.Traffic Cone', 'age')
    """
    if cell_len(name) <= most:
        return name
    head, tail = name[: most // 3 + 1], name[::-1]
    while cell_len(tail) > most - 1 - cell_len(head):
        tail = tail[:-1]
    return f"{head}…{tail[::-1]}"


def _columns(review: Review, draws: bool) -> Iterator[Text]:
    window = watched.newest_judged(review)
    if window is None or not window.drift:
        yield _line(("not compared with training", "dim"))
        return
    found = watched.columns(review)
    n_moved = watched.n_moved(window)
    n_columns = watched.n_columns(window)
    how_many = f"{count(n_moved) if n_moved else 'none'} of {count(n_columns)} moved" if n_columns else "not in the log"
    yield _line((how_many, "bold"), ("; the farthest:" if n_moved else "; nearest to it:" if n_columns else "", "dim"))
    worst = found[:5]
    histories: dict[str, list[float]] = {moved.drift.column: [] for moved in worst}
    for one in watched.in_charge(review):
        for drift in one.drift:
            if drift.column in histories:
                histories[drift.column].append(drift.psi)
    names = [shortened(moved.name) for moved in worst]
    width = max(map(cell_len, names))
    for name, moved in zip(names, worst, strict=True):
        style = "yellow" if moved.drift.drifted else "dim"
        values = histories[moved.drift.column]
        drawn = f"  {spark(values, 18, low=0.0, high=2 * moved.drift.limit):18}" if draws else ""
        since = f"since {moved.since}, " if moved.since else ""
        yield _line(
            (set_cell_size(name, width), ""),
            (f"  PSI {watched.psi(moved.drift.psi):>5}", style),
            (drawn, style),
            (f"  {since}{moved.sentence}", "dim"),
        )


def _answers(review: Review, draws: bool) -> Iterator[Text]:
    a = watched.answers(review)
    if a is None:
        yield _line(("none", "dim"))
        return
    failed = f"{count(a.n_failed) if a.n_failed else 'none'} failed"
    took = f", median {number(a.p50, digits=2)} ms, p99 {number(a.p99, digits=2)} ms" if a.p99 else ""
    rows = f"{counted(a.n_rows, 'row')} in {counted(a.n_requests, 'request')}"
    yield _line((rows, "bold"), (f" since {a.at}: {failed}{took}", ""))
    if draws:
        windows = watched.all_rows(review)
        yield from _drawn([float(w.n_requests) for w in windows], windows, review, (0.0,))


def _alerts(review: Review) -> Iterator[Text]:
    if not review.alerts:
        yield _line(("none is open", "green"))
    for alert in review.alerts[:3]:
        one = alert.finding
        style = "red" if one.severity == "page" else "yellow"
        yield _line(
            (f"{watched.KINDS[one.kind]}: {watched.subject(one)}", style),
            (f" {watched.since_when(one, review)}, {watched.effect(one)}", ""),
        )
    if len(review.alerts) > 3:
        yield _line((f"and {len(review.alerts) - 3} more: palio monitor --html", "dim"))


def _silences(review: Review) -> Iterator[Text]:
    for one in remedies.silences(review)[:3]:
        yield _line((one.do, "dim"))


def _next(review: Review) -> Iterator[Text]:
    for i, one in enumerate(remedies.next_steps(review)[:3], 1):
        yield Text(f"{i}. {clean(one.do, limit=170)}")


# ── sparklines ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _drawn(
    values: Sequence[float], windows: Sequence[WindowReview], review: Review, around: Sequence[float]
) -> Iterator[Text]:
    known = [v for v in values if math.isfinite(v)]
    if len(known) > 1:
        low, high = min([*known, *around]), max([*known, *around])
        ends = f"  {watched.moment(windows[0].since, review)} to {watched.moment(windows[-1].until, review)}"
        ends += f", {number(min(known))} to {number(max(known))}"
        yield _line((spark(values, SPARK, low=low, high=high), "cyan"), (ends, "dim"))


def spark(values: Iterable[float], width: int, *, low: float, high: float) -> str:
    """Draw values as blocks between two ends; neighbours share one where there are too many, a gap is a blank.

    Example:
        >>> spark([0, 1, 2, float("nan"), 4], 10, low=0, high=4)
        '▁▂▄ █'
    """
    found = list(values)
    size = max(1, math.ceil(len(found) / width))
    means = []
    for i in range(0, len(found), size):
        known = [v for v in found[i : i + size] if math.isfinite(v)]
        means.append(sum(known) / len(known) if known else math.nan)
    span = (high - low) if high > low else 1.0
    return "".join(_BLOCKS[min(7, max(0, int((v - low) / span * 7.999)))] if math.isfinite(v) else " " for v in means)
