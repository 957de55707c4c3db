"""Tell the ledger as a story: plain sentences, by day."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable

from palio.core.records import Event


def story(events: Iterable[Event]) -> str:
    """Tell what happened, oldest first, one sentence a line, grouped by day (UTC).

    Who did it stands in the day's heading if it was one person, else behind each sentence. Equal sentences in a row
    are told once, with their number. Control characters, which could play tricks on a terminal, are removed.

    Example:
        >>> at = dt.datetime(2026, 5, 4, 9, 30, tzinfo=dt.UTC)
        >>> print(story([Event(sequence=1, at=at, actor="ann", kind="data.ingest", subject="s", payload={},
        ...     text="Read bank.csv.", previous_hash="", hash="")]))
        Monday 4 May 2026, ann
          09:30  Read bank.csv.
    """
    days = []
    for day, lines in itertools.groupby(events, key=lambda event: event.at.astimezone(dt.UTC).date()):
        days.append(_tell(day, list(lines)))
    return "\n\n".join(days) or "Nothing has happened yet."


def _tell(day: dt.date, events: list[Event]) -> str:
    actors = {_plain(event.actor) for event in events}
    heading = f"{day:%A} {day.day} {day:%B %Y}"
    by_one = len(actors) == 1
    if by_one:
        heading += f", {actors.pop()}"
    told = [heading]
    for _, alike in itertools.groupby(events, key=lambda event: (event.actor, event.kind, event.text)):
        same = list(alike)
        first = same[0]
        sentence = _plain(first.text)
        if len(same) > 1:
            sentence += f" ({len(same)} times)"
        if not by_one:
            sentence += f" ({_plain(first.actor)})"
        told.append(f"  {first.at.astimezone(dt.UTC):%H:%M}  {sentence}")
    return "\n".join(told)


def _plain(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
