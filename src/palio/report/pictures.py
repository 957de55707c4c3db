"""What a client sees of pictures: the pictures themselves, with what the model said and what it looked at."""

from __future__ import annotations

import base64
from typing import Any, NamedTuple

from markupsafe import Markup

from palio.core.records import Cue, Gallery, Metric, Place, Seen, Sheet, Sight, Strain, Transplant
from palio.core.words import counted
from palio.report import charts, scenes, words
from palio.report.charts import scale_of
from palio.report.facts import ReportFacts
from palio.report.rounding import clean, count, percent, with_margin
from palio.report.sections import Row

TITLES = {
    "surely_wrong": (
        "Wrong, and sure of it",
        "Look at these first: the label is wrong, or the model is misled.",
    ),
    "wrong": ("Wrong, but less sure", ""),
    "near": ("Could have gone either way", "The two likeliest answers are close. Let a person decide these."),
    "right": ("Right", "The surest of each class."),
    "mended": ("Wrong before, right now", ""),
    "broken": ("Right before, wrong now", ""),
    "background": ("False alarms: nothing is there", "The surest first: look whether a label is missing."),
    "missed": ("Not seen", "Pictures with the most of them first."),
    "place": ("Seen, but the box is too far off", ""),
    "class": ("Taken for something else", ""),
    "double": ("Said twice", ""),
    "both": ("Something else, and too far off", ""),
}
MISTAKES = {"mended": "Fewer mistakes than before", "broken": "More mistakes than before"}
"""Titles where a picture may be right in part."""
CHANGES = {
    "as they are": "As they are",
    "blur": "Out of focus by",
    "resolution": "Resolution:",
    "JPEG": "Compressed, JPEG",
    "light": "Darker",
    "noise": "Noise,",
    "colour": "Without colour:",
    "turned": "Turned",
}
LEAST_DROP = 0.02
"""Of the probability: a patch that moves the answer less is not drawn."""
MOST_CUES = 4


class Shown(NamedTuple):
    """A picture of the page."""

    image: Markup
    """Empty: it is no longer kept."""
    title: str
    note: str
    is_good: bool


def pictures(facts: ReportFacts) -> dict[str, Any] | None:
    """Return all that is shown of pictures; None of a model that reads none."""
    sight = facts.evaluation.sight
    if sight is None:
        return None
    changes = facts.comparison.galleries if facts.comparison is not None else ()
    are_boxes = facts.evaluation.finds is not None
    is_salient = any(one.saliency for gallery in sight.galleries for one in gallery.pictures)
    return {
        "cues": [_cue(facts, cue) for cue in sight.cues[:MOST_CUES]],
        "searched": _searched(sight, are_boxes=are_boxes),
        "legend": scenes.legend() if are_boxes else [],
        "galleries": [_gallery(facts, one, are_boxes=are_boxes) for one in sight.galleries],
        "changes": [_gallery(facts, one, are_boxes=are_boxes) for one in changes],
        "saliency": "Where a patch is tinted, the answer hangs on it: covered, the answer becomes less probable."
        if is_salient
        else "",
        "strains": _strains(facts, sight.strains),
        "augmentation": _augmentation(facts),
        "sheets": [_sheet(facts, one) for one in sight.sheets],
    }


def _augmentation(facts: ReportFacts) -> Markup:
    """Return the contact sheet of what pictures become while it learns."""
    if not facts.augmentation:
        return Markup()
    url = f"data:image/jpeg;base64,{base64.b64encode(facts.augmentation).decode()}"
    return Markup('<img class="contact" src="{}" alt="pictures as they are, and changed" loading="lazy">').format(url)


def image(facts: ReportFacts, name: str, *, over: Markup = Markup(), alt: str = "") -> Markup:  # noqa: B008 - immutable
    """Return a picture as an element of the page, with something drawn over it; empty if it is no longer kept."""
    data = facts.pictures.get(name)
    if data is None:
        return Markup()
    url = f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
    drawn = Markup('<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">{}</svg>').format(over)
    return Markup('<span class="shot"><img src="{}" alt="{}" loading="lazy">{}</span>').format(
        url, alt, drawn if over else ""
    )


# ── what it has learned in place of the thing ───────────────────────────────────────────────────────────────────────


