"""Hold what is the same for every trial of a search."""

from __future__ import annotations

from dataclasses import dataclass

from palio import measure
from palio.core.records import Task


@dataclass(frozen=True)
class Terms:
    """What holds for every trial of a search."""

    parts: str
    task: Task
    metric: str
    seed: int
    inputs: str
    """Identity of everything that the outcome of a trial depends on, besides family and settings."""

    @property
    def sign(self) -> float:
        """1 if more of the metric is better, else -1."""
        return 1.0 if measure.METRICS[self.metric].higher_is_better else -1.0

    @property
    def tie_break(self) -> str:
        """The metric that decides near-ties."""
        return measure.questions.of(self.task).tie_break

    @property
    def metrics(self) -> tuple[str, str]:
        """The metric of the search, and the one that decides near-ties."""
        return self.metric, self.tie_break
