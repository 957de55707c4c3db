"""An opened project: its settings, its store, and the verbs as methods."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from palio.core import config as settings
from palio.core.config import Config
from palio.core.progress import SILENT, Progress
from palio.core.records import Check, Decision, Event, Parts, Promotion, Search, Signature, Snapshot
from palio.store import Store, open_store

if TYPE_CHECKING:
    from palio.core.monitoring import Delivery, Review
    from palio.evaluate import Assessment
    from palio.flow.feedback import Received
    from palio.flow.scoring import Scored
    from palio.flow.summary import RunSummary
    from palio.flow.supervising import Supervisor
    from palio.model import Bundle
    from palio.renew import Planned, RenewalStanding


class Project:
    """A project folder that is open. Close it, or use it in a `with` block.

    A verb first brings its predecessors up to date; a step whose inputs have not changed is skipped, so verbs are
    cheap to repeat and an interrupted one goes on where it stopped.
    """

    def __init__(self, folder: Path, config: Config, store: Store, *, progress: Progress = SILENT) -> None:
        self.folder = folder
        self.config = config
        self.store = store
        self.progress = progress
        self.skipped: list[str] = []
        self.done: set[str] = set()

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

    def skip(self, step: str) -> None:
        """Remember that a step had nothing to do, unless it was done since the project was opened."""
        if step not in self.skipped and step not in self.done:
            self.skipped.append(step)

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.config.project.name

    def ingest(self, *, append: Path | str | None = None) -> Snapshot:
        """Read the source (or add the rows of `append`) into a snapshot."""
        from palio.flow import steps

        return steps.append(self, Path(append)) if append is not None else steps.ingest(self)

    def split(self) -> Parts:
        """Cut the newest snapshot into train, validation and the sealed test part."""
        from palio.flow import steps

        return steps.split(self)

    def train(self) -> Search:
        """Search for the best candidate within the budget."""
        from palio.flow import steps

        return steps.train(self)

    def evaluate(self, *, why: str = "evaluate") -> Assessment:
        """Open the sealed test part once and score candidate and champion on the same rows."""
        from palio.flow import steps

        return steps.evaluate(self, why=why)

    def promote(self, *, release: bool = True) -> Decision:
        """Let the gate decide on the newest candidate, and put it live if it says yes (unless `release` is False)."""
        from palio.flow import steps

        return steps.promote(self, release=release)

    def approve(self, decision: str, *, reason: str = "", release: bool = True) -> Decision:
        """Approve a decision that waits for a person, and put its challenger live (unless `release` is False)."""
        from palio import promote

        return promote.approve(self.store, decision, model=self.name, reason=reason, release=release)

    def rollback(self, *, to: int | None = None, reason: str = "") -> Promotion:
        """Put an earlier champion back."""
        from palio import promote

        return promote.rollback(self.store, self.name, to=to, reason=reason)

    def plan_renewal(self, *, why: str | None = None) -> Planned:
        """Say whether a renewal would be planned now, by policy or because a person asks; write nothing."""
        from palio.flow import renewing

        return renewing.asked(self, why=why)

    def retrain(self, *, why: str = "", request: str = "") -> RenewalStanding:
        """Renew the champion: add the labelled rows that were served to the data, train, judge, release."""
        from palio.flow import renewing

        return renewing.retrain(self, why=why, request=request)

    def withdraw_renewal(self, *, reason: str = "") -> RenewalStanding:
        """End the renewal that is under way."""
        from palio import renew

        return renew.withdraw(self.store, self.name, reason=reason)

    def supervise(self, *, may_train: bool = True) -> Supervisor:
        """Watch over the model: rollouts, what was served, renewals. Close it, or use it in a `with` block."""
        from palio.flow import supervising

        return supervising.Supervisor(self, may_train=may_train)

    def run(self) -> RunSummary:
        """Run the whole cycle."""
        from palio.flow import life_cycle

        return life_cycle.run(self)

    def report(self, *, output: Path | str | None = None) -> Path:
        """Write the report on the newest decision."""
        from palio.flow import reporting

        return reporting.write(self, output=None if output is None else Path(output))

    def predict(
        self, file: Path | str, output: Path | str, *, version: int | None = None, query: str = "", strict: bool = False
    ) -> Scored:
        """Score a file in streams: one row out per row in, in order; see `palio.flow.scoring.predict`."""
        from palio.flow import scoring

        return scoring.predict(self, str(file), Path(output), version=version, query=query, strict=strict)

    def feedback(
        self,
        file: str,
        *,
        identity: str = "",
        key: str = "",
        label: str = "",
        at: str = "",
        values: Sequence[str] = (),
        query: str = "",
    ) -> Received:
        """Take the truths in a file about rows that were answered; see `palio.flow.feedback.take`."""
        from palio.flow import feedback

        return feedback.take(self, file, identity=identity, key=key, label=label, at=at, values=values, query=query)

    def tell(self, review: Review) -> tuple[Delivery, ...]:
        """Tell people of the alerts that a review opens, keeps open or closes; see `palio.flow.alerting.tell`."""
        from palio.flow import alerting

        return alerting.tell(self, review)

    def test_alerts(self) -> tuple[Delivery, ...]:
        """Send a test alert over every channel of `[alert]`."""
        from palio.flow import alerting

        return alerting.try_channels(self)

    def monitor(self, *, since: dt.datetime | None = None, window: str = "", segments: Sequence[str] = ()) -> Review:
        """Review what was served; see `palio.flow.monitoring.look`."""
        from palio.flow import monitoring

        return monitoring.look(self, since=since, window=window, segments=segments)

    def bundle(self, name: str | int = "champion") -> Bundle:
        """Open a bundle by identity (6 digits are enough), version number or `champion`."""
        from palio.flow import bundles

        return bundles.find(self, str(name))

    def verify(self, name: str = "champion", *, trust: Sequence[str] = ()) -> Sequence[Check]:
        """Check every byte of a bundle, its golden rows against its graph, and that a key of `trust` signed it.

        Without `trust` the keys of `[serve] trust` count; without these nobody need have signed it.
        """
        from palio.flow import bundles

        return bundles.verify(self, name, trust)

    def sign(self, name: str, key: Path | str) -> Signature:
        """Sign a bundle with the private key in a file, and write the signature into the ledger."""
        from palio.flow import bundles

        return bundles.sign(self, name, Path(key))

    def adopt_signatures(self, name: str, folder: Path | str) -> Sequence[Signature]:
        """Write the signatures of an exported folder into the ledger: they were made where the key is."""
        from palio.flow import bundles

        return bundles.adopt_signatures(self, name, Path(folder))

    def export(self, name: str, output: Path | str) -> Path:
        """Write a bundle as a folder."""
        from palio.flow import bundles

        return bundles.export(self, name, Path(output))

    def story(self, events: Sequence[Event] | None = None) -> str:
        """Tell the ledger as a story."""
        from palio import promote

        return promote.story(self.store.ledger.events() if events is None else events)


def upgrade_store(folder: Path) -> int:
    """Bring the ledger's tables to this version of Palio and return that version."""
    from palio import store

    config = settings.load(folder)
    return store.upgrade_store(folder, url=config.store.url)