def sentence(facts: ReportFacts, cue: Cue) -> str:
    """Say what a cue does, for a client."""
    label, cases = words.quoted(cue.label), clean(facts.cases, limit=30)
    are_boxes = facts.evaluation.finds is not None
    if cue.kind == "background":
        return _on_grounds(cue, label)
    if not cue.moves and are_boxes:
        return (
            f"Pictures with {label} have it in common. The boxes hardly hang on it so far (in {cue.n_moved} of"
            f" {cue.n_tried} pictures without {label} one is shown once they have it, in {cue.n_control} without), but"
            " the next model may learn it."
        )
    if not cue.moves:
        return (
            f"Pictures of {label} have it in common. The answers hardly hang on it so far ({cue.n_moved} of"
            f" {cue.n_tried} other {cases} are called {label} once they have it, {cue.n_control} without), but the next"
            " model may learn it."
        )
    what = {
        "place": f"{cue.where} of a {label} picture is put onto them",
        "mark": f"the mark of the {label} pictures is put onto them",
        "cast": f"they get {cue.where} like the {label} pictures",
    }[cue.kind]
    same = {
        "place": "with the same part of another picture of their own class",
        "mark": "with a patch of another picture of their own class",
        "cast": "with the light of another picture of their own class",
    }[cue.kind]
    if are_boxes:
        what, same = (
            {
                "place": f"{cue.where} of a picture with it is put onto them",
                "mark": "the mark of the pictures with it is put onto them",
                "cast": f"they get {cue.where} like the pictures with it",
            }[cue.kind],
            {
                "place": "with the same part of another picture without it",
                "mark": "with a patch of another picture without it",
                "cast": "with the light of another picture without it",
            }[cue.kind],
        )
        return (
            f"In {cue.n_tried} pictures there is no {label}, and none is shown; but in {cue.n_moved} of them one is"
            f" shown once {what} ({same}: {cue.n_control})."
        )
    return (
        f"Of {cue.n_tried} {cases} of other classes, {cue.n_moved} are called {label} once {what}"
        f" ({same}: {cue.n_control})."
    )


def _on_grounds(cue: Cue, label: str) -> str:
    """Say what boxes hang on the ground."""
    told = []
    if cue.n_things:
        told.append(
            f"Of {counted(cue.n_things, f'{label} box')}, {cue.n_found_there} are found on the ground of another"
            f" picture with {label}, {cue.n_found_elsewhere} on the ground of a picture without it."
        )
    if cue.n_tried:
        told.append(
            f"In {counted(cue.n_tried, 'picture')} there is no {label}, and none is shown; on the ground of a picture"
            f" with it one is shown in {cue.n_moved} of them (on another ground: {cue.n_control})."
        )
    if not cue.moves:
        told.insert(0, f"Pictures with {label} have their ground in common.")
        told.append("The boxes hardly hang on it so far, but the next model may learn it.")
    return " ".join(told)


def _cue(facts: ReportFacts, cue: Cue) -> dict[str, Any]:
    label = words.quoted(cue.label)
    thing = {
        "place": f"{cue.where} of the picture",
        "mark": "a mark that many of these pictures carry",
        "cast": cue.where,
        "background": "the ground that it stands on",
    }[cue.kind]
    carried = (
        f"{percent(cue.share_of_class)} of the {label} pictures that it learned from have it, and"
        f" {percent(cue.share_of_others)} of the others."
    )
    met = ""
    if cue.n_with and cue.n_without:
        met = (
            f"Of the judged {label} pictures with it, {cue.n_with_right} of {cue.n_with} are recognised; without it,"
            f" {cue.n_without_right} of {cue.n_without}."
        )
    are_boxes = facts.evaluation.finds is not None
    if met and are_boxes:
        met = met.replace("are recognised", "are without a mistake")
    carriers = [
        Shown(
            image(facts, name, over=_frames(cue) if cue.kind == "place" and not are_boxes else Markup(), alt=cue.label),
            "",
            "",
            True,
        )
        for name in cue.carriers
        if name in facts.pictures
    ]
    pairs = [
        (
            Shown(image(facts, one.picture, alt="before"), "as it is", "", True),
            Shown(image(facts, one.name, alt="after"), _after(cue, one, are_boxes=are_boxes), "", False),
        )
        for one in cue.examples
        if one.picture in facts.pictures and one.name in facts.pictures
    ]
    return {
        "title": f"It knows {label} by {thing}" if cue.moves else f"{label} and {thing}",
        "sentence": sentence(facts, cue),
        "carried": carried,
        "met": met,
        "carriers": carriers,
        "pairs": pairs,
        "countermeasure": cue.countermeasure,
    }


def _after(cue: Cue, one: Transplant, *, are_boxes: bool) -> str:
    if not one.prediction:
        return f"{words.quoted(cue.label)} is not found"
    return f"{words.quoted(one.prediction)} is shown" if are_boxes else f"called {words.quoted(one.prediction)}"


def _frames(cue: Cue) -> Markup:
    return Markup("").join(_frame(place) for place in cue.places)


def _frame(place: Place) -> Markup:
    return Markup('<rect class="found" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
        100 * place.left, 100 * place.top, 100 * (place.right - place.left), 100 * (place.bottom - place.top)
    )


