"""What both ways of running a target share: its command line, its limits, how cases are drawn."""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings

from abuse.fuzz.judging import Judge, limit_memory
from abuse.fuzz.targets import TARGETS, make


@dataclass(frozen=True)
class Job:
    """A target with its judge, and how much of it is wanted: cases, or seconds.

    Parameters
    ----------
    judge
        Runs cases, and keeps the tally.
    folder
        Empty, and gone when the caller of the process is done.
    amount, seed
        As the command line says.

    """

    judge: Judge
    folder: Path
    amount: int
    seed: int


def job(description: str | None) -> Job:
    """Make the target that the command line names."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("tally", type=Path)
    parser.add_argument("amount", type=int)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    limit_memory()
    target, own = (Path(tempfile.mkdtemp(dir=arguments.tally.parent)) for _ in range(2))
    judge = Judge(make(arguments.target, target), arguments.tally)
    return Job(judge, own, arguments.amount, arguments.seed)


def drawn(judge: Judge, **options: Any) -> Callable[[], None]:
    """Return what draws cases with Hypothesis, with these settings, and has them judged."""

    @settings(database=None, deadline=None, suppress_health_check=list(HealthCheck), **options)
    @given(judge.target.cases)
    def one(case: Any) -> None:
        judge(case)

    return one
