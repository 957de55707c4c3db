"""The metrics of boxes: how well they are ranked, and what is right, wrong and missed from the threshold on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

from palio.measure.boxes.precision import average_precision, mean_defined
from palio.measure.boxes.scenes import Scenes, n_behind
from palio.measure.sample import Array, View, divide
from palio.measure.specs import MetricSpec


def ap(view: View) -> Array:
    """Average precision over the overlaps .50, .55, … .95; mean over the classes. See `average_precision`."""
    return _mean(view, "all")


def ap50(view: View) -> Array:
    """Average precision where half of both boxes together must be shared; mean over the classes."""
    return mean_defined(_precision(view, "all")[..., 0])


def ap75(view: View) -> Array:
    """Average precision where three quarters must be shared; mean over the classes."""
    return mean_defined(_precision(view, "all")[..., 5])


def ap_small(view: View) -> Array:
    """`ap` of boxes of up to 32² pixels."""
    return _mean(view, "small")


def ap_medium(view: View) -> Array:
    """`ap` of boxes between 32² and 96² pixels."""
    return _mean(view, "medium")


def ap_large(view: View) -> Array:
    """`ap` of boxes from 96² pixels on."""
    return _mean(view, "large")


def box_recall(view: View) -> Array:
    """Share of the true boxes that are found from the threshold on, half overlapping."""
    true, found, _ = _tally(view)
    return divide(found, true)


def box_precision(view: View) -> Array:
    """Share of the boxes said from the threshold on that are there; not defined where none is said."""
    _, found, wrong = _tally(view)
    return divide(found, found + wrong)


def box_f1(view: View) -> Array:
    """Harmonic mean of both; 0 where nothing is found."""
    true, found, wrong = _tally(view)
    return divide(2 * found, true + found + wrong)


def false_alarms(view: View) -> Array:
    """Boxes said from the threshold on that are not there, a picture."""
    return divide(_tally(view)[2], view.total)


def missed_boxes(view: View) -> Array:
    """True boxes that are not found from the threshold on, a picture."""
    true, found, _ = _tally(view)
    return divide(true - found, view.total)


def box_mistakes(view: View) -> Array:
    """Boxes missed and false alarms together, a picture."""
    true, found, wrong = _tally(view)
    return divide(true - found + wrong, view.total)


def _precision(view: View, size: str) -> Array:
    scenes = cast(Scenes, view.sample)
    return view.once(size, lambda: average_precision(scenes, view.weights, size=size))


def _mean(view: View, size: str) -> Array:
    found = _precision(view, size)
    return mean_defined(found.reshape(len(found), -1))


def _tally(view: View) -> tuple[Array, Array, Array]:
    counts = cast(Scenes, view.sample).tally
    true, found, wrong = (
        view.once(name, lambda values=values: view.weights @ values)  # type: ignore[misc]
        for name, values in zip(("true", "found", "wrong"), counts, strict=True)
    )
    return true, found, wrong


def _spec(function: Callable[[View], Array], title: str, meaning: str, **more: Any) -> MetricSpec:
    named: dict[str, Any] = {"name": function.__name__, "kind": "detection", "needs": "boxes", "function": function}
    return MetricSpec(title=title, meaning=meaning, **named, **more)


def _ranked(function: Callable[[View], Array], title: str, meaning: str, size: str = "all") -> MetricSpec:
    behind = partial(n_behind, size=size)
    return _spec(function, title, f"{_PRECISION}{meaning}", behind=behind, interval="basic", **_SHARE)


_SHARE: dict[str, Any] = {"bounded": True, "higher_is_better": True}
_COUNT: dict[str, Any] = {"higher_is_better": False, "is_count": True}
_PRECISION = "mean precision over all thresholds"
SPECS = (
    _ranked(ap, "Average precision, ever closer (AP)", ", for boxes placed ever more closely"),
    _ranked(ap50, "Average precision, half overlapping (AP50)", "; half overlapping is enough"),
    _ranked(ap75, "Average precision, closely placed (AP75)", "; three quarters must overlap"),
    _spec(box_recall, "Found", "how many of the things in the pictures are found", **_SHARE),
    _spec(box_precision, "Precision", "how many of the boxes shown are real", **_SHARE),
    _spec(false_alarms, "False alarms", "boxes shown where there is no such thing, a picture", **_COUNT),
    _spec(missed_boxes, "Missed", "things not found, a picture", **_COUNT),
    _spec(box_mistakes, "Mistakes", "things missed and false alarms, a picture", **_COUNT),
    _spec(box_f1, "F1", "balance of found and precision; 1 is perfect", **_SHARE),
    _ranked(ap_small, "Average precision of small boxes", ", below 32 × 32 pixels", "small"),
    _ranked(ap_medium, "Average precision of middle-sized boxes", ", up to 96 × 96 pixels", "medium"),
    _ranked(ap_large, "Average precision of large boxes", ", above 96 × 96 pixels", "large"),
)
"""The metrics of a detection, in the order in which they are shown."""
