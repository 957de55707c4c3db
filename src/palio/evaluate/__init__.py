"""How good, how sure, where not: a scored part, its slices and errors, and champion against challenger.

`score` judges a bundle on a frame, `compare` two bundles on the same rows, `assess` does both with one look at the
sealed test part, which no other room can open. Heavy libraries load on the first use of a name.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from palio.evaluate.answers import Answers, answer
    from palio.evaluate.comparison import compare
    from palio.evaluate.gap import judge_gap
    from palio.evaluate.importance import permutation_importance
    from palio.evaluate.leaks import leak_suspect
    from palio.evaluate.scoring import score
    from palio.evaluate.sealed import Assessment, assess, evaluation_budget
    from palio.evaluate.segmenting import Segment, segments

_HOMES = {
    "Answers": "answers",
    "Assessment": "sealed",
    "Segment": "segmenting",
    "answer": "answers",
    "assess": "sealed",
    "compare": "comparison",
    "evaluation_budget": "sealed",
    "judge_gap": "gap",
    "leak_suspect": "leaks",
    "permutation_importance": "importance",
    "score": "scoring",
    "segments": "segmenting",
}

__all__ = [
    "Answers",
    "Assessment",
    "Segment",
    "answer",
    "assess",
    "compare",
    "evaluation_budget",
    "judge_gap",
    "leak_suspect",
    "permutation_importance",
    "score",
    "segments",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
