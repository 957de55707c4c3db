"""Say what failed, and why, in words that blame nobody else."""

from __future__ import annotations

from collections.abc import Mapping

from palio.core.errors import PalioError
from palio.core.words import listed
from palio.train.field import Field
from palio.train.race import NO_TIME, Candidate
from palio.train.trial import UNDEFINED

WANT_OF_ROWS = (UNDEFINED, "only one class has examples", "no feature column holds two different values")
"""What the reason of a trial says that failed for want of rows."""


def failures_of(candidates: Mapping[int, Candidate]) -> dict[str, str]:
    """Return the families of which every candidate failed, with the first reason."""
    scored = {one.family for one in candidates.values() if one.scores and not one.failed}
    found: dict[str, str] = {}
    for one in candidates.values():
        if one.family not in scored and one.reason:
            found.setdefault(one.family, one.reason)
    return found


def told(field: Field, failures: Mapping[str, str], candidates: Mapping[int, Candidate]) -> list[str]:
    """Say once for each reason, and the families that it is of, what became of candidates that were ended or failed."""
    late = {one.family for one in candidates.values() if one.was_ended}
    alike: dict[tuple[bool, str], list[str]] = {}
    for name, reason in failures.items():
        alike.setdefault((name in late, reason), []).append(name)
    found = [
        f"Warning: no trial of {listed(names, at_most=len(names))} came to its end: {reason}."
        if is_late
        else f"Warning: every trial of {listed(names, at_most=len(names))} failed: {reason}."
        for (is_late, reason), names in alike.items()
    ]
    tried = {one.family for one in candidates.values()}
    untried = [name for name in field.families if name not in tried]
    if untried:
        were = "was" if len(untried) == 1 else "were"
        found.append(f"{listed(untried, at_most=len(untried))} {were} left out: {_why_untried(field)}.")
    once: set[str] = set()
    for one in candidates.values():
        is_nothing = (one.failed and not one.asked.get("made")) or (one.was_ended and not one.scores)
        if one.reason == NO_TIME:  # that the budget ended the search is told once
            continue
        if one.reason and is_nothing and one.family not in failures and one.family not in once:
            once.add(one.family)
            found.append(f"One trial of {one.family} came to nothing: {one.reason}.")
    return found


def _why_untried(field: Field) -> str:
    """Say why a family had no step: the clock, the number of trials, or the plan."""
    if field.clock is not None:
        return NO_TIME
    return "all trials that were asked for went to others" if field.plan is None else "no step of that run was theirs"


def nothing_learned(candidates: Mapping[int, Candidate]) -> bool:
    """Tell whether all families that learn were tried and failed of themselves: not for want of time or memory."""
    learners = [one for one in candidates.values() if one.family != "dummy"]
    if any(one.scores and not one.failed for one in learners) or any(one.was_ended for one in learners):
        return False
    return any(one.failed for one in learners)


def all_failed(field: Field, candidates: Mapping[int, Candidate], failures: Mapping[str, str]) -> PalioError:
    """Say that nothing was learned because everything failed, and why: the features are not to blame."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in failures.items():
        by_reason.setdefault(reason.removeprefix(f"{name}: "), []).append(name)
    why = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in by_reason.items())
    terms = field.terms
    if all(any(words in reason for words in WANT_OF_ROWS) for reason in by_reason):
        hint = "bring more rows of each class" if terms.task.kind == "classification" else "bring more rows"
        if any(UNDEFINED in reason for reason in by_reason):
            hint += f", or choose another metric than {terms.metric} under [train] in palio.toml"
    else:
        hint = "leave out the columns at fault with exclude under [data], or report it with the schema of the data"
    return PalioError(
        f"train: every family failed, so nothing was learned and no look was spent: {why}",
        hint=hint,
        facts={"failed": dict(failures), "trials": len(candidates)},
    )
