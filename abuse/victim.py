"""A command under way: what it says, and its end, with all its children if need be."""

import subprocess
import threading
import time
from collections.abc import Mapping, Sequence

import psutil

OURS = "peta-viz: "  # how one of our own errors begins
KEPT = "kept "  # how a victim acknowledges something


class Victim:
    """A process to which something is done while it works.

    Parameters
    ----------
    command
        What it runs.
    environment
        All of its environment variables.

    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.lines: list[str] = []
        self._news = threading.Condition()
        self._process = subprocess.Popen(  # noqa: S603 - the commands are ours
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=dict(environment),
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()

    @property
    def runs(self) -> bool:
        """Whether it is still at work."""
        return self._process.poll() is None

    @property
    def kept(self) -> list[str]:
        """What it acknowledged."""
        return [line.removeprefix(KEPT) for line in list(self.lines) if line.startswith(KEPT)]

    def said(self, *words: str) -> bool:
        """Tell whether it has said a line that begins with one of these."""
        return any(line.startswith(words) for line in list(self.lines))

    def wait(self, *words: str, limit_s: float) -> bool:
        """Wait until it has said one of these, or ends; returns False if it does neither."""
        deadline = time.monotonic() + limit_s
        while self.runs and not self.said(*words):
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            with self._news:
                self._news.wait(min(left, 0.02))
        return True

    def kill(self) -> None:
        """End it at once, with all its children."""
        if self.runs:
            whole = psutil.Process(self._process.pid)
            whole.suspend()  # so that it has no more children
            family = [*whole.children(recursive=True), whole]
            for member in family:
                try:
                    member.kill()
                except psutil.NoSuchProcess:
                    continue
            psutil.wait_procs(family[:-1], timeout=30)
        self._process.wait()
        self._listener.join(timeout=5)

    def verdict(self) -> str:
        """Say how it ended: "finished", "told" in an error of ours, or what is wrong with that."""
        code = self._process.wait()
        self._listener.join(timeout=5)
        if code == 0:
            return "finished"
        if any(line.startswith("Traceback (most recent call last)") for line in self.lines):
            return f"a bare traceback, which ends: {self.lines[-1]}"
        if code > 0 and self.said(OURS):
            return "told"
        return f"it ended with {code} and said: {' / '.join(self.lines[-3:])}"
