"""Writing files so that nothing half-written is ever read as whole."""

import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from peta_viz.errors import BusyError, DiskError, InvalidDataError

_REASONS = {
    errno.ENOSPC: "the disk is full: make room",
    errno.EDQUOT: "your share of the disk is full: make room",
    errno.EROFS: "the disk is read-only: make it writable, or choose another place",
    errno.EACCES: "you may not write there: give yourself the right to, or choose another place",
    errno.EPERM: "you may not write there: give yourself the right to, or choose another place",
    errno.EFBIG: "a file may not become so large: raise the limit",
    errno.EIO: "the disk does not answer as it should",
}


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


def name_of(source: str | Path) -> str:
    """Return what work on a table's file or a folder is called: its name, a file's without suffix.

    What has no name of its own, such as the root of all folders, is called ``table``.
    """
    path = Path(source).absolute()
    path = path.resolve() if path.name == ".." else path
    return (path.stem if is_file(path) else path.name) or "table"


def refuse_file(folder: str | Path, what: str = "the folder") -> None:
    """Refuse a folder to write into that is a file; `what` is what the error calls it.

    Raises
    ------
    InvalidDataError
        If it is one.

    """
    if is_file(folder):
        raise InvalidDataError(what, [f"{folder} is a file: name a folder"])


def write_text(path: str | Path, text: str) -> None:
    """Write `text` (UTF-8) to `path` atomically."""
    with atomic(path) as partial:
        partial.write_text(text, encoding="utf-8")


@contextmanager
def disk_told(path: str | Path) -> Iterator[None]:
    """Say what is wrong with the disk, and what to do.

    Parameters
    ----------
    path
        What is written to, named where the system names no file.

    Raises
    ------
    DiskError
        If the disk is full, read-only or broken, or something may not be written.

    """
    try:
        yield
    except OSError as error:
        reason = _REASONS.get(error.errno or 0)
        if reason is None:
            raise
        words = f"{reason}, and give the same command again ({error.strerror})"
        raise DiskError(error.filename or path, words) from error


@contextmanager
def alone(folder: str | Path, work: str, *, wait: bool = False) -> Iterator[None]:
    """Keep every other process from the same work in a folder; the claim dies with the process.

    Parameters
    ----------
    folder
        Where; made if need be.
    work
        What, such as ``"run"``.
    wait
        Wait until the other one has done it.

    Raises
    ------
    BusyError
        If another one is at it, and there is no waiting.

    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=-1 if wait else 0)
    except Timeout:
        raise BusyError(
            f"another {work} is at work in {folder}: wait for it, or choose another folder"
        ) from None
    try:
        yield
    finally:
        lock.release()


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
