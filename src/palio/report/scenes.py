"""What a client sees of boxes: how much is found, what is wrong and what that costs, and pictures with boxes drawn."""

from __future__ import annotations

import base64
from typing import Any

from markupsafe import Markup

from palio.core.records import Drawn, Fault, Finds, Metric, Seen
from palio.core.words import counted, listed
from palio.report import charts, words
from palio.report.charts import Scale
from palio.report.facts import ReportFacts
from palio.report.rounding import clean, count, number, of_hundred, percent

FAULTS = {
    "background": ("Nothing is there", "box"),
    "missed": ("Not seen", "thing"),
    "place": ("Too far off", "box"),
    "class": ("Another thing is there", "box"),
    "double": ("Said twice", "box"),
    "both": ("Another thing, and too far off", "box"),
}
SIZES = {
    "small": ("Small", "up to 32 × 32 pixels"),
    "medium": ("Middle-sized", "up to 96 × 96 pixels"),
    "large": ("Large", "above 96 × 96 pixels"),
}
LEGEND = (
    ("right", "found"),
    ("missed", "there, and not found"),
    ("alarm", "false alarm"),
    ("ignored", "does not count"),
)
_LETTERS = 20
"""Letters of a label in a drawing; and about as many fit beside each other across a picture."""


def things(facts: ReportFacts) -> str:
    """Name what is looked for.

    Returns:
        The class, if there is one; else `things`.
    """
    classes = facts.task.classes
    return words.quoted(classes[0], limit=24) if len(classes) == 1 else "things"


def sentence(facts: ReportFacts, finds: Finds) -> str:
    """Say how much is found, and how often wolf is cried."""
    return (
        f"Of 100 {things(facts)} in the pictures, it finds {of_hundred(finds.found)}; it cries wolf in"
        f" {of_hundred(finds.alarmed)} of 100 pictures."
    )


def finds(facts: ReportFacts) -> dict[str, Any] | None:
    """Return all that is said of what is found; None of a model that looks for nothing."""
    found = facts.evaluation.finds
    if found is None:
        return None
    return {
        "sentences": [sentence(facts, found), *_about_classes(facts), *_told(found)],
        "faults": [_fault(one, _scale(found)) for one in found.faults if one.n or (one.cost or 0) >= 0.0005],
        "sizes": [
            (
                SIZES[one.size][0],
                f"{SIZES[one.size][1]}, {counted(one.n_boxes, 'box')}",
                charts.interval_row(one.found, Scale(0, 1), title=f"{SIZES[one.size][0]}: found"),
                of_hundred(one.found),
                one.found.value,
            )
            for one in found.sizes
        ],
        "levels": [
            {
                "threshold": number(one.threshold),
                "found": percent(one.found),
                "alarms": number(100 * one.false_alarms, digits=3),
            }
            for one in found.levels
        ],
        "threshold": number(found.threshold, digits=3),
    }


def _about_classes(facts: ReportFacts) -> list[str]:
    """Name classes that are never found, which all things together hide, and those that nothing is known of."""
    scores = facts.evaluation.per_class if len(facts.task.classes) > 1 else ()
    names = {one.label: words.quoted(one.label, limit=24) for one in scores}
    lost = [
        f"{names[one.label]} (of {counted(one.n_boxes, 'box')})"
        for one in scores
        if one.n_boxes and not one.accuracy.value
    ]
    strange = [names[one.label] for one in scores if not one.n_boxes]
    lines = [f"It never finds {listed(lost)}."] if lost else []
    if strange:
        them = "it" if len(strange) == 1 else "them"
        lines.append(
            f"Nothing in these pictures is {listed(strange, last='or')}: how well it finds {them} is not known."
        )
    return lines


def _told(finds: Finds) -> list[str]:
    missed = finds.n_boxes - finds.n_found
    lines = [
        f"{count(finds.n_found)} of {count(finds.n_boxes)} were found, {count(missed)} missed, and"
        f" {counted(finds.n_false, 'box')} shown where there is no such thing."
    ]
    if finds.n_empty:
        lines.append(
            f"Of {counted(finds.n_empty, 'picture')} with nothing to be found, {count(finds.n_empty_alarmed)} got a"
            " false alarm."
        )
    if missed and finds.n_unsure:
        which = "One of the missed is" if finds.n_unsure == 1 else f"{count(finds.n_unsure)} of the missed are"
        them = "it" if finds.n_unsure == 1 else "them"
        lines.append(
            f"{which} seen, but not surely enough: a lower threshold would show {them}, and more false alarms."
        )
    if finds.overlap is not None:
        lines.append(f"Of what is found, the middle box shares {percent(finds.overlap)} with the true one.")
    return lines


