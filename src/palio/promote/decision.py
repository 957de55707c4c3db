"""Decide whether a challenger goes live. Pure: the same records give the same decision, with the same identity."""

from __future__ import annotations

from typing import Literal

import msgspec

from palio.core.errors import InputError
from palio.core.ids import digest_of
from palio.core.records import Check, Comparison, Cost, Decision, Evaluation, Gate, Parity
from palio.promote import gate as questions
from palio.promote.value import appraise


def decide(
    evaluation: Evaluation,
    *,
    gate: Gate,
    champion_evaluation: Evaluation | None = None,
    comparison: Comparison | None = None,
    parity: Parity | None = None,
    cost: Cost | None = None,
    champion: str | None = None,
    newest: Comparison | None = None,
    newest_evaluation: Evaluation | None = None,
    earlier: Comparison | None = None,
    may_lose_earlier: bool = False,
    error_cost: float = 0.0,
    requests_per_day: float = 0.0,
    currency: str = "EUR",
) -> Decision:
    """Ask all questions of the gate and decide.

    `yes`: every check passed. `no`: one failed. `needs_approval`: every check passed and the gate wants a person, or
    the only ones that failed are those for which there is no common ground with the champion.

    Without a champion nothing is waved through: the challenger's whole interval must beat the simplest guess, whatever
    `gate.beat_baseline` says.

    Args:
        evaluation: Of the challenger, on the sealed test.
        gate: What it must show.
        champion_evaluation: Of the champion, on the same rows; None if there is none or it cannot be scored.
        comparison: Of the two, paired.
        parity: The served bundle against the offline one.
        cost: Measured on the exported bundle.
        newest: Of a renewal: the two on the test rows that it brought. They decide then, in place of all test rows.
        newest_evaluation: Of a renewal: the challenger on these rows. If the world is known to have changed, it is
            enough to beat the simplest guess there.
        earlier: Of a renewal: the two on the test rows of before; it must not be worse there beyond chance.
        may_lose_earlier: The world is known to have changed: a loss on the rows of before is shown, and no obstacle.
        champion: Bundle that is live. Needed only where it could be neither scored nor compared.
        error_cost: What one error costs (see `appraise`).
        requests_per_day: Answers a day.
        currency: Of `error_cost`.

    Raises:
        InputError: the records are not about the same challenger, champion, metric or rows.
    """
    _agree(evaluation, champion_evaluation, comparison, (newest, earlier))
    rival = _rival(champion, champion_evaluation, comparison)
    checks = [questions.sealed(evaluation), questions.parity(parity, gate)]
    if rival is None or gate.beat_baseline or comparison is None:
        check = questions.baseline(evaluation, is_first=rival is None)
        if not check.passed and may_lose_earlier and newest_evaluation is not None:
            check = questions.baseline(newest_evaluation, is_first=rival is None)
        checks.append(check)
    if rival is not None:
        sides = (newest, earlier, may_lose_earlier)
        checks += _against_champion(evaluation, champion_evaluation, comparison, gate, sides=sides)
    checks += questions.limits(cost, gate)
    calibration = questions.calibration(evaluation, gate)
    if calibration is not None:
        checks.append(calibration)
    judged = newest or comparison
    value = appraise(evaluation, judged, error_cost=error_cost, requests_per_day=requests_per_day, currency=currency)
    return named(
        Decision(
            id="",
            verdict=_verdict(checks, gate),
            challenger=evaluation.bundle,
            champion=rival,
            evaluation=evaluation.id,
            comparison=comparison,
            parity=parity,
            checks=tuple(checks),
            reasons=_reasons(checks, gate),
            gate=gate,
            value=value,
            newest=newest,
            earlier=earlier,
        )
    )


def named(decision: Decision) -> Decision:
    """Give a decision its identity: the SHA-256 of all else that it holds."""
    return msgspec.structs.replace(decision, id=digest_of(msgspec.structs.replace(decision, id="")))


def _rival(champion: str | None, evaluation: Evaluation | None, comparison: Comparison | None) -> str | None:
    if comparison is not None:
        return comparison.champion
    return champion if evaluation is None else evaluation.bundle


def _against_champion(
    evaluation: Evaluation,
    champion: Evaluation | None,
    comparison: Comparison | None,
    gate: Gate,
    *,
    sides: tuple[Comparison | None, Comparison | None, bool],
) -> list[Check]:
    checks = []
    if champion is not None:
        checks.append(questions.classes(evaluation, champion))
    checks.append(questions.compared(has_comparison=comparison is not None))
    if comparison is None:
        return checks
    same = questions.different(comparison)
    if same is not None:
        checks.append(same)
    newest, earlier, may_lose_earlier = sides
    if newest is None:
        return [*checks, questions.non_inferiority(comparison, gate), questions.slices(comparison, gate)]
    checks.append(questions.newest_rows(newest, gate))
    if earlier is not None:
        checks.append(questions.earlier_rows(earlier, gate, may_lose=may_lose_earlier))
    return [*checks, questions.slices(newest if may_lose_earlier else comparison, gate)]


def _verdict(checks: list[Check], gate: Gate) -> Literal["yes", "no", "needs_approval"]:
    failed = {check.name for check in checks if not check.passed}
    if failed - questions.INCOMPARABLE:
        return "no"
    return "needs_approval" if failed or gate.approval == "human" else "yes"


def _reasons(checks: list[Check], gate: Gate) -> tuple[str, ...]:
    failed = [check.reason for check in checks if not check.passed]
    passed = [check.reason for check in checks if check.passed]
    asked = [] if failed or gate.approval == "auto" else ["Every check passed; a person must approve."]
    return (*failed, *asked, *passed)


def _agree(
    evaluation: Evaluation,
    champion: Evaluation | None,
    comparison: Comparison | None,
    sides: tuple[Comparison | None, ...] = (),
) -> None:
    pairs: list[tuple[str, object, object]] = []
    if comparison is not None:
        pairs += [
            ("challenger", comparison.challenger, evaluation.bundle),
            ("metric", comparison.metric, evaluation.primary),
            ("part", comparison.part, evaluation.part),
            ("number of rows", comparison.n_rows, evaluation.n_rows),
        ]
    if champion is not None:
        pairs += [("split", champion.parts, evaluation.parts), ("part", champion.part, evaluation.part)]
    if champion is not None and comparison is not None:
        pairs.append(("champion", comparison.champion, champion.bundle))
    for side in sides:
        if side is not None:
            pairs += [
                ("challenger", side.challenger, evaluation.bundle),
                ("champion", side.champion, None if comparison is None else comparison.champion),
                ("metric", side.metric, evaluation.primary),
            ]
    for what, one, other in pairs:
        if one != other:
            raise InputError(
                f"decision: the records do not agree on the {what}: {one} and {other}",
                hint="evaluate champion and challenger again, together",
            )
