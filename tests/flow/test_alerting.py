from __future__ import annotations

import datetime as dt
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from palio import flow
from palio.core.errors import ConfigError, InputError
from palio.core.monitoring import Delivery, Finding
from palio.flow import alerting
from palio.monitor import LEASE_S, AlertState
from palio.testing.racing import race, start
from tests.flow import alert_workers
from tests.monitor.alert_worlds import DAY, NOW, finding, review
from tests.monitor.conftest import Talker, talk  # noqa: F401 - a fixture

Talk = Callable[..., Talker]
OK = b"HTTP/1.1 204 No Content\r\n\r\n"


def write(folder: Path, **settings: Any) -> Path:
    """Write a project whose `[alert]` table holds these settings."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    (folder / "palio.toml").write_text('[project]\nname = "bank"\n[alert]\n' + "\n".join(lines), "utf-8")
    return folder


def hooked(folder: Path, server: Talker, **settings: Any) -> Path:
    return write(folder, webhook=f"http://127.0.0.1:{server.port}/hook", private_addresses="allow", **settings)


def posted(server: Talker) -> list[dict[str, Any]]:
    return [json.loads(one.partition(b"\r\n\r\n")[2]) for one in server.requests]


def tell(folder: Path, shown: list[list[Finding]], *, at_s: float = 0.0) -> tuple[Delivery, ...]:
    now = NOW + dt.timedelta(seconds=at_s)
    with flow.Project.open(folder) as project:
        return alerting.tell(project, review(shown), clock=lambda: now)


def lines(folder: Path, kind: str) -> list[Any]:
    with flow.Project.open(folder) as project:
        project.store.ledger.verify()
        return project.store.ledger.events(kind=kind)


F = finding()


def test_people_are_told_once_and_the_ledger_tells_of_it(tmp_path: Path, talk: Talk) -> None:  # noqa: F811
    server = talk(OK)
    folder = hooked(tmp_path, server)
    (delivery,) = tell(folder, [[F], [F], []])
    assert (delivery.alert, delivery.channel, delivery.ok, delivery.attempts) == ("f1", "webhook", True, 1)
    assert tell(folder, [[F], [F], []], at_s=60) == ()
    (got,) = posted(server)
    assert (got["id"], got["state"], got["expected_false_per_month"]) == (
        delivery.message,
        "open",
        pytest.approx(0.135375),
    )
    (decided,), (delivered,) = lines(folder, "monitor.alert"), lines(folder, "monitor.deliver")
    assert decided.sequence < delivered.sequence and decided.subject == delivered.subject == "bank"
    assert decided.text == "Alert: Act: bank: quality, roc_auc."
    assert delivered.text == "Told people of alert f1 by webhook: answered 204."
    assert msgspec.convert(delivered.payload["delivery"], Delivery) == delivery


def test_an_alert_lives_from_open_over_reminders_to_recovered(tmp_path: Path, talk: Talk) -> None:  # noqa: F811
    server = talk(OK)
    folder = hooked(tmp_path, server, cooldown="1d")
    day = DAY.total_seconds()
    for at_s, shown in [
        (0, [[F], [], []]), (100, [[F], [F], []]), (day, [[F], [F], [F]]), (day + 100, [[F], [F], [F]]),
        (2 * day, [[], [F], [F]]), (3 * day, [[], [], [F]]), (4 * day, [[], [], []]), (5 * day, [[], [], []]),
    ]:  # fmt: skip
        tell(folder, shown, at_s=at_s)
    got = [(one["state"], one["alert"], one["opened"]) for one in posted(server)]
    opened = "2026-05-04T12:01:40Z"
    assert [state for state, _, _ in got] == ["open", "still_open", "recovered"]
    assert {(alert, at) for _, alert, at in got} == {("f1", opened)}


def test_drift_alone_tells_nobody_and_explains_what_hurts(tmp_path: Path, talk: Talk) -> None:  # noqa: F811
    server = talk(OK)
    folder = hooked(tmp_path, server)
    moved = finding("d1", kind="drift", subject="age", severity="warn", reason="age moved")
    assert tell(folder, [[moved]] * 3) == ()
    tell(folder, [[moved, F]] * 3)
    (got,) = posted(server)
    assert got["alert"] == "f1" and [one["id"] for one in got["explained_by"]] == ["d1"]
    assert "What moved in the same time: age moved." in got["text"]


def test_two_processes_who_tell_at_once_send_once(tmp_path: Path, talk: Talk) -> None:  # noqa: F811
    server = talk(OK)
    folder = hooked(tmp_path, server)
    flow.Project.open(folder).close()
    for turn in range(3):
        told = race(alert_workers.tell, [(folder, turn * DAY.total_seconds())] * 4)
        assert sorted(map(len, told)) == [0, 0, 0, 1]
        assert len(posted(server)) == turn + 1
    assert len({one["id"] for one in posted(server)}) == 3
    assert len(lines(folder, "monitor.alert")) == 3


@pytest.mark.parametrize("die", [alert_workers.tell_and_die_before, alert_workers.tell_and_die_after])
def test_what_a_killed_process_has_not_told_is_told_by_the_next(tmp_path: Path, talk: Talk, die: Any) -> None:  # noqa: F811
    server = talk(OK)
    folder = hooked(tmp_path, server)
    flow.Project.open(folder).close()
    process = start(die, folder)
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert len(lines(folder, "monitor.alert")) == 1 and lines(folder, "monitor.deliver") == []
    assert tell(folder, alert_workers.SHOWN, at_s=LEASE_S - 1) == (), "it may still be alive"
    told = race(alert_workers.tell, [(folder, LEASE_S)] * 3)
    assert sorted(map(len, told)) == [0, 0, 1], "one of the next sends"
    (message,) = {one["id"] for one in posted(server)}
    assert len(posted(server)) == (1 if die is alert_workers.tell_and_die_before else 2), "at least once"
    (delivered,) = lines(folder, "monitor.deliver")
    assert delivered.payload["delivery"]["message"] == message
    assert tell(folder, alert_workers.SHOWN, at_s=3 * LEASE_S) == ()


def test_a_receiver_that_was_away_gets_what_it_is_owed_and_the_others_nothing_twice(
    tmp_path: Path, talk: Talk, monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:  # fmt: skip
    monkeypatch.setattr("palio.monitor.alerts.webhook.BACKOFF_S", ())
    away = talk(b"HTTP/1.1 404 Away\r\n\r\n")
    folder = hooked(tmp_path, away, command=["sh", "-c", "cat >> told.txt; echo >> told.txt"])
    first = tell(folder, [[F], [F], []])
    assert [(one.channel, one.ok) for one in first] == [("webhook", False), ("command", True)]
    assert tell(folder, [[F], [F], []], at_s=300) == ()
    back = talk(OK)
    hooked(tmp_path, back, command=["sh", "-c", "cat >> told.txt; echo >> told.txt"])
    (second,) = tell(folder, [[F], [F], []], at_s=601)
    assert (second.channel, second.ok, second.message) == ("webhook", True, first[0].message)
    assert posted(back)[0] == posted(away)[0], "the same bytes again"
    assert [json.loads(one)["id"] for one in (folder / "told.txt").read_text().splitlines()] == [first[0].message]
    assert tell(folder, [[F], [F], []], at_s=9999) == ()
    texts = [one.text for one in lines(folder, "monitor")]
    assert "Messages that did not arrive are sent again: 1." in texts
    assert "Could not tell people of alert f1 by webhook: answered 404." in texts


def test_a_channel_that_is_down_is_not_asked_for_each_alert(tmp_path: Path, talk: Talk) -> None:  # noqa: F811
    found = [finding(f"f{number}", kind="value", subject=f"figure {number}") for number in range(5)]
    server = talk(b"HTTP/1.1 503 Busy\r\n\r\n")
    folder = hooked(tmp_path, server)
    (tried,) = tell(folder, [found] * 3)
    assert (tried.ok, tried.attempts, len(server.requests)) == (False, 3, 3)
    back = talk(OK)
    hooked(tmp_path, back)
    assert len(tell(folder, [found] * 3, at_s=LEASE_S)) == 5
    assert {one["alert"] for one in posted(back)} == {one.id for one in found}


def test_without_a_channel_the_ledger_tells_of_the_alert(tmp_path: Path) -> None:
    folder = write(tmp_path)
    assert tell(folder, [[F]] * 3) == ()
    assert tell(folder, [[F]] * 3, at_s=60) == ()
    (line,) = lines(folder, "monitor")
    state = msgspec.convert(line.payload["state"], AlertState)
    assert [one.alert.id for one in state.told] == ["f1"]
    with flow.Project.open(folder) as project:
        assert [one.id for one in alerting.open_alerts(project, review([[], [F], [F]]))] == ["f1"]
        assert "Alert: Act: bank: quality, roc_auc." in project.story()


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({"persistence": "3 of 2"}, "`persistence`"),
        ({"cooldown": "soon"}, "`cooldown`"),
        ({"webhook": "ftp://ann:secret@host"}, "`webhook`"),
        ({"email": ["a@b.example"]}, "`smtp`"),
        ({"email": ["nobody"], "smtp": "smtp://host", "sender": "a@b"}, "`email`"),
        ({"command": [""]}, "`command`"),
    ],
)
def test_a_wrong_setting_is_named_before_anything_is_written(tmp_path: Path, settings: Any, where: str) -> None:
    folder = write(tmp_path, **settings)
    with pytest.raises(InputError) as caught:
        tell(folder, [[F]] * 3)
    assert caught.value.message.startswith("palio.toml [alert]: ") and where in caught.value.message
    assert caught.value.hint and "secret" not in str(caught.value)
    assert lines(folder, "monitor") == []


def test_a_test_alert_goes_over_every_channel(tmp_path: Path, talk: Talk) -> None:  # noqa: F811
    server = talk(OK)
    folder = hooked(tmp_path, server, command=["false"])
    with flow.Project.open(folder) as project:
        deliveries = project.test_alerts()
    assert [(one.channel, one.ok, one.reason) for one in deliveries] == [
        ("webhook", True, "answered 204"), ("command", False, "ended with status 1"),
    ]  # fmt: skip
    assert posted(server)[0]["state"] == "test"
    with flow.Project.open(write(tmp_path)) as project, pytest.raises(ConfigError, match="no channel is set"):
        project.test_alerts()
