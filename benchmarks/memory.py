"""The most memory that some work needs, above what the process has before."""

import ctypes
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa


def resident() -> tuple[int, int]:
    """Return bytes of resident memory: now, and the most since `forget`."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    found = dict(line.split(":", 1) for line in lines)
    now, most = (int(found[key].split()[0]) * 1024 for key in ("VmRSS", "VmHWM"))
    return now, most


def forget() -> None:
    """Give free memory back to the system, and begin to look for the most anew (Linux)."""
    gc.collect()
    pa.default_memory_pool().release_unused()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_above(work: Callable[[], Any]) -> int:
    """Return how many bytes more than before were resident at the peak."""
    forget()
    before, _ = resident()
    work()
    return resident()[1] - before
