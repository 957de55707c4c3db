"""Naive Bayes keeps the contract of a family."""

from __future__ import annotations

from palio.testing.family import FamilyContract
from palio.train import Family
from palio.train.table import load_family


class TestBayes(FamilyContract):
    def family(self) -> Family:
        return load_family("bayes")
