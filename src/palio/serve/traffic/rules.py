"""Work out what a rule says: about whom it is, when it holds, how much it allows, and what it answers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

from palio.core.errors import InputError
from palio.core.ids import digest_of
from palio.core.serving import Policy, Rule
from palio.serve.traffic.hours import Hours, read_hours
from palio.serve.traffic.quota import SECONDS

_CHALLENGE: Final = ((b"www-authenticate", b"Bearer"),)


class Caller(NamedTuple):
    """Who asks: the name and role of an API key, or `anonymous`."""

    name: str
    role: str
    trouble: str = ""
    """Why the key that was shown does not count; whoever shows such a key is refused whatever the rules say."""


ANONYMOUS = Caller("anonymous", "anonymous")


class Verdict(NamedTuple):
    """The answer to one question. `id` goes into the prediction log."""

    id: str
    """`<digest of the rules>:<index of the rule, from 0>`; or `:default`, `:open` (there are no keys), `:key`."""
    allowed: bool
    status: int = 200
    """200, 401 (show a key), 403 or 429."""
    reason: str = ""
    """One sentence for the caller."""
    rule: int = -1
    """Index of the rule that decided; -1 if none did."""
    retry_after_s: int = 0
    """Of a 429: seconds until so many rows may be asked for; 0 if they never may at once."""

    @property
    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """Headers of a refusal."""
        if self.status == 401:
            return _CHALLENGE
        return ((b"retry-after", b"%d" % self.retry_after_s),) if self.retry_after_s else ()


@dataclass(frozen=True, slots=True)
class Line:
    """A rule, worked out."""

    rule: Rule
    hours: Hours | None
    since: float
    until: float
    quota: tuple[int, float] | None
    """Rows that a bucket holds, and how many come back each second."""
    verdict: Verdict
    is_constant: bool
    """Whether it holds at all times."""
    bucket: str
    """By the rule's words, not its place: a new line above it does not give everyone a fresh quota."""

    def concerns(self, caller: Caller) -> bool:
        """Tell whether the rule is about this caller."""
        return self.rule.caller in ("*", caller.name) and self.rule.role in ("*", caller.role)

    def fits(self, caller: Caller, model: str, version: str, alias: str, purpose: str, *, strictly: bool) -> bool:
        """Tell whether the rule is about this request; `strictly`: an allowing rule must name the purpose."""
        rule = self.rule
        if strictly and rule.allow and rule.purpose != purpose:
            return False
        return (
            self.concerns(caller)
            and rule.model in ("*", model)
            and rule.version in ("*", version, alias)
            and rule.purpose in ("*", purpose)
        )

    def holds(self, now: float) -> bool:
        """Tell whether the rule holds at a moment, in seconds since 1970."""
        return self.since <= now < self.until and (self.hours is None or self.hours.hold(now))


def work_out(number: int, rule: Rule, digest: str, *, where: str = "") -> Line:
    """Work one rule out.

    Args:
        number: Its place among the rules, from 0.
        rule: What was written.
        digest: Of all rules; see `policy_digest`.
        where: How errors call it.

    Raises:
        InputError: it cannot be understood.
    """
    where = where or f"rule {number}"
    for name in ("caller", "role", "model", "version", "purpose"):
        if not getattr(rule, name).strip():
            raise InputError(f"{where}: `{name}` is empty", hint="write * for everyone, or leave it out")
    for name in ("since", "until"):
        moment = getattr(rule, name)
        if moment is not None and moment.tzinfo is None:
            raise InputError(f"{where}: `{name}`: got a time without a zone", hint="write it as 2026-05-04T08:00:00Z")
    since = -math.inf if rule.since is None else rule.since.timestamp()
    until = math.inf if rule.until is None else rule.until.timestamp()
    if since >= until:
        raise InputError(f"{where}: `until` is not after `since`, so it never holds", hint="exchange the two")
    if rule.quota is not None and rule.quota < 1:
        raise InputError(
            f"{where}: `quota`: got {rule.quota}, allowed is 1 or more", hint="to deny, write allow = false to deny"
        )
    if rule.quota is not None and not rule.allow:
        raise InputError(f"{where}: it denies, and has a quota", hint="leave `quota` out, or write allow = true")
    verdict = Verdict(
        f"{digest}:{number}",
        rule.allow,
        200 if rule.allow else 403,
        rule.reason if rule.allow else rule.reason or "a rule denies this",
        number,
    )
    quota = None if rule.quota is None else (rule.quota, rule.quota / SECONDS[rule.per])
    hours = read_hours(rule.days, rule.hours, where=where)
    is_constant = hours is None and rule.since is None and rule.until is None
    return Line(rule, hours, since, until, quota, verdict, is_constant, digest_of(rule)[:16])


def policy_digest(policy: Policy) -> str:
    """Name the rules of a policy by their content: the part of a verdict's identity before the colon."""
    return digest_of(policy.rules)[:8]


def check_policy(policy: Policy, *, where: str = "policy") -> None:
    """Check every rule of a policy.

    Raises:
        InputError: a rule cannot be understood; which, and why.
    """
    for number, rule in enumerate(policy.rules):
        work_out(number, rule, "", where=f"{where}, rule {number}")
