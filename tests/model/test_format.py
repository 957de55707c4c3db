"""A bundle of every format that was ever written still opens and answers as it did."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from palio import model
from palio.core.errors import IntegrityError

OLD = Path(__file__).parent / "bundle-format-1"
IDENTITY = "968477123e8557d996cbe2f8c605a858f451aa8868849d18bdce38059aa8b53e"


def test_a_bundle_of_format_1_opens_and_answers_its_golden_rows() -> None:
    bundle = model.open_folder(OLD, expected=IDENTITY)
    assert bundle.manifest.format == 1
    assert all(check.passed for check in model.verify_bundle(bundle))


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
