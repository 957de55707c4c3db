"""An opened project folder: the ground that every step stands on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec

from palio.core import config as settings
from palio.core.config import Config
from palio.core.ids import digest_of
from palio.core.progress import SILENT, Progress
from palio.core.records import Promotion, Record
from palio.store import Store, open_store

T = TypeVar("T", bound=Record)

AFTER_SHARE, LEAST_AFTER_S, MOST_AFTER_S = 0.05, 1.5, 30.0
"""Of the budget of a whole run so much is left to what follows the search: evaluation, replay at the gate, report."""
LAST_S = 1.0
"""Of these, so much to what follows the evaluation."""


class Opened:
    """A project folder that is open: its settings, its store, who listens, and which steps had nothing to do.

    Close it, or use it in a `with` block.
    """

    def __init__(self, folder: Path, config: Config, store: Store, *, progress: Progress = SILENT) -> None:
        self.folder = folder
        self.config = config
        self.store = store
        self.progress = progress
        self.skipped: list[str] = []
        """Steps whose inputs had not changed."""
        self.warnings: list[str] = []
        """What a person must know who trusts the result, one sentence each."""
        self.ends: float | None = None
        """Moment on `time.monotonic` at which the whole run is to be over; None: each step has its own budget."""

    @classmethod
    def open(
        cls, folder: Path | str = ".", *, flags: Mapping[str, Any] | None = None, progress: Progress = SILENT
    ) -> Self:
        """Open the project in `folder`.

        Raises:
            ConfigError: there is no `palio.toml`, or it holds an unknown key or a wrong value.
            UnavailableError: the store cannot be opened.
        """
        folder = Path(folder)
        config = settings.load(folder, flags=flags)
        store = open_store(folder, url=config.store.url, blobs=config.store.blobs)
        return cls(folder, config, store, progress=progress)

    def close(self) -> None:
        """Release the store."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.config.project.name

    @property
    def champion(self) -> Promotion | None:
        """What is live at this moment."""
        return self.store.promotions.champion(self.name)

    def within(self, budget_s: float) -> Opened:
        """Return the same project with another budget of the search; both share one store."""
        table = msgspec.structs.replace(self.config.train, budget_s=budget_s)
        config = msgspec.structs.replace(self.config, train=table)
        return Opened(self.folder, config, self.store, progress=self.progress)

    def begin(self, started: float | None = None) -> None:
        """Let the budget be that of the whole run, from `started` on."""
        self.ends = (time.monotonic() if started is None else started) + self.config.train.budget_s

    @property
    def after_s(self) -> float:
        """Seconds on a quiet machine that are to be left when a search ends; 0 where it stands alone."""
        budget = self.config.train.budget_s
        return 0.0 if self.ends is None else min(max(AFTER_SHARE * budget, LEAST_AFTER_S), MOST_AFTER_S, 0.3 * budget)

    @property
    def evaluation_s(self) -> float | None:
        """Seconds that are left for an evaluation; None: what it is used to."""
        return None if self.ends is None else max(0.0, self.ends - LAST_S - time.monotonic())

    def skip(self, step: str) -> None:
        """Remember that a step had nothing to do."""
        if step not in self.skipped:
            self.skipped.append(step)

    def warn(self, text: str) -> None:
        """Say what must not go unseen, and keep it for the summary."""
        self.progress.say(f"warning   {text}")
        if text not in self.warnings:
            self.warnings.append(text)

    def once(self, step: str, inputs: Mapping[str, Any], kind: type[T], make: Callable[[], T]) -> T:
        """Return what `step` made of `inputs` before, or make it now and remember it."""
        key = digest_of(inputs)
        known = self.store.steps.get(step, key)
        if known is not None:
            self.skip(step)
            return self.store.records.require(kind, known)
        made = make()
        name = getattr(made, "id", key)
        self.store.records.put(made, key=name)
        self.store.steps.put(step, key, name)
        return made
