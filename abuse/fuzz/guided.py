"""Lets atheris look for cases of one target that reach code no case before them reached.

Instrumented is the Python of peta-viz, and of Pillow where files are decoded; libraries in C are
not. What it reached stands in libFuzzer's last line on standard error.
"""

import sys
from collections.abc import Callable
from random import Random
from typing import Any

import atheris

_INSTRUMENTED = ["peta_viz", "PIL"]

with atheris.instrument_imports(include=_INSTRUMENTED, enable_loader_override=False):
    from abuse.fuzz.running import Judge, drawn, job

_LONGEST_BYTES = 1 << 16


def main() -> None:
    """Run for some seconds, and leave the tally in a file; libFuzzer ends the process."""
    with atheris.instrument_imports(include=_INSTRUMENTED, enable_loader_override=False):
        mine = job(__doc__)
    seeds = mine.judge.target.seeds
    for number, data in enumerate(seeds or _some_bytes()):
        (mine.folder / f"seed-{number}").write_bytes(data)
    options = {
        "max_total_time": mine.amount,
        "seed": mine.seed,
        "max_len": max([_LONGEST_BYTES, *map(len, seeds)]),
        "len_control": 0,  # what Hypothesis draws of a few bytes is nothing
        "timeout": 0,  # the judge has its own
        "rss_limit_mb": 0,
        "print_final_stats": 1,
        "artifact_prefix": f"{mine.folder}/",
    }
    flags = [f"-{name}={value}" for name, value in options.items()]
    atheris.Setup([sys.argv[0], str(mine.folder), *flags], _reader(mine.judge))
    atheris.Fuzz()


def _some_bytes() -> list[bytes]:
    """Return bytes of some lengths that Hypothesis can draw whole cases of."""
    chance = Random(0)  # noqa: S311 - no secret
    return [chance.randbytes(count) for count in (64, 256, 1_024, 4_096) for _ in range(8)]


def _reader(judge: Judge) -> Callable[[bytes], None]:
    """Return what makes a case of bytes and runs it."""
    read = judge.target.read
    if read is not None:
        return lambda data: judge(read(data))
    one: Any = drawn(judge)
    draw = one.hypothesis.fuzz_one_input

    def run(data: bytes) -> None:
        draw(data)

    return run


if __name__ == "__main__":
    main()
