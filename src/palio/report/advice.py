"""What to do next, derived from the numbers: each piece of advice names the figure that it stands on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from palio import evaluate
from palio.core.records import Slice
from palio.core.words import counted, listed
from palio.report import box_advice, pictures, texts, words
from palio.report.facts import ReportFacts
from palio.report.rounding import clean, count, decimals, fixed, margin, number, of_hundred, percent
from palio.report.words import quoted, term

MOST, MOST_OF_TEXTS = 8, 4
FEW_ROWS = 100
"""A class or slice with fewer test rows than this is known to ± 10 of 100 at best (binomial, 95 %)."""


class Advice(NamedTuple):
    """One thing to do, and why."""

    do: str
    why: str


def advise(facts: ReportFacts) -> list[Advice]:
    """List what to do next, the most pressing first; at most eight."""
    looks = (_decision, _honesty, _cues, _texts, _boxes, _slices)
    sources = (*looks, _classes, _calibration, _certainty, _data, _limits)
    found = [advice for source in sources for advice in source(facts)]
    last = list(_retrain(facts))
    return [*found[: MOST - len(last)], *last]


def _decision(facts: ReportFacts) -> Iterator[Advice]:
    decision = facts.decision
    if decision is None:
        return
    if decision.verdict == "needs_approval":
        yield Advice("Decide whether it goes live.", "Every check passed; the gate asks for a person’s yes.")
    if decision.verdict == "no":
        for check in [c for c in decision.checks if not c.passed][:3]:
            yield Advice(
                f"Resolve “{clean(check.name.replace('_', ' '))}” before asking again.", clean(check.reason, limit=240)
            )


def _honesty(facts: ReportFacts) -> Iterator[Advice]:
    gap = facts.evaluation.gap
    remedy = {
        "overfitted": "Give it more rows, or fewer and simpler columns.",
        "underfitted": "Look for columns that say more about the target.",
        "shifted": "Retrain on newer rows, and more often.",
    }
    if gap is not None and gap.verdict in remedy:
        yield Advice(remedy[gap.verdict], clean(gap.text, limit=240))
    suspect = evaluate.leak_suspect(facts.evaluation)
    if suspect:
        column, share = suspect
        yield Advice(
            f"Check that {quoted(column)} is really known at the time of the prediction.",
            f"It alone carries {percent(share)} of the measured influence. A column that is filled in later makes the"
            " test look better than daily use will be.",
        )
    if (columns := evaluate.too_good(facts.evaluation)) is not None:
        names = listed(quoted(name) for name in columns) or "all columns"
        yield Advice(
            f"Check that {names} are really known at the time of the prediction.",
            "Hardly an answer is wrong, which is rare unless columns hold what is asked for. If a rule made the labels,"
            " all is well.",
        )
    if facts.parts.n_duplicates_across:
        yield Advice(
            "Look into repeated rows.",
            f"{counted(facts.parts.n_duplicates_across, 'row')} equal a row of another part; the test may be too kind.",
        )
    used, budget = facts.looks_used, facts.parts.look_budget
    if used is not None and budget and used >= 0.8 * budget:
        yield Advice(
            "Set fresh test rows aside.",
            f"The sealed test has been opened {counted(used, 'time')} of {budget};"
            " with each look it flatters a little more.",
        )


def _cues(facts: ReportFacts) -> Iterator[Advice]:
    sight = facts.evaluation.sight
    for cue in sight.cues[:3] if sight is not None else ():
        yield Advice(cue.countermeasure, pictures.sentence(facts, cue))
    if sight is None or len(sight.strains) < 2:
        return
    first, worst = sight.strains[0], min(sight.strains[1:], key=lambda one: one.score)
    if term(facts.evaluation.primary).higher_is_better and worst.high < first.score:
        what = f"{pictures.CHANGES[worst.change].lower().rstrip(':,')} {worst.level}"
        yield Advice(
            f"If such pictures will come ({what}), bring some of them, of every class, and train again.",
            f"{term(facts.evaluation.primary).title} falls from {number(first.score)} to {number(worst.score)} there.",
        )


def _boxes(facts: ReportFacts) -> Iterator[Advice]:
    for one in box_advice.remedies(facts):
        yield Advice(one.do, one.why)


def _texts(facts: ReportFacts) -> Iterator[Advice]:
    """Say what the columns of texts ask for: the first few, so that there is room for what the rest asks for."""
    return islice(_about_texts(facts), MOST_OF_TEXTS)


def _about_texts(facts: ReportFacts) -> Iterator[Advice]:
    for wording in facts.evaluation.wordings:
        for cue in (one for one in wording.cues[:3] if one.moves):
            yield Advice(clean(cue.countermeasure, limit=500), texts.sentence(facts, cue))
        for check in [one for one in wording.checks if one.passed is False][:2]:
            name = texts.CHANGES.get(check.change, check.change)
            yield Advice(
                clean(check.countermeasure, limit=300),
                f"{name}: {check.n_changed} of {check.n_tried} answers change; they {texts.EXPECTED[check.expected]}.",
            )


def worse_slices(facts: ReportFacts) -> list[Slice]:
    """Return the slices that are worse beyond chance, those that concern most rows and hurt most first."""
    worse = [s for s in facts.evaluation.slices if s.worse]
    return sorted(worse, key=lambda s: -abs(s.difference.value) * math.sqrt(max(1, s.n_rows)))


def _slices(facts: ReportFacts) -> Iterator[Advice]:
    worse = worse_slices(facts)
    for part in worse[:2]:
        few = part.n_rows < 10 * FEW_ROWS
        remedy = "collect more rows like these" if few else "look for a column that tells them apart"
        if facts.evaluation.sight is not None:
            remedy = "bring more pictures like these"
        until = f"let a person check these {clean(facts.cases)}" if few else "trust the answers less"
        yield Advice(
            f"Where {words.condition(part)}: {remedy}; until then, {until}.",
            f"{term(part.metric).title} is {words.difference(part.metric, part.difference, facts.unit)} there than"
            f" elsewhere ({count(part.n_rows)} of {count(facts.evaluation.n_rows)} test rows).",
        )
    if facts.comparison and facts.comparison.slices:
        names = listed([words.condition(s) for s in facts.comparison.slices[:3]])
        yield Advice(f"Watch {names} closely in the first weeks.", "There, the new model is worse than the one before.")


def _classes(facts: ReportFacts) -> Iterator[Advice]:
    scores = facts.evaluation.per_class
    if not scores:
        return
    rare = [c for c in scores if c.n_rows < FEW_ROWS]
    if rare:
        rare.sort(key=lambda c: c.n_rows)
        names = listed([f"{quoted(c.label, limit=24)} ({c.n_rows})" for c in rare[:4]])
        yield Advice(
            f"Collect more examples of {names}.",
            f"With fewer than {FEW_ROWS} test rows, what is said about a class is rough.",
        )
    positive = next((c for c in scores if c.label == facts.task.positive), None)
    if facts.is_binary and positive is not None and positive.accuracy.high < 0.5:
        yield Advice(
            f"Work down the list by probability instead of acting on the answer {quoted(positive.label)} alone.",
            f"At its standard threshold it finds only {of_hundred(positive.accuracy)} of 100; the ranking finds more,"
            " at the price of more false alarms.",
        )
    weakest = min(scores, key=lambda c: c.accuracy.value)
    if not facts.is_binary and weakest.n_rows >= FEW_ROWS and weakest.accuracy.high < 0.7:
        yield Advice(
            f"Check the labels of {quoted(weakest.label)}, then add examples.",
            f"It is recognised {of_hundred(weakest.accuracy)} times in 100, the least of all classes.",
        )


def _calibration(facts: ReportFacts) -> Iterator[Advice]:
    bins = [b for b in facts.evaluation.calibration if b.n_rows > 0]
    off = [b for b in bins if max(b.low - b.predicted, b.predicted - b.high) > 0.02]
    if len(off) > len(bins) / 3:
        yield Advice(
            "Use the probabilities to rank, not as they stand.",
            f"In {len(off)} of {len(bins)} groups what happened is clearly different from what was said.",
        )


def _certainty(facts: ReportFacts) -> Iterator[Advice]:
    name = "precision" if facts.is_binary else "accuracy"
    m = facts.evaluation.metrics.get(name)
    if m is not None and math.isfinite(margin(m)) and margin(m) > 0.05:
        arm = fixed(margin(m) * 100, 0)
        yield Advice(
            "Label more test rows before you rely on the exact figures.",
            f"{term(name).title} is known to ± {arm} of 100. Half of that margin takes about four times the rows"
            f" ({count(4 * facts.evaluation.n_rows)}).",
        )


def _data(facts: ReportFacts) -> Iterator[Advice]:
    snapshot, search = facts.snapshot, facts.search
    if search is not None and search.learning is not None and search.learning.verdict == "rises":
        yield Advice("Collect more rows: it still learns from them.", words.more_rows(search.learning, search.metric))
    if snapshot.n_unlabelled > 0.01 * snapshot.n_rows:
        yield Advice(
            f"Have the {count(snapshot.n_unlabelled)} rows without an answer labelled.",
            "They were set aside; labelled, they make the model and the test stronger.",
        )
    if snapshot.n_quarantined:
        yield Advice(
            f"Repair the {counted(snapshot.n_quarantined, 'row')} that broke the data contract.",
            "They are in quarantine and were not used.",
        )


def _limits(facts: ReportFacts) -> Iterator[Advice]:
    """Name the ranges outside which nothing was tested, for the most important numeric columns."""
    order = [i.column for i in sorted(facts.evaluation.importance, key=lambda i: -i.loss.value)]
    known = {
        c.name: f"{quoted(c.name, limit=30)} from {number(c.low)} to {number(c.high)}"
        for c in facts.snapshot.schema.features
        if c.type in ("number", "integer") and c.low is not None and c.high is not None
    }
    shown = [known[name] for name in [*order, *known] if name in known]
    if shown:
        unique = list(dict.fromkeys(shown))[:3]
        yield Advice("Do not use it outside what it has seen.", f"It learned with {listed(unique)}.")


def _retrain(facts: ReportFacts) -> Iterator[Advice]:
    name = next((n for n in ("mae", "accuracy") if n in facts.evaluation.metrics), facts.evaluation.primary)
    m = facts.evaluation.metrics.get(name)
    if m is None or not (math.isfinite(m.low) and math.isfinite(m.high)):
        return
    if name == "accuracy":
        low = m.low * 100
        do = f"Retrain when, in daily use, fewer than {fixed(low, 0)} of 100 answers stay right."
    else:
        higher = term(name).higher_is_better
        end = m.low if higher else m.high
        places = decimals(margin(m))  # where little is known these are few, and a small number would become none
        limit = fixed(end, places) if round(end, places) or not end else number(end, digits=2)
        unit = clean(facts.unit, limit=20) if name == "mae" else ""
        size = f"{limit} {unit}".rstrip()
        do = f"Retrain when {quoted(term(name).title)} in daily use stays {'below' if higher else 'above'} {size}."
    yield Advice(do, "That is the pessimistic end of today’s interval: beyond it, something has changed.")
