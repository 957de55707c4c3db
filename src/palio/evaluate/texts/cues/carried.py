"""Find what texts of a class mostly carry: words whose share stands out from all that makes the class else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from palio.core.records.wording import WordPlace
from palio.evaluate.answers import Array
from palio.evaluate.texts.spans import places_of, spans, words_in

MIN_TEXTS = 20
"""Texts of a class, and of the others, that a search needs."""
MAX_TEXTS = 400
"""Texts of a class, and of the others, that are compared; more are drawn from."""
LEAST_SHARE = 0.4
"""How many more texts of the class than of the others carry a cue, at least. Of news, film reviews and messages the
largest without a planted one is .39 (`call` in spam)."""
LEAST_LEAD = 1.5
"""Times the share of the third of what texts of the class hold else: a cue stands out, what makes a class does not."""
MOST_OF_OTHERS = 0.2
"""Of the other texts that carry it: a class that says `to` more often than others is not known by `to`."""
ALIKE = 0.8
"""Words that so many of the same texts carry are one cue."""
MAX_ALIKE = 12


@dataclass(frozen=True)
class Pool:
    """Texts that the model learned from."""

    texts: Sequence[str]
    truth: Array
    """Shape (n,), class indices."""


@dataclass(frozen=True)
class Carried:
    """A candidate that the model is then asked about."""

    label: int
    words: tuple[str, ...]
    """Folded, in a row as most of the texts have them."""
    surface: str
    """As most of the texts write it."""
    place: WordPlace
    share_of_class: float
    share_of_others: float


def find_carried(pool: Pool, label: int, rng: np.random.Generator) -> list[Carried]:
    """Find what texts of a class carry far more often than others; mostly nothing, sometimes one."""
    own = rng.permutation(np.flatnonzero(pool.truth == label))[:MAX_TEXTS]
    rest = rng.permutation(np.flatnonzero(pool.truth != label))[:MAX_TEXTS]
    if min(len(own), len(rest)) < MIN_TEXTS:
        return []
    held = [words_in(pool.texts[row]) for row in own]
    counts, others = Counter(w for words in held for w in words), Counter[str]()
    for row in rest:
        others.update(words_in(pool.texts[row]))
    leads = {word: n / len(own) - others[word] / len(rest) for word, n in counts.items()}
    ranked = sorted(leads, key=lambda word: (-leads[word], word))
    groups = _grouped([word for word in ranked[:60] if leads[word] >= leads[ranked[0]] / 4], held)
    ordinary = leads[groups[3][0]] if len(groups) > 3 else 0.0
    found = []
    for group in groups[:2]:
        lead, share = leads[group[0]], others[group[0]] / len(rest)
        if lead >= LEAST_SHARE and lead >= LEAST_LEAD * ordinary and share <= MOST_OF_OTHERS:
            texts = [pool.texts[row] for row, words in zip(own, held, strict=True) if group[0] in words]
            found.append(_written(label, group, texts, counts[group[0]] / len(own), share))
    return found


def _grouped(ranked: Sequence[str], held: Sequence[set[str]]) -> list[list[str]]:
    """Put words together that the same texts hold, the first of each group the one that leads most."""
    carriers = {word: {at for at, words in enumerate(held) if word in words} for word in ranked}
    groups: list[list[str]] = []
    for word in ranked:
        mine = carriers[word]
        home = next(
            (g for g in groups if len(mine & carriers[g[0]]) >= ALIKE * max(len(mine), len(carriers[g[0]]))), None
        )
        if home is None:
            groups.append([word])
        elif len(home) < MAX_ALIKE:
            home.append(word)
    return groups


def _written(label: int, group: Sequence[str], texts: Sequence[str], share: float, others: float) -> Carried:
    """Find the longest row of the group's words around the first, how it is written, and where in the texts."""
    wanted = set(group)
    rows: Counter[tuple[str, ...]] = Counter()
    surfaces: dict[tuple[str, ...], Counter[str]] = {}
    for text in texts[:60]:
        cut = spans(text)
        at = next((n for n, span in enumerate(cut) if span.word == group[0]), None)
        if at is None:
            continue
        first = last = at
        while first > 0 and cut[first - 1].word in wanted:
            first -= 1
        while last + 1 < len(cut) and cut[last + 1].word in wanted:
            last += 1
        words = tuple(span.word for span in cut[first : last + 1])
        rows[words] += 1
        surfaces.setdefault(words, Counter())[text[cut[first].start : cut[last].end]] += 1
    words = rows.most_common(1)[0][0] if rows else (group[0],)
    surface = surfaces[words].most_common(1)[0][0] if rows else group[0]
    return Carried(
        label=label,
        words=words,
        surface=surface,
        place=_place(words, texts),
        share_of_class=share,
        share_of_others=others,
    )


def _place(words: Sequence[str], texts: Sequence[str]) -> WordPlace:
    """Tell where it mostly stands."""
    starts = ends = n = 0
    for text in texts[:60]:
        places = places_of(text, words)
        if not places:
            continue
        n += 1
        starts += not any(letter.isalnum() for letter in text[: places[0][0]])
        ends += not any(letter.isalnum() for letter in text[places[-1][1] :])
    if n and ends >= 0.8 * n:
        return "end"
    return "start" if n and starts >= 0.8 * n else "anywhere"
