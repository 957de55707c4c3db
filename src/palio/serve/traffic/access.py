"""Decide who may ask: a policy is worked out once, so that a decision costs about a microsecond."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Final, NamedTuple

from palio.core.serving import ApiKey, Policy
from palio.serve.traffic.quota import OwnQuotas, Quotas
from palio.serve.traffic.rules import ANONYMOUS, Caller, Line, Verdict, policy_digest, work_out

Headers = Mapping[bytes, bytes]
_MOST_CACHED = 4096
_LONGEST_CACHED = 256
"""Letters of the names that are asked for: a longer one is decided each time, so that nobody fills the memory."""
FEEDBACK: Final = "feedback"
"""The purpose of telling truths. They steer rollouts, and may be about anybody's answers: once there are keys, a rule
allows it only by name, never with `*`."""
_UNKNOWN = Caller("anonymous", "anonymous", "this API key is not known")
_EXPIRED = Caller("anonymous", "anonymous", "this API key has expired or was revoked")
_ADMIN = Caller("anonymous", "anonymous", "an admin key opens the admin port only")


class _Key(NamedTuple):
    caller: Caller
    ends: float
    is_admin: bool


class Access:
    """A policy, worked out. Immutable but for the quotas; safe for threads.

    The first rule that fits decides. If none fits, everyone may as long as there has never been a key, and nobody may
    afterwards. A revoked key stays in the policy, so revoking the last one does not open the server.
    """

    def __init__(self, policy: Policy, quotas: Quotas | None = None) -> None:
        self._digest = policy_digest(policy)
        self._lines = tuple(work_out(number, rule, self._digest) for number, rule in enumerate(policy.rules))
        self._purposes = frozenset(rule.purpose for rule in policy.rules) - {"*"}
        self._keys = {bytes.fromhex(key.hash): _key(key) for key in policy.keys}
        self.quotas = quotas or OwnQuotas()
        self._fitting: dict[tuple[str, str, str, str, str, str], tuple[Line, ...]] = {}
        self._default = self._defaults()

    def identify(self, headers: Headers, now: float) -> Caller:
        """Tell who asks, by `x-api-key` or `authorization: Bearer …` (lower-case names).

        Without keys nobody is told apart, so whatever a caller sends is ignored.

        Args:
            headers: Of the request.
            now: Seconds since 1970.
        """
        if not self._keys:
            return ANONYMOUS
        shown = headers.get(b"x-api-key")
        if shown is None:
            bearer = headers.get(b"authorization")
            if bearer is None:
                return ANONYMOUS
            if bearer[:7].lower() != b"bearer ":
                return _UNKNOWN
            shown = bearer[7:]
        key = self._keys.get(hashlib.sha256(shown.strip()).digest())
        if key is None:
            return _UNKNOWN
        if now >= key.ends:
            return _EXPIRED
        return _ADMIN if key.is_admin else key.caller

    def is_stranger(self, headers: Headers, now: float) -> bool:
        """Tell whether no rule can let this caller in, whatever it asks for: its request need not even be read."""
        caller = self.identify(headers, now)
        if caller.trouble:
            return True
        if caller.name != "anonymous" or not self._keys:
            return False
        return not any(line.rule.allow and line.concerns(caller) for line in self._lines)

    def needs_key(self, model: str, version: int | str, now: float) -> bool:
        """Tell whether who shows no key is refused answers of this champion."""
        return self.decide(ANONYMOUS, model, version, "champion", "", now, n_rows=0).status == 401

    def is_admin(self, headers: Headers, now: float) -> str:
        """Return the name of the admin whose key is shown, or nothing."""
        shown = headers.get(b"x-api-key")
        if shown is None:
            bearer = headers.get(b"authorization", b"")
            shown = bearer[7:] if bearer[:7].lower() == b"bearer " else b""
        key = self._keys.get(hashlib.sha256(shown.strip()).digest())
        return key.caller.name if key is not None and key.is_admin and now < key.ends else ""

    def decide(
        self,
        caller: Caller,
        model: str,
        version: int | str,
        alias: str,
        purpose: str,
        now: float,
        n_rows: int = 1,
    ) -> Verdict:
        """Decide one request, and take its rows from the quota of the rule that allows it.

        Args:
            caller: See `identify`.
            model: Name of the model.
            version: Version that would answer.
            alias: `champion` or `challenger`.
            purpose: What the caller says it asks for; a header, so no more than a claim.
            now: Seconds since 1970.
            n_rows: Rows asked for. 1 before the body is read; the rest afterwards, with `charge`.
        """
        if caller.trouble:
            return Verdict(f"{self._digest}:key", False, 401, caller.trouble)
        purpose = purpose if purpose in self._purposes or purpose == FEEDBACK else ""
        asked = (caller.name, caller.role, model, str(version), alias, purpose)
        lines = self._fitting.get(asked)
        if lines is None:
            lines = self._remember(asked, caller)
        for line in lines:
            if line.is_constant or line.holds(now):
                return self._say(line, caller, now, n_rows)
        return self._default[caller.name == "anonymous"]

    def charge(self, verdict: Verdict, caller: Caller, n_rows: int, now: float) -> Verdict:
        """Take `n_rows` more from the quota that allowed a request: once its body has told how many there are."""
        if verdict.rule < 0 or n_rows <= 0:
            return verdict
        return self._say(self._lines[verdict.rule], caller, now, n_rows, n_taken=1)

    def _say(self, line: Line, caller: Caller, now: float, n_rows: int, n_taken: int = 0) -> Verdict:
        verdict = line.verdict
        if not verdict.allowed:
            return verdict._replace(status=401) if caller.name == "anonymous" and self._keys else verdict
        if line.quota is None:
            return verdict
        capacity, rate = line.quota
        wait = self.quotas.take(f"{line.bucket}/{caller.name}", n_rows, capacity=capacity, rate=rate, now=now)
        if wait == 0.0:
            return verdict
        quota = f"{capacity:,} rows per {line.rule.per}"
        if math.isinf(wait) or n_taken + n_rows > capacity:  # waiting would never help
            reason, after = f"more rows at once than the quota of {quota} allows", 0
        else:
            reason, after = f"the quota of {quota} is used up", math.ceil(wait)
        return verdict._replace(allowed=False, status=429, reason=reason, retry_after_s=after)

    def _remember(self, asked: tuple[str, str, str, str, str, str], caller: Caller) -> tuple[Line, ...]:
        """Keep the rules that fit, up to the first that holds at all times."""
        _, _, model, version, alias, purpose = asked
        strictly = purpose == FEEDBACK and bool(self._keys)
        fitting: list[Line] = []
        for line in self._lines:
            if line.fits(caller, model, version, alias, purpose, strictly=strictly):
                fitting.append(line)
                if line.is_constant:
                    break
        found = tuple(fitting)
        if len(model) + len(version) <= _LONGEST_CACHED:
            if len(self._fitting) >= _MOST_CACHED:
                self._fitting.clear()
            self._fitting[asked] = found
        return found

    def _defaults(self) -> tuple[Verdict, Verdict]:
        """What holds if no rule fits: for a caller with a key, and for one without."""
        if not self._keys:
            anyone = Verdict(f"{self._digest}:open", True)
            return anyone, anyone
        name = f"{self._digest}:default"
        return (
            Verdict(name, False, 403, "no rule allows this"),
            Verdict(name, False, 401, "an API key is needed: send it as x-api-key or as a bearer token"),
        )


def compile_policy(policy: Policy, quotas: Quotas | None = None) -> Access:
    """Work a policy out, so that deciding is cheap.

    Args:
        policy: Rules and keys.
        quotas: Where rows are counted; pass the same on when the policy changes, so that nobody's count begins anew.
            None counts in this process alone.

    Raises:
        InputError: a rule cannot be understood.

    Example:
        >>> from palio.core.serving import Rule
        >>> access = compile_policy(Policy(rules=(Rule(allow=False, purpose="marketing", reason="no consent"),)))
        >>> verdict = access.decide(ANONYMOUS, "churn", 3, "champion", "marketing", now=0.0)
        >>> verdict.allowed, verdict.status, verdict.reason
        (False, 403, 'no consent')
    """
    return Access(policy, quotas)


def what_if(
    policy: Policy,
    model: str,
    *,
    caller: str,
    role: str | None,
    purpose: str,
    version: str,
    now: float,
    n_rows: int = 1,
) -> Verdict:
    """Say what would be answered, with quotas that nobody has used.

    Args:
        policy: Rules and keys.
        model: Name of the model.
        caller: Name of a key, or `anonymous`.
        role: Of the caller; None for that of its key.
        purpose: What the caller would say it asks for.
        version: Version number or alias that would answer.
        now: Seconds since 1970.
        n_rows: Rows asked for at once.

    Raises:
        InputError: a rule cannot be understood.
    """
    roles = {key.caller: key.role for key in policy.keys if not key.admin}
    if role is None:
        role = "anonymous" if caller == "anonymous" else roles.get(caller, "caller")
    alias = version if version in ("champion", "challenger") else ""
    return Access(policy).decide(Caller(caller, role), model, version, alias, purpose, now, n_rows)


def _key(key: ApiKey) -> _Key:
    ends = math.inf if key.expires_at is None else key.expires_at.timestamp()
    return _Key(Caller(key.caller, key.role), ends, key.admin)
