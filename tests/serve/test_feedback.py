"""Late truths over the wire: checked, on disk before they are acknowledged, the same again changes nothing."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from palio import store
from palio.core.errors import ConfigError
from palio.core.records import Column, Task
from palio.serve import Caps, Truths
from palio.serve.feedback import receive_feedback
from palio.serve.protocols.wire import WireError

CHURN = Task(kind="classification", target="y", classes=("no", "yes"))
PRICE = Task(kind="regression", target="price")
NOW = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)
Send = Callable[..., Any]


@pytest.fixture
def send(tmp_path: Path) -> Iterator[Send]:
    clock = iter(NOW + dt.timedelta(seconds=i) for i in range(1000))
    redaction = store.Redaction(hashed=["key"], salt="pepper")
    with store.FeedbackLog(tmp_path, "bank", redaction=redaction, clock=lambda: next(clock)) as log:

        def send(body: Any, content_type: bytes = b"application/json", task: Task | None = CHURN) -> Any:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            reply = receive_feedback(
                data, content_type, log, Truths(task), caps=Caps(max_rows=3), caller="ann", now=NOW
            )  # fmt: skip
            assert reply.status == 200
            return json.loads(reply.body)

        yield send


def truth(identity: str = "9f0c-1a.0", label: Any = "yes", **more: Any) -> dict[str, Any]:
    return {"prediction_id": identity, "label": label, **more}


def test_one_many_or_wrapped_are_taken_and_are_on_disk(send: Send, tmp_path: Path) -> None:
    assert send(truth("a-1.0")) == {"received": 1}
    assert send([truth("a-1.1"), {"key": "4711", "label": "no"}]) == {"received": 2}
    assert send({"feedback": [truth("a-1.2", at="2026-05-01T10:00:00+02:00", values={"revenue": 12.5})]})
    frame = store.log_frame(tmp_path, "bank", kind="feedback")
    assert frame["id"].to_list() == ["a-1.0", "a-1.1", "", "a-1.2"]
    assert frame["key"].to_list() == ["", "", *store.Redaction(salt="pepper").texts(["4711"]), ""]
    assert frame["label"].to_list() == ["yes", "yes", "no", "yes"]
    assert frame["at"].to_list()[3] == dt.datetime(2026, 5, 1, 8, tzinfo=dt.UTC)
    assert json.loads(frame["values"][3]) == {"revenue": 12.5}
    assert set(frame["caller"]) == {"ann"}


def test_csv_is_taken_with_business_figures_in_its_other_columns(send: Send, tmp_path: Path) -> None:
    body = b"prediction_id,label,revenue\na-1.0,yes,3.5\na-1.1,no,\n"
    assert send(body, b"text/csv; charset=utf-8") == {"received": 2}
    assert store.log_frame(tmp_path, "bank", kind="feedback")["values"].to_list() == ['{"revenue":3.5}', ""]


def test_the_same_again_changes_nothing_and_the_last_known_truth_holds(send: Send, tmp_path: Path) -> None:
    send([truth("a-1.0", "no", at="2026-05-02T00:00:00Z"), truth("a-1.1", "no")])
    send(truth("a-1.0", "yes", at="2026-05-03T00:00:00Z"))
    send(truth("a-1.0", "no", at="2026-05-01T00:00:00Z"))
    send(truth("a-1.1", "yes"))
    latest = store.latest_feedback(tmp_path, "bank")
    assert latest["id"].tolist() == ["a-1.0", "a-1.1"]
    assert latest["label"].tolist() == ["yes", "yes"]
    assert store.latest_feedback(tmp_path, "other") == {}


@pytest.mark.parametrize(
    ("label", "task", "kept"),
    [("yes", CHURN, "yes"), (5, PRICE, 5.0), ("5.5", PRICE, 5.5), ("any", None, "any"), (2, None, 2.0)],
)
def test_labels_that_fit_the_task_are_taken(label: Any, task: Task | None, kept: Any) -> None:
    assert Truths(task).read(truth(label=label), now=NOW, where="row 0").label == kept


@pytest.mark.parametrize(("label", "kept"), [(True, "true"), (1, "1"), (1.0, "1"), ("1", "1")])
def test_a_class_is_recognised_however_it_is_written(label: Any, kept: str) -> None:
    task = Task(kind="classification", target="y", classes=("1", "true"))
    assert Truths(task).read(truth(label=label), now=NOW, where="row 0").label == kept


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ([], 400, ""),
        (b"{", 400, ""),
        (b"\xff", 400, ""),
        (b'\xef\xbb\xbf{"label": 1}', 400, ""),
        (b'{"label": NaN}', 400, ""),
        (b"[" * 5000, 400, ""),
        ({"feedback": {}}, 400, ""),
        ([truth(label=[1])], 400, ""),
        ([truth(surplus=1)], 400, ""),
        ([truth()] * 4, 413, ""),
        ([{"label": "yes"}], 422, "prediction_id"),
        ([truth("no-row")], 422, "prediction_id"),
        ([truth("../../etc.0")], 422, "prediction_id"),
        ([{"key": "k" * 600, "label": "yes"}], 422, "key"),
        ([truth(label=None)], 422, "label"),
        ([truth(at="2027-01-01T00:00:00Z")], 422, "at"),
    ],
)
def test_what_makes_no_sense_is_refused_as_a_whole(
    send: Send, tmp_path: Path, body: Any, status: int, field: str
) -> None:
    with pytest.raises(WireError) as caught:
        send(body)
    assert caught.value.status == status
    assert caught.value.fields == ((field,) if field else ())
    assert "perhaps" not in caught.value.message
    assert store.log_frame(tmp_path, "bank", kind="feedback").height == 0


@pytest.mark.parametrize("text", ["prediction_id, label\na-1.0, yes\n", '\ufeffprediction_id,label\r\na-1.0,"yes"\r\n'])
def test_csv_is_read_as_files_are(send: Send, tmp_path: Path, text: str) -> None:
    assert send(text.encode(), b"text/csv") == {"received": 1}
    assert store.log_frame(tmp_path, "bank", kind="feedback")["label"].to_list() == ["yes"]


def test_csv_may_name_its_columns_as_the_data_does(tmp_path: Path) -> None:
    truths = Truths(CHURN, Column(name="y", type="category", categories=("no", "yes")), id_column="customer")
    with store.FeedbackLog(tmp_path, "bank", redaction=store.Redaction(salt="pepper")) as log:
        body = b"customer,y,revenue\n4711.0,yes,3\n"
        assert receive_feedback(body, b"text/csv", log, truths, caps=Caps(), caller="", now=NOW).status == 200
    frame = store.log_frame(tmp_path, "bank", kind="feedback")
    assert (frame["key"].to_list(), frame["label"].to_list()) == (["4711"], ["yes"])
    assert json.loads(frame["values"][0]) == {"revenue": 3}


def test_csv_with_another_separator_is_told_so(send: Send) -> None:
    with pytest.raises(WireError, match="separated by commas"):
        send(b"prediction_id;label\na-1.0;yes\n", b"text/csv")


def test_a_class_that_the_model_does_not_know_is_a_truth_too(send: Send, tmp_path: Path) -> None:
    reply = send([truth("a-1.0"), truth("a-1.1", "perhaps"), truth("a-1.2", "perhaps")])
    assert reply == {"received": 3, "unknown_labels": {"perhaps": 2}}
    assert store.log_frame(tmp_path, "bank", kind="feedback")["label"].to_list() == ["yes", "perhaps", "perhaps"]


@pytest.mark.parametrize("body", [b"", b"a,b\n1,2\n", b"key,label\n1\n", b"label,label,key\n1,2,3\n", b"\xff,\n"])
def test_csv_of_another_form_is_refused(send: Send, body: bytes) -> None:
    with pytest.raises(WireError) as caught:
        send(body, b"text/csv")
    assert caught.value.status == 400


def test_a_number_is_wanted_where_a_number_is_predicted(send: Send) -> None:
    for label in ("many", "nan", "inf", "1e308"):
        with pytest.raises(WireError, match="not a finite number"):
            send([truth(label=label)], task=PRICE)


def test_feedback_that_cannot_be_written_is_not_acknowledged(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("")
    with store.FeedbackLog(tmp_path / "log", "bank", redaction=store.Redaction()) as log:
        with pytest.raises(WireError) as caught:
            receive_feedback(
                json.dumps(truth()).encode(), b"", log, Truths(CHURN), caps=Caps(), caller="", now=NOW
            )  # fmt: skip
        assert caught.value.status == 503


@pytest.mark.parametrize(
    ("at", "zone", "read"),
    [
        ("2026-05-03", "UTC", "2026-05-03T23:59:59.999999"),
        (dt.date(2026, 5, 3), "America/New_York", "2026-05-04T03:59:59.999999"),
        ("3 May 2026", "UTC", "2026-05-03T23:59:59.999999"),
        ("2026-05-04", "UTC", "2026-05-04T12:00:00"),  # its end is still to come
        ("2026-05-03 08:00", "UTC", "2026-05-03T08:00:00"),
        ("2026-05-03 08:00", "Europe/Berlin", "2026-05-03T06:00:00"),
        (dt.datetime(2026, 5, 3, 8), "Europe/Berlin", "2026-05-03T06:00:00"),
        ("2026-05-03T08:00:00Z", "Europe/Berlin", "2026-05-03T08:00:00"),
    ],
)
def test_a_day_means_its_end_and_a_moment_without_a_zone_is_read_in_the_one_that_is_set(
    at: Any, zone: str, read: str
) -> None:
    truths = Truths(CHURN, zone=zone)
    found = truths.read(truth(at=at), now=NOW, where="row 0").at
    assert found.isoformat() == f"{read}+00:00"
    is_bare = " 08:00" in str(at)
    assert (truths.n_without_zone, truths.n_days) == (int(is_bare), int(found.microsecond > 0 or at == "2026-05-04"))


def test_a_zone_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigError, match="Mars"):
        Truths(CHURN, zone="Mars/Olympus")


def test_the_answer_says_in_which_zone_a_bare_moment_was_read(send: Send) -> None:
    assert send(truth(at="2026-05-03 08:00")) == {"received": 1, "zone": "UTC"}
    assert send(truth(at="2026-05-03T08:00:00Z")) == {"received": 1}
