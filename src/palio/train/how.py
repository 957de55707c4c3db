"""Say how candidates learn: what fits make small, what rows count, and from which probability on a class is said."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from palio.core.errors import InputError
from palio.core.records import Task
from palio.train.examples import Objective
from palio.train.threshold import AIMS, Costs

CLASS_OBJECTIVES = ("log_loss", "focal")
VALUE_OBJECTIVES = ("squared", "absolute", "huber", "quantile", "poisson")


class How(msgspec.Struct, frozen=True, kw_only=True):
    """How candidates learn."""

    objective: Objective = "auto"
    """What fits make small; `auto`: what suits the metric."""
    weight: str = ""
    """Column that says what each row counts when fits learn; scores count every row once."""
    balanced: bool = False
    """Rows of rare classes count more, so that all classes weigh the same."""
    threshold: str = "auto"
    """From which probability on the second of two classes is said: what suits a metric of classes, `cost`, `none` (the
    likelier class), or `auto`: costs if they are known, else the metric if it is one of classes."""
    costs: Costs = Costs()
    backbone: str = ""
    """Pretrained weights that networks start from: a path, or a name on a hub."""
    imported: str = ""
    """Path of a detector that others wrote as ONNX."""
    decode: str = "auto"
    """What its outputs are; `auto`: what labelled pictures show."""
    knows: tuple[str, ...] = ()
    """Names of its classes in its own order; empty: what its file says, or what labelled pictures show."""

    def by_content(self) -> How:
        """Return the same with the content of a file in place of its path: what it is, wherever it lies."""
        path = Path(self.imported)
        if not self.imported or not path.is_file():
            return self
        with path.open("rb") as file:
            return msgspec.structs.replace(self, imported=hashlib.file_digest(file, "sha256").hexdigest())

    @property
    def named(self) -> dict[str, Any]:
        """Return what the user named for the families that take it."""
        return {"backbone": self.backbone, "imported": self.imported, "decode": self.decode, "knows": self.knows}

    def check(self, task: Task) -> None:
        """Refuse what makes no sense for a task.

        Raises:
            InputError: it does not.
        """
        fits = CLASS_OBJECTIVES if task.kind == "classification" else VALUE_OBJECTIVES
        if self.objective not in ("auto", *fits):
            raise InputError(
                f"[train] objective: got `{self.objective}`, for {task.kind} allowed are auto, {', '.join(fits)}",
                hint="leave it at auto to aim at what suits the metric",
            )
        if self.threshold not in ("auto", "none", "cost", *AIMS):
            raise InputError(
                f"[train] threshold: got `{self.threshold}`, allowed are auto, none, cost, {', '.join(AIMS)}",
                hint="leave it at auto",
            )
        if self.threshold == "cost" and not self.costs.known:
            raise InputError(
                "[train] threshold: got `cost`, and it is not known what errors cost",
                hint="give miss_cost and false_alarm_cost under [value]",
            )

    def aim(self, metric: str) -> str:
        """Return what a threshold is chosen for: a metric of classes, `cost`, or `none`."""
        if self.threshold != "auto":
            return self.threshold
        return "cost" if self.costs.known else metric if metric in AIMS else "none"


PLAINLY = How()
