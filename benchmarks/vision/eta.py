"""Hold what networks say of how long they will learn against how long they do.

    palio init PICTURES …                     # and [train] families = ["finetune"], a backbone, budget_s
    python benchmarks/vision/eta.py FOLDER [FOLDER …] [--budget 120]

Each folder is a project whose families learn in epochs, and has not been trained with this budget yet. Every long
training of its search is listed: the seconds that were announced once its pace was known ("3 epochs in about 40 s"),
and those that it took from then on. On a busy machine count seconds as two quiet cores would take them
(`QUIET_CORES=2 PYTHONPATH=benchmarks/automl/quiet:src OMP_NUM_THREADS=2`): the load of others is no fault of a plan.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from palio import flow

LIMIT = 0.15
TRIFLE_S = 2.0
"""Of a shorter training the announced seconds are rounded too far to be held against."""
_PLAN = re.compile(r"(?P<name>[\w ]+): \d+ epochs? in about (?:(?P<minutes>\d+) min )?(?P<seconds>\d+) s")


@dataclass
class Listener:
    """Hears what was announced, and when it was done."""

    open: tuple[str, float, float] | None = None
    """Whose, the seconds announced, and when."""
    found: list[tuple[str, float, float]] = field(default_factory=list)
    """Whose, the seconds announced, and those that it took."""

    def say(self, text: str) -> None:
        """Take note of a plan."""
        print(f"    {text}", flush=True)
        if told := _PLAN.match(text):
            announced = 60.0 * int(told["minutes"] or 0) + int(told["seconds"])
            self.open = told["name"], announced, time.monotonic()

    def step(self, name: str, done: float, total: float | None = None) -> None:
        """Take note of the last step."""
        if self.open is not None and name.startswith(f"{self.open[0]}: ") and done == total:
            self.found.append((self.open[0], self.open[1], time.monotonic() - self.open[2]))
            self.open = None


def main() -> int:
    """Measure, print, and return 1 if a plan did not hold."""
    asked = argparse.ArgumentParser()
    asked.add_argument("folders", nargs="+", type=Path)
    asked.add_argument("--budget", type=float, default=120.0)
    given = asked.parse_args()
    is_broken = False
    for folder in given.folders:
        heard = Listener()
        print(folder.name)
        with flow.Project.open(folder, flags={"train.budget_s": given.budget}, progress=heard) as project:
            project.train()
        if not heard.found:
            print("    no training was announced and came to its end")
            is_broken = True
        for name, announced, took in heard.found:
            off = took / max(announced, 1e-9) - 1
            is_held = abs(off) <= LIMIT or took < TRIFLE_S
            is_broken |= not is_held
            told = f"announced {announced:6.0f} s, took {took:7.1f} s, {100 * off:+5.1f} %"
            print(f"    {name:24} {told} {'' if is_held else '✗'}")
    return int(is_broken)


if __name__ == "__main__":
    sys.exit(main())
