"""Say how steps went, and how far a network is: its plan, what it gained in each epoch, when it will be done."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from palio import measure
from palio.core.progress import Progress
from palio.core.words import counted
from palio.train.orders import Word
from palio.train.race import Candidate

QUIET_S = 10.0
"""Sentences about epochs are no closer together than this; where they are live, every second."""


@dataclass
class Teller:
    """Turns words of networks into sentences, and into what is live on a terminal."""

    progress: Progress
    metric: str
    _said: dict[int, tuple[int, float]] = field(default_factory=dict)
    """Order → the epoch that was told last, and when."""

    def plan(self, word: Word, family: str) -> None:
        """Say once for each order how long it will learn."""
        if word.number in self._said:
            return
        self._said[word.number] = (word.epoch, time.monotonic())
        ends = datetime.now(UTC).astimezone() + timedelta(seconds=word.eta_s)
        when = f"in about {_span(word.eta_s)}, ends at {ends:%H:%M:%S}"
        goes_on = f", going on at step {word.step + 1:,} of {word.n_steps:,}" if word.step else ""
        self.progress.say(f"{family}: {counted(word.n_epochs, 'epoch')} {when}{goes_on}.")

    def tell(self, word: Word, family: str) -> None:
        """Say how far it is."""
        self.progress.step(f"{family}: {self._now(word)}", word.step, word.n_steps)
        epoch, moment = self._said.get(word.number, (0, 0.0))
        if word.epoch > epoch and (time.monotonic() - moment > QUIET_S or word.step == word.n_steps):
            self._said[word.number] = (word.epoch, time.monotonic())
            self.progress.say(f"{family}: {self._now(word)}.")

    def _now(self, word: Word) -> str:
        told = [f"epoch {min(word.epoch, word.n_epochs)} of {word.n_epochs}"]
        if word.loss == word.loss:
            told.append(f"loss {measure.figure(word.loss)}")
        if word.watched is not None:
            told.append(f"held-out loss {measure.figure(word.watched)}")
        if word.score is not None and self.metric != "log_loss":
            told.append(f"{self.metric} {measure.figure(word.score)}")
        return f"{', '.join(told)}, {_span(word.eta_s)} left"


def sentence_of(candidate: Candidate, metric: str, *, by_rungs: bool = False) -> str:
    """Say how a step of a candidate went."""
    head = f"Trial {candidate.number}, {candidate.family}"
    if candidate.failed or (candidate.was_ended and not candidate.scores):
        return f"{head}: {'failed' if candidate.failed and not candidate.was_ended else 'ended'}, {candidate.reason}."
    mean = candidate.mean()
    told = "–" if mean is None else measure.figure(mean)
    how = "" if candidate.is_whole else " learned from a part of the rows" if by_rungs else " on the first fold"
    if candidate.course is not None:
        how += f" after {counted(len(candidate.course.epochs), 'epoch')}"
    return f"{head}: {metric} {told}{how}, {candidate.seconds:.1f} s."


def _span(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole} s" if whole < 120 else f"{whole // 60} min {whole % 60} s"
