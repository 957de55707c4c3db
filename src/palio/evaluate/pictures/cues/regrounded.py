"""Put it to the test: do boxes hang on the ground that things of a class stand on?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from palio import measure, pixels
from palio.core.records import Cue, Place, Transplant
from palio.evaluate.answers import Array
from palio.evaluate.effects import FEWEST_TARGETS, LEAST_PUSH, N_EXAMPLES, N_TARGETS, Effect, all_tried, effect
from palio.evaluate.pictures import boxes
from palio.evaluate.pictures.asking import Asked
from palio.evaluate.pictures.cues.backgrounds import Backdrop, described
from palio.evaluate.pictures.cues.candidate import Pool
from palio.evaluate.pictures.cues.countermeasures import advised

_Seeing = Callable[[measure.Answers], tuple[Array, Array]]
"""Returns the surest box of each picture, of its things or anywhere, and how many are shown; shape (n,) both."""
N_CARRIERS = 8
FEWEST_GROUNDS = 8
"""Of either kind: the same few over and over would say how these are, not how such grounds are."""
N_WAYS = 2
"""Each ground is asked about twice: what is lost elsewhere, and what it shows where nothing is."""
OVERLAP = 0.5
"""From which on a box is that of a thing, as for AP50."""


def all_regrounded(
    backdrops: Sequence[Backdrop], asked: Asked, pool: Pool, rng: np.random.Generator, *, n_tries: int
) -> tuple[Cue, ...]:
    """Ask of each ground what boxes hang on it; those that move the answer come first, the strongest before others.

    Things of the class get the ground of another picture without it, and for comparison that of another picture with
    it; pictures without it get its ground, and for comparison another one. Both grounds are cleared at the same places,
    so that what is left of things that were taken out is the same.

    Args:
        backdrops: What was found.
        asked: Judged pictures.
        pool: Pictures that grounds are taken from.
        rng: Draws pictures.
        n_tries: Cues that are tried in all.
    """
    work = _Work(asked, pool, rng, n_tries)
    return all_tried([one for one in backdrops if min(len(one.home), len(one.away)) >= FEWEST_GROUNDS], asked, work.cue)


@dataclass(frozen=True)
class _Swap:
    """Judged pictures on two grounds each."""

    rows: Array
    home: Array
    """Places in the pool of the ground of the class, shape (n,)."""
    away: Array
    on_home: Array
    """The surest box of each picture, of its things or anywhere, shape (n,)."""
    on_away: Array
    said_home: Array
    """How many are shown, shape (n,)."""
    said_away: Array
    n_things: int

    def effect(self, *, n_tries: int) -> Effect:
        """Compare both grounds."""
        return effect(
            self.on_home, self.on_away, said=self.said_home, said_control=self.said_away, n_tries=N_WAYS * n_tries
        )


class _Work:
    def __init__(self, asked: Asked, pool: Pool, rng: np.random.Generator, n_tries: int) -> None:
        assert asked.places is not None and pool.cleared is not None and pool.areas is not None  # noqa: S101 - of boxes
        self.asked, self.pool, self.rng, self.n_tries = asked, pool, rng, n_tries
        self.cleared, self.grounds = pool.cleared, pool.areas
        side = asked.pixels.shape[1]
        self.areas = boxes.areas(asked.places, side)
        self.corners = boxes.in_square(asked.truth, asked.places)
        sides = np.tile(asked.sides, (1, 2))
        self.things = [one.corners / size for one, size in zip(asked.truth, sides, strict=True)]
        around = boxes.in_square(asked.truth, asked.places, margin=boxes.MARGIN)
        cleared = [boxes.shares_of(some, area) for some, area in zip(around, self.areas, strict=True)]
        self.known, self.has_ground = described(asked.pixels, cleared, self.areas)

    def cue(self, backdrop: Backdrop) -> Cue | None:
        """Ask about one ground; None where too few pictures were there to be asked about."""
        asked, label = self.asked, backdrop.label
        things, nothing = self._things(backdrop), self._nothing(backdrop)
        ways = [one for one in (things, nothing) if one is not None]
        if not ways:
            return None
        lost = None if things is None else things.effect(n_tries=self.n_tries)
        shown = None if nothing is None else nothing.effect(n_tries=self.n_tries)
        # Of pictures that were labelled in part, some show the class on its ground rightly; most of them do not.
        is_shown = (
            nothing is not None
            and shown is not None
            and shown.moves
            and float(np.median(nothing.on_home - nothing.on_away)) >= LEAST_PUSH
        )
        is_lost = lost is not None and lost.moves
        counts = [one for one, does in ((lost, is_lost), (shown, is_shown)) if one is not None and does]
        told = max(counts or [one for one in (lost, shown) if one is not None], key=lambda one: one.push)
        carries = backdrop.ground.carries(self.known) & self.has_ground
        mine, is_right = asked.holds[:, label], asked.is_right
        examples: list[Transplant] = []
        if things is not None and is_lost:
            places = np.argsort(things.on_away - things.on_home, kind="stable")
            worth = things.said_home > things.said_away
            examples += [self._example(things, at, away=True) for at in places if worth[at]]
        if nothing is not None and is_shown:
            places = np.argsort(nothing.on_away - nothing.on_home, kind="stable")
            worth = nothing.said_home > nothing.said_away
            examples += [self._example(nothing, at, away=False, label=label) for at in places if worth[at]]
        cue = Cue(
            kind="background",
            moves=is_lost or is_shown,
            label=asked.task.classes[label],
            where="the ground",
            share_of_class=backdrop.share_of_class,
            share_of_others=backdrop.share_of_others,
            n_tried=0 if nothing is None else len(nothing.rows),
            n_moved=0 if nothing is None else int((nothing.said_home > 0).sum()),
            n_control=0 if nothing is None else int((nothing.said_away > 0).sum()),
            n_things=0 if things is None else things.n_things,
            n_found_there=0 if things is None else int(things.said_home.sum()),
            n_found_elsewhere=0 if things is None else int(things.said_away.sum()),
            push=told.push,
            p_value=told.p_value,
            n_with=int((mine & carries).sum()),
            n_with_right=int((mine & carries & is_right).sum()),
            n_without=int((mine & ~carries).sum()),
            n_without_right=int((mine & ~carries & is_right).sum()),
            carriers=tuple(self.pool.identities[row] for row in backdrop.home[:N_CARRIERS]),
            examples=tuple(examples[:N_EXAMPLES]),
            countermeasure="",
        )
        return advised(cue)

    def _things(self, backdrop: Backdrop) -> _Swap | None:
        """Put things of the class onto both grounds."""
        asked, label = self.asked, backdrop.label
        wanted = [np.flatnonzero((one.classes == label) & ~one.ignored) for one in asked.truth]
        rows = self._drawn(np.array([len(some) > 0 for some in wanted]))
        if len(rows) < FEWEST_TARGETS:
            return None

        def seen(answers: measure.Answers) -> tuple[Array, Array]:
            best, said = np.zeros(len(rows)), np.zeros(len(rows), int)
            for place, (row, one) in enumerate(zip(rows.tolist(), answers.prediction, strict=True)):
                mine = one.classes == label
                covers = measure.boxes.overlaps(self.corners[row][wanted[row]], one.corners[mine])
                sure = (np.where(covers >= OVERLAP, one.scores[mine], 0.0)).max(axis=1, initial=0.0)
                best[place], said[place] = sure.mean(), int((sure >= one.threshold).sum())
            return best, said

        return self._swap(backdrop, rows, seen, sum(len(wanted[row]) for row in rows.tolist()))

    def _nothing(self, backdrop: Backdrop) -> _Swap | None:
        """Put both grounds around what is in pictures without the class; none where the time is over."""
        asked, label = self.asked, backdrop.label
        rows = self._drawn(asked.may_be_misled[:, label])
        if len(rows) < FEWEST_TARGETS or asked.is_over:
            return None

        def seen(answers: measure.Answers) -> tuple[Array, Array]:
            of_class = [one.scores[one.classes == label] for one in answers.prediction]
            best = np.array([scores.max(initial=0.0) for scores in of_class])
            sure = [one.threshold for one in answers.prediction]
            said = np.array([int((scores >= least).sum()) for scores, least in zip(of_class, sure, strict=True)])
            return best, said

        return self._swap(backdrop, rows, seen, 0)

    def _drawn(self, may: Array) -> Array:
        return self.rng.permutation(np.flatnonzero(may))[:N_TARGETS]

    def _swap(self, backdrop: Backdrop, rows: Array, seen: _Seeing, n_things: int) -> _Swap:
        home, away = (self.rng.choice(some, len(rows)) for some in (backdrop.home, backdrop.away))
        found = []
        for grounds in (home, away):
            made = np.stack([self._made(*one) for one in zip(rows, grounds, home, away, strict=True)])
            found.append(seen(self.asked.again(rows, made)))
        (on_home, said_home), (on_away, said_away) = found
        return _Swap(rows, home, away, on_home, on_away, said_home, said_away, n_things)

    def _made(self, row: int, ground: int, home: int, away: int) -> Array:
        """Put the things of a judged picture onto a ground that is cleared where either of two shows things."""
        made: Array = self.asked.pixels[row].copy()
        here, there = self.areas[row].tolist(), self.grounds[ground].tolist()
        taken = self.pool.pixels[ground][there[1] : there[3], there[0] : there[2]]
        mine = made[here[1] : here[3], here[0] : here[2]]
        made[here[1] : here[3], here[0] : here[2]] = pixels.on_ground(
            mine, self.things[row], taken, self._cleared(home, away)
        )
        return made

    def _cleared(self, home: int, away: int) -> Array:
        return np.concatenate([self.cleared[home], self.cleared[away]])

    def _example(self, swap: _Swap, at: int, *, away: bool, label: int | None = None) -> Transplant:
        row, home, other = int(swap.rows[at]), int(swap.home[at]), int(swap.away[at])
        return Transplant(
            picture=self.asked.picture(row),
            donor=self.pool.identities[other if away else home],
            places=_places(self.things[row]),
            cleared=_places(self._cleared(home, other)),
            prediction="" if label is None else self.asked.task.classes[label],
        )


def _places(shares: Array) -> tuple[Place, ...]:
    return tuple(
        Place(left=left, top=top, right=right, bottom=bottom) for left, top, right, bottom in shares.clip(0, 1).tolist()
    )
