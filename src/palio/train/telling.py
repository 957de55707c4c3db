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

FIRST = 2
"""By then the pace of a network is known, and it says its first word; a later one goes on from where it was."""
QUIET_S = 10.0
"""Sentences about epochs are no closer together than this; where they are live, every second."""


@dataclass
class Teller:
    """Turns words of networks into sentences, and into what is live on a terminal."""

    progress: Progress
    metric: str
    _said: dict[int, tuple[int, float]] = field(default_factory=dict)
    """Order → the epoch that was told last, and when."""

    def tell(self, word: Word, family: str, *, is_long: bool) -> None:
        """Say how far it is; of a long training, and of one that goes on, in sentences as well."""
        self.progress.step(f"{family}: {self._now(word)}", word.step, word.n_steps)
        moment = time.monotonic()
        if word.number not in self._said:
            self._said[word.number] = (word.epoch, moment)
            if is_long or word.step > FIRST:
                self.progress.say(_plan(word, family))
        epoch, before = self._said[word.number]
        if is_long and word.epoch > epoch and (moment - before > QUIET_S or word.step == word.n_steps):
            self._said[word.number] = (word.epoch, moment)
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


def _plan(word: Word, family: str) -> str:
    """Say how long it will learn."""
    ends = datetime.now(UTC).astimezone() + timedelta(seconds=word.eta_s)
    goes_on = f", going on at step {word.step + 1:,} of {word.n_steps:,}" if word.step > FIRST else ""
    epochs = counted(word.n_epochs, "epoch", "epochs")
    return f"{family}: {epochs} in about {_span(word.eta_s)}, ends at {ends:%H:%M:%S}{goes_on}."


def sentence_of(candidate: Candidate, metric: str, *, by_rungs: bool = False) -> str:
    """Say how a step of a candidate went."""
    head = f"Trial {candidate.number}, {candidate.family}"
    if candidate.failed or (candidate.was_ended and not candidate.scores):
        is_fault = candidate.failed and not candidate.was_ended and not candidate.asked.get("made")
        return f"{head}: {'failed' if is_fault else 'ended'}, {candidate.reason}."
    mean = candidate.mean()
    told = "–" if mean is None else measure.figure(mean)
    how = "" if candidate.is_whole else " learned from a part of the rows" if by_rungs else " on the first fold"
    if candidate.course is not None:
        how += f" after {counted(len(candidate.course.epochs), 'epoch', 'epochs')}"
    return f"{head}: {metric} {told}{how}, {candidate.seconds:.1f} s."


def _span(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole} s" if whole < 120 else f"{whole // 60} min {whole % 60} s"
