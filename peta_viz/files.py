"""Writing files so that nothing half-written is ever read as whole."""

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path` that replaces it when the block ends well.

    The data is flushed to disk before the replacement, so that after a crash the file is either
    the old one or the new one. A block that raises leaves the old file and removes the temporary.

    Parameters
    ----------
    path
        The file to write; its folder is made if need be.

    Yields
    ------
    Path
        Where to write; it has the same suffix as `path`.

    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.stem}.{os.getpid()}.partial{target.suffix}")
    _remove_orphans(target)
    try:
        yield partial
        with partial.open("rb") as handle:
            os.fsync(handle.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _remove_orphans(target: Path) -> None:
    """Remove the temporaries of processes that were killed while they wrote this file."""
    left = re.compile(rf"\.{re.escape(target.stem)}\.(\d+)\.partial{re.escape(target.suffix)}")
    for file in target.parent.iterdir():
        found = left.fullmatch(file.name)
        if found and not _is_alive(int(found[1])):
            file.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)  # asks, and sends nothing
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def is_file(path: str | Path) -> bool:
    """Tell whether there is a regular file; a pipe or device is none, nor what cannot be named."""
    try:
        return stat.S_ISREG(Path(path).stat().st_mode)
    except (OSError, ValueError):
        return False


def is_folder(path: str | Path) -> bool:
    """Tell whether there is a folder; what cannot be named is none."""
    try:
        return stat.S_ISDIR(Path(path).stat().st_mode)
    except (OSError, ValueError):
        return False


def write_text(path: str | Path, text: str) -> None:
    """Write `text` (UTF-8) to `path` atomically."""
    with atomic(path) as partial:
        partial.write_text(text, encoding="utf-8")


def content_of(paths: Iterable[str]) -> str:
    """Return a text that is another one for files of other content, or in another order.

    Names and times do not matter: a copy is the same. A file that cannot be read has no content.
    """

    def content(path: str) -> bytes:
        try:
            return hashlib.sha256(Path(path).read_bytes()).digest() if is_file(path) else b"-"
        except OSError:
            return b"-"

    digest = hashlib.sha256()
    with ThreadPoolExecutor() as pool:
        for one in pool.map(content, paths):
            digest.update(one)
    return digest.hexdigest()
