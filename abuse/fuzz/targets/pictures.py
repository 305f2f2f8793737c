"""Image files gone wrong, under any extension, and ones that would fill the memory."""

import io
import struct
import zlib
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from abuse.fuzz.judging import Target
from abuse.fuzz.targets.drawing import mostly, spoiled
from peta_viz.errors import UnreadableImageError
from peta_viz.images import (
    EXTENSIONS,
    load_batch,
    open_rgb,
    open_thumbnail,
    problems_of,
    read_rgb,
    read_size,
)
from peta_viz.loader import ImageLoader

_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000")
_STRANGE = ("ICO", "TGA", "PCX", "ICNS", "EPS")
_SUFFIXES = (*sorted(EXTENSIONS), ".gif", ".txt", "")
_LEGAL = 100_000_000
_SIDES = (1, 9_999, 10_000, 10_001, 20_000, 50_000)
_MODES = ("1", "L", "P", "RGB", "RGBA", "I", "I;16", "F", "CMYK", "LA")


def image(folder: Path) -> Target:
    """Look at a file in every way there is; its first byte says under which extension."""
    seeds, strange = (
        [bytes([n % len(_SUFFIXES)]) + data for n, data in enumerate(_pictures(formats))]
        for formats in (_FORMATS, _STRANGE)
    )

    def run(data: bytes) -> Sequence[str]:
        file = folder / f"a{_SUFFIXES[data[0] % len(_SUFFIXES)] if data else ''}"
        file.write_bytes(data[1:])
        return _look(file, data[1:])

    cases = mostly(spoiled(seeds), spoiled(strange))
    return Target(cases, run, read=bytes, seeds=[*seeds, *strange])


def bomb(folder: Path) -> Target:
    """Look at files of a few bytes that say they are huge, and at real ones just small enough."""
    kinds = st.sampled_from(
        ["png", "png, header alone", "jpeg", "tiff", "bmp", "ico", "gif", "array"]
    )
    cases = st.tuples(
        kinds, st.sampled_from(_MODES), st.sampled_from(_SIDES), st.sampled_from(_SIDES)
    )

    def run(case: tuple[str, str, int, int]) -> Sequence[str]:
        kind, mode, width, height = case
        if kind == "array":
            problem = ImageLoader(np.broadcast_to(np.uint8(0), (height, width, 3))).problem
            return [problem] if problem else []
        data = _huge(kind, mode, width, height)
        file = folder / "a.png"
        file.write_bytes(data)
        return _look(file, data)

    return Target(cases, run)


def _look(file: Path, data: bytes) -> Sequence[str]:
    ways = (
        lambda: read_size(file),
        lambda: read_rgb(file),
        lambda: open_rgb(data, (7, 9)),
        lambda: open_thumbnail(file, 40),
        lambda: open_rgb(io.BytesIO(data), (64, 128)),
        lambda: ImageLoader(file).jpeg(64),
    )
    told = []
    for way in ways:
        try:
            way()
        except UnreadableImageError as error:
            if not error.reason:
                raise
            told.append(error.reason)
    load_batch([str(file)], (5, 5))
    return [*filter(None, problems_of([str(file)])), *told]


def _huge(kind: str, mode: str, width: int, height: int) -> bytes:
    if "png" in kind or kind == "ico":
        png = _huge_png(mode, width, height, pixels="header" not in kind)
        if kind != "ico":
            return png
        return struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, len(png), 22) + png
    small = Image.new(mode if mode in ("1", "L", "RGB") else "L", (8, 8))
    buffer = io.BytesIO()
    small.save(buffer, kind)
    data = bytearray(buffer.getvalue())
    if kind == "jpeg":
        at = data.index(b"\xff\xc0") + 5
        data[at : at + 4] = struct.pack(">HH", min(height, 65_535), min(width, 65_535))
    elif kind == "bmp":
        data[18:26] = struct.pack("<ii", width, height)
    elif kind == "gif":
        data[6:10] = struct.pack("<HH", width, height)
    else:
        _set_tiff_size(data, width, height)
    return bytes(data)


def _huge_png(mode: str, width: int, height: int, *, pixels: bool) -> bytes:
    kinds = {"1": (1, 0, 1), "RGB": (8, 2, 3), "RGBA": (8, 6, 4), "I;16": (16, 0, 1)}
    deep, colour, channels = kinds.get(mode, (8, 0, 1))
    parts = [_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, deep, colour, 0, 0, 0))]
    count = height * (1 + (width * deep * channels + 7) // 8)
    if width * height > _LEGAL:  # nobody gets so far as to miss the others
        count = min(count, 1 << 20)
    if pixels:
        parts.append(_chunk(b"IDAT", _zeros(count)))
    return b"".join([b"\x89PNG\r\n\x1a\n", *parts, _chunk(b"IEND", b"")])


def _set_tiff_size(data: bytearray, width: int, height: int) -> None:
    start = struct.unpack("<I", data[4:8])[0]
    for entry in range(struct.unpack("<H", data[start : start + 2])[0]):
        at = start + 2 + 12 * entry
        tag = struct.unpack("<H", data[at : at + 2])[0]
        if tag in (256, 257):
            data[at + 2 : at + 12] = struct.pack("<HII", 4, 1, (width, height)[tag - 256])


def _chunk(name: bytes, data: bytes) -> bytes:
    crc = zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", crc)


def _zeros(count: int) -> bytes:
    """Return so many zeros as zlib packs them."""
    packer = zlib.compressobj(1)
    piece = bytes(1 << 20)
    parts = [packer.compress(piece) for _ in range(count >> 20)]
    return b"".join([*parts, packer.compress(piece[: count & 0xFFFFF]), packer.flush()])


def _pictures(formats: Sequence[str]) -> list[bytes]:
    """Return a small file of each format, and mode that it has, turned and not."""
    coarse = np.random.default_rng(0).integers(0, 255, (12, 10, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse)
    exif = Image.Exif()
    exif[0x0112] = 6
    found = []
    for kind, mode in product(formats, _MODES):
        buffer = io.BytesIO()
        options = {"exif": exif} if kind in ("PNG", "JPEG", "WEBP", "TIFF") else {}
        try:
            picture.convert(mode).save(buffer, kind, **options)
        except (OSError, ValueError, KeyError):  # no such mode in that format
            continue
        found.append(buffer.getvalue())
    for kind, more in (
        ("GIF", {"save_all": True, "append_images": [picture.rotate(90)]}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("JPEG", {"progressive": True}),
    ):
        if kind in formats:
            buffer = io.BytesIO()
            picture.save(buffer, kind, **more)
            found.append(buffer.getvalue())
    return found
