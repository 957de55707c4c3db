"""Tell how the loop closes: what was seen, decided, trained, compared, released or refused, and why."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from palio.core.records import Event
from palio.renew.renewals import RENEWAL

_WORDS = {
    "monitor": "seen",
    "renew.retrain.plan": "decided",
    "renew.retrain.begin": "resumed",
    "renew.retrain.collect": "collected",
    "renew.retrain.train": "trained",
    "renew.retrain.judge": "compared",
    "renew.retrain.rollout": "releasing",
    "renew.rollout": "releasing",
    "renew.retrain.release": "released",
    "promote.release": "released",
    "promote.rollback": "rolled back",
    "renew.retrain.refuse": "refused",
    "renew.retrain.fail": "failed",
}
"""Begin of a kind → the word for it; the longest that fits counts."""
_ENDS = ("release", "refuse", "fail")


def loop_events(events: Iterable[Event]) -> list[Event]:
    """Keep the lines that belong to the loop: what was seen, renewals, rollouts, promotions.

    What a renewal does by way of other rooms (it adds rows, looks at the test, decides) its own lines tell already.
    """
    return [event for event in events if _word(event.kind) and not _is_detail(event)]


def loop_story(events: Iterable[Event]) -> str:
    """Tell the loop in plain words: a chapter for each renewal, with what came between them.

    Args:
        events: The ledger, oldest first.

    Example:
        >>> at = dt.datetime(2026, 5, 4, 9, 30, tzinfo=dt.UTC)
        >>> print(loop_story([Event(sequence=1, at=at, actor="ann", kind="promote.release", subject="b", payload={},
        ...     text="Version 1 of bank is the first champion.", previous_hash="", hash="")]))
        4 May 2026
          09:30  released     Version 1 of bank is the first champion.
    """
    told: list[str] = []
    day, chapter, is_over = "", "", False
    for event in loop_events(events):
        at, opens = event.at.astimezone(dt.UTC), event.kind == f"{RENEWAL}.plan"
        today = f"{at.day} {at:%B %Y}"
        chapter = _renewal(event) if opens else chapter
        if opens or today != day or is_over:
            heading = f"Renewal {chapter}, {today}" if opens else f"{today}, renewal {chapter}" if chapter else today
            told += ["", heading]
            day, is_over = today, False
        told.append(f"  {at:%H:%M}  {_word(event.kind):<12} {_plain(event.text)}")
        if event.kind.removeprefix(f"{RENEWAL}.") in _ENDS:
            chapter, is_over = "", True
    return "\n".join(told).strip() or "Nothing was watched or renewed yet."


def _is_detail(event: Event) -> bool:
    renewal = event.payload.get("renewal")
    is_first = isinstance(renewal, dict) and renewal.get("attempts") == 1
    return is_first and event.kind == f"{RENEWAL}.begin"


def _renewal(event: Event) -> str:
    renewal = event.payload.get("renewal")
    return str(renewal.get("request", "")) if isinstance(renewal, dict) else ""


def _word(kind: str) -> str:
    fitting: Sequence[str] = [begin for begin in _WORDS if kind.startswith(begin)]
    return _WORDS[max(fitting, key=len)] if fitting else ""


def _plain(text: str) -> str:
    """Remove control characters, which could play tricks on a terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
