"""Keep the state of a fit, so that one that was killed goes on where it was, and ends with the same bits.

Tensors lie in a file of safetensors, which holds numbers and nothing that could run; all else in its header as JSON.
Chance needs no keeping: it begins anew at each step, from the seed and the number of the step.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palio.train.deep.plan import Weights

FORMAT = 1
_STATE, _ROUND = "state.safetensors", "round-{:05d}.safetensors"


@dataclass(frozen=True)
class State:
    """Where a fit is."""

    facts: dict[str, Any]
    """What is not a tensor, as JSON can say it."""
    weights: Weights
    mean: Weights
    optimiser: dict[str, Any]
    """Place of a parameter and name → tensor, e.g. `3.exp_avg`."""


class Keeper:
    """A folder that holds the last state of one fit, and the weights of its rounds.

    What cannot be written, because the disk is full for example, is not kept: a fit goes on without, and `trouble` says
    why.

    Args:
        folder: Made if it is not there.
        every_s: Seconds between two writes, at least.
    """

    def __init__(self, folder: Path, *, every_s: float = 20.0) -> None:
        self._folder, self._every_s = folder, every_s
        self._written = -float("inf")
        self.trouble = ""

    def write(self, state: State, *, fit: str, now: bool = False) -> bool:
        """Keep a state of the fit that is named so, unless the last one was kept a moment ago; tell whether it was."""
        if not now and time.monotonic() - self._written < self._every_s:
            return False
        tensors = {
            f"{part}/{name}": tensor
            for part, tensors in (("weights", state.weights), ("mean", state.mean), ("optimiser", state.optimiser))
            for name, tensor in tensors.items()
        }
        is_kept = self._put(_STATE, tensors, {"fit": fit, "format": str(FORMAT), "facts": json.dumps(state.facts)})
        self._written = time.monotonic()
        return is_kept

    def write_round(self, rounds: int, weights: Weights, *, fit: str) -> None:
        """Keep the weights of a round."""
        self._put(_ROUND.format(rounds), weights, {"fit": fit})

    def read(self, *, fit: str) -> State | None:
        """Return the last state of the fit that is named so; None if there is none that can be read."""
        found = self._get(_STATE, fit)
        if found is None or found[1].get("format") != str(FORMAT):
            return None
        parts: dict[str, dict[str, Any]] = {"weights": {}, "mean": {}, "optimiser": {}}
        for name, tensor in found[0].items():
            part, _, own = name.partition("/")
            parts[part][own] = tensor
        return State(json.loads(found[1]["facts"]), **parts)

    def read_round(self, rounds: int, *, fit: str) -> Weights | None:
        """Return the weights of a round."""
        found = self._get(_ROUND.format(rounds), fit)
        return None if found is None else found[0]

    def forget_round(self, rounds: int) -> None:
        """Take away the weights of a round."""
        (self._folder / _ROUND.format(rounds)).unlink(missing_ok=True)

    def clear(self) -> None:
        """Forget everything: the fit is done."""
        for path in (*self._folder.glob("*.safetensors"), *self._folder.glob("*.safetensors.part")):
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._folder.rmdir()

    def _put(self, name: str, tensors: dict[str, Any], facts: dict[str, str]) -> bool:
        from safetensors.torch import save

        flat = {key: one.detach().to("cpu").contiguous() for key, one in tensors.items()}
        whole = self._folder / name
        part = whole.with_suffix(".safetensors.part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                file.write(save(flat, metadata=facts))
                file.flush()
                os.fsync(file.fileno())
            part.replace(whole)
        except OSError as error:
            self.trouble = (error.strerror or type(error).__name__).lower()
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            return False
        return True

    def _get(self, name: str, fit: str) -> tuple[Weights, dict[str, str]] | None:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(str(self._folder / name), framework="pt") as held:
                facts = dict(held.metadata() or {})
                if facts.get("fit") != fit:
                    return None
                return {key: held.get_tensor(key) for key in held.keys()}, facts  # noqa: SIM118 - no mapping
        except (OSError, SafetensorError):  # not there, or another program's: learning anew is right, if slow
            return None
