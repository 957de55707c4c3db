"""Put an alert into words and figures for people and programs that are told of it; names in it are hostile input."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import msgspec

from palio.core.monitoring import Finding
from palio.core.records import Record
from palio.monitor.alerts.messages import Message

SCHEMA = "palio.alert/1"
MAX_NAME, MAX_TEXT = 500, 4000
_SEVERITIES = {"page": "Act", "warn": "Look", "note": "Note"}


class Figures(Record, frozen=True, kw_only=True):
    """What was measured."""

    effect: float
    measure: str
    limit: float | None
    p: float | None
    n_rows: int
    n_shown: int
    n_looked: int


class Links(Record, frozen=True, kw_only=True):
    """Where to look; empty in this version."""

    review: str = ""
    log: str = ""


class Payload(Record, frozen=True, kw_only=True):
    """What a webhook gets as its body and a command on its standard input."""

    schema: str = SCHEMA
    id: str
    state: str
    alert: str
    model: str
    version: int
    severity: str
    at: dt.datetime
    opened: dt.datetime
    since: dt.datetime
    title: str
    text: str
    finding: Finding
    figures: Figures
    explained_by: tuple[Finding, ...]
    expected_false_per_month: float
    links: Links = Links()


def render(message: Message) -> Payload:
    """Render what is sent: the same message gives the same bytes."""
    alert, finding = message.alert, _tidy(message.alert.finding)
    explained_by = tuple(_tidy(one) for one in alert.explained_by)
    figures = Figures(
        effect=finding.effect,
        measure=finding.measure,
        limit=finding.limit,
        p=finding.p,
        n_rows=finding.n_rows,
        n_shown=alert.n_shown,
        n_looked=alert.n_looked,
    )
    return Payload(
        id=message.id,
        state=message.state,
        alert=alert.id,
        model=finding.model,
        version=finding.version,
        severity=finding.severity,
        at=message.at,
        opened=alert.at,
        since=finding.since,
        title=_title(message, finding),
        text=_text(message, finding, explained_by),
        finding=finding,
        figures=figures,
        explained_by=explained_by,
        expected_false_per_month=alert.expected_false_per_month,
    )


def as_json(payload: Payload) -> bytes:
    """Encode for the wire: ASCII escapes are not needed, control characters are escaped by JSON itself."""
    return msgspec.json.encode(payload)


def plain(text: str, limit: int = MAX_NAME) -> str:
    r"""Make one line of printable characters of a text.

    Example:
        >>> plain("age\r\nBcc: eve@example.com\x1b[2J")
        'age Bcc: eve@example.com [2J'
    """
    text = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * limit]).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def tame(text: str) -> str:
    """Keep chat programs from reading names as markup or as a call to everybody.

    Example:
        >>> tame("<b>@channel</b> ann@example.com")
        '‹b›＠channel‹/b› ann@example.com'
    """
    return re.sub(r"(?<!\w)@(?=\w)", "＠", text.replace("<", "‹").replace(">", "›"))


def _title(message: Message, finding: Finding) -> str:
    calls = {"recovered": "Recovered", "test": "Test", "still_open": f"{_SEVERITIES[finding.severity]}, still"}
    call = calls.get(message.state, _SEVERITIES[finding.severity])
    where = f" where {finding.segment}" if finding.segment else ""
    words = finding.kind.replace("_", " ")
    return tame(plain(f"{call}: {finding.model}: {words}, {finding.subject}{where}", 200))


def _text(message: Message, finding: Finding, explained_by: tuple[Finding, ...]) -> str:
    alert, reason = message.alert, _sentence(finding.reason)
    if message.state == "test":
        lines = ["This is a test; nothing is wrong.", reason]
    elif message.state == "recovered":
        lines = ["The newest windows no longer show what was seen:", reason, f"It was there since {_moment(finding)}."]
    else:
        lines = [reason]
        if finding.consequence:
            lines.append(_sentence(finding.consequence))
        lines.append(
            f"{alert.n_shown} of the newest {alert.n_looked} windows show it, since {_moment(finding)}; "
            f"the newest has {finding.n_rows:,} rows of version {finding.version}."
        )
        if explained_by:
            lines.append("What moved in the same time: " + " ".join(_sentence(one.reason) for one in explained_by))
        lines.append(f"If nothing were wrong, this rule would alarm {_often(alert.expected_false_per_month)} a month.")
    text = tame("\n".join(lines))
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def _moment(finding: Finding) -> str:
    return f"{finding.since:%Y-%m-%d %H:%M} UTC"


def _often(times: float) -> str:
    return f"{times:.2g} times" if times >= 0.01 else "less than 0.01 times"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…")) else text + "."


def _tidy(finding: Finding) -> Finding:
    """Make every text of a finding one printable line."""
    texts: dict[str, Any] = {
        name: plain(value)
        for name in ("model", "subject", "segment", "measure", "reason", "consequence")
        if (value := getattr(finding, name))
    }
    return msgspec.structs.replace(finding, **texts)
