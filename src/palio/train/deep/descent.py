"""Take one step downhill, and answer rows: what the device does with a batch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from palio.train.deep.losses import Goal
from palio.train.deep.plan import Material, Network, Plan
from palio.train.examples import Array


class Descent:
    """A network on its device with its optimiser: AdamW, no decay of vectors, a pace for each part.

    Source: Loshchilov and Hutter 2019 (AdamW); Howard and Ruder 2018 (rates that differ by layer).
    """

    def __init__(self, network: Network, goal: Goal, plan: Plan) -> None:
        import torch

        self._torch, self._goal, self._plan = torch, goal, plan
        self.module = network.module.to(plan.device)
        self._is_gpu = plan.device == "cuda"
        self._called = torch.compile(self.module) if plan.compiled and self._is_gpu else self.module
        self._parameters = [one for one in self.module.parameters() if one.requires_grad]
        self.optimiser: Any = self._adamw(network) if self._parameters else None
        self.module.train()  # every layer of it, whatever mode it came in

    def _adamw(self, network: Network) -> Any:
        groups: dict[tuple[float, float], list[Any]] = {}
        for name, one in self.module.named_parameters():
            if one.requires_grad:
                key = (network.pace(name), self._plan.decay if one.ndim > 1 else 0.0)
                groups.setdefault(key, []).append(one)
        listed = [{"params": own, "pace": pace, "weight_decay": decay} for (pace, decay), own in groups.items()]
        return self._torch.optim.AdamW(listed, lr=self._plan.rate, fused=True)

    def step(self, inputs: tuple[Array, ...], aims: Array, counts: Array, *, rate: float) -> tuple[float, bool]:
        """Learn from one batch.

        Returns:
            Its loss, and whether a step was taken: there is none where the loss or a gradient is no number.
        """
        tensors = tuple(self.tensor(one) for one in inputs)
        if not self.module.training:  # answers are given in the other mode; to ask each layer costs time in each step
            self.module.train()
        if self.optimiser is None:
            return float(self._loss(tensors, aims, counts).detach()), True
        self.optimiser.zero_grad(set_to_none=True)
        loss = self._loss(tensors, aims, counts)
        value = float(loss.detach())
        if not math.isfinite(value):
            return value, False
        if loss.requires_grad:
            loss.backward()
            norm = self._torch.nn.utils.clip_grad_norm_(self._parameters, self._plan.clip)
            if not math.isfinite(float(norm)):
                return value, False
            for group in self.optimiser.param_groups:
                group["lr"] = rate * group["pace"]
            self.optimiser.step()
        return value, True

    def memory(self) -> dict[str, Any]:
        """Return a copy of what the optimiser remembers: place of a parameter and name → tensor."""
        if self.optimiser is None:
            return {}
        held = self.optimiser.state_dict()["state"]
        return {f"{place}.{key}": one.clone() for place, own in held.items() for key, one in own.items()}

    def remember(self, memory: dict[str, Any]) -> None:
        """Let the optimiser remember what `memory` returned."""
        if self.optimiser is None:
            return
        parameters = [one for group in self.optimiser.param_groups for one in group["params"]]
        held: dict[int, dict[str, Any]] = {}
        for name, one in memory.items():
            place, _, key = name.partition(".")
            like = parameters[int(place)].detach()  # what belongs to each number must lie as the numbers do
            own = one.clone() if one.shape != like.shape else self._torch.empty_like(like).copy_(one)
            held.setdefault(int(place), {})[key] = own
        self.optimiser.load_state_dict({"state": held, "param_groups": self.optimiser.state_dict()["param_groups"]})

    def _loss(self, tensors: tuple[Any, ...], aims: Array, counts: Array) -> Any:
        with self._torch.autocast("cuda", dtype=self._torch.bfloat16, enabled=self._is_gpu):
            scores = self._called(*tensors)
        return self._goal.loss(scores, self.tensor(aims), self.tensor(counts))

    def tensor(self, array: Array) -> Any:
        """Bring an array to the device."""
        return self._torch.from_numpy(np.ascontiguousarray(array)).to(self._plan.device)


def answer(module: Any, material: Material, rows: Array, *, batch: int = 64, device: str = "cpu") -> Array:
    """Return the scores of rows as they are, shape (n_rows, n_scores), float32."""
    import torch

    module.eval()
    found = []
    with torch.inference_mode():
        for start in range(0, len(rows), batch):
            inputs = material.seen(rows[start : start + batch])
            tensors = [torch.from_numpy(np.ascontiguousarray(one)).to(device) for one in inputs]
            found.append(module(*tensors).float().cpu().numpy())
    return np.concatenate(found) if found else np.zeros((0, 1), np.float32)
