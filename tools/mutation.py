"""Mutation testing: is it noticed when the code is changed? ``make mutation``.

cosmic-ray says what can be changed, and changes it in a copy of the repository; the tests that
mirror the module then run in a fork of a process that has loaded all other packages, so that a
mutant costs little more than its tests. What is measured, and by which tests, stands in
``pyproject.toml`` under ``[tool.mutation]``. Results are kept in a file, and a run that was
stopped goes on; ``--again`` tries those that survived once more, after tests were written.
"""

import argparse
import ast
import compileall
import contextlib
import importlib
import json
import os
import py_compile
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from difflib import unified_diff
from pathlib import Path

import pytest
from cosmic_ray.ast import ast_nodes, get_ast_from_path
from cosmic_ray.mutating import use_mutation
from cosmic_ray.plugins import get_operator, operator_names
from scipy.stats import binomtest

TOP = Path(__file__).parents[1]
COPIED = ("peta_viz", "tests", "notebooks", "data", "pyproject.toml")
OWN = ("peta_viz", "tests")
KILLED, SURVIVED, GONE = "killed", "survived", "gone"
_MEMORY_BYTES = 6 << 30


@dataclass(frozen=True)
class Mutant:
    """One change of one module: the how manieth place of an operator, and what came of it."""

    group: str
    module: str
    operator: str
    occurrence: int
    line: int
    key: str
    diff: str = ""
    before: str = ""
    after: str = ""


