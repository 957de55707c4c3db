"""Whatever bytes come, they are a picture or an error in words; no process dies of them or grows."""

from __future__ import annotations

import resource
import struct
import subprocess
import sys
import time
import warnings
import zlib
from collections.abc import Callable

import numpy as np
import pytest

from palio.core.errors import InputError
from palio.pixels import Limits, decoded, describe, look
from tests.pixels.files import BAD, GOOD, chunk, jpeg_of_size, png_bomb, png_of

SMALL = Limits(max_pixels=1_000_000)
PLAIN = sorted(name for name in GOOD if len(GOOD[name]) < 20_000)


def _ifd(*entries: tuple[int, int, int, int]) -> bytes:
    packed = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return struct.pack("<H", len(entries)) + packed + bytes(4)


def _tiff(*entries: tuple[int, int, int, int], more: bytes = b"") -> bytes:
    return b"II*\0\x08\0\0\0" + _ifd(*entries) + more


def _swollen_jpeg(marker: int, body: bytes, times: int) -> bytes:
    data = GOOD["jpeg"]
    return data[:2] + (b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body) * times + data[2:]


def _exif_bomb() -> bytes:
    """Make 5,000 notes of a camera that each claim the same 60,000 bytes."""
    notes = _ifd(*((tag, 1, 60_000, 8) for tag in range(1, 5000)))
    return _swollen_jpeg(0xE1, b"Exif\0\0II*\0\x08\0\0\0" + notes, 1)


def _many_scans() -> bytes:
    data = bytearray(GOOD["progressive jpeg"])
    at = data.index(b"\xff\xc2")
    data[at + 5 : at + 9] = struct.pack(">HH", 5000, 5000)
    scan = data.rindex(b"\xff\xda")
    return bytes(data[:scan]) + bytes(data[scan : scan + 14]) * 2000 + bytes(data[scan:])


def _gif_comments() -> bytes:
    data = GOOD["gif"]
    start = 13 + (3 << ((data[10] & 7) + 1))
    return data[:start] + (b"!\xfe" + (b"\xff" + bytes(255)) * 60_000 + b"\0") + data[start:]


SIZES = ((256, 4, 1, 100), (257, 4, 1, 100), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8))
HOSTILE: dict[str, Callable[[], bytes]] = {
    "png of 50,000 × 50,000": png_bomb,
    "jpeg of 65,000 × 65,000": lambda: jpeg_of_size(65_000, 65_000),
    "png with texts of gigabytes": lambda: png_of(
        8, 8, *[chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(20_000_000), 9))] * 30
    ),
    "png with a profile of gigabytes": lambda: png_of(
        8, 8, chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(50_000_000), 9))
    ),
    "png of a million chunks": lambda: png_of(8, 8, *[chunk(b"teXt", b"")] * 1_000_000),
    "png that goes on after its pixels": lambda: png_of(8, 8, rows=bytes(60_000_000)),
    "jpeg of 60,000 comments": lambda: _swollen_jpeg(0xFE, b"x", 60_000),
    "jpeg with 40 MB of notes": lambda: _swollen_jpeg(0xE1, b"Exif\0\0" + bytes(65_000), 600),
    "jpeg with 40 MB of profiles": lambda: _swollen_jpeg(0xE2, b"ICC_PROFILE\0\1\1" + bytes(65_000), 600),
    "jpeg whose notes claim the same bytes": _exif_bomb,
    "jpeg of thousands of scans": _many_scans,
    "gif with 15 MB of comments": _gif_comments,
    "gif of endless frames": lambda: GOOD["animated gif"][:-1] * 20,
    "tiff that claims gigabytes": lambda: _tiff(*SIZES, (279, 4, 500_000_000, 8)),
    "tiff of thousands of tags": lambda: _tiff(*SIZES, *((tag, 1, 4, 8) for tag in range(1000, 9000))),
    "tiff in millions of strips": lambda: _tiff(*SIZES[:-1], (273, 4, 2_000_000, 200), more=bytes(8_000_000)),
    "tiff of endless pages": lambda: _tiff(*SIZES)[:-4] + struct.pack("<I", 8) + bytes(20_000),
    "tiff of huge tiles": lambda: _tiff(
        *SIZES[:-1], (322, 4, 1, 60_000), (323, 4, 1, 60_000), (324, 4, 1, 8), (325, 4, 1, 100), more=bytes(20_000)
    ),
    "bmp of runs": lambda: b"BM" + bytes(12) + struct.pack("<IiiHHI", 40, 7000, 7000, 1, 8, 1) + bytes(2_000_000),
    "bmp upside down and huge": lambda: b"BM" + bytes(12) + struct.pack("<IiiHHI", 40, 2**31 - 1, -(2**31), 1, 24, 0),
    "webp that says it is huge": lambda: b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff" * 6 + bytes(30),
    "half a page of everything": lambda: b"".join(data[:200] for data in GOOD.values()),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_costs_next_to_nothing(name: str) -> None:
    data = HOSTILE[name]()
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    try:
        decoded(data)
    except InputError as error:
        assert error.message.startswith("picture: ")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000, "kilobytes"
    assert time.process_time() - start < 3


