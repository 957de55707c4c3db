"""Archives are read as they lie, and broken or hostile ones are refused in words."""

from __future__ import annotations

import contextlib
import zipfile
from pathlib import Path

import numpy as np
import pytest

from palio import data
from palio.core.errors import InputError
from palio.data.pictures import albums
from tests.data.pictures.albums import pets, picture, write, write_folder, write_tar, write_zip


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_a_broken_archive_is_refused(kind: str, tmp_path: Path) -> None:
    path = write(tmp_path, kind, pets())
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"broken|cut off|not read"):
        data.open_source(path)


def test_a_broken_file_in_a_whole_archive_is_set_aside(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", pets())
    with zipfile.ZipFile(path) as archive:
        at = archive.getinfo("cats/3.png").header_offset + 60
    data_ = bytearray(path.read_bytes())
    data_[at : at + 20] = bytes(20)
    path.write_bytes(data_)
    found = [row for batch in data.open_source(path).batches() for row in batch.to_pylist() if row["picture.problem"]]
    assert [row["file"] for row in found] == ["cats/3.png"]


def test_a_bomb_of_a_tar_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(albums, "_BOMB_FREE", 1_000_000)
    path = write_tar(tmp_path / "a.tgz", {"zeros.bin": bytes(30_000_000), **pets()})
    with pytest.raises(InputError, match="taken for a bomb"):
        data.open_source(path)


def test_links_are_followed_and_circles_are_not_walked(tmp_path: Path) -> None:
    write_folder(tmp_path / "real", {"1.png": picture(1)})
    album = write_folder(tmp_path / "album", {"dogs/2.png": picture(2)})
    (album / "cats").symlink_to(tmp_path / "real")
    (album / "dogs" / "again").symlink_to(album)
    (album / "dogs" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    found = albums.open_album(album)
    assert sorted(entry.key for entry in found.entries) == ["cats/1.png", "dogs/2.png"]
    assert found.passed_over == {"a link that leads nowhere": 1}


def test_an_archive_of_one_table_is_still_a_table(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "t.zip", {"t.csv": b"a,y\n1,2\n3,4\n"})
    assert data.open_source(path).columns == ("a", "y")


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_mutations_of_an_archive_are_rows_or_an_error(kind: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    whole = write(tmp_path, kind, pets(3)).read_bytes()
    path, n_read = tmp_path / f"b.{kind}", 0
    for _ in range(60):
        data_ = bytearray(whole)
        for at in rng.integers(0, len(whole), rng.integers(1, 6)):
            data_[at] = rng.integers(256)
        if rng.random() < 0.3:
            at = int(rng.integers(len(whole)))
            del data_[at : at + int(rng.integers(1, 400))]
        path.write_bytes(data_)
        with contextlib.suppress(InputError):
            n_read += sum(batch.num_rows for batch in data.open_source(path).batches())
    assert n_read or kind == "tar.gz"