def main() -> None:
    """Try a sample of the mutants of each group of modules, and print the shares."""
    config = tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["mutation"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Plain)
    parser.add_argument(
        "groups", nargs="*", help=f"of {', '.join(config['groups'])}; by default all"
    )
    parser.add_argument(
        "--sample", type=int, default=config["sample"], help="mutants of each group"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--again", action="store_true", help="only those that survived")
    parser.add_argument("--results", type=Path, default=TOP / "runs" / "mutation.json")
    options = parser.parse_args()
    results = options.results.absolute()
    tried = [Mutant(**one) for one in json.loads(results.read_text())] if results.is_file() else []
    results.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        _copy(Path(folder))
        os.chdir(folder)
        sys.path.insert(0, folder)
        os.environ["PYTHONPATH"] = folder  # tests start processes, too
        for name in options.groups or config["groups"]:
            group = config["groups"][name]
            possible = list(_mutants(name, group["modules"], config["operators"]))
            if options.again:
                own = [one for one in tried if one.group == name]
                wanted = [one for one in own if KILLED not in (one.before, one.after)]
                chosen = _found_again(wanted, possible)
            else:
                number = min(options.sample, len(possible))
                chosen = random.Random(options.seed).sample(possible, number)  # noqa: S311
                chosen = [one for one in chosen if one.key not in {old.key for old in tried}]
            sys.stdout.write(f"{name}: {len(chosen)} of {len(possible)} mutants\n")
            for one in _judged(chosen, group["tests"], config["slow_s"], again=options.again):
                tried = [old for old in tried if old.key != one.key] + [one]
                results.write_text(json.dumps([asdict(old) for old in tried], indent=1))
    _report(tried)


class _Plain(argparse.RawDescriptionHelpFormatter):
    pass


def _copy(folder: Path) -> None:
    for name in COPIED:
        if (TOP / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "sample")
            shutil.copytree(TOP / name, folder / name, ignore=ignored)
        else:
            shutil.copy(TOP / name, folder / name)
    # What is compiled goes by the text and not by its time: mutants follow each other quickly.
    mode = py_compile.PycInvalidationMode.CHECKED_HASH
    compileall.compile_dir(folder / "peta_viz", quiet=1, invalidation_mode=mode)


def _mutants(group: str, patterns: Iterable[str], operators: Iterable[str]) -> Iterator[Mutant]:
    """Find what can be changed, but for annotations, and for stars that part parameters."""
    wanted = re.compile(f"core/({'|'.join(operators)})")
    for path in sorted({file for pattern in patterns for file in Path().glob(pattern)}):
        lines = path.read_text().splitlines()
        annotated = _annotations(path)
        tree = get_ast_from_path(path)
        seen: Counter[str] = Counter()
        for name in filter(wanted.fullmatch, sorted(operator_names())):
            operator = get_operator(name)()
            places = (at for node in ast_nodes(tree) for at in operator.mutation_positions(node))
            for occurrence, ((line, column), _) in enumerate(places):
                text = lines[line - 1]
                if any(first <= (line, column) < last for first, last in annotated):
                    continue
                if text[column:].startswith("*,"):
                    continue
                key = f"{path} {name} {column} {text.strip()}"
                seen[key] += 1
                key = f"{key} {seen[key]}"
                yield Mutant(group, str(path), name, occurrence, line, key)


def _annotations(path: Path) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    found = [node.annotation for node in nodes if isinstance(node, ast.arg | ast.AnnAssign)]
    found += [node.returns for node in nodes if isinstance(node, ast.FunctionDef)]
    return [
        ((node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0))
        for node in found
        if node is not None
    ]


def _found_again(wanted: Iterable[Mutant], possible: Iterable[Mutant]) -> list[Mutant]:
    """Return them as they are now; code that is not there any more cannot be changed."""
    now = {one.key: one for one in possible}
    return [
        replace(now[one.key], before=one.before, diff=one.diff)
        if one.key in now
        else replace(one, after=GONE)
        for one in wanted
    ]


def _judged(
    mutants: list[Mutant], tests: list[str], slow_s: float, *, again: bool
) -> Iterator[Mutant]:
    arguments, limit_s = _prepare(tests, slow_s)
    for number, one in enumerate(mutants, start=1):
        if one.after == GONE:
            yield one
            continue
        operator = get_operator(one.operator)()
        with use_mutation(Path(one.module), operator, one.occurrence) as (old, new):
            start = time.perf_counter()
            status = SURVIVED if _in_fork(lambda: _run(arguments), limit_s) == 0 else KILLED
            spent = time.perf_counter() - start
        diff = "\n".join(list(unified_diff(old.split("\n"), new.split("\n"), n=0, lineterm=""))[3:])
        where = f"{one.module}:{one.line}"
        sys.stdout.write(f"{number}/{len(mutants)} {status} {spent:.1f} s {where} {one.operator}\n")
        if status == SURVIVED:
            sys.stdout.write(f"{diff}\n")
        sys.stdout.flush()
        yield replace(one, diff=diff, **{"after" if again else "before": status})


def _prepare(tests: list[str], slow_s: float) -> tuple[list[str], float]:
    """Run the tests on what is not changed; load what they load, and leave out the slow ones."""
    arguments = ["-q", "-x", "-p", "no:cacheprovider", "--basetemp=left", *tests]
    noted = Path("noted.json").absolute()

    def first_run() -> int:
        plugin = _Spent()
        code = int(pytest.main(arguments, plugins=[plugin]))
        loaded = [name for name in sys.modules if name.split(".")[0] not in OWN]
        noted.write_text(json.dumps({"spent": plugin.by_test, "out": plugin.out, "loaded": loaded}))
        return code

    if _in_fork(first_run, 3600.0) != 0:
        sys.exit(Path("log.txt").read_text()[-5000:])
    told = json.loads(noted.read_text())
    for name in told["loaded"]:
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    slow = [test for test, spent in told["spent"].items() if spent > slow_s]
    left = sum(spent for test, spent in told["spent"].items() if test not in slow)
    sys.stdout.write(f"{len(told['spent'])} tests, {left:.1f} s, without {slow + told['out']}\n")
    return [*arguments, *(f"--deselect={test}" for test in slow + told["out"])], 20 + 5 * left


class _Spent:
    """Notes how much of a processor each test takes, and which ones are skipped."""

    def __init__(self) -> None:
        self.by_test: dict[str, float] = {}
        self.out: list[str] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        start = sum(os.times()[:4])
        done = yield
        self.by_test[item.nodeid] = sum(os.times()[:4]) - start
        return done

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped:
            self.out.append(report.nodeid)


def _run(arguments: list[str]) -> int:
    sys.dont_write_bytecode = True
    return int(pytest.main(arguments))


def _in_fork(work: Callable[[], int], limit_s: float) -> int:
    """Do something in a process of its own; what takes too long, or too much, has failed."""
    process = os.fork()
    if not process:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_BYTES, _MEMORY_BYTES))
        log = os.open("log.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        code = 1
        try:
            code = work()
        finally:
            os._exit(code)
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return 1


def _report(tried: list[Mutant]) -> None:
    sys.stdout.write("| modules | mutants tried | killed | share | 95 % | killed now | share |\n")
    sys.stdout.write("| --- | --: | --: | --: | --- | --: | --: |\n")
    for group in dict.fromkeys(one.group for one in tried):
        own = [one for one in tried if one.group == group]
        first = sum(one.before == KILLED for one in own)
        now = sum(KILLED in (one.before, one.after) or one.after == GONE for one in own)
        low, high = binomtest(first, len(own)).proportion_ci(method="wilson")
        sys.stdout.write(
            f"| {group} | {len(own)} | {first} | {first / len(own):.0%} | {low:.0%}–{high:.0%} "
            f"| {now} | {now / len(own):.0%} |\n"
        )


if __name__ == "__main__":
    main()
