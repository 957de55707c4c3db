"""Albums of small pictures, as people have them: in folders and archives, with what else lies about in them."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

from tests.pixels.files import saved, soft

Files = Mapping[str, bytes]


def picture(seed: int) -> bytes:
    return saved(soft(seed).resize((35, 30)), "PNG")


def pets(n: int = 8, *, parts: bool = False) -> dict[str, bytes]:
    """Make a folder of cats and one of dogs, perhaps below train and val; the last pictures are validated."""
    files = {}
    for at in range(n):
        for label, seed in (("cats", at), ("dogs", 100 + at)):
            part = ("train/" if at < n - 2 else "val/") if parts else ""
            files[f"{part}{label}/{at + 1}.png"] = picture(seed)
    return files


def write_folder(place: Path, files: Files) -> Path:
    for key, data in files.items():
        path = place / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return place


def write_zip(path: Path, files: Files) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for key, data in files.items():
            archive.writestr(key, data)
    return path


def write_tar(path: Path, files: Files) -> Path:
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive:
        for key, data in files.items():
            member = tarfile.TarInfo(key)
            member.size = len(data)
            archive.addfile(member, BytesIO(data))
    return path


def write(where: Path, kind: str, files: Files) -> Path:
    if kind == "folder":
        return write_folder(where / "album", files)
    return write_zip(where / "album.zip", files) if kind == "zip" else write_tar(where / f"album.{kind}", files)
