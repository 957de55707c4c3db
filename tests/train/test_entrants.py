"""Who competes: what is read beside pictures is said."""

from __future__ import annotations

from palio.core.records import Column, Schema
from palio.train.entrants import unread_beside


def test_columns_beside_pictures_that_nobody_reads_are_named() -> None:
    picture, age = Column(name="photo", type="image", missing_allowed=False), Column(name="age", type="number")
    said = unread_beside(Schema(columns=(picture, age)))
    assert "`age`" in said
    assert "`photo`" not in said
    assert unread_beside(Schema(columns=(picture,))) == ""
    assert unread_beside(Schema(columns=(age,))) == ""
