"""Measure how many pictures a second our training loop teaches, beside a bare loop of torch on the same module.

    python benchmarks/vision/training.py [--backbone FOLDER] [--pictures ZIP] [--epochs 4] [--rows 4096]

Three contests, one thread, in CPU seconds of the process, which a busy machine disturbs less than the clock (`--wall`
takes the clock). Rounds alternate after one that does not count, and the median of the ratios of rounds counts.

Ours is all that `train` does: it names the fit, guards each step, keeps a mean of the weights and states to go
back to. The bare loop changes pictures as ours does, by the same function, row by row; the limits are held against it.
The *plain* one shows them as they are, which is how much of a step the changes take.

    cnn       the small network from nothing
    finetune  a backbone (`--backbone`) whose first half is frozen: ours runs it in ONNX Runtime, the bare loop in torch
    quality   accuracy on held-out pictures of `--pictures` (a zip of class folders) after as many epochs, beside a
              bare loop as fastai sets one up: one cycle of the rate, AdamW, flips and shifts
"""

from __future__ import annotations

import argparse
import copy
import io
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from palio import pixels
from palio.train.deep.backbones import open_backbone
from palio.train.deep.finetuning import finetuning
from palio.train.deep.layers import normalised
from palio.train.deep.loop import train
from palio.train.deep.pictures import Pictures, small_network, statistics_of
from palio.train.deep.places import place_of
from palio.train.deep.plan import Network, Plan

BATCH, ROUNDS, N_CLASSES = 32, 3, 10
LIMITS = {"cnn": 0.9, "finetune": 1.2}
SIZE = 96
Clock = Callable[[], float]
Sides = dict[str, Callable[[], Callable[[], None]]]


