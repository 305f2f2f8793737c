"""Thumbnails by row number: made in the background, kept while there is room."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from peta_viz.errors import UnreadableImageError

_KEPT_BYTES = 64_000_000
Key = tuple[int, int]


@dataclass
class Answer:
    """What is there at once: pictures, reasons where there is none, and what takes longer."""

    pictures: dict[int, bytes] = field(default_factory=dict)
    problems: dict[int, str] = field(default_factory=dict)
    later: list[int] = field(default_factory=list)


class Thumbnails:
    """Make JPEGs of rows, the newest wish first, and forget wishes that nobody repeats.

    Parameters
    ----------
    make
        From a row number and a height in pixels to JPEG bytes; raises `UnreadableImageError`.
    kept_bytes
        How many bytes of JPEG are kept.

    """

    def __init__(self, make: Callable[[int, int], bytes], *, kept_bytes: int = _KEPT_BYTES) -> None:
        self._make = make
        self._room = kept_bytes
        self._kept: OrderedDict[Key, bytes | str] = OrderedDict()
        self._size = 0
        self._waiting: dict[Key, Future[bytes | str]] = {}
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(thread_name_prefix="thumbnails")

    def ask(self, rows: Iterable[int], height_px: int, *, within_s: float = 0.1) -> Answer:
        """Return what can be had soon.

        Parameters
        ----------
        rows
            The images that are on screen; wishes of before that are not among them are dropped.
        height_px
            Height of the thumbnails.
        within_s
            Seconds after which whatever is not ready is named in `Answer.later`: ask again.

        """
        keys = [(row, height_px) for row in rows]
        self.prepare(keys, drop_others=True)
        answer, end = Answer(), time.monotonic() + within_s
        for key in keys:
            got = self._take(key, max(0.0, end - time.monotonic()))
            if got is None:
                answer.later.append(key[0])
            elif isinstance(got, bytes):
                answer.pictures[key[0]] = got
            else:
                answer.problems[key[0]] = got
        return answer

    def prepare(self, keys: Iterable[Key], *, drop_others: bool = False) -> None:
        """Start making thumbnails that will be asked for, as ``(row, height)``."""
        keys = list(keys)
        with self._lock:
            if drop_others:
                for key in set(self._waiting).difference(keys):
                    if self._waiting[key].cancel():
                        del self._waiting[key]
            for key in keys:
                if key not in self._kept and key not in self._waiting:
                    self._waiting[key] = self._pool.submit(self._work, key)

    def _work(self, key: Key) -> bytes | str:
        try:
            made: bytes | str = self._make(*key)
        except UnreadableImageError as error:
            made = error.reason
        except Exception as error:  # noqa: BLE001 - one bad image must not stop the others
            made = f"it cannot be shown ({type(error).__name__}: {error})"
        with self._lock:
            self._waiting.pop(key, None)
            self._kept[key] = made
            self._size += len(made)
            while self._size > self._room and len(self._kept) > 1:
                self._size -= len(self._kept.popitem(last=False)[1])
        return made

    def _take(self, key: Key, timeout_s: float) -> bytes | str | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            future = self._waiting.get(key)
        if future is None:
            return None
        try:
            return future.result(timeout_s)
        except Exception:  # noqa: BLE001 - too late, or dropped by another request: ask again
            return None

    def close(self) -> None:
        """Stop the threads and let go of what was kept; nothing more can be asked."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            self._kept.clear()
            self._size = 0
