"""Lets atheris look for cases of one target that reach code no case before them reached.

Instrumented is the Python of peta-viz, and of Pillow where files are decoded; libraries in C are
not. What it reached stands in libFuzzer's last line on standard error.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import atheris

with atheris.instrument_imports(include=["peta_viz", "PIL"], enable_loader_override=False):
    from abuse.fuzz.judging import Judge, Target, limit_memory
    from abuse.fuzz.targets import TARGETS, make

from hypothesis import HealthCheck, given, settings

_LONGEST_BYTES = 1 << 16


def main() -> None:
    """Run for some seconds, and leave the tally in a file; libFuzzer ends the process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("tally", type=Path)
    parser.add_argument("--seconds", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    limit_memory()
    folder = Path(tempfile.mkdtemp(dir=arguments.tally.parent))
    with atheris.instrument_imports(include=["peta_viz", "PIL"], enable_loader_override=False):
        target = make(arguments.target, folder)
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, data in enumerate(target.seeds or _some_bytes()):
        (corpus / f"seed-{number}").write_bytes(data)
    options = {
        "max_total_time": arguments.seconds,
        "seed": arguments.seed,
        "max_len": max([_LONGEST_BYTES, *map(len, target.seeds)]),
        "len_control": 0,  # what Hypothesis draws of a few bytes is nothing
        "timeout": 0,  # the judge has its own
        "rss_limit_mb": 0,
        "print_final_stats": 1,
    }
    judge = Judge(target, arguments.tally)
    flags = [f"-{name}={value}" for name, value in options.items()]
    atheris.Setup([sys.argv[0], str(corpus), *flags], _reader(target, judge))
    atheris.Fuzz()


def _some_bytes() -> list[bytes]:
    """Return bytes of some lengths that Hypothesis can draw whole cases of."""
    chance = Random(0)  # noqa: S311 - no secret
    return [chance.randbytes(count) for count in (64, 256, 1_024, 4_096) for _ in range(8)]


def _reader(target: Target, judge: Judge) -> Callable[[bytes], None]:
    """Return what makes a case of bytes and runs it."""
    read = target.read
    if read is not None:
        return lambda data: judge(read(data))

    @settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(target.cases)
    def one(case: Any) -> None:
        judge(case)

    draw: Any = one.hypothesis.fuzz_one_input  # type: ignore[attr-defined]

    def run(data: bytes) -> None:
        draw(data)

    return run


if __name__ == "__main__":
    main()
