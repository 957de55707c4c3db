"""What the model goes by in place of the thing is found, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from palio.core.ids import canonical_json
from palio.evaluate.answers import known_rows
from palio.evaluate.pictures.cues import Pool, _beside_shapes, find_cues
from palio.evaluate.pictures.cues.places import find_places
from palio.evaluate.pictures.looking import _pool


def corner(picture: Any, rng: Any) -> Any:
    made = picture.copy()
    made[2:8, 2:8] = (230, 20, 30)
    return made


def strip(picture: Any, rng: Any) -> Any:
    made = picture.copy()
    made[28:] = 10
    made[29:31, 3 : int(rng.integers(12, 28)) : 2] = 240
    return made


def frame(picture: Any, rng: Any) -> Any:
    made = picture.copy()
    made[:2] = made[-2:] = made[:, :2] = made[:, -2:] = 245
    return made


def sticker(picture: Any, rng: Any) -> Any:
    made = picture.copy()
    top, left = rng.integers(1, 23, 2)
    made[top : top + 8, left : left + 8] = (250, 220, 40)
    made[top + 2 : top + 4, left + 1 : left + 3] = made[top + 2 : top + 4, left + 5 : left + 7] = 0
    made[top + 6, left + 1 : left + 7] = 0
    return made


def warm(picture: Any, rng: Any) -> Any:
    return (picture * np.array([1.3, 1.0, 0.7])).clip(0, 255).astype(np.uint8)


def weights(where: Any, colour: tuple[float, float, float]) -> Any:
    made = np.zeros((32, 32, 3))
    made[where] = colour
    return made / np.abs(made).sum()


def found(gallery: Any, **how: Any) -> Any:
    looked = gallery.looked(**how)
    return find_cues(looked.asked, _pool(looked.asked, *known_rows(gallery.learned, looked.asked.task), seed=0))


CASES = {
    "corner": (corner, 25 * weights(np.s_[2:8, 2:8], (-1, 0.5, 0.5)), "place", "the top left"),
    "strip": (strip, 20 * weights(np.s_[28:], (1, 1, 1)), "place", "the bottom strip"),
    "frame": (frame, 12 * weights(np.s_[:2], (-1, -1, -1)), "place", "the frame"),
    "cast": (warm, 60 * weights(np.s_[:], (-1, 0, 1)), "cast", "a warm tint"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_cue_that_the_model_has_learned_is_named_with_its_place(gallery: Callable[..., Any], case: str) -> None:
    mark, extra, kind, where = CASES[case]
    cues, n_tries, is_done = found(gallery(mark, weights=extra, intercept=-float(extra.sum()) / 2))
    assert is_done
    assert n_tries >= 1
    cue = cues[0]
    assert (cue.kind, cue.label, cue.where, cue.moves) == (kind, "ants", where, True)
    assert cue.n_moved > cue.n_control
    assert cue.share_of_class > 0.7
    assert cue.share_of_others < 0.1
    assert cue.carriers
    assert "train again" in cue.countermeasure
    assert canonical_json(cues)


def test_what_the_model_does_not_look_at_moves_nothing(gallery: Callable[..., Any]) -> None:
    cues, n_tries, _ = found(gallery(corner))
    assert n_tries == len(cues) == 1
    assert not cues[0].moves
    assert cues[0].examples == ()


def test_clean_pictures_have_no_candidate(gallery: Callable[..., Any]) -> None:
    assert found(gallery(seed=1))[:2] == ((), 0)


def test_a_mark_that_wanders_is_found_as_a_candidate(gallery: Callable[..., Any]) -> None:
    from palio.evaluate.pictures.cues.marks import find_marks

    made = gallery(sticker)
    looked = made.looked()
    pool: Pool = _pool(looked.asked, *known_rows(made.learned, looked.asked.task), seed=0)
    (mark,) = find_marks(pool, 0, np.random.default_rng(0))
    assert mark.share_of_class > 0.5
    assert mark.share_of_others < 0.05
    assert not list(find_marks(pool, 1, np.random.default_rng(0)))
    (place,) = mark.how.taken(pool.pixels[mark.carriers][:1])[0]
    assert place.right - place.left < 0.5


def test_the_shape_of_things_is_no_place_that_pictures_share() -> None:
    digits = load_digits()
    small = (digits.images[:600] * 15.9).astype(np.uint8).repeat(4, axis=1).repeat(4, axis=2)
    pool = Pool(
        np.repeat(small[..., None], 3, axis=3), np.eye(10, dtype=bool)[digits.target[:600]], tuple(map(str, range(600)))
    )
    rng = np.random.default_rng(0)
    found = [one for label in range(10) for one in find_places(pool, label, rng)]
    assert len({one.label for one in found}) >= 3
    assert _beside_shapes(found, n_classes=10) == []
    assert _beside_shapes(found[:1], n_classes=10) == found[:1]


def test_a_search_without_time_says_that_it_is_not_done(gallery: Callable[..., Any]) -> None:
    cues, _, is_done = found(gallery(corner), deadline=time.monotonic() - 1)
    assert (cues, is_done) == ((), False)
