"""A bundle of every format that was ever written still opens and answers as it did."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from palio import measure, model
from palio.core.errors import IntegrityError

OLD = Path(__file__).parent / "bundle-format-1"
IDENTITY = "968477123e8557d996cbe2f8c605a858f451aa8868849d18bdce38059aa8b53e"
SECOND = Path(__file__).parent / "bundle-format-2"
SECOND_IDENTITY = "e42f886cf7928f3faf3f9b86c9ac41940efe59bc9d6e1650381123a7198dabf5"


def test_a_bundle_of_format_1_opens_and_answers_its_golden_rows() -> None:
    bundle = model.open_folder(OLD, expected=IDENTITY)
    assert bundle.manifest.format == 1
    assert all(check.passed for check in model.verify_bundle(bundle))


def test_a_bundle_of_format_2_opens_explains_and_is_watched() -> None:
    bundle = model.open_folder(SECOND, expected=SECOND_IDENTITY)
    task, schema = bundle.manifest.task, bundle.manifest.schema
    assert bundle.manifest.format == 2
    assert all(check.passed for check in model.verify_bundle(bundle))
    reference, rows = bundle.reference(), bundle.reference_rows()
    assert reference is not None and rows is not None
    found = {one.name: one.counts for one in measure.count_rows(reference.columns, rows)}
    assert found == {column.name: column.counts for column in reference.columns}
    made = model.explainer(bundle.graph, schema, bundle.shapes(), classes=task.classes, target=task.target)
    row = {name: cells[:1] for name, cells in bundle.golden().feeds.items()}
    told = made.explain(row, of="yes")
    assert told.base + sum(told.values.values()) == pytest.approx(bundle.graph.predict(row).probabilities[0, 1])
    assert np.ptp(made.typical["amount"][~np.isnan(made.typical["amount"])]) > 1


@pytest.mark.parametrize("folder", [OLD, SECOND])
def test_an_old_bundle_tells_what_its_rows_looked_like(folder: Path) -> None:
    bundle = model.open_folder(folder)
    shapes = {shape.name: shape for shape in bundle.shapes()}
    assert {column.name for column in bundle.manifest.schema.features} <= set(shapes)
    assert len({shape.n_rows for shape in shapes.values()}) == 1


@pytest.mark.parametrize("member", ["model.onnx", "manifest.json", "profile.json", "golden.json", "card.md"])
def test_an_edited_member_is_refused_by_name(tmp_path: Path, member: str) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(OLD, folder)
    path = folder / member
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(IntegrityError) as caught:
        bundle = model.open_folder(folder, expected=IDENTITY)
        _ = bundle.golden(), bundle.shapes(), bundle.card()
    assert member in str(caught.value)
