"""Pictures of 10 and 12 bits in files of 16 are not read as nearly black ones without a word."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from palio import data
from palio.core.errors import InputError
from palio.pixels import decoded, look
from tests.data.pictures.albums import picture, write_folder

FORMS = ("PNG", "TIFF")


def light(seed: int, bits: int) -> np.ndarray:
    """Paint a picture that uses all numbers of so many bits."""
    rough = np.random.default_rng(seed).uniform(0, 1, (5, 6))
    soft = np.asarray(Image.fromarray((255 * rough).astype(np.uint8)).resize((60, 50)), float)
    soft = (soft - soft.min()) / np.ptp(soft)
    return np.asarray((soft * (2**bits - 1)).astype(np.uint16))


def deep(seed: int, bits: int, form: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(light(seed, bits)).save(file, form)
    return file.getvalue()


def night(seed: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray((light(seed, 8) // 20).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def in_colour(seed: int, bits: int) -> bytes:
    """Write a PNG file of three colours with 16 bits each, which Pillow cannot."""
    one = np.stack([light(seed + at, bits) for at in range(3)], axis=-1).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in one)
    head = struct.pack(">IIBBBBB", 60, 50, 16, 2, 0, 0, 0)

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    parts = (b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*one) for one in parts)


def album(folder: Path, bits: int, *, n: int = 8, form: str = "PNG") -> Path:
    files = {f"{label}/{at}.{form.lower()}": deep(at + 50 * (label == "dog"), bits, form)
             for label in ("cat", "dog") for at in range(n)}  # fmt: skip
    return write_folder(folder, files)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("bits", "factor"), [(10, 64), (12, 16)])
def test_ten_and_twelve_bits_are_refused_with_what_to_do(tmp_path: Path, form: str, bits: int, factor: int) -> None:
    source = data.open_source(album(tmp_path / "a", bits, form=form))
    with pytest.raises(InputError, match=f"{2**bits - 1:,} of 65,535: they hold {bits} bits") as refused:
        list(source.notes)
    assert f"by {factor}" in (refused.value.hint or "")


def test_colours_are_seen_through_too(tmp_path: Path) -> None:
    files = {f"{label}/{at}.png": in_colour(9 * at + 200 * (label == "dog"), 12) for label in ("cat", "dog")
             for at in range(6)}  # fmt: skip
    with pytest.raises(InputError, match="they hold 12 bits"):
        list(data.open_source(write_folder(tmp_path / "a", files)).notes)
    assert look(in_colour(1, 16)).depth == 16 and decoded(in_colour(1, 16)).max() == 255


@pytest.mark.parametrize("form", FORMS)
def test_fourteen_bits_and_few_pictures_are_told(tmp_path: Path, form: str) -> None:
    notes = data.open_source(album(tmp_path / "a", 14, form=form)).notes
    assert any("16,383 of 65,535: if they hold 14 bits, multiply their numbers by 4" in one for one in notes)
    few = data.open_source(album(tmp_path / "b", 12, n=3, form=form)).notes
    assert any("if they hold 12 bits" in one for one in few)


@pytest.mark.parametrize("form", FORMS)
def test_sixteen_bits_and_eight_are_read_in_silence(tmp_path: Path, form: str) -> None:
    files = {f"cat/{at}.{form.lower()}": deep(at, 16 if at == 3 else 12, form) for at in range(12)}
    files |= {f"dog/{at}.png": picture(at) for at in range(6)}
    notes = data.open_source(write_folder(tmp_path / "a", files)).notes
    assert not any("bits" in one for one in notes)
    assert decoded(deep(0, 16, form)).max() == 255 and look(files["dog/1.png"]).depth == 8
    dark = {f"{label}/{at}.png": night(at + 40 * (label == "dog")) for label in ("cat", "dog") for at in range(6)}
    assert not any("bits" in one for one in data.open_source(write_folder(tmp_path / "b", dark)).notes)
