"""Writes what was found as a page: one table of random cases, one of coverage-guided ones."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from abuse.fuzz.judging import LIMIT_BYTES, LIMIT_S, Tally
from benchmarks.machine import in_words

_HEAD = """# Bad input

{machine}. Made by `make fuzz`; seeds are fixed.{unfinished}

Every case has to end in one of three ways: it succeeds, it succeeds and lists what it skipped (an
image with its problem), or it is refused with one of peta-viz's own errors. Anything else broke:
another exception, more than {seconds:g} s of processor time, or more than {gib:g} GiB resident in
the process.

Cases are drawn nearly sound, with an edit or a few, so that they get past the first checks.
*Answers* are the different reasons that errors and skips gave, names and numbers left out;
*commonest* is the share of those cases that gave the one most often given.
"""


@dataclass(frozen=True)
class Reached:
    """What the coverage-guided kind did with a target: runs, and edges of Python code reached."""

    tally: Tally
    executions: int
    edges: int
    minutes: float


def page(
    cheap: Mapping[str, Tally],
    guided: Mapping[str, Reached],
    words: Mapping[str, str],
    *,
    missing: Sequence[str] = (),
) -> str:
    """Return the page in Markdown; it says which parts of the run are missing."""
    unfinished = f"\n\n**Not finished:** {'; '.join(missing)}." if missing else ""
    limits = {"seconds": LIMIT_S, "gib": LIMIT_BYTES / 2**30}
    parts = [_HEAD.format(machine=in_words(), unfinished=unfinished, **limits)]
    if cheap:
        columns = ["input", "cases", *_ENDS, *_ANSWERS, "seconds", "slowest, s", "peak, MB"]
        rows = [[words[name], f"{tally.cases:,}", *_ends(tally)] for name, tally in cheap.items()]
        total = [sum(getattr(tally, name) for tally in cheap.values()) for name in _COUNTS]
        seconds = sum(tally.seconds for tally in cheap.values())
        slowest = max(tally.slowest_s for tally in cheap.values())
        peak = max(tally.peak_bytes for tally in cheap.values())
        answers: Counter[str] = Counter()
        for tally in cheap.values():
            answers.update(tally.answers)
        spread = _spread(answers, total[2] + total[3])
        costs = _costs(seconds, slowest, peak)
        rows.append(["all", *(f"{n:,}" for n in total), *spread, *costs])
        parts += ["## Random cases\n", _table(columns, rows)]
    if guided:
        columns = [
            "input",
            "minutes",
            "executions",
            "edges",
            *_ENDS,
            *_ANSWERS,
            "slowest, s",
            "peak, MB",
        ]
        rows = []
        for name, one in guided.items():
            ends = _ends(one.tally)
            counts = [f"{one.minutes:.1f}", f"{one.executions:,}", f"{one.edges:,}"]
            rows.append([words[name], *counts, *ends[:6], *ends[7:]])
        parts += ["## Coverage-guided cases\n", _EDGES, _table(columns, rows)]
    found = {**{n: t.findings for n, t in cheap.items()}}
    for name, one in guided.items():
        found[name] = {**found.get(name, {}), **one.tally.findings}
    for name, findings in found.items():
        for place, case in findings.items():
            parts.append(f"### {words[name]}: {place}\n\n```\n{case}\n```\n")
    return "\n".join(parts)


_COUNTS = ("cases", "succeeded", "skipped", "refused", "broke")
_ANSWERS = ("answers", "commonest")
_ENDS = ("succeeded", "listed as skips", "own errors", "broke")
_EDGES = """[atheris](https://github.com/google/atheris) changes each case and keeps those that
reach something new in the Python of peta-viz, and of Pillow. An execution whose bytes were too few
for a case ends before any.
"""


def _ends(tally: Tally) -> list[str]:
    counts = (tally.succeeded, tally.skipped, tally.refused, tally.broke)
    return [
        *(f"{n:,}" for n in counts),
        *_spread(tally.answers, tally.skipped + tally.refused),
        *_costs(tally.seconds, tally.slowest_s, tally.peak_bytes),
    ]


def _spread(answers: Mapping[str, int], cases: int) -> list[str]:
    commonest = max(answers.values(), default=0) / max(cases, 1)
    return [f"{len(answers):,}", f"{commonest:.0%}" if answers else "–"]


def _costs(seconds: float, slowest_s: float, peak_bytes: int) -> list[str]:
    return [f"{seconds:.0f}", f"{slowest_s:.2f}", f"{peak_bytes / 1e6:,.0f}"]


def _table(columns: list[str], rows: list[list[Any]]) -> str:
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
