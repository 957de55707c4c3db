from __future__ import annotations

import datetime as dt
import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from palio.core.serving import Feedback
from palio.store import FeedbackLog, Redaction, scan_log
from palio.truth import Names, Truths, feedback_about, labelled
from tests.logs import write_log

DAY = dt.timedelta(days=1)
BEGIN = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
PLAIN = Redaction(empty=(), hashed=(), salt="x")


def on(day: float) -> dt.datetime:
    return BEGIN + day * DAY


def answers(*rows: tuple[str, str, float], role: str = "champion") -> dict[str, Any]:
    """Make a batch of the log from (id, key, day)."""
    return {
        "id": np.array([row[0] for row in rows], object),
        "key": np.array([row[1] for row in rows], object),
        "at": np.array([on(row[2]).replace(tzinfo=None) for row in rows], "datetime64[us]"),
        "role": np.array([role] * len(rows), object),
    }


def truths(*given: tuple[str, str, float, Any]) -> Truths:
    """Make truths from (id, key, day, label)."""
    numbers = [label if isinstance(label, float) else np.nan for *_, label in given]
    moments = np.array([on(day).replace(tzinfo=None) for _, _, day, _ in given], "datetime64[us]")
    return Truths(
        [
            {
                "id": np.array([one[0] for one in given], object),
                "key": np.array([one[1] for one in given], object),
                "at": moments,
                "received": moments,
                "label": np.array(["" if isinstance(one[3], float) else one[3] for one in given], object),
                "number": np.array(numbers, float),
                "values": np.array([""] * len(given), object),
            }
        ]
    )


def test_the_last_word_about_a_prediction_holds() -> None:
    known = truths(("a.0", "", 5, "yes"), ("a.0", "", 9, "no"), ("b.0", "", 3, 7.5))
    labels = known.of(answers(("a.0", "", 1), ("b.0", "", 1), ("c.0", "", 1)))
    assert labels.known.tolist() == [True, True, False]
    assert labels.label.tolist() == ["no", "", ""]
    assert labels.number[1] == 7.5 and np.isnan(labels.number[[0, 2]]).all()
    assert labels.at[0] == np.datetime64("2026-03-10") and np.isnat(labels.at[2])


def test_what_is_neither_a_class_nor_a_reasonable_number_is_no_truth() -> None:
    known = truths(("a.0", "", 5, 2.0), ("a.0", "", 9, 1e308), ("b.0", "", 3, float("nan")), ("c.0", "", 3, "yes"))
    labels = known.of(answers(("a.0", "", 1), ("b.0", "", 1), ("c.0", "", 1)))
    assert labels.known.tolist() == [True, False, True] and labels.number[0] == 2.0
    assert not truths(("b.0", "", 3, float("inf"))).of(answers(("b.0", "", 1))).known.any()


def test_a_label_by_id_counts_even_if_it_was_known_before_the_answer() -> None:
    assert truths(("a.0", "", -4, "yes")).of(answers(("a.0", "", 1))).label.tolist() == ["yes"]


def test_a_customer_who_is_asked_about_each_month_gets_each_months_label() -> None:
    known = truths(("", "ann", 20, "yes"), ("", "ann", 50, "no"), ("", "ann", 51, "maybe"))
    batch = answers(("a.0", "ann", 1), ("b.0", "ann", 31), ("c.0", "ann", 61))
    known.meet([batch])
    assert known.of(batch).label.tolist() == ["yes", "maybe", ""], "the correction of day 51 is about the second answer"


def test_one_who_was_asked_about_twice_gets_the_label_twice() -> None:
    known = truths(("", "ann", 20, "yes"), ("", "ann", 80, "no"))
    batch = answers(("a.0", "ann", 1), ("b.0", "ann", 2), ("c.0", "ann", 70))
    known.meet([batch])
    assert known.of(batch).label.tolist() == ["yes", "yes", "no"]


def test_a_label_from_before_the_answer_says_nothing_about_a_key() -> None:
    known, batch = truths(("", "ann", 1, "yes")), answers(("a.0", "ann", 2))
    known.meet([batch])
    assert not known.of(batch).known.any()


