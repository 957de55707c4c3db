"""Records of renewing: the plan to train a challenger, and where it stands. Both are lines of the ledger."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from palio.core.records import Deployment, Metric, Record


class RetrainRequest(Record, frozen=True, kw_only=True):
    """A plan to train a challenger, and why; a line of the ledger."""

    id: str
    model: str
    champion: Deployment
    at: dt.datetime
    by: Literal["policy", "person"] = "policy"
    kind: Literal["refresh", "classes"] = "refresh"
    """`classes`: the set of classes has changed, so a person must approve what comes out."""
    reasons: tuple[str, ...]
    """One sentence each."""
    findings: tuple[str, ...] = ()
    """Identities of the findings behind it."""
    labels_until: dt.datetime
    """Truths received before this are learned from."""
    answered_before: dt.datetime | None = None
    """Rows answered before this are learned from: of later ones, only the labels that come early have come."""
    n_labels: int
    """Ripe labelled rows that the champion has not seen."""
    expected_gain: Metric | None = None
    """Of a retrained model over `horizon_days`, in the currency; None if no value is named."""
    cost: float = 0.0
    """Of the training, in the currency."""
    budget_s: float
    may_lose_earlier: bool = False
    """Whether the world is known to have changed, so that rows of before may be answered worse than they were."""
    release: Literal["promote", "canary"] = "promote"
    """What happens after the gate's yes: live at once, or step by step."""


class Renewal(Record, frozen=True, kw_only=True):
    """Where a request stands; the newest line in the ledger holds."""

    request: str
    status: Literal["planned", "collected", "trained", "judged", "releasing", "released", "refused", "failed"]
    since: dt.datetime
    snapshot: str = ""
    n_rows: int = 0
    """Rows that were added."""
    search: str = ""
    decision: str = ""
    rollout: str = ""
    attempts: int = 0
    """How often it was begun or gone on with."""
    reason: str = ""

    @property
    def is_over(self) -> bool:
        """Whether nothing will happen any more."""
        return self.status in ("released", "refused", "failed")
