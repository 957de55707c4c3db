"""Files of pictures as strangers send them: of every format, kind and damage."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

SCENE = (60, 40)


def scene(width: int = SCENE[0], height: int = SCENE[1], *, seed: int = 0) -> Image.Image:
    """Paint something with edges, gradients and a little noise; its corners have four different colours."""
    rng = np.random.default_rng(seed)
    down, across = np.mgrid[0:height, 0:width]
    pixels = np.stack([across * 160 // width + 40, down * 160 // height + 40, (across + down) % 100 + 60], axis=-1)
    pixels[: height // 4, : width // 4] = (230, 30, 30)
    pixels[-(height // 4) :, -(width // 4) :] = (30, 30, 230)
    pixels[: height // 4, -(width // 4) :] = (30, 230, 30)
    return Image.fromarray((pixels + rng.integers(0, 9, pixels.shape)).clip(0, 255).astype(np.uint8))


def soft(seed: int) -> Image.Image:
    """Paint large soft shapes, as pictures of the world have them."""
    rough = np.random.default_rng(seed).integers(0, 256, (6, 7, 3)).astype(np.uint8)
    return Image.fromarray(rough).resize((140, 120), Image.Resampling.BICUBIC)


def saved(image: Image.Image, format: str, **settings: Any) -> bytes:
    file = BytesIO()
    image.save(file, format, **settings)
    return file.getvalue()


def turned(orientation: int, format: str = "JPEG") -> bytes:
    """Save a picture as a camera does that was held in one of eight ways: shown right, it is `scene()` again."""
    undo = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]
    image = scene() if undo is None else scene().transpose(Image.Transpose(undo))
    exif = Image.Exif()
    exif[0x0112] = orientation
    settings: dict[str, Any] = {"quality": 95, "subsampling": 0} if format == "JPEG" else {}
    if format == "TIFF":
        tags = ImageFileDirectory_v2()
        tags[274] = orientation
        return saved(image, format, tiffinfo=tags)
    if format == "WEBP":
        settings = {"lossless": True}
    return saved(image, format, exif=exif, **settings)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_of(width: int, height: int, *between: bytes, rows: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(rows or bytes(1000)))
    return b"".join([b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), *between, pixels, chunk(b"IEND", b"")])


def png_bomb(side: int = 50_000) -> bytes:
    packer = zlib.compressobj(9)
    rows = b"".join([*(packer.compress(bytes(1 << 20)) for _ in range(20)), packer.flush()])
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"".join([b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), chunk(b"IDAT", rows), chunk(b"IEND", b"")])


def jpeg_of_size(width: int, height: int) -> bytes:
    """Return a JPEG file whose header promises another size than its scan holds."""
    data = saved(scene(), "JPEG")
    at = data.index(b"\xff\xc0")
    return data[: at + 5] + struct.pack(">HH", height, width) + data[at + 9 :]


def palette_with_hole() -> bytes:
    image = scene().quantize(16)
    return saved(image, "PNG", transparency=image.getpixel((0, 0)))


def animated(format: str, n_frames: int = 5, **settings: Any) -> bytes:
    frames = [scene(seed=seed).rotate(10 * seed) for seed in range(n_frames)]
    return saved(frames[0], format, save_all=True, append_images=frames[1:], **settings)


GOOD = {
    "jpeg": saved(scene(), "JPEG", quality=92),
    "progressive jpeg": saved(scene(), "JPEG", quality=92, progressive=True),
    "grey jpeg": saved(scene().convert("L"), "JPEG", quality=92),
    "cmyk jpeg": saved(scene().convert("CMYK"), "JPEG", quality=92),
    "mpo": animated("MPO", 2),
    "jpeg and zip": saved(scene(), "JPEG", quality=92) + b"PK\x03\x04" + bytes(100) + b"<svg><script>",
    "png": saved(scene(), "PNG"),
    "grey png": saved(scene().convert("L"), "PNG"),
    "palette png": saved(scene().quantize(64), "PNG"),
    "bilevel png": saved(scene().convert("1"), "PNG"),
    "rgba png": saved(scene().convert("RGBA"), "PNG"),
    "grey png with alpha": saved(scene().convert("LA"), "PNG"),
    "palette png with a hole": palette_with_hole(),
    "16-bit png": saved(Image.fromarray(np.asarray(scene().convert("L")).astype(np.uint16) * 257), "PNG"),
    "animated png": animated("PNG"),
    "webp": saved(scene(), "WEBP", lossless=True),
    "lossy webp": saved(scene(), "WEBP", quality=90),
    "rgba webp": saved(scene().convert("RGBA"), "WEBP", lossless=True),
    "animated webp": animated("WEBP", lossless=True),
    "gif": saved(scene(), "GIF"),
    "animated gif": animated("GIF"),
    "bmp": saved(scene(), "BMP"),
    "palette bmp": saved(scene().quantize(64), "BMP"),
    "tiff": saved(scene(), "TIFF"),
    "tiff packed": saved(scene(), "TIFF", compression="tiff_lzw"),
    "tiff deflated": saved(scene(), "TIFF", compression="tiff_adobe_deflate"),
    "tiff with jpeg": saved(scene(), "TIFF", compression="jpeg", quality=95),
    "tiff of pages": animated("TIFF"),
    "bilevel tiff": saved(scene().convert("1"), "TIFF", compression="group4"),
    "16-bit tiff": saved(Image.fromarray(np.asarray(scene().convert("L")).astype(np.uint16) * 257), "TIFF"),
    "cmyk tiff": saved(scene().convert("CMYK"), "TIFF"),
}
"""Files that show `scene()`, some without colours."""

BAD = {
    "empty": (b"", "empty"),
    "blanks": (b" \n" * 50, "not a picture"),
    "zeros": (bytes(1000), "not a picture"),
    "text": (b"dear diary, today I was no picture", "not a picture"),
    "page": (b"<!doctype html><html><img src=a.jpg></html>", "not a picture"),
    "svg": (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "format"),
    "pdf": (b"%PDF-1.7\n" + bytes(100), "format"),
    "icon": (saved(scene(), "ICO"), "format"),
    "avif by name": (b"\0\0\0\x1cftypavif" + bytes(100), "format"),
    "jpeg cut in its pixels": (GOOD["jpeg"][: len(GOOD["jpeg"]) // 2], "truncated"),
    "jpeg cut in its header": (GOOD["jpeg"][:100], "truncated"),
    "png cut": (GOOD["png"][: len(GOOD["png"]) // 2], "truncated"),
    "webp cut": (GOOD["webp"][: len(GOOD["webp"]) // 2], "truncated"),
    "gif cut": (GOOD["gif"][: len(GOOD["gif"]) // 2], "truncated"),
    "bmp cut": (GOOD["bmp"][: len(GOOD["bmp"]) // 2], "truncated"),
    "tiff cut": (GOOD["tiff"][: len(GOOD["tiff"]) // 2], "truncated"),
    "png bomb": (png_bomb(), "too large"),
    "jpeg bomb": (jpeg_of_size(65_000, 65_000), "too large"),
    "gif bomb": (GOOD["gif"][:6] + b"\xff\xff\xff\xff" + GOOD["gif"][10:], "too large"),
    "tiff of fractions": (saved(Image.fromarray(np.ones((9, 9), np.float32)), "TIFF"), "format"),
    "tiff of signed numbers": (saved(Image.fromarray(np.ones((9, 9), np.int32)), "TIFF"), "format"),
}
"""Files that are refused, and for which problem."""
