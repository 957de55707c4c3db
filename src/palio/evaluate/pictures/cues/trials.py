"""Put it to the test: does what pictures of one class share move the answers to pictures of the others?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from palio.core.records import Cue, Transplant
from palio.evaluate.answers import Array
from palio.evaluate.effects import FEWEST_TARGETS, N_EXAMPLES, N_TARGETS, all_tried, effect
from palio.evaluate.pictures.asking import Asked
from palio.evaluate.pictures.cues.candidate import Candidate, Pool
from palio.evaluate.pictures.cues.countermeasures import advised

N_CARRIERS = 8


def tried(candidates: Sequence[Candidate], asked: Asked, pool: Pool, rng: np.random.Generator) -> tuple[Cue, ...]:
    """Put each candidate onto rightly answered pictures of other classes; tell which move the answer, these first."""
    return all_tried(candidates, asked, lambda one: _tried(one, asked, pool, rng, n_tries=len(candidates)))


def _tried(candidate: Candidate, asked: Asked, pool: Pool, rng: np.random.Generator, *, n_tries: int) -> Cue | None:
    label = candidate.label
    carries = np.asarray(candidate.how.carries(asked.pixels))
    targets = rng.permutation(np.flatnonzero(asked.may_be_misled[:, label] & ~carries))[:N_TARGETS]
    if len(targets) < FEWEST_TARGETS:
        return None
    onto, holds = asked.pixels[targets], asked.holds
    donors = rng.choice(candidate.carriers, len(targets))
    given = pool.pixels[donors]
    own = np.array([_of_own_class(pool, holds[row], candidate, rng) for row in targets])
    moved = candidate.how.put(onto, given, given)
    still = candidate.how.put(onto, pool.pixels[own], given)
    after, control = asked.probability(targets, moved), asked.probability(targets, still)
    said, said_control = asked.calls(after)[:, label], asked.calls(control)[:, label]
    done = effect(after[:, label], control[:, label], said=said, said_control=said_control, n_tries=n_tries)
    examples = [place for place in np.argsort(-after[:, label]) if said[place] and done.moves][:N_EXAMPLES]
    taken = candidate.how.taken(given[examples])
    mine, is_right = holds[:, label], asked.is_right
    cue = Cue(
        kind=candidate.kind,
        moves=done.moves,
        label=asked.task.classes[label],
        where=candidate.where,
        places=candidate.places,
        gains=candidate.gains,
        share_of_class=candidate.share_of_class,
        share_of_others=candidate.share_of_others,
        n_tried=len(targets),
        n_moved=int(said.sum()),
        n_control=int(said_control.sum()),
        push=done.push,
        p_value=done.p_value,
        n_with=int((mine & carries).sum()),
        n_with_right=int((mine & carries & is_right).sum()),
        n_without=int((mine & ~carries).sum()),
        n_without_right=int((mine & ~carries & is_right).sum()),
        carriers=tuple(pool.identities[row] for row in candidate.carriers[:N_CARRIERS]),
        examples=tuple(
            Transplant(
                picture=asked.picture(targets[place]),
                donor="" if candidate.kind == "cast" else pool.identities[donors[place]],
                places=places,
                prediction=asked.task.classes[label],
            )
            for place, places in zip(examples, taken, strict=True)
        ),
        countermeasure="",
    )
    return advised(cue)


def _of_own_class(pool: Pool, holds: Array, candidate: Candidate, rng: np.random.Generator) -> int:
    alike = (pool.holds == holds).all(axis=1)
    for may in (alike, ~pool.holds[:, candidate.label]):
        rows = np.setdiff1d(np.flatnonzero(may), candidate.carriers)
        if len(rows):
            return int(rng.choice(rows))
    return int(rng.integers(len(pool.holds)))
