"""What to do about what was seen, and about what cannot be said: advice for each finding and each silence."""

from __future__ import annotations

from palio.core.blame import broken_meanwhile
from palio.core.monitoring import Finding, Review
from palio.core.words import UNMET, counted, listed
from palio.report import watched
from palio.report.advice import Advice
from palio.report.rounding import count, percent
from palio.report.words import quoted

MOST = 5
MANY_LOST = 0.05
"""Share of the truths from which on it is told that they met no answer; a few are late for what is looked at."""
FEW_SCORED = 100
"""Rows with answers of which fewer tell only a change of a third or more (of a share of one half, 95 %, both ways)."""
FAR_OUT = 0.05
"""Share of rows beyond all of the reference from which on estimates are doubted."""
_UNMET = ("unknown_id", "unknown_key", "before_answer", "outside", "after_retention")


_RENEWED = ("quality", "concept_drift", "value")
_BROKEN_INPUT = ("unit", "skew", "missing", "contract")
"""Mended before anything is retrained: a model that learns from broken rows learns the break."""


def next_steps(review: Review) -> list[Advice]:
    """List what to do, the most pressing first; at most five. Never empty."""
    findings = sorted(review.findings, key=_urgency)
    drifts = [f for f in findings if f.kind == "drift"]
    over_all = {f.kind for f in findings if not f.segment and f.kind in _RENEWED}
    steps: dict[str, Advice] = {}
    explained = _explained(findings)
    for finding in findings:
        if (finding.segment and finding.kind in over_all) or finding.id in explained:
            continue  # what helps all rows helps these, too
        alike = [one for one in drifts if one.segment == finding.segment and one.id not in explained]
        step = _about_columns(alike, review) if finding.kind == "drift" else _remedy(finding, review)
        if finding.segment:
            step = Advice(f"Where {quoted(finding.segment)}: {step.do[:1].lower()}{step.do[1:]}", step.why)
        steps.setdefault(step.do, step)
    if steps:
        return list(steps.values())[:MOST]
    if review.verdict == "unknown":
        return [Advice(one.why, one.do) for one in silences(review)[:1]] or [
            Advice("Wait for more answers.", "Too little was served to judge.")
        ]
    return [Advice("Nothing needs to be done.", "Look again when new truths have come.")]


def _urgency(finding: Finding) -> tuple[bool, int]:
    is_broken = finding.kind in _BROKEN_INPUT and finding.severity != "note"
    return not is_broken, {"page": 0, "warn": 1, "note": 2}[finding.severity]


def _explained(findings: list[Finding]) -> set[str]:
    """Name the findings that say once more that a column is broken: it has moved, and so have rows and answers."""
    broken = [one for one in findings if one.kind in ("unit", "skew", "missing") and one.severity != "note"]
    columns = {(one.subject, one.segment) for one in broken}
    kinds = {"drift", "contract"}
    said = {one.id for one in findings if one.kind in kinds and (one.subject.partition(".")[0], one.segment) in columns}
    if broken:
        said |= {one.id for one in findings if one.kind in ("joint_drift", "answer_drift")}
    return said


def _about_columns(drifts: list[Finding], review: Review) -> Advice:
    names = list(dict.fromkeys(quoted(f.subject.partition(".")[0]) for f in drifts))
    shown = names if len(names) <= 4 else [*names[:3], f"{len(names) - 3} more"]
    when = watched.moment(min(f.since for f in drifts), review)
    return Advice(f"Ask whoever delivers {listed(shown)} what changed about {when}.", watched.prose(drifts[0].reason))


