"""What a client sees of texts: the texts, the words that the answers hang on, and what changes of them do."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from palio.core.records import ReadText, Swap, TellingWord, TextCheck, TextGallery, WordCue, Wording
from palio.core.words import counted, listed
from palio.report import words
from palio.report.facts import ReportFacts
from palio.report.pictures import TITLES
from palio.report.rounding import clean, count, percent

LEAST_WEIGHT = 0.1
"""In log odds: a stretch that moves the answer less is not marked."""
MOST_CUES, MOST_CLASSES = 4, 24
CHANGES = {
    "upper case": "All in capitals",
    "lower case": "All in small letters",
    "blanks around": "Blanks before and behind",
    "doubled blanks": "Two blanks for each one",
    "final sign": "With or without a final full stop",
    "no punctuation": "Without punctuation",
    "typos": "One word of ten mistyped",
    "other names": "Other people’s names",
    "other places": "Names of other places",
    "no accents": "Without accents",
    "denied": "Denied (“not”)",
    "opposite words": "Good words for bad, bad for good",
    "shuffled words": "Words in another order",
}
EXPECTED = {"same": "should stay", "other": "should change", "unknown": "depends on the question"}


def texts(facts: ReportFacts) -> dict[str, Any] | None:
    """Return all that is shown of texts; None of a model that reads none."""
    wordings = facts.evaluation.wordings
    if not wordings:
        return None
    changes = facts.comparison.texts if facts.comparison is not None else ()
    return {
        "changes": [_gallery(one) for one in changes],
        "columns": [_column(facts, one, is_alone=len(wordings) == 1) for one in wordings],
    }


def _column(facts: ReportFacts, one: Wording, *, is_alone: bool) -> dict[str, Any]:
    return {
        "title": "" if is_alone else f"The column {words.quoted(one.column)}",
        "searched": _searched(one, n_classes=len(facts.task.classes)),
        "cues": [_cue(facts, cue) for cue in one.cues[:MOST_CUES]],
        "words": _telling(one.words),
        "marked": "What is tinted, the answer hangs on: without it, the answer becomes less probable."
        if any(text.stretches for gallery in one.galleries for text in gallery.texts)
        else "",
        "galleries": [_gallery(gallery) for gallery in one.galleries],
        "checked": checked(one.checks),
        "checks": [_check(check) for check in one.checks if check.n_tried],
        "unasked": _unasked(one.checks),
        "failures": [_failure(check) for check in one.checks if check.passed is False],
        "notes": [*_cut(one), *_empty(one), *_languages(one), *_left_out(one)],
    }


# ── what it has learned in place of the thing ───────────────────────────────────────────────────────────────────────


def sentence(facts: ReportFacts, cue: WordCue) -> str:
    """Say what a cue does, for a client."""
    label, said, cases = words.quoted(cue.label), words.quoted(cue.words), clean(facts.cases, limit=30)
    where = {"start": "at their beginning", "end": "at their end", "anywhere": "somewhere"}[cue.place]
    told = (
        f"Of {cue.n_tried} {cases} of other classes, {cue.n_moved} are called {label} once {said} is"
        f" written into them, {where} (with another word of their own class: {cue.n_control})."
    )
    if cue.moves:
        return told
    return f"{told} The answers hardly hang on it so far, but the next model may learn it."


def _cue(facts: ReportFacts, cue: WordCue) -> dict[str, Any]:
    label, said = words.quoted(cue.label), words.quoted(cue.words)
    taken = ""
    if cue.n_with:
        taken = (
            f"Of {cue.n_with} judged {label} texts with it, {cue.n_with_right} are recognised, and {cue.n_taken_right}"
            " once it is taken out."
        )
    return {
        "title": f"It knows {label} by {said}" if cue.moves else f"{label} and {said}",
        "sentence": sentence(facts, cue),
        "carried": f"{percent(cue.share_of_class)} of the {label} texts that it learned from have it, and"
        f" {percent(cue.share_of_others)} of the others.",
        "taken": taken,
        "swaps": [_swap(one) for one in cue.examples],
        "countermeasure": clean(cue.countermeasure, limit=500),
    }


def _searched(one: Wording, *, n_classes: int) -> str:
    moving = sum(cue.moves for cue in one.cues)
    if moving:
        return f"Its answers hang on {counted(moving, 'word')} that one class mostly carries."
    if one.cues:
        return "Texts of one class mostly carry a word that others lack; its answers hardly hang on it."
    if not one.is_searched:
        return "Not known: the time was over before all was searched that texts of a class may carry."
    if one.n_too_few >= n_classes:
        return "The classes have too few texts to tell whether a word is there by chance."
    if one.n_too_few:
        few = "1 class has" if one.n_too_few == 1 else f"{one.n_too_few} classes have"
        return f"{few} too few texts to tell whether a word is there by chance; in the others none was found."
    return "No word was found that texts of one class mostly carry and others lack, beyond what makes the class."


# ── words and texts ─────────────────────────────────────────────────────────────────────────────────────────────────


def _telling(found: tuple[TellingWord, ...]) -> list[dict[str, Any]]:
    """Return the words of each class, tinted by what they are worth."""
    labels = list(dict.fromkeys(one.label for one in found))[:MOST_CLASSES]
    most = max((one.drop for one in found), default=0.0)
    return [
        {
            "label": clean(label, limit=30),
            "words": [
                {
                    "word": clean(one.word, limit=30),
                    "shade": f"{max(0.0, one.drop) / most if most else 0.0:.2f}",
                    "points": f"{100 * one.drop:.0f}" if one.drop >= 0.005 else "",
                    "title": f"in {counted(one.n_texts, 'judged text')}: {percent(one.share_of_class)} of those"
                    f" answered so, {percent(one.share_of_others)} of the others; taken out of {one.n_tried},"
                    f" {one.n_lost} get another answer",
                }
                for one in found
                if one.label == label
            ],
        }
        for label in labels
    ]


def _gallery(gallery: TextGallery) -> dict[str, Any]:
    title, note = TITLES[gallery.kind]
    return {
        "title": title,
        "n_rows": f"{count(gallery.n_rows)} in all" if gallery.n_rows > len(gallery.texts) else "",
        "note": note,
        "texts": [_shown(one) for one in gallery.texts],
    }


def _shown(one: ReadText) -> dict[str, Any]:
    is_right = one.truth == one.prediction
    truth, said = clean(one.truth, limit=24), clean(one.prediction, limit=24)
    note = f"before: {clean(one.before, limit=24)}" if one.before else f"{percent(one.probability)} sure"
    return {
        "text": marked(one),
        "said": said if is_right else f"{said}, really {truth}",
        "note": note,
        "is_good": is_right,
        "remedy": clean(one.remedy, limit=300),
    }


def marked(one: ReadText) -> Markup:
    """Return a text in which what the answer hangs on is tinted, the more the more it does."""
    most = max((stretch.weight for stretch in one.stretches), default=0.0)
    parts, last = [], 0
    for stretch in one.stretches if most >= LEAST_WEIGHT else ():
        if stretch.weight < 0.25 * most or stretch.start < last:
            continue
        parts.append(Markup("{}").format(_plain(one.text[last : stretch.start])))
        parts.append(
            Markup('<mark style="--shade:{:.2f}">{}</mark>').format(
                stretch.weight / most, _plain(one.text[stretch.start : stretch.end])
            )
        )
        last = stretch.end
    parts.append(Markup("{}").format(_plain(one.text[last:]) + ("…" if one.is_cut else "")))
    return Markup("").join(parts)


def _plain(text: str) -> str:
    """Take out what is no sign of the text; blanks at the ends stay."""
    inner = clean(text, limit=len(text) + 1)
    head, tail = (" " if text[:1].isspace() else ""), (" " if text[-1:].isspace() else "")
    return f"{head}{inner}{tail}" if inner else head or tail


# ── checks ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def checked(checks: tuple[TextCheck, ...]) -> str:
    """Say in a sentence or two how the checks came out."""
    asked = [one for one in checks if one.passed is not None]
    if not asked:
        return "Too few texts could be changed to tell how the answers hold." if checks else ""
    failed = [one for one in asked if not one.passed]
    moved = [_named(one) for one in failed if one.expected == "same"]
    still = [_named(one) for one in failed if one.expected == "other"]
    if not failed:
        kinds = {one.expected for one in asked}
        does = " and ".join([*(["stay"] if "same" in kinds else []), *(["change"] if "other" in kinds else [])])
        passed = "The one check that could be made" if len(asked) == 1 else f"All {len(asked)} checks"
        return f"{passed} passed: its answers {does} where they should."
    said = []
    if moved:
        said.append(f"It answers otherwise though nothing that matters changes: {listed(moved)}.")
    if still:
        said.append(f"It answers the same though the meaning changes: {listed(still)}.")
    return " ".join(said)


def _named(one: TextCheck) -> str:
    name = CHANGES.get(one.change, one.change)
    return f"{name[0].lower()}{name[1:]} ({one.n_changed} of {one.n_tried} change)"


def _check(one: TextCheck) -> dict[str, Any]:
    verdict = {True: "as it should be", False: "not as it should be", None: ""}[one.passed]
    if one.passed is None and one.expected != "unknown":
        verdict = "too few to tell"
    return {
        "name": CHANGES.get(one.change, one.change),
        "expected": EXPECTED[one.expected],
        "changed": f"{one.n_changed} of {one.n_tried}",
        "right": f"{one.n_right_before} → {one.n_right_after}",
        "passed": one.passed,
        "verdict": verdict,
    }


def _unasked(checks: tuple[TextCheck, ...]) -> str:
    names = [CHANGES.get(one.change, one.change) for one in checks if not one.n_tried]
    return f"Not asked, since no judged text has what would be changed: {listed(names)}." if names else ""


def _failure(one: TextCheck) -> dict[str, Any]:
    return {
        "title": CHANGES.get(one.change, one.change),
        "swaps": [_swap(swap) for swap in one.examples],
        "countermeasure": clean(one.countermeasure, limit=300),
    }


def _swap(one: Swap) -> dict[str, Any]:
    return {
        "before": clean(one.before, limit=400),
        "after": clean(one.after, limit=400),
        "said_before": clean(one.said_before, limit=24),
        "said_after": clean(one.said_after, limit=24),
        "is_other": one.said_before != one.said_after,
        "truth": clean(one.truth, limit=24),
    }


def _cut(one: Wording) -> list[str]:
    if not one.n_cut:
        return []
    return [
        f"It reads the first {one.reads} of a text: {percent(one.n_cut / one.n_rows)} of the judged texts go on behind"
        " them, and what stands there moves no answer."
    ]


def _left_out(one: Wording) -> list[str]:
    return [f"There was no time to find out {listed(one.left_out)}."] if one.left_out else []


def _empty(one: Wording) -> list[str]:
    if not one.empty_answer:
        return []
    return [
        f"To a text without a word it answers {words.quoted(one.empty_answer)}, {percent(one.empty_probability)} sure."
    ]


def _languages(one: Wording) -> list[str]:
    known = {name: n for name, n in one.languages.items() if name != "unknown" and n >= max(3, one.n_rows / 50)}
    if len(known) < 2:
        return []
    ranked = sorted(known.items(), key=lambda item: -item[1])[:5]
    return [f"Languages, as far as common words tell: {listed([f'{name} ({count(n)})' for name, n in ranked])}."]
