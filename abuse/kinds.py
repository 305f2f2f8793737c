"""The faults: what is done to something at work, and how it is taken back."""

import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from abuse.ground import Ground
from abuse.subjects import Subject
from abuse.victim import Victim

_ROOM = 5.5  # a full disk still has this power of ten of bytes, at most
_DAYS = 400.0  # by which a clock jumps, forwards or back


@dataclass
class Scene:
    """One trial under way."""

    ground: Ground
    subject: Subject
    environment: Mapping[str, str]
    rng: np.random.Generator
    victims: list[Victim] = field(default_factory=list)

    def start(self) -> Victim:
        """Let the subject begin to work, once more if it works already."""
        command = self.subject.given(self.ground.run, self.ground.release)
        self.victims.append(Victim(command, self.environment))
        return self.victims[-1]

    def join(self) -> None:
        """Let a second process do the same in the same folder."""
        self.start()


@dataclass(frozen=True)
class Fault:
    """A fault.

    Parameters
    ----------
    name
        What it is called.
    strike
        Does it.
    lift
        Takes it back.
    before
        Does it happen before the work begins, and not in the midst of it?
    kills
        Does it end the process?
    of_images
        Is it about the release, so that it is nothing to those that do not read it?
    clock
        Do the processes need a clock that can be set?

    """

    name: str
    strike: Callable[[Scene], None]
    lift: Callable[[Scene], None] = lambda _: None
    before: bool = False
    kills: bool = False
    of_images: bool = False
    clock: bool = False


def _jump(scene: Scene) -> None:
    scene.ground.set_clock(_DAYS if scene.rng.random() < 0.5 else -_DAYS)  # noqa: PLR2004 - a coin


def _fill(scene: Scene) -> None:
    scene.ground.fill(int(10 ** scene.rng.uniform(0, _ROOM)))


FAULTS = {
    fault.name: fault
    for fault in (
        Fault("killed", lambda scene: scene.victims[0].kill(), kills=True),
        Fault("full disk from the start", _fill, lambda scene: scene.ground.free(), before=True),
        Fault("full disk midway", _fill, lambda scene: scene.ground.free()),
        Fault(
            "read-only from the start",
            lambda scene: scene.ground.make_read_only(),
            lambda scene: scene.ground.make_writable(),
            before=True,
        ),
        Fault(
            "read-only midway",
            lambda scene: scene.ground.make_read_only(),
            lambda scene: scene.ground.make_writable(),
        ),
        Fault(
            "images gone from the start",
            lambda scene: scene.ground.hide_images(),
            lambda scene: scene.ground.show_images(),
            before=True,
            of_images=True,
        ),
        Fault(
            "images gone midway",
            lambda scene: scene.ground.hide_images(),
            lambda scene: scene.ground.show_images(),
            of_images=True,
        ),
        Fault("clock jumps", _jump, lambda scene: scene.ground.set_clock(0), clock=True),
        Fault("two at once", lambda scene: scene.join()),
    )
}


def clock_environment(ground: Ground) -> dict[str, str]:
    """Return the variables with which a process takes its time from the ground's clock.

    Raises
    ------
    FileNotFoundError
        If there is no C compiler.

    """
    compiler = shutil.which("cc")
    if compiler is None:
        raise FileNotFoundError("there is no C compiler: apt-get install g++")
    library = ground.scratch / "clock.so"
    if not library.exists():
        source = Path(__file__).with_name("clock.c")
        command = [compiler, "-O2", "-shared", "-fPIC", "-o", library, source, "-ldl"]
        subprocess.run(command, check=True)  # noqa: S603
    return {"LD_PRELOAD": str(library), "ABUSE_CLOCK": str(ground.clock)}
