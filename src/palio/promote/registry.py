"""Act on decisions: put a challenger live, let a person approve it, put an earlier champion back.

What is live is kept by the store: its bundle, and all that it cites, cannot be deleted.
"""

from __future__ import annotations

import msgspec

from palio.core.errors import ConflictError, NotFoundError, RefusedError
from palio.core.ids import canonical_json, short
from palio.core.records import Check, Decision, Evaluation, Promotion
from palio.promote.decision import named
from palio.store import Store, operating_system_user


def release(
    store: Store, decision: Decision, *, model: str, expected: int | None, actor: str | None = None
) -> Promotion | None:
    """Do what a decision says, once: `yes` makes the challenger champion, anything else is only written down.

    Promotion, ledger line and decision are one transaction; repeating it after a crash changes nothing.

    Args:
        store: Holds the challenger's bundle.
        decision: See `decide`.
        model: Name of the model.
        expected: Version that was champion when this was decided; None: there was none.
        actor: Who; the user of this process if None.

    Returns:
        The promotion, or None if the verdict is not `yes`.

    Raises:
        ConflictError: the champion has changed meanwhile; nothing was promoted.
        NotFoundError: the bundle is not in the store.
    """
    if decision.verdict != "yes":
        _write_down(store, decision, model=model, actor=actor)
        return None
    champion = store.promotions.champion(model)
    if champion is not None and champion.decision == decision.id:
        return champion
    return _promote(store, decision, model=model, expected=expected, champion=champion, actor=actor)


def record(store: Store, decision: Decision, *, model: str, actor: str | None = None) -> None:
    """Write a decision down without doing what it says: a rollout may carry out a `yes` step by step."""
    _write_down(store, decision, model=model, actor=actor)


def approve(
    store: Store,
    decision: str,
    *,
    model: str,
    reason: str = "",
    actor: str | None = None,
    release: bool = True,
) -> Decision:
    """Approve a decision that waits for a person, and put its challenger live.

    Args:
        store: Holds the decision.
        decision: Its identity, or at least six digits of it.
        model: Name of the model.
        reason: Why, for the ledger.
        actor: Who approves; the user of this process if None.
        release: Whether the challenger goes live at once; if not, a rollout may bring it there.

    Returns:
        The approved decision: verdict `yes`, with the approval as one more check.

    Raises:
        NotFoundError: no such decision.
        RefusedError: it does not wait for approval.
        ConflictError: the champion has changed since.
    """
    waiting = store.records.require(Decision, decision)
    if waiting.verdict != "needs_approval":
        said = "refused by the gate" if waiting.verdict == "no" else "approved already"
        raise RefusedError(
            f"decision {short(waiting.id)}: it is {said}: {waiting.reasons[0]}",
            hint="train a better challenger" if waiting.verdict == "no" else "see palio log",
        )
    who = actor or operating_system_user()
    sentence = f"Approved by {who}: {reason.strip().rstrip('.') or 'no reason given'}."
    check = Check(name="approval", passed=True, observed=who, required="a person", reason=sentence)
    rest = tuple(text for text in waiting.reasons if text != "Every check passed; a person must approve.")
    approved = named(
        msgspec.structs.replace(waiting, verdict="yes", checks=(*waiting.checks, check), reasons=(sentence, *rest))
    )
    if not release:
        _write_down(store, approved, model=model, actor=who)
        return approved
    champion = store.promotions.champion(model)
    if champion is None or champion.decision != approved.id:
        expected = None if champion is None else champion.version
        _promote(store, approved, model=model, expected=expected, champion=champion, actor=who)
    return approved


