"""Every format gives back what was written, to the last digit."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from palio import data
from palio.core.cells import boxes_of
from palio.core.records import Box
from tests.data.boxes.writers import WRITERS, Scene, pictures, scene
from tests.data.pictures.albums import write


def read(path: Path, **options: object) -> tuple[data.Source, dict[str, list[Box] | None]]:
    source = data.open_source(path, data.SourceOptions(**options))  # type: ignore[arg-type]
    frame = pl.concat([pl.from_arrow(batch) for batch in source.batches()])  # type: ignore[type-var]
    assert isinstance(frame, pl.DataFrame)
    return source, {
        file: None if cell is None else list(boxes_of(cell)) for file, cell in frame["file", "boxes"].rows()
    }


def same(found: dict[str, list[Box] | None], things: Scene) -> bool:
    if found.keys() != things.keys():
        return False
    for name, wanted in things.items():
        held = found[name]
        if held is None or len(held) != len(wanted):
            return False
        for one, other in zip(held, wanted, strict=True):
            assert one.label == other.label
            assert one.ignored == other.ignored
            assert one.box == pytest.approx(other.box, abs=1e-6, rel=0)
    return True


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("format", WRITERS)
def test_what_a_format_writes_is_read_to_the_last_digit(format: str, seed: int, tmp_path: Path) -> None:
    things, sizes = scene(seed=seed)
    files = pictures(things, sizes) | WRITERS[format](things, sizes)
    source, found = read(write(tmp_path, ["folder", "zip", "tar.gz"][seed], files))
    assert same(found, things), source.notes


@pytest.mark.parametrize("format", WRITERS)
def test_a_file_of_annotation_may_lie_apart_from_its_pictures(format: str, tmp_path: Path) -> None:
    things, sizes = scene()
    album = write(tmp_path, "zip", pictures(things, sizes))
    apart = write(tmp_path, "folder", WRITERS[format](things, sizes))
    files = list(apart.iterdir())
    source, found = read(files[0] if len(files) == 1 else apart, images=str(album))
    assert same(found, things), source.notes
