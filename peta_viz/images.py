"""Reading images: headers, pixels, thumbnails, and the reason where there are none."""

import base64
import io
import stat
import struct
import threading
import warnings
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import pandas as pd
from PIL import ExifTags, Image, UnidentifiedImageError

from peta_viz.errors import InvalidDataError, UnreadableImageError
from peta_viz.fetching import is_url, read_bytes

Pixels: TypeAlias = np.ndarray[Any, np.dtype[np.uint8]]
Source: TypeAlias = str | Path | bytes | BinaryIO

EXTENSIONS = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
# Others are rare, and one of them, EPS, is a program that Pillow has Ghostscript run.
_FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
_MAX_PIXELS = 100_000_000
_LARGE_PIXELS = 20_000_000
_ONE_LARGE = threading.RLock()  # two at once would take twice the memory
_STRIP_ROWS = 64
_JPEG_QUALITY = 80
_PILLOW: Any = Image  # Pillow 10 leaves some of its functions without types
_WIDEST = 4
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = (5, 6, 7, 8)
_REASONS = {
    FileNotFoundError: "the file does not exist",
    IsADirectoryError: "it is a folder",
    PermissionError: "reading it is not permitted",
    UnidentifiedImageError: "it is not an image that Pillow knows",
    Image.DecompressionBombError: f"it has more than {_MAX_PIXELS:,} pixels",
}


def read_rgb(source: Source, *, name: str = "") -> Pixels:
    """Decode an image.

    Parameters
    ----------
    source
        A path, the bytes of a file, or a binary file object that can seek. Of several frames the
        first is read. 16-bit grey is scaled down to 8 bits; other grey beyond 8 bits (32-bit,
        float) is stretched from its least to its greatest value unless it lies in 0..1 (float) or
        0..255. What is transparent becomes white.
    name
        What errors call it; by default the path.

    Returns
    -------
    ndarray
        uint8, shape ``(height, width, 3)``, RGB, turned upright by its EXIF orientation.

    Raises
    ------
    UnreadableImageError
        If it is missing, empty, truncated, not an image, or has over 100 million pixels.

    """
    return np.asarray(open_rgb(source, name=name))


def open_rgb(source: Source, size: tuple[int, int] | None = None, *, name: str = "") -> Image.Image:
    """Decode an image to RGB, resized to `size` ``(width, height)`` if given.

    Raises
    ------
    UnreadableImageError
        As `read_rgb`.

    """
    with _opened(source, name) as image:
        if size:
            _draft(image, size)
        upright = flatten(image)
        return upright.resize(size, Image.Resampling.BILINEAR) if size else upright


def open_thumbnail(source: Source, height_px: int, *, name: str = "") -> Image.Image:
    """Decode an image to RGB, made as small as `fit` makes it; of big JPEGs only what is needed.

    Raises
    ------
    UnreadableImageError
        As `read_rgb`.

    """
    with _opened(source, name) as image:
        size = _fitting(upright_size(image), height_px)
        _draft(image, (2 * size[0], 2 * size[1]))
        return _resize(flatten(image), size)


def read_size(source: Source, *, name: str = "") -> tuple[int, int]:
    """Read the upright ``(width, height)`` in pixels from the header, without decoding.

    Raises
    ------
    UnreadableImageError
        If it is missing, empty, not an image, or has over 100 million pixels.

    """
    with _opened(source, name) as image:
        return upright_size(image)


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Return ``(width, height)`` as they are once the EXIF orientation is applied."""
    if _orientation(image) not in _SIDEWAYS:
        return image.size
    # Pillow's newer TIFF reader swaps `size` itself and keeps the stored one here.
    width, height = getattr(image, "_tile_size", image.size)
    return height, width


def flatten(image: Image.Image) -> Image.Image:
    """Return a picture of any mode as a new RGB one: upright, 8 bits a channel, over white."""
    pillow: Any = image
    orientation = _orientation(image)
    pillow.load()
    if image.format != "PNG":
        orientation = _orientation(image)  # Pillow turns a TIFF itself as it loads
    turn = _TURNS.get(orientation)
    upright = image if turn is None else image.transpose(turn)
    if image.mode.startswith(("I", "F")):
        upright = _to_8_bits(upright)
    elif image.has_transparency_data:
        upright = _over_white(upright if image.mode == "RGBA" else upright.convert("RGBA"))
    flat = upright.convert("RGB")
    flat.info.clear()
    return flat


def fit(image: Image.Image, height_px: int) -> Image.Image:
    """Shrink a picture to at most `height_px` high and four times that wide.

    Its proportions are kept, no side falls below one pixel, and nothing is ever enlarged.
    """
    return _resize(image, _fitting(image.size, height_px))


def encode_jpeg(image: Image.Image) -> bytes:
    """Return an RGB picture as a JPEG file of quality 80."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()


