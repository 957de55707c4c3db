from __future__ import annotations

import msgspec
import pytest

from palio.core.records import Evaluation, Importance, Metric, Reach, Task
from palio.evaluate import leak_suspect, too_good


def exact(value: float) -> Metric:
    return Metric(value=value, low=value, high=value, n_rows=100)


def evaluation(losses: dict[str, float], *, score: float, metric: str = "roc_auc", dummy: float = 0.5) -> Evaluation:
    return Evaluation(
        id="e",
        bundle="b",
        snapshot="s",
        parts="p",
        part="test",
        task=Task(kind="classification", target="y", classes=("no", "yes"), metric=metric),
        primary=metric,
        n_rows=100,
        metrics={metric: exact(score)},
        baseline={metric: exact(dummy)},
        importance=tuple(Importance(column=name, loss=exact(loss)) for name, loss in losses.items()),
    )


@pytest.mark.parametrize(
    ("losses", "score", "is_suspect"),
    [
        ({"leak": 0.3, "a": 0.02, "b": 0.01, "c": 0.01}, 0.85, True),  # outweighs several others
        ({"leak": 0.3, "a": 0.0, "b": -0.001}, 0.999, True),  # leaves nothing for the others
        ({"leak": 0.3, "a": 0.0, "b": -0.001}, 0.85, False),  # one good column among three
        ({"x": 0.2, "a": 0.15, "b": 0.1, "c": 0.1}, 0.999, False),
        ({"only": 0.3}, 0.999, False),
        ({"a": 0.0, "b": -0.1}, 0.999, False),
        ({}, 0.999, False),
    ],
)
def test_a_column_that_says_too_much_is_suspected(losses: dict[str, float], score: float, *, is_suspect: bool) -> None:
    found = leak_suspect(evaluation(losses, score=score))
    assert (found is not None) == is_suspect
    if found is not None:
        assert found[0] == "leak" and 0.6 < found[1] <= 1.0


def test_an_error_close_to_zero_is_nearly_perfect() -> None:
    losses = {"leak": 100.0, "a": 0.0}
    assert leak_suspect(evaluation(losses, score=2.0, metric="rmse", dummy=110.0)) == ("leak", 1.0)
    assert leak_suspect(evaluation(losses, score=20.0, metric="rmse", dummy=110.0)) is None


@pytest.mark.parametrize(
    ("losses", "score", "named"),
    [
        ({"a": 0.2, "b": 0.15, "c": 0.1, "d": 0.05, "e": 0.0}, 1.0, ("a", "b", "c")),
        ({"a": 0.2, "b": 0.15}, 0.9997, ("a", "b")),
        ({"a": 0.2, "b": 0.15}, 0.99, None),
        ({"leak": 0.3, "a": 0.0}, 1.0, None),  # the one that stands alone is told already
        ({"only": 0.3}, 1.0, None),
        ({}, 1.0, None),
    ],
)
def test_where_hardly_an_answer_is_wrong_columns_together_are_suspected(
    losses: dict[str, float], score: float, named: tuple[str, ...] | None
) -> None:
    assert too_good(evaluation(losses, score=score)) == named


def test_few_rows_may_all_be_right_by_luck() -> None:
    few = msgspec.structs.replace(evaluation({"a": 0.2, "b": 0.15}, score=1.0), n_rows=20)
    assert too_good(few) is None


def test_it_is_told_without_names_where_there_was_no_time_to_shuffle_columns() -> None:
    late = evaluation({}, score=1.0)
    assert too_good(msgspec.structs.replace(late, reach=Reach(n_read=6, n_seen=6, n_measured=0))) == ()
    assert too_good(msgspec.structs.replace(late, reach=Reach(n_read=1, n_seen=1, n_measured=0))) is None
