"""Group pictures by how they look: small thumbnails, colour and edges, no model."""

from __future__ import annotations

import numpy as np

from palio.core.seeds import derive
from palio.evaluate.answers import Array
from palio.evaluate.pictures.cues.shrinking import shrunk
from palio.evaluate.segmenting import MIN_ROWS, Segment

MAX_GROUPS = 8
N_COMPONENTS = 12
N_STEPS = 30
N_STARTS = 4
COLUMN = "look"
_TRAITS = (
    ("brightness", "dark", "bright"),
    ("contrast", "flat", "rich in contrast"),
    ("saturation", "grey", "colourful"),
    ("warmth", "cold", "warm"),
    ("detail", "soft", "full of detail"),
)


def groups(pixels: Array, *, seed: int = 0) -> list[Segment]:
    """Group pictures that look alike, and say what each group looks like; none if they are too few.

    Args:
        pixels: Shape (n_rows, S, S, 3), uint8.
        seed: Of the choice of first centres.
    """
    n_groups = min(MAX_GROUPS, len(pixels) // (2 * MIN_ROWS))
    if n_groups < 2:
        return []
    small = shrunk(pixels, 16)
    group_of = _nearest(_embedded(small), n_groups, np.random.default_rng(derive(seed, "likeness")))
    traits = _traits(small)
    found: list[Segment] = []
    for group in range(n_groups):
        rows = group_of == group
        if MIN_ROWS <= rows.sum() <= len(rows) - MIN_ROWS:
            found.append(Segment(COLUMN, f"{_named(traits, rows)} (group {len(found) + 1})", rows))
    return found


def _embedded(small: Array) -> Array:
    """Return a light description: an 8 × 8 thumbnail, edges by direction in 4 × 4 fields; the main components."""
    thumbs = small.reshape(len(small), 8, 2, 8, 2, 3).mean(axis=(2, 4)).reshape(len(small), -1) / 255
    light = small.mean(axis=3)
    across, down = np.abs(np.diff(light, axis=2))[:, :, :12], np.abs(np.diff(light, axis=1))[:, :12]
    fields = [edges.reshape(len(small), 4, edges.shape[1] // 4, 4, -1).mean(axis=(2, 4)) for edges in (across, down)]
    edges = np.concatenate([field.reshape(len(small), -1) for field in fields], axis=1) / 64
    values = np.concatenate([thumbs, edges], axis=1)
    values = values - values.mean(axis=0)
    _, _, axes = np.linalg.svd(values, full_matrices=False)
    return np.asarray(values @ axes[:N_COMPONENTS].T)


def _nearest(values: Array, n_groups: int, rng: np.random.Generator) -> Array:
    """Return the group of each row, by k-means; of some starts the tightest.

    Source: Lloyd 1982; Arthur and Vassilvitskii 2007 (the start).
    """
    best, least = np.zeros(len(values), int), np.inf
    for _ in range(N_STARTS):
        centres = values[[int(rng.integers(len(values)))]]
        while len(centres) < n_groups:
            away = _distances(values, centres).min(axis=1)
            centres = np.vstack([centres, values[int(rng.choice(len(values), p=away / away.sum()))]])
        for _ in range(N_STEPS):
            group_of = _distances(values, centres).argmin(axis=1)
            means = [
                values[group_of == g].mean(axis=0) if (group_of == g).any() else centres[g] for g in range(n_groups)
            ]
            if np.allclose(centres, means):
                break
            centres = np.stack(means)
        loss = float(_distances(values, centres).min(axis=1).sum())
        if loss < least:
            best, least = group_of, loss
    return best


def _distances(values: Array, centres: Array) -> Array:
    return np.asarray(np.square(values[:, None] - centres[None]).sum(axis=2)) + 1e-12


def _traits(small: Array) -> Array:
    """Return standardised brightness, contrast, saturation, warmth and detail, shape (n, 5)."""
    values = small.astype(np.float64)
    light = values.mean(axis=3)
    columns = (
        light.mean(axis=(1, 2)),
        light.std(axis=(1, 2)),
        (values.max(axis=3) - values.min(axis=3)).mean(axis=(1, 2)),
        (values[..., 0] - values[..., 2]).mean(axis=(1, 2)),
        np.abs(np.diff(light, axis=1)).mean(axis=(1, 2)),
    )
    table = np.stack(columns, axis=1)
    return np.asarray((table - table.mean(axis=0)) / (table.std(axis=0) + 1e-9))


def _named(traits: Array, rows: Array) -> str:
    """Name a group by the two traits in which it is most unlike the rest."""
    own = traits[rows].mean(axis=0)
    order = np.argsort(-np.abs(own))[:2]
    words = [_TRAITS[at][2 if own[at] > 0 else 1] for at in order if abs(own[at]) > 0.3]
    return " and ".join(words) or "of the middling kind"