def jpeg_uri(jpeg: bytes) -> str:
    """Return the bytes of a JPEG file as a ``data:`` URI."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def thumbnail_uri(path: str | Path, height_px: int) -> str:
    """Return the image, made as small as `fit` makes it, as a ``data:`` URI (JPEG).

    Raises
    ------
    UnreadableImageError
        As `read_rgb`.

    """
    return jpeg_uri(encode_jpeg(open_thumbnail(path, height_px)))


def inspect_headers(paths: "pd.Series[str]") -> pd.DataFrame:
    """Read the size of every image from its header, without decoding.

    Parameters
    ----------
    paths
        The files. URLs are left for later.

    Returns
    -------
    DataFrame
        With the index of `paths`: `width` and `height` (int32 pixels, upright, 0 where unreadable
        or a URL) and `problem` (text: the reason, or empty).

    """
    with ThreadPoolExecutor() as pool:
        rows = list(pool.map(_header, paths, chunksize=64))
    frame = pd.DataFrame(rows, columns=["width", "height", "problem"], index=paths.index)
    return frame.astype({"width": "int32", "height": "int32", "problem": "str"})


def header_problem(path: str) -> str:
    """Return why the header of an image cannot be read, or an empty text; URLs are left alone."""
    return _header(path)[2]


def problems_of(paths: Iterable[str]) -> list[str]:
    """Decode each file or URL; return the reason it fails, or an empty text where it does not."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(_problem_of, paths, chunksize=64))


def load_batch(
    paths: Sequence[str], size: tuple[int, int]
) -> tuple[Pixels, np.ndarray[Any, np.dtype[np.bool_]]]:
    """Decode files to one size.

    Parameters
    ----------
    paths
        The files or URLs, N of them.
    size
        ``(width, height)`` in pixels.

    Returns
    -------
    pixels : ndarray
        uint8, shape ``(N, height, width, 3)``, RGB; zeros where unreadable.
    readable : ndarray
        bool, shape ``(N,)``.

    """
    width, height = size
    pixels = np.zeros((len(paths), height, width, 3), dtype=np.uint8)
    readable = np.ones(len(paths), dtype=bool)
    for row, path in enumerate(paths):
        try:
            pixels[row] = np.asarray(_open_anywhere(path, size))
        except UnreadableImageError:
            readable[row] = False
    return pixels, readable


def load_all(paths: Sequence[str], size: tuple[int, int]) -> Pixels:
    """Decode files to one size, as `load_batch`, none of which may fail.

    Raises
    ------
    InvalidDataError
        If one does, as when its disk is not there any more.

    """
    pixels, fine = load_batch(paths, size)
    lost = [path for path, good in zip(paths, fine, strict=True) if not good]
    if lost:  # black pictures would be learned from, and judged
        reasons = zip(lost, problems_of(lost), strict=True)
        problems = [f"{path}: {reason or 'it could not be decoded'}" for path, reason in reasons]
        raise InvalidDataError("images that could be decoded before", problems)
    return pixels


def check_pixels(name: str, width: int, height: int) -> None:
    """Raise `UnreadableImageError` where an image has no pixels or over 100 million."""
    if width * height > _MAX_PIXELS:
        raise UnreadableImageError(name, f"{width}×{height} pixels are more than {_MAX_PIXELS:,}")
    if not width * height:
        raise UnreadableImageError(name, f"{width}×{height} has no pixels")


def reason_of(error: Exception) -> str:
    """Say in a few words why reading an image failed."""
    for kind, words in _REASONS.items():
        if isinstance(error, kind):
            return words
    if isinstance(error, OSError) and error.strerror:
        return f"it cannot be read ({error.strerror})"
    return f"it cannot be decoded ({str(error) or type(error).__name__})"