def bare(module: Any, material: Any, epochs: int, *, rate: float, changes: bool = True) -> None:
    """Teach a module as a script would: one cycle of the rate, AdamW, cross-entropy."""
    learning = [one for one in module.parameters() if one.requires_grad]
    optimiser = torch.optim.AdamW(learning, lr=rate, weight_decay=0.05)
    n_steps = epochs * (len(material.target) // BATCH)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=n_steps)
    loss_of, rng = torch.nn.CrossEntropyLoss(), np.random.default_rng(0)
    module.train()
    for epoch in range(epochs):
        order = rng.permutation(len(material.target))
        for start in range(0, len(order) - BATCH + 1, BATCH):
            rows = order[start : start + BATCH]
            (values,) = material.learned(rows, epoch) if changes else material.seen(rows)
            optimiser.zero_grad()
            loss_of(
                module(torch.from_numpy(np.ascontiguousarray(values))), torch.from_numpy(material.target[rows])
            ).backward()
            optimiser.step()
            cycle.step()


def ours(network: Network, material: Any, epochs: int, *, rate: float) -> None:
    """Teach by Palio's loop."""
    train(network, material, Plan(epochs=epochs, batch=BATCH, rate=rate, must_fall=0.0), seed=0)


def contest(sides: Sides, n_pictures: int, clock: Clock) -> dict[str, Any]:
    """Return pictures a second of each side in each round; what makes one ready is not counted."""
    pace: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(1 + ROUNDS):
        for name, ready in sides.items():
            run = ready()
            started = clock()
            run()
            pace[name].append(n_pictures / (clock() - started))
    return {name: np.array(each[1:]) for name, each in pace.items()}


def of_cnn(shown: Any, target: Any, epochs: int, clock: Clock) -> dict[str, Any]:
    """Let both teach the small network."""
    material = Pictures(shown, target)

    def fresh() -> Any:
        return small_network(N_CLASSES, statistics=statistics_of(shown))

    def mine() -> Callable[[], None]:
        network = Network(fresh(), N_CLASSES)
        return lambda: ours(network, material, epochs, rate=1e-2)

    def theirs(*, changes: bool) -> Callable[[], None]:
        module = fresh()
        return lambda: bare(module, material, epochs, rate=1e-2, changes=changes)

    return contest(_sides(mine, theirs), epochs * len(target), clock)


def of_backbone(folder: Path, shown: Any, target: Any, epochs: int, clock: Clock) -> dict[str, Any]:
    """Let both teach the second half of a backbone."""
    backbone = open_backbone(place_of(str(folder)), size=SIZE)
    freeze = len(backbone.blocks) // 2
    material = Pictures(np.stack([pixels.fit(one, size=SIZE, fit="squash") for one in shown]), target)
    front = finetuning(backbone, N_CLASSES, freeze=freeze).front

    def mine() -> Callable[[], None]:
        own = finetuning(backbone, N_CLASSES, freeze=freeze, front=front)
        rows = own.material(material)
        return lambda: ours(own.network, rows, epochs, rate=3e-4)

    def theirs(*, changes: bool) -> Callable[[], None]:
        blocks = [copy.deepcopy(one).requires_grad_(at >= freeze) for at, one in enumerate(backbone.blocks)]
        head = torch.nn.Linear(backbone.n_features, N_CLASSES)
        whole = torch.nn.Sequential(normalised(backbone.mean, backbone.std), *blocks, head)
        whole = whole.to(memory_format=torch.channels_last)
        return lambda: bare(whole, material, epochs, rate=3e-4, changes=changes)

    return contest(_sides(mine, theirs), epochs * len(target), clock)


def _sides(mine: Callable[[], Callable[[], None]], theirs: Callable[..., Callable[[], None]]) -> Sides:
    return {"palio": mine, "bare": lambda: theirs(changes=True), "plain": lambda: theirs(changes=False)}


def of_quality(shown: Any, target: Any, n_held: int, epochs: int) -> dict[str, tuple[float, float]]:
    """Return accuracy on held-out rows and CPU seconds of each side."""
    learned, held = Pictures(shown[n_held:], target[n_held:]), Pictures(shown[:n_held], target[:n_held])
    found = {}
    for name in ("palio", "bare"):
        torch.manual_seed(0)
        module = small_network(int(target.max()) + 1, statistics=statistics_of(shown[n_held:]))
        started = time.process_time()
        if name == "palio":
            ours(Network(module, int(target.max()) + 1), learned, epochs, rate=1e-2)
        else:
            bare(module, learned, epochs, rate=1e-2)
        spent = time.process_time() - started
        module.eval()
        with torch.no_grad():
            said = module(torch.from_numpy(held.seen(np.arange(n_held))[0])).argmax(dim=1).numpy()
        found[name] = float((said == held.target).mean()), spent
    return found


def album(path: Path) -> tuple[Any, Any]:
    """Read a zip of class folders at 32 pixels, in an order drawn once."""
    with zipfile.ZipFile(path) as opened:
        names = [name for name in opened.namelist() if name.lower().endswith((".png", ".jpg"))]
        kinds = sorted({Path(name).parent.name for name in names})
        read = (Image.open(io.BytesIO(opened.read(name))).convert("RGB").resize((32, 32)) for name in names)
        shown = np.stack([np.asarray(one) for one in read])
    target = np.array([kinds.index(Path(name).parent.name) for name in names])
    order = np.random.default_rng(0).permutation(len(names))
    return shown[order], target[order]


def main() -> int:
    """Run the contests, and tell whether a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backbone", type=Path)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rows", type=int, default=4096)
    parser.add_argument("--wall", action="store_true", help="seconds of the clock, on a quiet machine")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    shown = rng.integers(0, 256, (asked.rows, 32, 32, 3), dtype=np.uint8)
    target = rng.integers(0, N_CLASSES, asked.rows)
    clock = time.perf_counter if asked.wall else time.process_time
    contests = {"cnn": of_cnn(shown, target, 2, clock)}
    if asked.backbone:
        half = asked.rows // 2
        contests["finetune"] = of_backbone(asked.backbone, shown[:half], target[:half], 2, clock)
    broken = False
    for name, each in contests.items():
        ratio, plain = (float(np.median(each["palio"] / each[other])) for other in ("bare", "plain"))
        broken |= ratio < LIMITS[name]
        told = ", ".join(f"{side} {np.median(pace):.1f}" for side, pace in each.items())
        print(f"{name}: {told} pictures a {'' if asked.wall else 'CPU '}s: {ratio:.2f} of the bare loop", end=" ")
        print(f"(limit {LIMITS[name]}), {plain:.2f} of the plain one", flush=True)
    if asked.pictures:
        shown, target = album(asked.pictures)
        for name, (right, spent) in of_quality(shown, target, len(target) // 6, asked.epochs).items():
            print(f"quality: {name} {right:.3f} after {asked.epochs} epochs in {spent:.0f} CPU s", flush=True)
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
