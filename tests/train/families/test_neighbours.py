"""The family keeps its contract."""

from __future__ import annotations

from palio.testing.family import FamilyContract
from palio.train import Family
from palio.train.table import load_family


class TestNeighbours(FamilyContract):
    def family(self) -> Family:
        return load_family("neighbours")