@contextmanager
def _opened(source: Source, name: str) -> Iterator[Image.Image]:
    """Open an image, and turn whatever goes wrong in the block into its reason."""
    name = name or (str(source) if isinstance(source, str | Path) else "image")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with _file_of(source, name) as file, Image.open(file, formats=_FORMATS) as image:
                check_pixels(name, image.width, image.height)
                large = image.width * image.height > _LARGE_PIXELS
                with _ONE_LARGE if large else nullcontext():
                    yield image
    except UnreadableImageError:
        raise
    # Pillow's decoders raise these and many more on broken files; each is a reason, none is fatal.
    except Exception as error:
        raise UnreadableImageError(name, reason_of(error)) from error


@contextmanager
def _file_of(source: Source, name: str) -> Iterator[BinaryIO]:
    if isinstance(source, str | Path):
        kind = Path(source).stat()
        if stat.S_ISDIR(kind.st_mode):
            raise IsADirectoryError
        if not stat.S_ISREG(kind.st_mode):  # opening a pipe would wait for ever
            raise UnreadableImageError(name, "it is no regular file")
        if not kind.st_size:
            raise UnreadableImageError(name, "the file is empty")
        with Path(source).open("rb") as opened:
            yield opened
        return
    file: BinaryIO = io.BytesIO(source) if isinstance(source, bytes) else source
    if not file.seek(0, io.SEEK_END):
        raise UnreadableImageError(name, "the file is empty")
    file.seek(0)
    yield file


def _problem_of(path: str) -> str:
    try:
        _open_anywhere(path)
    except UnreadableImageError as error:
        return error.reason
    return ""


def _open_anywhere(path: str, size: tuple[int, int] | None = None) -> Image.Image:
    return open_rgb(read_bytes(path) if is_url(path) else path, size, name=path)


def _header(path: str) -> tuple[int, int, str]:
    if is_url(path):
        return 0, 0, ""
    try:
        return *read_size(path), ""
    except UnreadableImageError as error:
        return 0, 0, error.reason


def _fitting(size: tuple[int, int], height_px: int) -> tuple[int, int]:
    width, height = size
    scale = min(1.0, height_px / height, _WIDEST * height_px / width)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _resize(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def _draft(image: Image.Image, size: tuple[int, int]) -> None:
    pillow: Any = image
    pillow.draft("RGB", size[::-1] if _orientation(image) in _SIDEWAYS else size)


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8, without decoding: Pillow decodes a PNG to find it."""
    try:
        if getattr(image, "png", None) and "exif" not in image.info:
            exif = _png_exif(image.fp)
        else:
            exif = image.getexif()
        return int(exif.get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 - a broken EXIF says nothing, but the picture may be whole
        return 1


def _png_exif(file: Any) -> Any:
    """Look for the EXIF of a PNG from chunk to chunk; it may stand after the pixels."""
    start, exif = file.tell(), _PILLOW.Exif()
    try:
        file.seek(8)
        while len(head := file.read(8)) == 8:  # noqa: PLR2004 - length and name, four bytes each
            length, kind = struct.unpack(">I4s", head)
            if kind == b"eXIf":
                exif.load(file.read(length))
                break
            file.seek(length + 4, io.SEEK_CUR)
    finally:
        file.seek(start)
    return exif


def _to_8_bits(image: Image.Image) -> Any:
    """Bring grey of 16 bits, 32 bits or floats down to 8 bits."""
    values = np.asarray(image)
    if image.mode.startswith("I;16"):
        return _PILLOW.fromarray((values >> 8).astype(np.uint8))
    grey = np.empty(values.shape, dtype=np.uint8)
    # Strip by strip: all of a large image as floats would take more memory than anything else.
    strips = [slice(top, top + _STRIP_ROWS) for top in range(0, len(values), _STRIP_ROWS)]
    low = min(float(_finite(values[rows]).min()) for rows in strips)
    high = max(float(_finite(values[rows]).max()) for rows in strips)
    if low >= 0 and high <= 1 and image.mode == "F":
        low, high = 0.0, 1.0
    elif low >= 0 and high <= 255:  # noqa: PLR2004 - these are bytes in wider clothes
        low, high = 0.0, 255.0
    for rows in strips:
        scaled = (_finite(values[rows]) - low) * (255 / ((high - low) or 1.0))
        grey[rows] = scaled.round()
    return _PILLOW.fromarray(grey)


def _finite(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)


def _over_white(image: Image.Image) -> Image.Image:
    """Lay a picture with alpha over white."""
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white