def _remedy(finding: Finding, review: Review) -> Advice:
    """Say what helps against one finding."""
    broken = broken_meanwhile(finding, (*review.findings, *review.earlier))
    if broken and finding.kind in _RENEWED:
        names = list(dict.fromkeys(quoted(one.subject) for one in broken))
        was = "it was" if len(names) == 1 else "they were"
        return Advice(
            f"Retrain nothing for what came of {listed(names)}: quality fell while {was} broken.",
            watched.prose(finding.reason),
        )
    if finding.kind == "volume" and finding.severity == "note" and finding.effect > 1:
        return Advice("Nothing: the same is asked again, which counts once.", watched.prose(finding.reason))
    name, when = quoted(finding.subject), watched.moment(finding.since, review)
    column = quoted(finding.subject.partition(".")[0])
    do = {
        "quality": "Retrain on the newest truths: palio retrain.",
        "concept_drift": "Retrain on the newest truths: palio retrain.",
        "value": "Retrain on the newest truths: palio retrain.",
        "estimated_quality": "Send the newest truths with palio feedback: they tell whether the estimate is right.",
        "estimate_off": "Go by the real figures, not by the estimate, until both agree again.",
        "selective_labels": "Get truths for rows picked by lot: those that come now are of a kind.",
        "joint_drift": f"Ask whoever delivers the columns what changed about {when}.",
        "answer_drift": f"Check a few answers since {when} by hand: is the world different, or the input?",
        "skew": f"Compute {column} for requests as it was computed for training.",
        "unit": f"Check the unit of {column}: it seems to be counted otherwise since {when}.",
        "missing": f"Find out why {column} is missing more often since {when}.",
        "contract": f"Check {column} with whoever sends it: it does not keep to what was agreed.",
        "volume": f"Ask the callers what changed about {when}: the number of {finding.subject} did.",
        "latency": "Give the server more workers, or send fewer rows at once.",
        "capacity": "Give the server more workers: palio serve --workers.",
        "failures": "Read the server’s own log: requests fail there.",
        "classes": f"Decide what to do about the class {name}; palio retrain makes a plan for a person to approve.",
    }[finding.kind]
    return Advice(do, watched.prose(finding.reason))


def silences(review: Review) -> list[Advice]:
    """List what cannot be said and why, with what would change that."""
    windows, ahead = watched.in_charge(review), [*_strangers(review), *_ahead(review)]
    if not any(w.n_rows for w in windows):
        return [
            *ahead,
            Advice(
                "Nothing was answered in this time.",
                "Serve with the prediction log on (palio serve), or look further back (palio monitor --since 90d).",
            ),
        ]
    found = ahead
    if not review.has_reference:
        found.append(
            Advice(
                "The inputs cannot be compared with training, and quality cannot be estimated.",
                "Train again: a bundle of this version of Palio says what it was trained on, the present one does not.",
            )
        )
    newest = next((w for w in reversed(windows) if not w.so_far), windows[-1])
    if windows[-1].so_far:
        said = "is held against the same hours of earlier days" if windows[-1].drift else "is not judged yet"
        found.append(
            Advice(
                f"The newest window is not over: what came so far ({counted(windows[-1].n_rows, 'row')}) {said}.",
                "It is judged as a whole when it is over.",
            )
        )
    for segment, n_rows in review.unknown_segments.items():
        found.append(
            Advice(
                f"Nothing is said where {quoted(segment)}: the reference holds {counted(n_rows, 'row')} of it.",
                "Train with more rows of it, or watch segments that are larger.",
            )
        )
    if review.has_reference and not newest.drift:
        least = f"; {count(review.min_rows)} are needed" if review.min_rows else ""
        different = "different row" if newest.n_judged < newest.n_rows else "row"
        found.append(
            Advice(
                f"Nothing is said about the newest window: it holds {counted(newest.n_judged, different)}{least}.",
                "Wait, or judge longer windows: palio monitor --window 7d.",
            )
        )
    elif review.has_reference and not any(one.role == "feature" for one in newest.drift):
        found.append(
            Advice(
                "The columns cannot be compared with training: the log holds no inputs.",
                "Set [log] inputs to all, or to sample, in palio.toml, and restart the server.",
            )
        )
    found += _about_labels(review)
    if review.has_reference and any(w.drift for w in windows) and not any(w.estimates for w in windows):
        found.append(
            Advice(
                "Quality is not estimated.",
                "A score tells how likely a box is right, but nothing tells of things without one: send truths of "
                "some pictures (palio feedback)."
                if review.task == "detection"
                else "An estimate needs the answers with their probabilities in the log, and rows that tell how right "
                "such answers were.",
            )
        )
    if 0 < review.n_scored < FEW_SCORED and any(one.role == "answer" for one in newest.drift):
        found.append(
            Advice(
                f"Only large changes of the answers are seen: there are {counted(review.n_scored, 'row')} to compare "
                "them with.",
                "Train with more rows: what is usual is known from those that were held out to judge it.",
            )
        )
    outside = max((e.outside for e in newest.estimates), default=0.0)
    if outside >= FAR_OUT:
        found.append(
            Advice(
                f"Estimates may be far off: {percent(outside)} of the newest rows lie beyond what the reference knows.",
                "Send truths of such rows; a model that is trained with them will know them.",
            )
        )
    if not any(w.kpis for w in windows):
        found.append(
            Advice(
                "What this is worth is not known.",
                "Name business figures in palio.toml under [[value.kpis]] to see them here, per day.",
            )
        )
    return found


