"""Judge all columns together: can a small classifier tell rows of a window from rows of the reference?

It sees what no single column shows, such as two columns that no longer go together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from palio.core import seeds
from palio.core.monitoring import Finding, Window
from palio.measure import as_texts, text_statistics
from palio.monitor.findings import finding
from palio.monitor.thinning import RowSample

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

Array = np.ndarray[Any, np.dtype[Any]]
N_ROWS = 2_000
"""Rows of each side, at most."""
FLOOR = 0.55
"""An area under the curve below this is no finding, however sure it is."""
MARGIN = 0.02
"""The area must be as far above that of any block of the reference."""
CLEAR = 0.7
"""From here on a finding is a warning."""
_FEWEST_ROWS = 50
_N_FOLDS = 5
_N_SHUFFLES = 200
_WIDER = 1.5
"""Classifiers of different folds share rows, so that their areas spread more than those of shuffled sides: 1.35 times
with 2,000 rows and 1.5 times with 200, on rows of adult and bank without drift."""
RATE = 0.005
"""Share of windows that are told apart if there is nothing to tell."""
_N_BLOCKS = 4
_N_CATEGORIES = 30
_N_COLUMNS = 3
_LEAST_VALUES = 20
"""A column with fewer values on both sides together is left out: trees cannot be grown on none."""


class JointDrift(msgspec.Struct, frozen=True, kw_only=True):
    """How well rows of a window can be told from rows of the reference."""

    roc_auc: float
    """Out of fold; 0.5 is not at all."""
    low: float
    """Of the interval in which it lies when rows are shuffled between the sides, 99 times of 100."""
    high: float
    limit: float
    """What it must exceed to be a finding."""
    drifted: bool
    n_rows: int
    """Rows of the window that were looked at."""
    columns: tuple[tuple[str, float], ...]
    """That carry it, the most telling first: how much of the area is lost when the column is shuffled."""


def joint_drift(
    reference: Mapping[str, Array],
    sample: Mapping[str, Array],
    *,
    columns: Sequence[str] | None = None,
    in_time_order: bool = False,
    n_rows: int = N_ROWS,
    seed: int = 0,
) -> JointDrift | None:
    """Try to tell two sets of rows apart by a gradient boosting classifier, cross-validated.

    Costs about half a second on one core with 30 columns, and twice that more with `in_time_order` if there is a drift.

    Args:
        reference: Rows of the reference, columns as in the prediction log; see `Bundle.reference_rows`.
        sample: Rows of the window, see `RowSample`.
        columns: To look at; None: all inputs that both have. Texts that nearly never repeat are seen by length only.
        in_time_order: Whether the reference is in the order of time. Then its quarters are told from the rest first,
            and the window must be easier to tell than they are.
        n_rows: Of each side, at most.
        seed: Of folds and shuffles.

    Returns:
        None if there is nothing to compare: fewer than 50 rows on one side, or no column.

    Source: Lopez-Paz & Oquab 2017, Revisiting Classifier Two-Sample Tests, ICLR.
    """
    names = [name for name in (columns or reference) if name in sample and (columns or name.startswith("input."))]
    from threadpoolctl import threadpool_limits

    left, right = _thinned(reference, names, n_rows), _thinned(sample, names, n_rows)
    encoded = _encode(left, right)
    if encoded is None or min(_length(left), _length(right)) < _FEWEST_ROWS:
        return None
    with threadpool_limits(1):  # threads that wait for each other cost ten times what they save
        return _told_apart(*encoded, _length(left), in_time_order=in_time_order, seed=seed)


def _told_apart(names: list[str], cells: Array, n_left: int, *, in_time_order: bool, seed: int) -> JointDrift:
    n_right = len(cells) - n_left
    is_new = np.repeat([False, True], [n_left, n_right])
    chance = np.random.default_rng(seeds.derive(seed, "joint drift"))
    judged = _CrossValidation(cells, is_new, chance)
    auc = judged.roc_auc()
    shuffled = np.array([judged.roc_auc(shuffle=True) for _ in range(_N_SHUFFLES)])
    shuffled = shuffled.mean() + _WIDER * (shuffled - shuffled.mean())
    limit = max(FLOOR, _sure(shuffled))
    if auc > limit and in_time_order:
        limit = max(limit, MARGIN + max(_blocks(cells[:n_left], chance)))
    return JointDrift(
        roc_auc=auc,
        low=float(np.quantile(shuffled, 0.005)),
        high=float(np.quantile(shuffled, 0.995)),
        limit=limit,
        drifted=auc > limit,
        n_rows=n_right,
        columns=judged.carriers(names) if auc > limit else (),
    )


def joint_findings(window: Window, joint: JointDrift | None) -> tuple[Finding, ...]:
    """Tell people that rows of a window can be told from the reference, and by what."""
    if joint is None or not joint.drifted:
        return ()
    names = ", ".join(f"`{name.removeprefix('input.')}`" for name, _ in joint.columns[:_N_COLUMNS])
    by = f", mostly by {names}" if names else ""
    return (
        finding(
            window,
            "joint_drift",
            "all columns",
            severity="warn" if joint.roc_auc >= CLEAR else "note",
            n_rows=joint.n_rows,
            effect=joint.roc_auc,
            measure="roc_auc",
            limit=joint.limit,
            reason=f"Rows can be told from those of training{by} (ROC AUC {joint.roc_auc:.3f}, "
            f"{joint.low:.3f} to {joint.high:.3f} if there were no difference, limit {joint.limit:.3f})",
        ),
    )


class _CrossValidation:
    """Classifiers that each have not seen their fold, and what they say of it."""

    def __init__(self, cells: Array, is_new: Array, chance: np.random.Generator) -> None:
        self._cells, self._is_new, self._chance = cells, is_new, chance
        place = np.empty(len(is_new), np.int64)
        for side in (True, False):
            rows = chance.permutation(np.flatnonzero(is_new == side))
            place[rows] = np.arange(len(rows)) % _N_FOLDS
        self._folds = [np.flatnonzero(place == fold) for fold in range(_N_FOLDS)]
        self._models = [_fitted(cells[place != fold], is_new[place != fold]) for fold in range(_N_FOLDS)]
        self._ranks = [_ranks(model, cells[rows]) for model, rows in self._each()]

    def _each(self) -> Iterator[tuple[HistGradientBoostingClassifier, Array]]:
        yield from zip(self._models, self._folds, strict=True)

    def roc_auc(self, *, shuffle: bool = False) -> float:
        """Return the mean area of the folds, with the sides of their rows shuffled if asked for."""
        sides = [self._is_new[rows] for rows in self._folds]
        if shuffle:
            sides = [self._chance.permutation(side) for side in sides]
        return float(np.mean([_area(ranks, side) for ranks, side in zip(self._ranks, sides, strict=True)]))

    def carriers(self, names: Sequence[str]) -> tuple[tuple[str, float], ...]:
        """Say how much of the area is lost when a column is shuffled, for those where anything is."""
        whole, lost = self.roc_auc(), dict[str, float]()
        for name in dict.fromkeys(names):
            own = [place for place, other in enumerate(names) if other == name]
            areas = []
            for model, rows in self._each():
                cells = self._cells[rows].copy()
                cells[:, own] = cells[self._chance.permutation(len(rows))][:, own]
                areas.append(_area(_ranks(model, cells), self._is_new[rows]))
            lost[name] = whole - float(np.mean(areas))
        worst = sorted(lost.items(), key=lambda item: -item[1])
        return tuple((name, loss) for name, loss in worst if loss >= 0.05 * (whole - 0.5))


def _fitted(cells: Array, is_new: Array) -> HistGradientBoostingClassifier:
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        max_iter=40, max_leaf_nodes=8, min_samples_leaf=20, learning_rate=0.15, max_bins=64, early_stopping=False,
        random_state=0,
    )  # fmt: skip
    return model.fit(cells, is_new)


def _ranks(model: HistGradientBoostingClassifier, cells: Array) -> Array:
    from scipy.stats import rankdata

    ranks: Array = rankdata(model.decision_function(cells))
    return ranks


def _area(ranks: Array, is_new: Array) -> float:
    n_new, n_old = int(is_new.sum()), int((~is_new).sum())
    return float((ranks[is_new].sum() - n_new * (n_new + 1) / 2) / (n_new * n_old))


def _sure(shuffled: Array) -> float:
    """Return the area that shuffled rows exceed with a chance of `RATE` (normal approximation)."""
    from scipy.special import ndtri

    return float(shuffled.mean() + ndtri(1 - RATE) * shuffled.std())


def _blocks(cells: Array, chance: np.random.Generator) -> list[float]:
    """Return how well each quarter of the reference can be told from the rest of it."""
    quarter = np.arange(len(cells)) * _N_BLOCKS // len(cells)
    return [_CrossValidation(cells, quarter == k, chance).roc_auc() for k in range(_N_BLOCKS)]


def _encode(left: Mapping[str, Array], right: Mapping[str, Array]) -> tuple[list[str], Array] | None:
    """Turn both sides into one table of numbers, and name the column that each of them comes from."""
    names, columns = list[str](), list[Array]()
    for name in left:
        if left[name].ndim != 1 or right[name].ndim != 1:
            continue
        if left[name].dtype.kind in "fiub" and right[name].dtype.kind in "fiub":
            made = [np.concatenate([left[name], right[name]]).astype(np.float64)]
        elif left[name].dtype.kind in "OTU" and right[name].dtype.kind in "OTU":
            made = _from_texts(left[name].tolist(), right[name].tolist())
        else:
            continue
        made = [one for one in made if np.isfinite(one).sum() >= _LEAST_VALUES]
        names += [name] * len(made)
        columns += made
    return (names, np.column_stack(columns)) if columns else None


def _from_texts(left: list[str], right: list[str]) -> list[Array]:
    """Give categories a number, the frequent ones first; describe texts that hardly repeat."""
    if None in left or None in right:
        return []
    both = np.array([*left, *right], object)
    values, place, counts = np.unique(as_texts(both), return_inverse=True, return_counts=True)
    if len(values) > len(both) / 4:
        return [one for key, one in text_statistics(both, np.empty(0, "<u4")).items() if key != "unseen_tokens"]
    order = np.argsort(-counts, kind="stable")
    code = np.full(len(values), float(_N_CATEGORIES))
    code[order[:_N_CATEGORIES]] = np.arange(min(_N_CATEGORIES, len(values)))
    return [np.where(both == "", np.nan, code[place])]


def _thinned(rows: Mapping[str, Array], names: Sequence[str], n_rows: int) -> dict[str, Array]:
    sample = RowSample(names, limit=n_rows)
    sample.add(rows, n_rows=_length({name: rows[name] for name in names}))
    return sample.rows()


def _length(rows: Mapping[str, Array]) -> int:
    return len(next(iter(rows.values()))) if rows else 0