def mutant(rng: np.random.Generator) -> bytes:
    """Change, cut, repeat or mix the bytes of good files."""
    data = bytearray(GOOD[PLAIN[rng.integers(len(PLAIN))]])
    for _ in range(rng.integers(1, 4)):
        at = int(min(len(data) - 1, rng.exponential(len(data) / 6 + 20)))
        kind = rng.integers(6)
        if kind == 0:
            data[at] = rng.integers(256)
        elif kind == 1:
            data[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", bytes(4), b"\x7f\xff\xff\xff", b"\0\0\xff\xff"])
        elif kind == 2:
            del data[at : at + int(rng.integers(1, 50))]
        elif kind == 3:
            data[at:at] = data[at : at + int(rng.integers(1, 200))]
        elif kind == 4:
            other = GOOD[PLAIN[rng.integers(len(PLAIN))]]
            data[at : at + 30] = other[at : at + 30]
        else:
            del data[max(8, at) :]
        if not data:
            return b""
    return bytes(data)


def survive(n_mutants: int, seed: int) -> int:
    """Read mutants; return how many were pictures."""
    rng, n_read = np.random.default_rng(seed), 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(n_mutants):
            data = mutant(rng)
            try:
                header = look(data, SMALL)
                assert header.width * header.height <= SMALL.max_pixels
                pixels = decoded(data, limits=SMALL)
            except InputError as error:
                assert error.facts["problem"]
                continue
            assert pixels.shape == (header.height, header.width, 3)
            n_read += 1
    return n_read


def test_mutations_of_files_are_pictures_or_errors(capfd: pytest.CaptureFixture[str]) -> None:
    assert 300 < survive(2_000, seed=0) < 1_700
    assert not capfd.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 5))
def test_no_process_dies_of_a_hundred_thousand_mutations(seed: int) -> None:
    start = f"import tests.pixels.test_hostile as hostile; print(hostile.survive(25_000, {seed}))"
    ended = subprocess.run([sys.executable, "-c", start], capture_output=True, text=True, timeout=600, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert int(ended.stdout) > 1000
    assert not ended.stderr


@pytest.mark.parametrize("name", [*GOOD, *BAD])
def test_a_look_tells_what_decoding_finds(name: str) -> None:
    data = GOOD[name] if name in GOOD else BAD[name][0]
    try:
        described = describe(data)
    except InputError:
        return
    assert described.look == look(data)


def test_a_bomb_is_refused_in_milliseconds() -> None:
    data = png_bomb()
    start = time.process_time()
    with pytest.raises(InputError):
        look(data)
    assert time.process_time() - start < 0.1
