"""Decoded images: scaled once, kept in one file that is mapped into memory."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from tqdm import tqdm

from peta_viz.files import atomic, content_of
from peta_viz.images import load_all
from peta_viz.imageset import ImageSet

_CHUNK = 64
Values = np.ndarray[Any, np.dtype[np.uint8]]
Rows = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, eq=False)
class PixelStore:
    """The pixels of images at one size.

    Parameters
    ----------
    values
        uint8, shape ``(images, height, width, 3)``, RGB; a file mapped into memory where it is
        kept in one.
    index
        The `image_id` of each.
    key
        A text that is another one wherever any pixel may be another one.

    """

    values: Values
    index: pd.Index
    key: str

    @classmethod
    def of(
        cls,
        imageset: ImageSet,
        height_px: int,
        width_px: int,
        *,
        cache: str | Path | None = None,
        progress: bool = True,
    ) -> Self:
        """Decode and scale every image once.

        Parameters
        ----------
        imageset
            The images, all readable.
        height_px, width_px
            The size they are scaled to.
        cache
            Folder of the file, named by the content of all images and the size: what is there is
            not decoded again. Without one the pixels are kept in memory.
        progress
            Show a progress bar.

        Raises
        ------
        InvalidDataError
            If an image cannot be decoded, as when its disk is not there any more.

        """
        paths = imageset.images["path"].tolist()
        key = _fingerprint(paths, height_px, width_px)
        index = imageset.images.index
        shape = (len(paths), height_px, width_px, 3)
        if cache is None:
            values: Values = np.empty(shape, dtype=np.uint8)
            _fill(values, paths, progress=progress)
            return cls(values, index, key)
        file = Path(cache) / f"pixels-{height_px}x{width_px}-{key}.npy"
        if not file.is_file():
            with atomic(file) as partial:
                numpy_files: Any = np.lib.format  # without types
                written = numpy_files.open_memmap(partial, "w+", np.uint8, shape)
                _claim(partial)
                _fill(written, paths, progress=progress)
                written.flush()
        return cls(np.load(file, mmap_mode="r", allow_pickle=False), index, key)

    def rows(self, imageset: ImageSet) -> Rows:
        """Return where the pixels of these images are: int64, shape ``(images,)``."""
        found = self.index.get_indexer(imageset.images.index).astype(np.int64)
        assert (found >= 0).all()
        return found


def _claim(file: Path) -> None:
    """Take the room on disk now: where there is none, writing into a mapped file is death."""
    with file.open("r+b") as handle:
        os.posix_fallocate(handle.fileno(), 0, file.stat().st_size)


def _fill(values: Values, paths: list[str], *, progress: bool) -> None:
    size = (values.shape[2], values.shape[1])

    def decode(start: int) -> int:
        chunk = paths[start : start + _CHUNK]
        values[start : start + len(chunk)] = load_all(chunk, size)
        return len(chunk)

    with (
        ThreadPoolExecutor() as pool,
        tqdm(desc="decoding", total=len(paths), unit="image", disable=not progress) as bar,
    ):
        for count in pool.map(decode, range(0, len(paths), _CHUNK)):
            bar.update(count)


def _fingerprint(paths: list[str], height_px: int, width_px: int) -> str:
    words = f"1 {height_px} {width_px} {content_of(paths)}"
    return hashlib.sha256(words.encode()).hexdigest()[:32]
