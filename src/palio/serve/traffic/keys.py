"""Keep rules and API keys in the ledger: each change is a line, and no two writers can overwrite each other."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec

from palio.core.clock import Clock, utc_now
from palio.core.errors import ConflictError, InputError, NotFoundError, did_you_mean
from palio.core.serving import ApiKey, Policy, Rule
from palio.core.strict import read_record
from palio.serve.traffic.rules import check_policy, policy_digest

if TYPE_CHECKING:
    from palio.core.records import Event
    from palio.store import Store

POLICY, KEY = "serve.policy", "serve.key"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_RESERVED = {"anonymous"}
_TRIES = 20
Made = TypeVar("Made")


class StoredPolicy(NamedTuple):
    """The policy that holds, and where its rules come from."""

    policy: Policy
    rules_line: int
    """Ledger line that set the rules; 0: they are those of `palio.toml`."""
    keys_line: int


def read_policy(store: Store, model: str, defaults: Policy = Policy()) -> StoredPolicy:  # noqa: B008 - a frozen record
    """Read the policy of `model`. Rules in the ledger replace those of `palio.toml` (`defaults`) as a whole.

    Raises:
        InputError: a rule cannot be understood, e.g. as a newer Palio wrote it. Half of a rule would allow too much.
    """
    rules_event = store.ledger.newest(POLICY, model)
    keys_event = store.ledger.newest(KEY, model)
    if rules_event is None:
        rules = defaults.rules
    else:
        rules = read_rules(rules_event.payload["rules"], where=f"ledger line {rules_event.sequence}")
    policy = Policy(rules=rules, keys=(*defaults.keys, *_keys_of(keys_event)))
    return StoredPolicy(policy, _number(rules_event), _number(keys_event))


def read_keys(store: Store, model: str) -> tuple[ApiKey, ...]:
    """Read the keys of `model`, those that ended too."""
    return _keys_of(store.ledger.newest(KEY, model))


def read_rules(value: Any, *, where: str) -> tuple[Rule, ...]:
    """Read rules that a person wrote: a list of tables, or a table with `rules`.

    Raises:
        InputError: an unknown key, or a rule that cannot be understood; which, and why.
    """
    if isinstance(value, dict) and set(value) == {"rules"}:
        value = value["rules"]
    if not isinstance(value, list | tuple):
        raise InputError(f"{where}: got no list of rules", hint="write one [[rules]] table for each rule")
    rules = read_record(tuple[Rule, ...], list(value), where=f"{where}, rule")
    check_policy(Policy(rules=rules), where=where)
    return rules


def write_rules(
    store: Store, model: str, rules: tuple[Rule, ...], *, expected: int | None = None, actor: str | None = None
) -> Event:
    """Replace all rules of `model`.

    Args:
        store: Whose ledger.
        model: Name of the model.
        rules: The new ones, in order; none at all is a policy too.
        expected: Ledger line of the rules that they replace (0: those of `palio.toml`); None replaces any.
        actor: Who; the user of this process if None.

    Raises:
        InputError: a rule cannot be understood.
        ConflictError: somebody else changed the rules meanwhile.
    """
    policy = Policy(rules=rules)
    check_policy(policy)
    n_deny = sum(not rule.allow for rule in rules)
    text = f"Set the access rules of {model}: {len(rules) - n_deny} allow, {n_deny} deny."
    payload = {"model": model, "digest": policy_digest(policy), "rules": rules}

    def change() -> Event:
        after = _number(store.ledger.newest(POLICY, model)) if expected is None else expected
        return store.ledger.append_after(POLICY, model, text, family=POLICY, after=after, payload=payload, actor=actor)

    return change() if expected is not None else _until_won(change)


def add_key(
    store: Store,
    model: str,
    name: str,
    *,
    role: str = "caller",
    admin: bool = False,
    expires_at: dt.datetime | None = None,
    actor: str | None = None,
    clock: Clock = utc_now,
) -> tuple[ApiKey, str]:
    """Make an API key for the caller `name`; from now on callers need one.

    Returns:
        What is kept, and the key itself: shown once, as only its SHA-256 is kept. It has 256 random bits, so a fast
        hash is enough (nothing to guess) and a look-up by hash leaks nothing by its time.

    Raises:
        InputError: the name or role is unusable, or it would expire at once.
        ConflictError: the caller has a key already.
    """
    for what, text in (("name", name), ("role", role)):
        if not _NAME.fullmatch(text) or text in _RESERVED:
            raise InputError(
                f"{what} {text[:40]!r}: allowed are 1 to 64 letters, digits and . _ @ -, and not `anonymous`",
                hint=f"choose another {what}",
            )
    now = clock()
    if expires_at is not None and expires_at <= now:
        raise InputError(f"key {name}: it would have expired already", hint="give a time in the future")
    secret = "palio_" + secrets.token_urlsafe(32)
    key = ApiKey(
        caller=name, role=role, hash=_hash(secret), created_at=now, expires_at=expires_at, admin=admin
    )  # fmt: skip

    def change() -> Event:
        event = store.ledger.newest(KEY, model)
        keys = _keys_of(event)
        if any(_is_live(other, now) and other.caller == name for other in keys):
            raise ConflictError(f"key {name}: this caller has one already", hint=f"palio serve key revoke {name}")
        kept = (*(other for other in keys if other.caller != name), key)
        what = "an admin key" if admin else f"an API key with role {role}"
        return _write_keys(store, model, kept, event, f"Gave {name} {what} for {model}.", "add", name, actor)

    _until_won(change)
    return key, secret


def revoke_key(
    store: Store, model: str, name: str, *, actor: str | None = None, clock: Clock = utc_now
) -> ApiKey:  # fmt: skip
    """Take the key of the caller `name` back; every worker knows within two seconds.

    Raises:
        NotFoundError: this caller has no key that is in force.
    """

    def change() -> ApiKey:
        event, now = store.ledger.newest(KEY, model), clock()
        keys = _keys_of(event)
        found = next((key for key in keys if key.caller == name and _is_live(key, now)), None)
        if found is None:
            live = [key.caller for key in keys if _is_live(key, now)]
            hint = did_you_mean(name, live) if live else "palio serve key list shows all"
            raise NotFoundError(f"key {name[:64]}: no such key is in force", hint=hint)
        revoked = msgspec.structs.replace(found, expires_at=now)
        kept = tuple(revoked if key is found else key for key in keys)
        _write_keys(store, model, kept, event, f"Revoked the key of {name} for {model}.", "revoke", name, actor)
        return revoked

    return _until_won(change)


def _write_keys(
    store: Store,
    model: str,
    keys: tuple[ApiKey, ...],
    before: Event | None,
    text: str,
    change: str,
    name: str,
    actor: str | None,
) -> Event:
    payload = {"model": model, "caller": name, "keys": keys}
    after = _number(before)
    return store.ledger.append_after(
        f"{KEY}.{change}", model, text, family=KEY, after=after, payload=payload, actor=actor
    )


def _until_won(change: Callable[[], Made]) -> Made:
    """Look and write again until nobody came between; each loss means that somebody else won."""
    for _ in range(_TRIES):
        try:
            return change()
        except ConflictError as error:
            if "found" not in error.facts:
                raise
    return change()


def _keys_of(event: Event | None) -> tuple[ApiKey, ...]:
    return () if event is None else msgspec.convert(event.payload["keys"], tuple[ApiKey, ...])


def _number(event: Event | None) -> int:
    return 0 if event is None else event.sequence


def _is_live(key: ApiKey, now: dt.datetime) -> bool:
    return key.expires_at is None or now < key.expires_at


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
