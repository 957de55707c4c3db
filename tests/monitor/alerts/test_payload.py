from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palio.core.monitoring import Delivery
from palio.monitor import Message, deliver, render
from palio.monitor.alerts.delivery import Sent
from palio.monitor.alerts.payload import Figures, Links, Payload, as_json
from tests.monitor.alert_worlds import NOW, alert, finding, message

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "monitoring.md"


def test_a_payload_says_in_plain_words_what_happened() -> None:
    moved = finding("d1", kind="drift", subject="age", severity="warn", reason="age moved: psi 0.4")
    told = msgspec.structs.replace(alert(consequence="About 1,200 EUR a day are lost."), explained_by=(moved,))
    got = render(Message(id="m", state="open", alert=told, at=NOW))
    assert got.title == "Act: bank: quality, roc_auc"
    assert got.text.split("\n") == [
        "roc_auc fell from 0.80 to 0.75.",
        "About 1,200 EUR a day are lost.",
        "2 of the newest 3 windows show it, since 2026-05-02 12:00 UTC; the newest has 1,000 rows of version 3.",
        "What moved in the same time: age moved: psi 0.4.",
        "If nothing were wrong, this rule would alarm 0.14 times a month.",
    ]
    assert [one.id for one in got.explained_by] == ["d1"]


@pytest.mark.parametrize(
    ("state", "title", "begin"),
    [
        ("still_open", "Act, still: bank: quality, roc_auc", "roc_auc fell"),
        ("recovered", "Recovered: bank: quality, roc_auc", "The newest windows no longer show what was seen:"),
        ("test", "Test: bank: quality, roc_auc", "This is a test; nothing is wrong."),
    ],
)
def test_each_state_has_its_words(state: str, title: str, begin: str) -> None:
    got = render(msgspec.structs.replace(message(), state=state))
    assert got.state == state and got.title == title and got.text.startswith(begin)


@given(name=st.text(max_size=300), reason=st.text(max_size=3000))
def test_no_name_however_hostile_breaks_a_payload(name: str, reason: str) -> None:
    got = render(message(subject=name or "x", segment=name, model=name or "x", reason=reason or "x", measure=name))
    wire = json.loads(as_json(got))
    assert "\n" not in wire["title"] and len(wire["title"]) <= 200 and len(wire["text"]) <= 4000
    for text in (wire["title"], *wire["text"].split("\n"), *(v for v in wire["finding"].values() if type(v) is str)):
        assert text.isprintable()
    assert not set("<>") & set(wire["title"] + wire["text"])
    assert not re.search(r"(?<!\w)@\w", wire["title"] + "\n" + wire["text"])


def test_a_rule_that_hardly_ever_alarms_is_said_to_in_words() -> None:
    rare = msgspec.structs.replace(alert(), expected_false_per_month=3.6e-9)
    got = render(Message(id="m", state="open", alert=rare, at=NOW))
    assert got.text.endswith("this rule would alarm less than 0.01 times a month.")
    assert got.expected_false_per_month == 3.6e-9


def test_figures_that_are_none_are_null() -> None:
    wire = json.loads(as_json(render(message(effect=float("nan"), p=None, limit=float("inf")))))
    assert wire["figures"]["effect"] is None and wire["figures"]["p"] is None and wire["figures"]["limit"] is None


def test_the_same_message_gives_the_same_bytes() -> None:
    assert as_json(render(message())) == as_json(render(message()))


def test_every_field_is_documented() -> None:
    text = PAGE.read_text("utf-8").partition("### What is sent")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", text, re.M) == list(Payload.__struct_fields__)
    assert f"`{render(message()).schema}`" in text
    assert all(f"`{name}`" in text for name in Figures.__struct_fields__ + Links.__struct_fields__)


class Deaf:
    name = "webhook"
    shown = "nowhere"

    def send(self, payload: Payload) -> Sent:
        return Sent(False, 3, "answered\r\n\x1b[2J 500 " + "x" * 999)


def test_a_delivery_says_what_came_of_it_in_one_printable_line() -> None:
    got = deliver(message(), Deaf(), clock=lambda: NOW)
    assert msgspec.structs.replace(got, reason="") == Delivery(
        alert="f1", message="m1", channel="webhook", at=NOW, ok=False, attempts=3, reason=""
    )
    assert got.reason.startswith("answered [2J 500 xxx") and len(got.reason) == 300
