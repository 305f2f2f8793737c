"""What a case of bad input is, how it is run within limits, and how its end is judged."""

import faulthandler
import json
import re
import resource
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hypothesis.strategies import SearchStrategy

from peta_viz.errors import InvalidDataError, PetaVizError
from peta_viz.files import write_text

LIMIT_S = 10.0  # of processor time, for one case
_WAITING_S = 60.0  # on the clock, for what waits instead of working
LIMIT_BYTES = 2 << 30  # resident, of the whole process
_GUARD_BYTES = 6 << 30  # what a process may take before the system says no
_STUCK_S = 120.0  # in code that no signal interrupts
_SHORTEST_MESSAGE = 20
_SHOWN = 2_000
_CASE = 4_000
_BARE = re.compile(r"Traceback|<[\w.]+ object at 0x")
_VARIES = re.compile(
    r"""'[^']*'|"[^"]*"|`[^`]*`|(?<![\w<])/[^\s:,;]*|[-+]?\d[\w.,]*|[^\x20-\x7e]+"""
)
_LIST = re.compile(r"…(?:[,;\s]+(?:and |more |or )?…)+")
_TEMPLATE = 70


@dataclass(frozen=True)
class Target:
    """One kind of input, and what is done with it.

    Parameters
    ----------
    cases
        Draws cases at random.
    run
        Does everything with a case that a user could; returns why things in it were listed as
        skips. May raise our own errors.
    read
        Makes a case of bytes, for the coverage-guided kind; by default Hypothesis does.
    seeds
        Bytes to begin with.

    """

    cases: SearchStrategy[Any]
    run: Callable[[Any], Sequence[str]]
    read: Callable[[bytes], Any] | None = None
    seeds: Sequence[bytes] = ()


@dataclass
class Tally:
    """How cases ended.

    Parameters
    ----------
    succeeded, skipped, refused, broke
        Counts: without complaint, with something listed as a skip, in one of our own errors, and
        in anything else (another exception, too long, too much memory).
    answers
        How often each of our own errors and reasons of a skip came, by what it says without what
        varies.
    seconds, peak_bytes
        Processor time taken by the cases, and the greatest resident size of the process.
    findings
        By the place where it broke: the exception and the shortest case that breaks there.

    """

    succeeded: int = 0
    skipped: int = 0
    refused: int = 0
    broke: int = 0
    seconds: float = 0.0
    slowest_s: float = 0.0
    peak_bytes: int = 0
    answers: dict[str, int] = field(default_factory=dict)
    findings: dict[str, str] = field(default_factory=dict)

    @property
    def cases(self) -> int:
        """How many there were."""
        return self.succeeded + self.skipped + self.refused + self.broke


class TooLongError(BaseException):
    """A case took longer than it may; no `except Exception` keeps it."""


class Judge:
    """Runs the cases of a target and keeps the tally, also in a file.

    Parameters
    ----------
    target
        What is run.
    file
        Where the tally goes, as JSON, about once a second.

    """

    def __init__(self, target: Target, file: Path) -> None:
        self.tally = Tally()
        self.target = target
        self._file = file
        self._kept_at = 0.0
        for number in (signal.SIGALRM, signal.SIGPROF):
            signal.signal(number, _interrupt)

    def __call__(self, case: Any) -> None:
        """Run a case and count how it ended."""
        tally = self.tally
        began = time.process_time()
        if time.monotonic() > self._kept_at + 1:
            self.keep()
        try:
            with _within_time():
                skipped = self.target.run(case)
        except PetaVizError as error:
            if _says_what_to_do(error):
                tally.refused += 1
                self._answered(_complaints(error))
            else:
                self._broke(case, error)
        except (Exception, TooLongError) as error:  # noqa: BLE001 - this is what is looked for
            self._broke(case, error)
        else:
            if _peak_bytes() > max(tally.peak_bytes, LIMIT_BYTES):
                self._broke(case, MemoryError(f"more than {LIMIT_BYTES:,} bytes"))
            elif skipped:
                tally.skipped += 1
                self._answered(skipped)
            else:
                tally.succeeded += 1
        took = time.process_time() - began
        tally.seconds += took
        tally.slowest_s = max(tally.slowest_s, took)
        tally.peak_bytes = max(tally.peak_bytes, _peak_bytes())

    def keep(self) -> None:
        """Write the tally down, and see to it that whoever is stuck from now on is ended."""
        write_text(self._file, json.dumps(asdict(self.tally)))
        faulthandler.dump_traceback_later(_STUCK_S, exit=True)
        self._kept_at = time.monotonic()

    def _answered(self, texts: Sequence[str]) -> None:
        answers = self.tally.answers
        for kind in {template(text) for text in texts}:
            answers[kind] = answers.get(kind, 0) + 1

    def _broke(self, case: Any, error: BaseException) -> None:
        self.tally.broke += 1
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if "/peta_viz/" in frame.filename] or frames
        place = f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else "afterwards"
        key = f"{type(error).__name__} at {place}"
        told = "".join(traceback.format_exception(error)[-12:])
        words = f"{repr(case)[:_CASE]}\n{told[-_SHOWN:]}"
        if len(words) < len(self.tally.findings.get(key, words + " ")):
            self.tally.findings[key] = words


def template(text: str) -> str:
    """Return what a message says, without names, numbers and paths."""
    return _LIST.sub("…", _VARIES.sub("…", text))[:_TEMPLATE]


def _complaints(error: PetaVizError) -> Sequence[str]:
    return error.problems if isinstance(error, InvalidDataError) else [str(error)]


def limit_memory() -> None:
    """Keep this process from taking the machine down with it."""
    resource.setrlimit(resource.RLIMIT_DATA, (_GUARD_BYTES, _GUARD_BYTES))


def _peak_bytes() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _says_what_to_do(error: PetaVizError) -> bool:
    """Tell whether a message is at least a sentence, and not the inside of Python."""
    text = str(error)
    return len(text) >= _SHORTEST_MESSAGE and not _BARE.search(text)


def _interrupt(*_: Any) -> None:
    raise TooLongError(f"more than {LIMIT_S:g} s of work, or {_WAITING_S:g} s of waiting")


@contextmanager
def _within_time() -> Iterator[None]:
    signal.setitimer(signal.ITIMER_PROF, LIMIT_S)
    signal.setitimer(signal.ITIMER_REAL, _WAITING_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