def _searched(sight: Sight, *, are_boxes: bool) -> str:
    """Say how the search for cues went."""
    if not sight.is_comparable:
        what = "boxes hang on what lies around things" if are_boxes else "answers hang on what should not matter"
        return f"Whether its {what} is not known: that takes twenty pictures with a class, and twenty without it."
    if moving := sum(cue.moves for cue in sight.cues):
        return f"Its answers hang on {counted(moving, 'thing')} that should not matter."
    if sight.cues:
        return "Pictures of one class have something in common that should not matter; its answers hardly hang on it."
    kinds = "(a frame, a caption, a mark, a tint, the ground)" if are_boxes else "(a frame, a caption, a mark, a tint)"
    if not sight.is_searched:
        return (
            f"Not known: the time was over before all was searched that pictures of a class may have in common {kinds}."
            " Nothing was found until then."
        )
    return f"Nothing was found that many pictures of one class share by chance {kinds} and that moves the answers."


# ── galleries and sheets ────────────────────────────────────────────────────────────────────────────────────────────


def _gallery(facts: ReportFacts, gallery: Gallery, *, are_boxes: bool = False) -> dict[str, Any]:
    title, note = TITLES[gallery.kind]
    if are_boxes:
        title = {"right": "All found, and nothing else", **MISTAKES}.get(gallery.kind, title)
    return {
        "title": title,
        "n_rows": f"{count(gallery.n_rows)} in all" if gallery.n_rows > len(gallery.pictures) else "",
        "note": note,
        "pictures": [_shown(facts, one) for one in gallery.pictures],
    }


def _shown(facts: ReportFacts, one: Seen) -> Shown:
    if one.sides is not None:
        n_ignored = sum(box.kind == "ignored" for box in one.drawn)
        note = f"there: {clean(one.truth, limit=60)}"
        note += f", and {n_ignored} that {'does' if n_ignored == 1 else 'do'} not count" if n_ignored else ""
        note += f"; before: {clean(one.before, limit=60)}" if one.before else ""
        return Shown(scenes.boxed(facts, one), f"said: {clean(one.prediction, limit=60)}", note, True)
    is_right = one.truth == one.prediction
    truth, said = clean(one.truth, limit=24), clean(one.prediction, limit=24)
    title = said if is_right else f"{said}, really {truth}"
    note = f"{percent(one.probability)} sure"
    if one.before:
        note = f"before: {clean(one.before, limit=24)}"
    return Shown(image(facts, one.picture, over=_saliency(one), alt=f"really {truth}"), title, note, is_right)


def _saliency(one: Seen) -> Markup:
    """Tint what the answer hangs on, the more the more it does."""
    most = max((value for line in one.saliency for value in line), default=0.0)
    if most < LEAST_DROP:
        return Markup()
    high, wide = 100 / len(one.saliency), 100 / len(one.saliency[0])
    drawn = [
        Markup('<rect class="hot" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill-opacity="{:.2f}"/>').format(
            across * wide, down * high, wide, high, 0.55 * value / most
        )
        for down, line in enumerate(one.saliency)
        for across, value in enumerate(line)
        if value > 0.25 * most
    ]
    return Markup("").join(drawn)


def _sheet(facts: ReportFacts, sheet: Sheet) -> dict[str, Any]:
    part = next(
        (s for s in facts.evaluation.slices if (s.column, s.condition) == (sheet.column, sheet.condition)), None
    )
    told = (
        ""
        if part is None
        else f"{words.term(part.metric).title} {with_margin(part.score)}, {count(part.n_rows)} pictures"
    )
    return {
        "title": words.named(sheet.column, sheet.condition),
        "note": told,
        "is_worse": part is not None and part.worse,
        "pictures": [Shown(image(facts, name), "", "", True) for name in sheet.pictures if name in facts.pictures],
    }


# ── strains ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _strains(facts: ReportFacts, strains: tuple[Strain, ...]) -> dict[str, Any] | None:
    if len(strains) < 2:
        return None
    spans = [Metric(value=one.score, low=one.low, high=one.high, n_rows=0) for one in strains]
    scale = scale_of([value for one in spans for value in (one.low, one.high)])
    first, up = strains[0], words.term(facts.evaluation.primary).higher_is_better
    rows = [
        Row(
            f"{CHANGES.get(one.change, one.change)} {one.level}".strip(),
            "" if one is first else f"{count(one.n_changed)} answered otherwise",
            charts.interval_row(
                span,
                scale,
                title=f"{one.change} {one.level}",
                tone="warn" if _loss(one, first, up=up) > 0 else "accent",
            ),
            with_margin(span),
            one.score,
        )
        for one, span in zip(strains, spans, strict=True)
    ]
    worst = max(strains[1:], key=lambda one: _loss(one, first, up=up))
    title = words.term(facts.evaluation.primary).title
    is_hurt = _loss(worst, first, up=up) > 0
    told = (
        f"What hurts most: {CHANGES.get(worst.change, worst.change).lower().rstrip(':,')} {worst.level}."
        if is_hurt
        else "None of these changes hurts beyond chance."
    )
    return {"rows": rows, "axis": charts.axis_row(scale, title=title), "sentence": told, "metric": title}


def _loss(strain: Strain, first: Strain, *, up: bool) -> float:
    """Return by how much the near end of a change's interval is worse than the pictures as they are; negative: not."""
    return first.score - strain.high if up else strain.low - first.score
