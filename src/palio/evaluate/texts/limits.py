"""Say what was not read of texts, and what was not asked about them."""

from __future__ import annotations

import numpy as np

from palio import model
from palio.core.records import TokenReading, WordReading
from palio.core.words import counted
from palio.evaluate.texts.asking import Asked

MAX_READ = 2_000
"""Judged texts of which it is found out whether they are read to their end."""


def read_in_part(asked: Asked) -> tuple[int, str]:
    """Count the judged texts that go on behind what the model reads of them, and say how much that is.

    Returns:
        How many, of very many by a sample; and `20,000 characters` or `128 tokens`, empty if it reads none of them.
    """
    own = model.input_name(asked.column)
    readings = [one for one in asked.bundle.graph.readings if one.input == own]
    known = [one for one in readings if isinstance(one, WordReading | TokenReading)]
    if not known or not asked.texts:
        return 0, ""
    rows = np.unique(np.linspace(0, len(asked.texts) - 1, min(MAX_READ, len(asked.texts))).astype(int)).tolist()
    n_cut = sum(map(any, zip(*(model.are_cut(one, [asked.texts[row] for row in rows]) for one in known), strict=True)))
    return round(n_cut * len(asked.texts) / len(rows)), _least(known)


def _least(readings: list[WordReading | TokenReading]) -> str:
    tokens = [one.length for one in readings if isinstance(one, TokenReading)]
    if tokens:
        return f"{min(tokens):,} tokens"
    return f"{min(one.most_characters for one in readings if isinstance(one, WordReading)):,} characters"


def unasked(is_searched: bool, n_tries: int, n_classes: int, n_changes: int, n_texts: int) -> tuple[str, ...]:
    """Say what there was no time for.

    Args:
        is_searched: Whether all cues were sought and tried.
        n_tries: Cues that were.
        n_classes: Whose telling words were not.
        n_changes: That were not made.
        n_texts: Of which it is not known what their answer hangs on.
    """
    cues = f"whether it has taken up other cues than the {n_tries:,} tried" if n_tries else "what cues it has taken up"
    return (
        *(() if is_searched else (cues,)),
        *((f"what tells {counted(n_classes, 'class')}",) if n_classes else ()),
        *((f"what {counted(n_changes, 'change')} of the texts would do",) if n_changes else ()),
        *((f"what the answers to {counted(n_texts, 'text')} hang on",) if n_texts else ()),
    )