def test_shadows_do_not_take_a_key_from_what_was_served() -> None:
    known, served = truths(("", "ann", 9, "yes")), answers(("a.0", "ann", 1))
    known.meet([served, answers(("s.0", "ann", 8), role="shadow")])
    assert known.of(served).label.tolist() == ["yes"]


def test_nothing_is_known_without_labels() -> None:
    labels = Truths([]).of(answers(("a.0", "ann", 1)))
    assert not labels.known.any() and labels.label.tolist() == [""] and np.isnan(labels.number).all()


def test_ids_win_over_keys() -> None:
    known, batch = truths(("", "ann", 9, "yes"), ("a.0", "", 5, "no")), answers(("a.0", "ann", 1), ("b.0", "ann", 1.5))
    known.meet([batch])
    assert known.of(batch).label.tolist() == ["no", "yes"]


def write(folder: Path, n_rows: int) -> None:
    rows = np.arange(n_rows)
    write_log(
        folder,
        "m",
        {
            "id": [f"r{row}.0" for row in rows],
            "key": [f"k{row}" for row in rows],
            "at": np.array([on(row / 100).replace(tzinfo=None) for row in rows.tolist()], "datetime64[us]"),
            "role": ["shadow" if row % 10 == 9 else "champion" for row in rows],
            "input.x": rows.astype(float),
            "prediction": "yes",
        },
    )


def test_labelled_rows_come_with_what_was_logged(tmp_path: Path) -> None:
    write(tmp_path, 200)
    with FeedbackLog(tmp_path, "m", redaction=PLAIN, clock=lambda: on(30)) as log:
        log.add([Feedback(prediction_id=f"r{row}.0", label="no", at=on(20)) for row in range(0, 200, 2)])
    with FeedbackLog(tmp_path, "m", redaction=PLAIN, clock=lambda: on(40)) as log:
        log.add([Feedback(key="k1", label="yes", at=on(39), values={"revenue": 3.5})])
    rows = [
        (identity, x, label)
        for batch in labelled(tmp_path, "m")
        for identity, x, label in zip(*(batch[name].tolist() for name in ("id", "input.x", "truth")), strict=True)
    ]
    assert len(rows) == 101 and ("r1.0", 1.0, "yes") in rows and ("r198.0", 198.0, "no") in rows
    assert not [identity for identity, *_ in rows if identity == "r9.0"]
    before = [batch["id"] for batch in labelled(tmp_path, "m", received_before=on(35), until=on(1))]
    assert sum(map(len, before)) == 50, "half of the first day's hundred rows"
    only = [batch for batch in labelled(tmp_path, "m") if "r1.0" in batch["id"].tolist()]
    assert '{"revenue":3.5}' in only[0]["truth_values"].tolist()


def fate(known: Truths, *batches: dict[str, Any], **how: Any) -> dict[str, int]:
    known.meet(batches)
    told = known.account(tuple, **how)
    return {} if told is None else {"met": told.n_met, **told.reasons}


def test_every_truth_is_accounted_for() -> None:
    known = truths(
        ("a.0", "", 5, "yes"), ("a.0", "", 9, "yes"), ("a.0", "", 12, "no"), ("z.9", "", 5, "no"),
        ("", "ann", 0.5, "yes"), ("", "ann", 20, "yes"), ("", "ann", 21, "no"), ("", "bob", 20, 7.0),
    )  # fmt: skip
    log = answers(("a.0", "", 1), ("b.0", "ann", 2), ("c.0", "cid", 3))
    assert fate(known, log) == {
        "met": 2, "twice": 1, "corrected": 2, "unknown_id": 1, "before_answer": 1, "unknown_key": 1,
    }  # fmt: skip
    assert fate(truths(("z.9", "", 5, "no")), log, removed_before=on(6)) == {"met": 0, "after_retention": 1}
    shadow = answers(("s.0", "sue", 1), role="shadow")
    assert fate(truths(("s.0", "", 5, "no"), ("", "sue", 5, "no")), shadow) == {
        "met": 0, "unknown_id": 1, "unknown_key": 1,
    }  # fmt: skip
    assert fate(truths(), log) == {}


def boxes(*corners: float) -> str:
    return f'[{{"label":"cat","box":{list(corners)}}}]'