def _scale(finds: Finds) -> Scale:
    return Scale(0, max([one.cost or 0.0 for one in finds.faults] + [0.01]) * 1.05)


def _fault(fault: Fault, scale: Scale) -> tuple[str, str, Markup, str, float]:
    title, one = FAULTS[fault.kind]
    cost = fault.cost or 0.0
    plain = Metric(value=cost, low=cost, high=cost, n_rows=fault.n)
    note = f"{counted(fault.n, one)} in {counted(fault.n_pictures, 'picture')}" if fault.n else "only of unsure boxes"
    return title, note, charts.bar_row(plain, scale, title=f"Cost: {title}"), _cost(fault), cost


def _cost(fault: Fault) -> str:
    if fault.cost is None:
        return "not known"
    return f"+{fault.cost:.3f}" if fault.cost >= 0.0005 else "0"


# ── pictures with boxes ─────────────────────────────────────────────────────────────────────────────────────────────


def legend() -> list[tuple[str, Markup]]:
    """Explain colours and lines."""
    return [
        (
            name,
            Markup('<svg class="key" viewBox="0 0 34 22" aria-hidden="true">{}</svg>').format(
                _rectangle(kind, 3, 3, 28, 16)
            ),
        )
        for kind, name in LEGEND
    ]


def boxed(facts: ReportFacts, one: Seen) -> Markup:
    """Return a picture as an element of the page, with its boxes; empty if it is no longer kept."""
    data = facts.pictures.get(one.picture)
    if data is None or one.sides is None:
        return Markup()
    wide, high = one.sides
    marks = [_rectangle(box.kind, *_corners(box, wide, high)) for box in one.drawn]
    named = _names(one, wide, high, is_one=len(facts.task.classes) == 1)
    url = f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
    said = f"{clean(one.prediction, limit=60)}; really {clean(one.truth, limit=60)}"
    return Markup(
        '<span class="shot scene"><img src="{}" alt="{}" loading="lazy" style="aspect-ratio:{:g}/{:g}">'
        '<svg viewBox="0 0 {:g} {:g}" aria-hidden="true">{}{}</svg></span>'
    ).format(url, said, wide, high, wide, high, Markup("").join(marks), Markup("").join(named))


def _corners(box: Drawn, wide: float, high: float) -> tuple[float, float, float, float]:
    place = box.place
    return place.left * wide, place.top * high, (place.right - place.left) * wide, (place.bottom - place.top) * high


def _rectangle(kind: str, x: float, y: float, width: float, height: float) -> Markup:
    shape = Markup('x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"').format(x, y, width, height)
    return Markup('<rect class="under" {}/><rect class="box {}" {}/>').format(shape, kind, shape)


_TOLD = {"alarm": 0, "missed": 1, "right": 2, "ignored": 3}
"""What is named first: there is not room for everything."""


def _names(one: Seen, wide: float, high: float, *, is_one: bool) -> list[Markup]:
    """Set names and scores beside the boxes, what matters most first; what would stand on another one is left out."""
    size = max(wide / _LETTERS, high / (1.5 * _LETTERS))
    taken: list[tuple[float, float, float, float]] = []
    out = []
    for box in sorted(one.drawn, key=lambda box: (not box.stands_out, _TOLD[box.kind], -(box.score or 0))):
        text = _text(box, is_one=is_one)
        if not text:
            continue
        x, y = _at(box, wide, high, size, text)
        room = x, y - 0.85 * size, x + 0.62 * size * len(text), y + 0.2 * size
        if any(room[0] < c and a < room[2] and room[1] < d and b < room[3] for a, b, c, d in taken):
            continue
        taken.append(room)
        out.append(
            Markup('<text class="name {}" x="{:.1f}" y="{:.1f}" font-size="{:.1f}">{}</text>').format(
                box.kind, x, y, size, text
            )
        )
    return out


def _text(box: Drawn, *, is_one: bool) -> str:
    """Name the class, where there are several, and how sure it is."""
    name = "" if is_one else clean(box.label, limit=_LETTERS - 6)
    sure = "" if box.score is None else percent(box.score)
    return f"{name} {sure}".strip()


def _at(box: Drawn, wide: float, high: float, size: float, text: str) -> tuple[float, float]:
    """Place a name above its box; inside where there is no room; what was missed is named below it."""
    left, top, _, height = _corners(box, wide, high)
    x = max(0.0, min(left, wide - 0.62 * size * len(text)))
    if box.kind == "missed":
        return x, min(high - 0.2 * size, top + height + 1.0 * size)
    above = top - 0.3 * size
    return x, above if above >= 0.9 * size else min(top + 1.1 * size, high - 0.2 * size)