def _strangers(review: Review) -> list[Advice]:
    if not review.strangers:
        return []
    n_rows, names = sum(review.strangers.values()), listed(quoted(one[:12]) for one in review.strangers)
    were = "was" if n_rows == 1 else "were"
    return [
        Advice(
            f"{counted(n_rows, 'row')} {were} answered by bundles that are not looked at here ({names}).",
            "Only the newest versions whose bundles are here are judged; two projects must not share a log and a name.",
        )
    ]


def _ahead(review: Review) -> list[Advice]:
    if not review.n_ahead:
        return []
    bear, are = ("bears", "is") if review.n_ahead == 1 else ("bear", "are")
    return [
        Advice(
            f"{counted(review.n_ahead, 'row')} of the log {bear} a moment still to come, and {are} in no window yet.",
            "Set the clock of the machine that answers, or of this one.",
        )
    ]


def _about_labels(review: Review) -> list[Advice]:
    windows = [w for w in watched.in_charge(review) if w.n_rows]
    lost = _lost(review)
    if not any(w.n_labels for w in windows):
        return lost or [
            Advice(
                "No truths have come yet, so real quality is not known.",
                "Send them as they become known: palio feedback FILE.",
            )
        ]
    waiting = [w for w in windows if not w.is_ripe]
    if not waiting:
        return lost
    n_rows, n_labels = sum(w.n_rows for w in waiting), sum(w.n_labels for w in waiting)
    which = "the newest window" if len(waiting) == 1 else f"{counted(len(waiting), 'window')}"
    coming = "Truths may still change for" if n_labels >= n_rows else "Truths are still coming for"
    return [
        *lost,
        Advice(
            f"{coming} {which}: {percent(n_labels / max(1, n_rows))} of the rows have one.",
            "Such windows are shown pale and are not judged: early truths are seldom a fair sample.",
        ),
    ]


def _lost(review: Review) -> list[Advice]:
    """Tell of truths that came and met none of the answers that were looked at, if they are many."""
    told = review.truths
    lost = {reason: n for reason, n in told.reasons.items() if reason in _UNMET} if told is not None else {}
    if told is None or not lost or sum(lost.values()) < MANY_LOST * told.n_received:
        return []
    why = "; ".join(
        f"{count(n)} {UNMET[reason]} (such as {quoted(told.examples[reason][0], limit=40)})"
        for reason, n in lost.items()
    )
    remedy = {
        "unknown_id": "Send the prediction ids as they were answered, to the project whose log holds them",
        "unknown_key": "Write keys as they were sent with the rows",
        "before_answer": "Say with `at` when each truth was known",
        "outside": "Write boxes in pixels of the picture that was sent, as it is shown: left, top, right, bottom",
        "after_retention": "Send truths sooner, or keep the log longer ([log] retention_days)",
    }[max(lost, key=lambda reason: lost[reason])]
    return [
        Advice(
            f"{count(sum(lost.values()))} of {counted(told.n_received, 'truth')} met none of the answers looked at:"
            f" {why}.",
            f"{remedy}; answers from before this time are looked at with --since.",
        )
    ]
