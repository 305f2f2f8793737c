"""Runs a number of random cases of one target, the same ones each time, in this process."""

import argparse
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from abuse.fuzz.judging import Judge, limit_memory
from abuse.fuzz.targets import TARGETS, make

_BATCH = 1_000  # Hypothesis remembers all that it drew


def main() -> None:
    """Run the cases, and leave the tally in a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("tally", type=Path)
    parser.add_argument("--cases", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    limit_memory()
    with tempfile.TemporaryDirectory() as folder:
        target = make(arguments.target, Path(folder))
        judge = Judge(target, arguments.tally)
        batch = 0
        while (left := arguments.cases - judge.tally.cases) > 0:
            _run(judge, min(left, _BATCH), arguments.seed + batch)
            batch += 1
        judge.keep()


def _run(judge: Judge, count: int, number: int) -> None:
    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(judge.target.cases)
    def one(case: Any) -> None:
        judge(case)

    one()


if __name__ == "__main__":
    main()
