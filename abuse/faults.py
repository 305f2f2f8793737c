"""Every stage and part under every fault, and what breaks.

``python -m abuse.faults``: a process is killed, its disk filled, its folder made read-only, its
images taken away, its clock set, or another one set to the same work, at random moments. Whatever
happens, no file is there that is not whole, nothing acknowledged is lost, and the same command
without the fault ends with what an undisturbed one ends with, or says why not.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from abuse.ground import Ground, go_inside
from abuse.kinds import FAULTS, Fault, Scene, clock_environment
from abuse.parts import PARTS, broken_promises
from abuse.subjects import SUBJECTS, Subject, contents, differences
from abuse.victim import Victim
from benchmarks.machine import in_words

_PATIENCE_S = 120.0  # more than it takes undisturbed
_DURING = ("killed", "finished", "told")
_AFTER = ("same", "told")
Counts = dict[tuple[str, str], Counter[str]]


@dataclass(frozen=True)
class Undisturbed:
    """What a subject leaves when nothing happens, and how long it is at work."""

    folder: Path
    contents: dict[str, Any]
    seconds: float


class Matrix:
    """Tries faults on subjects.

    Parameters
    ----------
    ground
        Where.
    seed
        Of the moments.

    """

    def __init__(self, ground: Ground, seed: int) -> None:
        self._ground = ground
        self._seed = seed
        self._known: dict[str, Undisturbed] = {}
        self._scenes: list[Scene] = []

    def undisturbed(self, subject: Subject) -> Undisturbed:
        """Return what a subject leaves when nothing happens."""
        if subject.name not in self._known:
            scene = self._scene(subject)
            victim = scene.start()
            victim.wait(subject.begins, limit_s=_PATIENCE_S)
            started = time.monotonic()
            self._finish(subject, victim, 10 * _PATIENCE_S)
            seconds = time.monotonic() - started
            found, broken = contents(self._ground.run)
            if broken or not (victim.said(*subject.ends) if subject.ends else _well(victim)):
                lines = "\n".join([*victim.lines[-20:], *broken])
                raise SystemExit(f"{subject.name} does not work even undisturbed:\n{lines}")
            folder = self._ground.keep(subject.name)
            self._known[subject.name] = Undisturbed(folder, found, seconds)
        return self._known[subject.name]

    def trial(self, subject: Subject, fault: Fault, number: int) -> tuple[str, str, list[str]]:
        """Return how it ended under the fault and after it, and what broke."""
        expected = self.undisturbed(subject)
        scene = self._scene(subject, fault, number)
        moment = scene.rng.uniform(0, expected.seconds)
        struck = True
        if fault.before:
            fault.strike(scene)
            victim = scene.start()
        else:
            victim = scene.start()
            victim.wait(subject.begins, limit_s=_PATIENCE_S)
            victim.wait(*subject.ends, limit_s=moment)
            struck = victim.runs and not victim.said(*subject.ends)
            if struck:
                fault.strike(scene)
        during = [self._ending(subject, one, expected.seconds) for one in scene.victims]
        if fault.kills and struck:
            during = ["killed"]
        fault.lift(scene)
        broken = [f"{words}, at {moment:.2f} s" for words in during if words not in _DURING]
        broken += self._half_written(scene, expected, done=False)
        again = scene.start()
        after = self._ending(subject, again, expected.seconds)
        broken += self._half_written(scene, expected, done=after == "finished")
        if after == "finished":
            after = "same"
            missing = set(expected.contents) - set(contents(self._ground.run)[0])
            broken += [f"{name} is missing afterwards" for name in sorted(missing)]
        elif after != "told":
            broken.append(f"afterwards: {after}")
        ended = next((words for words in during if words != "finished"), "finished")
        return ended, after, broken

    def _scene(self, subject: Subject, fault: Fault | None = None, number: int = 0) -> Scene:
        before = self.undisturbed(SUBJECTS[subject.before]).folder if subject.before else None
        self._ground.lay(before)
        words = f"{self._seed} {subject.name} {fault.name if fault else ''} {number}"
        rng = np.random.default_rng(list(words.encode()))
        environment = dict(os.environ)
        if fault and fault.clock:
            environment |= clock_environment(self._ground)
        self._scenes = [Scene(self._ground, subject, environment, rng)]
        return self._scenes[0]

    def close(self) -> None:
        """End what is still at work."""
        for scene in self._scenes:
            for victim in scene.victims:
                victim.kill()

    def _finish(self, subject: Subject, victim: Victim, limit_s: float) -> bool:
        """Wait until it has done enough; returns False if it was killed because it never did."""
        in_time = victim.wait(*subject.ends, limit_s=limit_s)
        if victim.runs:  # what comes after its end is another subject's
            victim.kill()
        return in_time

    def _ending(self, subject: Subject, victim: Victim, seconds: float) -> str:
        if not self._finish(subject, victim, 10 * seconds + _PATIENCE_S):
            return "it did not end"
        if victim.said(*subject.ends):
            return "finished"
        return victim.verdict()

    def _half_written(self, scene: Scene, expected: Undisturbed, *, done: bool) -> list[str]:
        found, broken = contents(self._ground.run)
        kept = [victim.kept for victim in scene.victims]
        try:
            broken += broken_promises(scene.subject.name, self._ground.run, kept)
        except Exception as error:  # noqa: BLE001 - what a reader would have met
            broken.append(f"what was kept cannot be read: {error}")
        if not done:  # a checkpoint in the midst of a training is of an earlier epoch
            found = {name: value for name, value in found.items() if not name.endswith(".pt")}
        return broken + differences(found, expected.contents)


def _well(victim: Victim) -> bool:
    return victim.verdict() == "finished"


def plan(options: argparse.Namespace) -> Iterator[tuple[Subject, Fault, int]]:
    """Name every trial."""
    for fault in (FAULTS[name] for name in options.faults):
        for subject in (SUBJECTS[name] for name in options.subjects):
            if fault.of_images and not subject.reads_images:
                continue
            part = subject.name in PARTS
            kills = options.part_kills if part else options.kills
            for number in range(kills if fault.kills else options.trials):
                yield subject, fault, number


_PAGE = """\
# Faults

