"""Reading image files: headers, pixels, and the reason where there are none."""

import base64
import io
import warnings
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageOps, UnidentifiedImageError

from peta_viz.errors import UnreadableImageError

EXTENSIONS = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
_MAX_PIXELS = 100_000_000
_JPEG_QUALITY = 80
_REASONS = {
    FileNotFoundError: "the file does not exist",
    IsADirectoryError: "it is a folder",
    PermissionError: "reading it is not permitted",
    UnidentifiedImageError: "it is not an image that Pillow knows",
    Image.DecompressionBombError: f"it has more than {_MAX_PIXELS:,} pixels",
}


def read_rgb(path: str | Path) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Decode an image.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    ndarray
        uint8, shape ``(height, width, 3)``, RGB, turned upright by its EXIF orientation.

    Raises
    ------
    UnreadableImageError
        If the file is missing, empty, truncated, not an image, or has over 100 million pixels.

    """
    return np.asarray(open_rgb(path))


def open_rgb(path: str | Path, size: tuple[int, int] | None = None) -> Image.Image:
    """Decode an image to RGB, resized to `size` ``(width, height)`` if given.

    Raises
    ------
    UnreadableImageError
        As `read_rgb`.

    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                _check_pixels(path, image)
                if size:
                    image.draft("RGB", size)
                upright = (ImageOps.exif_transpose(image) or image).convert("RGB")
                return upright.resize(size, Image.Resampling.BILINEAR) if size else upright
    except UnreadableImageError:
        raise
    # Pillow's decoders raise these and many more on broken files; each is a reason, none is fatal.
    except Exception as error:
        raise UnreadableImageError(path, _reason(Path(path), error)) from error


def inspect_headers(paths: "pd.Series[str]") -> pd.DataFrame:
    """Read the size of every image from its header, without decoding.

    Parameters
    ----------
    paths
        The files.

    Returns
    -------
    DataFrame
        With the index of `paths`: `width` and `height` (int32 pixels, 0 where unreadable) and
        `problem` (text: the reason, or empty).

    """
    with ThreadPoolExecutor() as pool:
        rows = list(pool.map(_header, paths, chunksize=64))
    frame = pd.DataFrame(rows, columns=["width", "height", "problem"], index=paths.index)
    return frame.astype({"width": "int32", "height": "int32", "problem": "str"})


def problems_of(paths: Iterable[str]) -> list[str]:
    """Decode each file and return the reason it fails, or an empty text where it does not."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(_problem_of, paths, chunksize=64))


def thumbnail_uri(path: str | Path, height_px: int) -> str:
    """Return the image, scaled to `height_px`, as a ``data:`` URI (JPEG).

    Raises
    ------
    UnreadableImageError
        As `read_rgb`.

    """
    image = open_rgb(path)
    width = max(1, min(4 * height_px, round(image.width * height_px / image.height)))
    buffer = io.BytesIO()
    resized = image.resize((width, height_px), Image.Resampling.LANCZOS)
    resized.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def load_batch(
    paths: Sequence[str], size: tuple[int, int]
) -> tuple[np.ndarray[Any, np.dtype[np.uint8]], np.ndarray[Any, np.dtype[np.bool_]]]:
    """Decode files to one size.

    Parameters
    ----------
    paths
        The files, N of them.
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
            pixels[row] = np.asarray(open_rgb(path, size))
        except UnreadableImageError:
            readable[row] = False
    return pixels, readable


def _problem_of(path: str) -> str:
    try:
        open_rgb(path)
    except UnreadableImageError as error:
        return error.reason
    return ""


def _header(path: str) -> tuple[int, int, str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                _check_pixels(path, image)
                return image.width, image.height, ""
    except UnreadableImageError as error:
        return 0, 0, error.reason
    except Exception as error:  # noqa: BLE001 - as in open_rgb
        return 0, 0, _reason(Path(path), error)


def _check_pixels(path: str | Path, image: Image.Image) -> None:
    if image.width * image.height > _MAX_PIXELS:
        raise UnreadableImageError(
            path, f"{image.width}×{image.height} pixels are more than {_MAX_PIXELS:,}"
        )


def _reason(path: Path, error: Exception) -> str:
    if path.is_file() and not path.stat().st_size:
        return "the file is empty"
    for kind, words in _REASONS.items():
        if isinstance(error, kind):
            return words
    return f"it cannot be decoded ({str(error) or type(error).__name__})"
