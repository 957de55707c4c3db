"""How the metric holds when pictures are changed as cameras, networks and evenings change them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from palio import measure, pixels
from palio.core.records import Strain
from palio.core.seeds import derive
from palio.evaluate.answers import Array
from palio.evaluate.pictures import boxes
from palio.evaluate.pictures.asking import AT_ONCE, Asked
from palio.measure import Answers

MAX_ROWS = 300
"""Pictures that are changed: each change costs an answer to each."""
FEWEST_ROWS = 50
"""Where time is short, so many."""
N_DESCRIBED = 60
"""Changed pictures whose statistics are taken."""
N_RESAMPLES = 200


class Change(NamedTuple):
    """One way to change a picture, uint8 (S, S, 3)."""

    name: str
    level: str
    make: Callable[[Array, np.random.Generator], Array]


def _smaller(picture: Array, times: int) -> Array:
    side = picture.shape[0]
    small = pixels.fit(picture, size=max(1, side // times), fit="squash")
    return pixels.fit(small, size=side, fit="squash")


def _pressed(picture: Array, quality: int) -> Array:
    return pixels.decoded(pixels.as_jpeg(picture, quality=quality))


def _noisy(picture: Array, rng: np.random.Generator) -> Array:
    return np.asarray((picture + rng.normal(0, 10, picture.shape)).clip(0, 255).astype(np.uint8))


def _grey(picture: Array) -> Array:
    light = picture @ np.array([0.299, 0.587, 0.114])
    return np.repeat(light[..., None].astype(np.uint8), 3, axis=2)


TURNED = "turned"
CHANGES = (
    Change("blur", "1 pixel", lambda p, _: pixels.blurred(p, 1)),
    Change("blur", "2 pixels", lambda p, _: pixels.blurred(p, 2)),
    Change("resolution", "half", lambda p, _: _smaller(p, 2)),
    Change("resolution", "a quarter", lambda p, _: _smaller(p, 4)),
    Change("JPEG", "quality 30", lambda p, _: _pressed(p, 30)),
    Change("JPEG", "quality 10", lambda p, _: _pressed(p, 10)),
    Change("light", "× 0.6", lambda p, _: (p * 0.6).astype(np.uint8)),
    Change("noise", "σ 10", _noisy),
    Change("colour", "grey", lambda p, _: _grey(p)),
    Change(TURNED, "by 90°", lambda p, _: np.rot90(p)),
)
"""The same as `palio.monitor` is held against: what cameras do. All on the square that the model sees."""
AS_THEY_ARE = "as they are"


def strains(asked: Asked, *, primary: str, seed: int = 0) -> tuple[Strain, ...]:
    """Measure the metric under each change, on at most 300 pictures; empty if it is not defined on them.

    What there was no time for is left out; the first entry is of the pictures as they are.
    """
    rng = np.random.default_rng(derive(seed, "strains"))
    rows = np.sort(rng.permutation(len(asked.truth))[:MAX_ROWS])
    first = _strain(asked, rows, asked.answers.take(rows), asked.pixels[rows], (AS_THEY_ARE, ""), primary)
    found = [] if first is None else [first]
    for change in CHANGES if found else ():
        if asked.is_over:
            break
        changed, answers = _changed(asked, rows, change, derive(seed, "strains", change.name, change.level))
        one = _strain(asked, rows, answers, changed, (change.name, change.level), primary)
        found += [] if one is None else [one]
    return tuple(found)


def _changed(asked: Asked, rows: Array, change: Change, seed: int) -> tuple[Array, Answers]:
    """Return the first of the changed pictures, and the answers to all."""
    rng = np.random.default_rng(seed)
    kept: list[Array] = []
    parts: list[Answers] = []
    for start in range(0, len(rows), AT_ONCE):
        batch = rows[start : start + AT_ONCE]
        made = np.stack([change.make(picture, rng) for picture in asked.pixels[batch]])
        parts.append(asked.again(batch, made))
        kept += list(made[: max(0, N_DESCRIBED - len(kept))])
    answers = Answers.joined(parts)
    if asked.places is not None:  # boxes lie in the square that was changed
        answers = boxes.turned_back(answers, asked.reading.size) if change.name == TURNED else answers
        answers = boxes.from_square(answers, asked.places[rows])
    return np.stack(kept), answers


def _strain(
    asked: Asked, rows: Array, answers: Answers, seen: Array, what: tuple[str, str], primary: str
) -> Strain | None:
    scored = measure.score_with_intervals(
        asked.task, asked.truth[rows], answers, names=[primary], n_resamples=N_RESAMPLES
    ).get(primary)
    if scored is None:
        return None
    described = [pixels.statistics(np.ascontiguousarray(one)) for one in seen[:N_DESCRIBED]]
    medians = {name: float(np.median([one[name] for one in described])) for name in pixels.STATISTICS}
    differ = measure.questions.of(asked.task).differ(answers, asked.answers.take(rows))
    return Strain(
        change=what[0],
        level=what[1],
        score=scored.value,
        low=scored.low,
        high=scored.high,
        n_changed=int(differ.sum()),
        statistics=medians,
    )
