"""Every family that is built in keeps the contract that a plug-in's author is held to."""

from __future__ import annotations

from palio.core.records import Task
from palio.testing.examples import text_examples
from palio.testing.family import FamilyContract
from palio.train import Examples, Family
from palio.train.table import load_family


class TestDummy(FamilyContract):
    def family(self) -> Family:
        return load_family("dummy")


class TestLinear(FamilyContract):
    def family(self) -> Family:
        return load_family("linear")


class TestForest(FamilyContract):
    def family(self) -> Family:
        return load_family("forest")


class TestLightgbm(FamilyContract):
    def family(self) -> Family:
        return load_family("lightgbm")


class TestWords(FamilyContract):
    def family(self) -> Family:
        return load_family("words")

    def examples(self, task: Task) -> Examples:
        return text_examples(task)


class TestWordsAlone(FamilyContract):
    def family(self) -> Family:
        return load_family("words")

    def examples(self, task: Task) -> Examples:
        return text_examples(task, alone=True)


class TestXgboost(FamilyContract):
    def family(self) -> Family:
        return load_family("xgboost")


class TestCatboost(FamilyContract):
    def family(self) -> Family:
        return load_family("catboost")