def rollback(
    store: Store, model: str, *, to: int | None = None, reason: str = "", actor: str | None = None
) -> Promotion:
    """Put an earlier champion back, in one transaction.

    Args:
        store: Holds the bundles.
        model: Name of the model.
        to: Version; by default the champion which the present version replaced when it was new, so that repeated
            rollbacks walk back step by step.
        reason: Why, for the ledger.
        actor: Who; the user of this process if None.

    Raises:
        NotFoundError: there is no champion, or no such version.
        RefusedError: there is nothing earlier, or the version is the champion already.
        ConflictError: somebody else changed the champion at this moment.
        IntegrityError: the earlier bundle is damaged.
    """
    history = store.promotions.history(model)
    if not history:
        raise NotFoundError(f"model {model}: it has no champion", hint="run palio run first")
    champion = history[-1]
    target = store.promotions.previous(model) if to is None else _version(history, to)
    if target is None:
        raise RefusedError(
            f"model {model}: version {champion.version} is the first champion, so there is nothing to go back to",
            hint="name a version with --to, or train a new challenger",
        )
    if target.version == champion.version:
        raise RefusedError(f"model {model}: version {to} is the champion already", hint="there is nothing to do")
    why = reason.strip() or "no reason given"
    return store.promotions.append(
        model,
        target.bundle,
        expected=champion.version,
        kind="rollback",
        decision=None,
        evidence=target.evidence,
        reason=why,
        actor=actor,
        version=target.version,
        event_text=f"Rolled back {model} from version {champion.version} to version {{version}}: {why.rstrip('.')}.",
    )


def _promote(
    store: Store,
    decision: Decision,
    *,
    model: str,
    expected: int | None,
    champion: Promotion | None,
    actor: str | None,
) -> Promotion:
    live = None if champion is None else champion.bundle
    if live not in (decision.champion, decision.challenger):
        raise ConflictError(
            f"model {model}: decision {short(decision.id)} was taken against {_name(decision.champion)}, "
            f"but {_name(live)} is live now",
            hint="decide again against the present champion: palio promote",
            facts={"model": model, "decided_against": decision.champion, "found": live},
        )
    replaced = "the first champion" if champion is None else f"the champion in place of version {champion.version}"
    return store.promotions.append(
        model,
        decision.challenger,
        expected=expected,
        kind="promote",
        decision=decision,
        evidence=_evidence(store, decision),
        reason=_headline(decision),
        actor=actor,
        event_text=f"Version {{version}} of {model} is {replaced}. {_headline(decision)}",
    )


def _evidence(store: Store, decision: Decision) -> str:
    """Keep the decision and the evaluation that it cites as one blob, so that its identity covers every word."""
    evaluation = store.records.get(Evaluation, decision.evaluation) if decision.evaluation else None
    return store.blobs.put(canonical_json({"decision": decision, "evaluation": evaluation}))


def _write_down(store: Store, decision: Decision, *, model: str, actor: str | None) -> None:
    store.records.put(decision, key=decision.id)
    what = {"no": "Refused", "yes": "Said yes to", "needs_approval": "Waiting for approval:"}[decision.verdict]
    failed = [check.reason for check in decision.checks if not check.passed]
    told = store.ledger.events(kind="promote.decide", subject=decision.id)
    if any(event.payload.get("model") == model for event in told):
        return
    # The model may have been renamed since; the identity of a decision does not cover the name.
    write = store.ledger.append if told else store.ledger.append_once
    write(
        "promote.decide",
        decision.id,
        f"{what} challenger {short(decision.challenger)} of {model}. {' '.join(failed) or decision.reasons[0]}",
        payload={
            "model": model,
            "verdict": decision.verdict,
            "challenger": decision.challenger,
            "champion": decision.champion,
        },
        actor=actor,
    )


def _headline(decision: Decision) -> str:
    """Choose the sentence that tells most: the comparison, or for a first champion the simplest guess."""
    by_name = {check.name: check.reason for check in decision.checks}
    told = [by_name[name] for name in ("approval", "non_inferiority") if name in by_name]
    return " ".join(told) if "non_inferiority" in by_name else " ".join([*told, by_name.get("baseline", "")]).strip()


def _version(history: list[Promotion], version: int) -> Promotion:
    for promotion in history:
        if promotion.version == version:
            return promotion
    known = ", ".join(str(number) for number in sorted({promotion.version for promotion in history}))
    raise NotFoundError(f"model {history[0].model}: there is no version {version}", hint=f"choose one of {known}")


def _name(bundle: str | None) -> str:
    return "no champion" if bundle is None else f"bundle {short(bundle)}"
