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
from dataclasses import asdict, dataclass
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
    parser.add_argument(
        "--kept", type=Path, help="what was found, as JSON: what is there already stays on the page"
    )
    arguments = parser.parse_args()
    found = _Found.read(arguments.kept)
    shares = sum(SHARES[name] for name in arguments.only)
    seconds = round(60 * arguments.minutes / len(arguments.only))
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        for name in arguments.only if arguments.cases else []:
            cases = ceil(arguments.cases * SHARES[name] / shares)
            found.cheap[name], _ = _run(folder, "cheap", name, cases)
            found.write(arguments.out, arguments.kept)
        for name in arguments.only if seconds else []:
            found.guided[name] = _guided(folder, name, seconds)
            found.write(arguments.out, arguments.kept)
    everything = [*found.cheap.values(), *(one.tally for one in found.guided.values())]
    sys.exit(1 if any(tally.broke for tally in everything) else 0)


@dataclass
class _Found:
    """What came of the targets so far."""

    cheap: dict[str, Tally]
    guided: dict[str, Reached]

    @classmethod
    def read(cls, file: Path | None) -> "_Found":
        """Take what an earlier call kept, if there is any."""
        if file is None or not file.exists():
            return cls({}, {})
        told = json.loads(file.read_text(encoding="utf-8"))
        return cls(
            {name: Tally(**tally) for name, tally in told["cheap"].items()},
            {
                name: Reached(**{**one, "tally": Tally(**one["tally"])})
                for name, one in told["guided"].items()
            },
        )

    def write(self, out: Path, kept: Path | None) -> None:
        """Write the page, and keep what it was made of."""
        text = page(self.cheap, self.guided, WORDS, missing=self._missing())
        out.write_text(text, encoding="utf-8")
        if kept is not None:
            kept.write_text(json.dumps(asdict(self)), encoding="utf-8")

    def _missing(self) -> list[str]:
        """Name the parts of a whole run that have not been done."""
        parts = {"random": self.cheap, "coverage-guided": self.guided}
        left = {
            kind: [words for name, words in WORDS.items() if name not in done]
            for kind, done in parts.items()
        }
        return [f"no {kind} cases of {', '.join(names)}" for kind, names in left.items() if names]


def _guided(folder: Path, name: str, seconds: int) -> Reached:
    began = time.monotonic()
    tally, said = _run(folder, "guided", name, seconds)
    lines = _COVERED.findall(said)
    executions, edges = (
        int(max(lines, key=lambda at: int(at[0]))[n]) if lines else 0 for n in (0, 1)
    )
    return Reached(tally, executions, edges, (time.monotonic() - began) / 60)


def _run(folder: Path, kind: str, name: str, amount: int) -> tuple[Tally, str]:
    """Run a target in a process of its own; one that does not end well is something that broke."""
    file = folder / f"{kind}-{name}.json"
    print(f"{kind}: {name} …", file=sys.stderr, flush=True)  # noqa: T201
    command = [sys.executable, "-m", f"abuse.fuzz.{kind}", name, str(file), str(amount)]
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
