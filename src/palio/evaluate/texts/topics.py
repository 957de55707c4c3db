"""Group texts by what they are about: words that are weighed, their main directions, the nearest centres; no model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from palio.core.seeds import derive
from palio.evaluate.answers import Array
from palio.evaluate.segmenting import MIN_ROWS, Segment
from palio.evaluate.texts.languages import COMMON_WORDS
from palio.evaluate.texts.spans import LONGEST_HEAD, spans

MAX_TOPICS, N_DIRECTIONS, N_NAMED = 8, 20, 3
FEWEST_TEXTS = 5
"""Texts that hold a word, at least: one in fewer is no subject."""
MOST_SHARE = 0.3
"""Of the texts that hold a word, at most: one in more is no subject either."""
LEAST_NAMED = 0.3
"""Of the texts of a group, those that hold one of the words it is named by, at least: else it is what the others leave.
Of news all groups have .35 to 1; of messages and film reviews, the large ones without a subject have .14 to .29."""
MOST_READ, FEWEST_READ = 4_000_000, 200
"""Characters that are read of all texts together (two seconds of CPU), and at least of each."""
MAX_WORDS = 5_000
_COMMON = frozenset().union(*COMMON_WORDS.values())


def topics(column: str, texts: Sequence[str], *, seed: int = 0) -> list[Segment]:
    """Group texts by subject, and name each group by the words that set it apart; none if they are too few.

    Groups that no words set apart are one: it is about other things.

    Source: Deerwester et al. 1990, JASIS 41(6) (latent semantic analysis).
    """
    n_topics = min(MAX_TOPICS, len(texts) // (3 * MIN_ROWS))
    if n_topics < 2:
        return []
    weights, names = _weighed(texts)
    if weights is None or len(names) <= N_DIRECTIONS:
        return []
    from sklearn.cluster import KMeans
    from sklearn.decomposition import TruncatedSVD
    from sklearn.preprocessing import normalize

    state = derive(seed, "topics") % 2**32
    placed = normalize(TruncatedSVD(N_DIRECTIONS, random_state=state).fit_transform(weights))
    group_of = KMeans(n_topics, n_init=4, random_state=state).fit_predict(placed)
    found, others = [], np.zeros(len(texts), bool)
    for group in range(n_topics):
        rows = np.asarray(group_of == group)
        if not 0 < rows.sum() < len(rows):
            continue
        lead = np.asarray(weights[rows].mean(axis=0) - weights[~rows].mean(axis=0)).ravel()
        told = [at for at in np.argsort(-lead)[:N_NAMED].tolist() if lead[at] > 0]
        named = np.asarray(weights[rows][:, told].sum(axis=1)).ravel() > 0
        if named.mean() < LEAST_NAMED:
            others |= rows
        else:
            found.append(Segment(column, f"about {', '.join(names[at] for at in told)}", rows))
    if others.any():
        found.append(Segment(column, "about other things", others))
    return [one for one in found if MIN_ROWS <= one.rows.sum() <= len(texts) - MIN_ROWS]


def _weighed(texts: Sequence[str]) -> tuple[Array | None, list[str]]:
    """Return a sparse table, texts by words, rare words weighed more; and the words."""
    from scipy.sparse import csr_matrix, diags
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS
    from sklearn.preprocessing import normalize

    common = _COMMON | ENGLISH_STOP_WORDS
    place_of: dict[str, int] = {}
    columns: list[int] = []
    ends = [0]
    head = min(LONGEST_HEAD, max(FEWEST_READ, MOST_READ // len(texts)))
    for text in texts:
        own = {span.word for span in spans(text[:head])}
        kept = [word for word in own if len(word) > (2 if word.isascii() else 0) and not word.isdigit()]
        columns += [place_of.setdefault(word, len(place_of)) for word in sorted(kept) if word not in common]
        ends.append(len(columns))
    if not columns:
        return None, []
    table = csr_matrix((np.ones(len(columns)), columns, ends), shape=(len(texts), len(place_of)))
    held = np.asarray(table.sum(axis=0)).ravel()
    kept_columns = np.flatnonzero((held >= FEWEST_TEXTS) & (held <= MOST_SHARE * len(texts)))
    kept_columns = np.sort(kept_columns[np.argsort(-held[kept_columns], kind="stable")[:MAX_WORDS]])
    if not len(kept_columns):
        return None, []
    words = list(place_of)
    rarity = np.log((1 + len(texts)) / (1 + held[kept_columns])) + 1
    return normalize(table[:, kept_columns] @ diags(rarity)), [words[at] for at in kept_columns]