def of_pictures(batch: dict[str, Any], *sides: tuple[float, float]) -> dict[str, Any]:
    """Add what the log knows of the sizes of pictures."""
    wide, high = np.array(sides, float).T
    return {**batch, "input.photo.aspect": np.log(wide / high), "input.photo.pixels": np.log(wide * high)}


def test_boxes_outside_of_the_picture_that_was_answered_are_no_truth() -> None:
    inside, stray, cut = boxes(10, 20, 90, 110), boxes(400, 300, 500, 380), boxes(280, 10, 330, 90)
    given = [("a.0", "", 5, inside), ("b.0", "", 5, stray), ("c.0", "", 5, stray), ("d.0", "", 5, cut),
             ("", "ann", 9, stray), ("", "bob", 9, inside)]  # fmt: skip
    batch = of_pictures(
        answers(("a.0", "", 1), ("b.0", "", 1), ("c.0", "", 1), ("d.0", "", 1), ("e.0", "ann", 1), ("f.0", "bob", 1)),
        (320, 240), (320, 240), (math.nan, math.nan), (320, 240), (320, 240), (640, 480),
    )  # fmt: skip
    known = truths(*given)
    assert fate(known, batch) == {"met": 4, "outside": 2}
    labels = known.of(batch)
    assert labels.known.tolist() == [True, False, True, True, False, True]  # of c.0 the size is not known
    assert labels.label[1] == "" and labels.label[0] == inside
    redacted = {**batch, "input.photo.pixels": np.array([None] * 6, object)}
    assert fate(truths(*given), redacted) == fate(truths(*given), answers(*_plain())) == {"met": 6}


def _plain() -> list[tuple[str, str, float]]:
    return [("a.0", "", 1), ("b.0", "", 1), ("c.0", "", 1), ("d.0", "", 1), ("e.0", "ann", 1), ("f.0", "bob", 1)]


def test_what_an_earlier_file_said_is_told_of_a_later_one() -> None:
    known = truths(("a.0", "", 5, "yes"), ("b.0", "", 5, "yes"), ("a.0", "", 9, "yes"), ("b.0", "", 9, "no"))
    known.meet([answers(("a.0", "", 1), ("b.0", "", 1))])
    told = known.account(tuple, since=on(8))
    assert told is not None
    assert (told.n_received, told.n_met, told.n_corrections, told.reasons) == (2, 1, 1, {"twice": 1})


def test_of_truths_that_one_file_holds_twice_one_is_met() -> None:
    known = truths(
        ("a.0", "", 9, "yes"), ("a.0", "", 10, "yes"), ("b.0", "", 9, "yes"), ("b.0", "", 10, "no"),
        ("c.0", "", 5, "yes"), ("c.0", "", 9, "yes"), ("c.0", "", 10, "yes"), ("", "ann", 9, 1.0), ("", "ann", 10, 1.0),
    )  # fmt: skip
    known.meet([answers(("a.0", "", 1), ("b.0", "", 1), ("c.0", "", 1), ("d.0", "ann", 1))])
    told = known.account(tuple, since=on(8))
    assert told is not None
    assert (told.n_received, told.n_met, told.n_corrections) == (8, 3, 0)
    assert told.reasons == {"twice": 4, "corrected": 1}


def test_examples_name_the_truths_that_were_lost(tmp_path: Path) -> None:
    with FeedbackLog(tmp_path, "m", redaction=PLAIN) as log:
        log.add([Feedback(prediction_id=f"x-{n}.0", label="yes", at=on(3)) for n in range(9)], caller="feedback")
        log.add([Feedback(key="ann", label="yes", at=on(3))], caller="other")
    write_log(tmp_path, "m", {"id": ["a.0"], "at": np.array(["2026-03-02"], "datetime64[us]"), "key": ["bob"]})
    names = Names.of(scan_log(tmp_path, "m", kind="feedback"), caller="feedback")
    again = partial(feedback_about, tmp_path, "m", names)
    known = Truths(again())
    known.meet(scan_log(tmp_path, "m"))
    told = known.account(again)
    assert told is not None and told.reasons == {"unknown_id": 9}
    assert told.examples == {"unknown_id": ("x-0.0", "x-1.0", "x-2.0")}
