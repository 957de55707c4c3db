"""The card says what a person should know, and nothing in the data breaks its form."""

from __future__ import annotations

from typing import Any

from palio.core.records import Column, Manifest, Parity, Schema, Task
from palio.model.bundle.card import write_card


def manifest(**changes: Any) -> Manifest:
    fields: dict[str, Any] = {
        "format": 1,
        "task": Task(kind="classification", target="y", classes=("no", "yes"), positive="yes"),
        "schema": Schema(
            columns=(
                Column(name="age", type="integer", low=18, high=95),
                Column(name="job", type="category", categories=tuple(f"job {i}" for i in range(12))),
                Column(name="duration", type="number", feature=False, note="known only after the call"),
                Column(name="y", type="category", feature=False),
            ),
            target="y",
        ),
        "inputs": (),
        "outputs": (),
        "family": "lightgbm",
        "params": {},
        "seed": 3,
        "n_parameters": 1234,
        "snapshot": "a" * 64,
        "parts": "b" * 64,
        "trained_on": ("train", "validation"),
        "metrics": {"validation": {"roc_auc": 0.81234}, "train": {"roc_auc": 0.9, "f1": 0.5}},
        "parity": (
            Parity(path="library and graph", rows=99, max_abs_diff=2e-16, n_label_diffs=0, tolerance=1e-9, passed=True),
        ),
        "versions": {"palio": "0.1.0"},
        "files": {},
    }
    return Manifest(**{**fields, **changes})


def test_the_card_tells_task_data_metrics_columns_and_limits() -> None:
    card = write_card(manifest(), n_rows=45211)
    for text in (
        "# Predicts `y`",
        "class of interest is `yes`",
        "45,211 rows",
        "| metric | train | validation |",
        "| f1 | 0.5 | – |",
        "| roc_auc | 0.9 | 0.8123 |",
        "| age | integer | 18 to 95 | allowed |",
        "job 7 and 4 more",
        "`duration` is not read: known only after the call.",
        "library and graph agree on 99 rows; largest difference 2.0e-16",
    ):
        assert text in card


def test_a_regressor_answers_a_number() -> None:
    card = write_card(manifest(task=Task(kind="regression", target="y"), metrics={}), n_rows=1)
    assert "Answers a number." in card


def test_names_from_the_data_cannot_break_the_table_or_write_html() -> None:
    schema = Schema(columns=(Column(name="a|b`\n<script>", type="category", categories=("<b>",)),))
    card = write_card(manifest(schema=schema), n_rows=1)
    assert "<script>" not in card
    assert "<b>" not in card
    assert all(line.count("|") == 5 for line in card.splitlines() if line.startswith("| a"))
