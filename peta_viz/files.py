"""Writing files so that nothing half-written is ever read as whole."""

import os
from collections.abc import Iterator
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
    try:
        yield partial
        with partial.open("rb") as handle:
            os.fsync(handle.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` (UTF-8) to `path` atomically."""
    with atomic(path) as partial:
        partial.write_text(text, encoding="utf-8")
