"""Throws bad input at everything that takes input, and writes down how it ended.

``python -m abuse.fuzz --minutes 60 --cases 100000``: so many random cases, and so many minutes of
coverage-guided ones, each shared out among the targets. Each target has a process of its own.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from math import ceil
from pathlib import Path

from abuse.fuzz.judging import Tally
from abuse.fuzz.table import Reached, page
from abuse.fuzz.targets import SHARES, TARGETS, WORDS

_PAGE = Path(__file__).parents[1] / "fuzz.md"
_COVERED = re.compile(r"#(\d+)\s.*?cov: (\d+)")


def main() -> None:
    """Run every target, both ways, and write the page; fails if anything broke."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000, help="random cases, in all")
    parser.add_argument("--minutes", type=float, default=60.0, help="coverage-guided, in all")
    parser.add_argument("--only", nargs="*", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--out", type=Path, default=_PAGE)
    arguments = parser.parse_args()
    shares = sum(SHARES[name] for name in arguments.only)
    cheap: dict[str, Tally] = {}
    guided: dict[str, Reached] = {}
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        for name in arguments.only if arguments.cases else []:
            cases = ceil(arguments.cases * SHARES[name] / shares)
            cheap[name], _ = _run(folder, "cheap", name, ["--cases", str(cases)])
        seconds = round(60 * arguments.minutes / len(arguments.only))
        for name in arguments.only if seconds else []:
            guided[name] = _guided(folder, name, seconds)
    arguments.out.write_text(page(cheap, guided, WORDS), encoding="utf-8")
    everything = [*cheap.values(), *(one.tally for one in guided.values())]
    sys.exit(1 if any(tally.broke for tally in everything) else 0)


def _guided(folder: Path, name: str, seconds: int) -> Reached:
    began = time.monotonic()
    tally, said = _run(folder, "guided", name, ["--seconds", str(seconds)])
    lines = _COVERED.findall(said)
    executions, edges = (
        int(max(lines, key=lambda at: int(at[0]))[n]) if lines else 0 for n in (0, 1)
    )
    return Reached(tally, executions, edges, (time.monotonic() - began) / 60)


def _run(folder: Path, kind: str, name: str, options: Sequence[str]) -> tuple[Tally, str]:
    """Run a target in a process of its own; one that does not end well is something that broke."""
    file = folder / f"{kind}-{name}.json"
    print(f"{kind}: {name} …", file=sys.stderr, flush=True)  # noqa: T201
    command = [sys.executable, "-m", f"abuse.fuzz.{kind}", name, str(file), *options]
    done = subprocess.run(  # noqa: S603 - our own
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, errors="replace", check=False
    )
    tally = Tally(**json.loads(file.read_text(encoding="utf-8"))) if file.exists() else Tally()
    if done.returncode:
        tally.broke += 1
        tally.findings[f"the process ended with {done.returncode}"] = done.stderr[-2000:]
    counts = f"{tally.cases:,} cases, {tally.broke} broke, {tally.seconds:.0f} s"
    print(f"{kind}: {name}: {counts}", file=sys.stderr, flush=True)  # noqa: T201
    for place, case in tally.findings.items():
        print(f"--- {place}\n{case}", file=sys.stderr, flush=True)  # noqa: T201
    return tally, done.stderr


if __name__ == "__main__":
    main()