`python -m abuse.faults`, {machine}. Part of the generated sample, 2 epochs of 32×32 pixels, on a
disk of memory. A row that is not there was not tried.

| | fault | trials | killed | finished | said why not | then: same | then: said why not | broken |
| --- | --- | --: | --: | --: | --: | --: | --: | --: |
{rows}

Three columns say how the work under the fault ended, or the first of two at work that did not
finish; the next two how the same command ended without the fault. **Broken** is a trial with a bare
traceback, a file that is not whole, something acknowledged that is lost, other tables than
undisturbed, or no end.
"""


def write_page(counts: Counts, out: Path) -> None:
    """Write the table, and the counts of it as JSON, from which `read_counts` reads them back."""
    keys = ["trials", *_DURING, *(f"then {word}" for word in _AFTER), "broken"]
    rows = [
        f"| {subject} | {fault} | {' | '.join(str(counts[subject, fault][key]) for key in keys)} |"
        for subject in SUBJECTS
        for fault in FAULTS
        if (subject, fault) in counts
    ]
    out.write_text(_PAGE.format(machine=in_words(), rows="\n".join(rows)), encoding="utf-8")
    cells = [[*cell, dict(count)] for cell, count in counts.items()]
    words = ",\n ".join(json.dumps(cell) for cell in cells)
    out.with_suffix(".json").write_text(f"[\n {words}\n]\n", encoding="utf-8")


def read_counts(out: Path) -> Counts:
    """Read what was counted before."""
    cells = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
    return {(subject, fault): Counter(count) for subject, fault, count in cells}


def _options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=6, help="of each stage")
    parser.add_argument("--part-kills", type=int, default=40, help="of each part")
    parser.add_argument("--trials", type=int, default=2, help="of every other fault")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--rows", type=int, default=40, help="label rows of each of two subsets")
    parser.add_argument("--faults", nargs="*", choices=FAULTS, default=list(FAULTS))
    parser.add_argument("--subjects", nargs="*", choices=SUBJECTS, default=list(SUBJECTS))
    parser.add_argument("--add", action="store_true", help="to the table that is there")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    return parser.parse_args(arguments)


def main() -> None:
    """Try everything, write the table beside this file, and fail if anything broke."""
    options = _options()
    go_inside("abuse.faults")
    scratch = Path(tempfile.mkdtemp(prefix="peta-viz-faults-"))
    counts = read_counts(options.out) if options.add else {}
    began = set()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and clear up
    ground = Ground(scratch, options.rows)
    matrix = Matrix(ground, options.seed)
    try:
        for subject, fault, number in tqdm(list(plan(options)), unit="trial"):
            cell = subject.name, fault.name
            if cell not in began:
                began.add(cell)
                counts[cell] = Counter()
            during, after, broken = matrix.trial(subject, fault, number)
            counts[cell].update(
                ["trials", during, f"then {after}", *(["broken"] if broken else [])]
            )
            for words in broken:
                tqdm.write(f"{subject.name}, {fault.name}, {number}: {words}")
            write_page(counts, options.out)
    finally:
        matrix.close()
        ground.close()
    sys.exit(any(count["broken"] for count in counts.values()))


if __name__ == "__main__":
    main()
