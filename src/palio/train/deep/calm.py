"""Set torch up so that the same seed gives the same bits, and leave it as it was found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from palio.core.errors import UnavailableError
from palio.train.deep.plan import Device
from palio.train.family import calm_threads, n_threads


def torch_there() -> Any:
    """Import torch.

    Raises:
        UnavailableError: it is not installed.
    """
    calm_threads()
    try:
        import torch
    except ImportError:
        raise UnavailableError(
            "deep networks: torch is not installed", hint="pip install 'palio[deep]', or leave their families out"
        ) from None
    return torch


@contextmanager
def calm(device: Device = "cpu") -> Iterator[Any]:
    """Give torch so many threads as a fit may use, and algorithms that always do the same; yield it.

    They are set by their debug mode: the other door to the same switch loads torch's compilers, which takes seconds.
    Memory that is about to be written is not filled beforehand: that only shows faults of torch, and costs time in
    each step.

    Raises:
        UnavailableError: torch, or the device, is not there.
    """
    torch = torch_there()
    if device == "cuda" and not torch.cuda.is_available():
        raise UnavailableError("device `cuda`: torch finds no GPU", hint='set device = "cpu", or check the driver')
    threads, strictness = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    is_filled = torch.utils.deterministic.fill_uninitialized_memory
    with torch.random.fork_rng(devices=range(torch.cuda.device_count()) if device == "cuda" else ()):
        torch.set_num_threads(n_threads())
        torch.set_deterministic_debug_mode("warn")
        torch.utils.deterministic.fill_uninitialized_memory = False
        try:
            yield torch
        finally:
            torch.set_num_threads(threads)
            torch.set_deterministic_debug_mode(strictness)
            torch.utils.deterministic.fill_uninitialized_memory = is_filled


def begin_chance(*what: int) -> None:
    """Let torch's chance begin at a place that the numbers fix, e.g. a seed and a step: it then needs no keeping."""
    import torch

    torch.manual_seed(int(np.random.SeedSequence(what).generate_state(1, np.uint64)[0] >> 1))
