"""A project as a person meets it: everything that can be done with it, as methods."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from palio import promote, renew, store
from palio.core import config as settings
from palio.core.records import Check, Decision, Event, Parts, Promotion, Search, Signature, Snapshot
from palio.flow import (
    alerting,
    bundles,
    feedback,
    life_cycle,
    monitoring,
    renewing,
    reporting,
    scoring,
    steps,
    supervising,
)
from palio.flow.opened import Opened

if TYPE_CHECKING:
    from palio.core.monitoring import Delivery, Review
    from palio.evaluate import Assessment
    from palio.flow.feedback import Received
    from palio.flow.scoring import Scored
    from palio.flow.summary import RunSummary
    from palio.flow.supervising import Supervisor
    from palio.model import Bundle
    from palio.renew import Planned, RenewalStanding


class Project(Opened):
    """A project folder that is open. Close it, or use it in a `with` block.

    A verb reads the source once and brings what comes before it up to date; a step whose inputs have not changed is
    skipped, so verbs are cheap to repeat and an interrupted one goes on where it stopped.
    """

    def ingest(self, *, append: Path | str | None = None) -> Snapshot:
        """Read the source (or add the rows of `append`) into a snapshot."""
        return steps.ingest(self) if append is None else steps.append(self, Path(append))

    def split(self) -> Parts:
        """Cut the newest snapshot into train, validation and the sealed test part."""
        return steps.split(self, steps.ingest(self))

    def train(self) -> Search:
        """Search for the best candidate within the budget."""
        return steps.train(self, self.split())

    def evaluate(self, *, why: str = "evaluate") -> Assessment:
        """Open the sealed test part once and score candidate and champion on the same rows."""
        search = steps.candidate(self, self.split())
        return steps.assess(self, search, champion=self.champion, why=why)

    def promote(self, *, release: bool = True) -> Decision:
        """Let the gate decide on the newest candidate, and put it live if it says yes (unless `release` is False)."""
        search = steps.candidate(self, self.split())
        return steps.promote(self, search, release=release)

    def approve(self, decision: str, *, reason: str = "", release: bool = True) -> Decision:
        """Approve a decision that waits for a person, and put its challenger live (unless `release` is False)."""
        return promote.approve(self.store, decision, model=self.name, reason=reason, release=release)

    def rollback(self, *, to: int | None = None, reason: str = "") -> Promotion:
        """Put an earlier champion back."""
        return promote.rollback(self.store, self.name, to=to, reason=reason)

    def plan_renewal(self, *, why: str | None = None) -> Planned:
        """Say whether a renewal would be planned now, by policy or because a person asks; write nothing."""
        return renewing.asked(self, why=why)

    def retrain(self, *, why: str = "", request: str = "") -> RenewalStanding:
        """Renew the champion: add the labelled rows that were served to the data, train, judge, release."""
        return renewing.retrain(self, why=why, request=request)

    def withdraw_renewal(self, *, reason: str = "") -> RenewalStanding:
        """End the renewal that is under way."""
        return renew.withdraw(self.store, self.name, reason=reason)

    def supervise(self, *, may_train: bool = True) -> Supervisor:
        """Watch over the model: rollouts, what was served, renewals. Close it, or use it in a `with` block."""
        return supervising.Supervisor(self, may_train=may_train)

    def run(self, *, started: float | None = None) -> RunSummary:
        """Run the whole cycle; its budget begins at `started` (on `time.monotonic`; None: now)."""
        return life_cycle.run(self, started=started)

    def report(self, *, output: Path | str | None = None) -> Path:
        """Write the report on the newest decision."""
        return reporting.write(self, output=None if output is None else Path(output))

    def predict(
        self,
        file: Path | str,
        output: Path | str,
        *,
        version: int | None = None,
        query: str = "",
        decimal: str = "",
        images: str = "",
        strict: bool = False,
        threshold: float | None = None,
    ) -> Scored:
        """Score a file in streams: one row out per row in, in order; see `palio.flow.scoring.predict`."""
        return scoring.predict(
            self,
            str(file),
            Path(output),
            version=version,
            query=query,
            decimal=decimal,
            images=images,
            strict=strict,
            threshold=threshold,
        )

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
        return feedback.take(self, file, identity=identity, key=key, label=label, at=at, values=values, query=query)

    def tell(self, review: Review) -> tuple[Delivery, ...]:
        """Tell people of the alerts that a review opens, keeps open or closes; see `palio.flow.alerting.tell`."""
        return alerting.tell(self, review)

    def test_alerts(self) -> tuple[Delivery, ...]:
        """Send a test alert over every channel of `[alert]`."""
        return alerting.try_channels(self)

    def monitor(self, *, since: dt.datetime | None = None, window: str = "", segments: Sequence[str] = ()) -> Review:
        """Review what was served; see `palio.flow.monitoring.look`."""
        return monitoring.look(self, since=since, window=window, segments=segments)

    def bundle(self, name: str | int = "champion") -> Bundle:
        """Open a bundle by identity (6 digits are enough), version number or `champion`."""
        return bundles.find(self, str(name))

    def verify(self, name: str = "champion", *, trust: Sequence[str] = ()) -> Sequence[Check]:
        """Check every byte of a bundle, its golden rows against its graph, and that a key of `trust` signed it.

        Without `trust` the keys of `[serve] trust` count; without these nobody need have signed it.
        """
        return bundles.verify(self, name, trust)

    def sign(self, name: str, key: Path | str) -> Signature:
        """Sign a bundle with the private key in a file, and write the signature into the ledger."""
        return bundles.sign(self, name, Path(key))

    def adopt_signatures(self, name: str, folder: Path | str) -> Sequence[Signature]:
        """Write the signatures of an exported folder into the ledger: they were made where the key is."""
        return bundles.adopt_signatures(self, name, Path(folder))

    def export(self, name: str, output: Path | str) -> Path:
        """Write a bundle as a folder."""
        return bundles.export(self, name, Path(output))

    def story(self, events: Sequence[Event] | None = None) -> str:
        """Tell the ledger as a story."""
        return promote.story(self.store.ledger.events() if events is None else events)


def upgrade_store(folder: Path) -> int:
    """Bring the ledger's tables to this version of Palio and return that version."""
    config = settings.load(folder)
    return store.upgrade_store(folder, url=config.store.url)
