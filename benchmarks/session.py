"""One candidate at one size, in a JupyterLab and a Chromium of its own."""

import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import numpy as np
import psutil
from playwright.sync_api import Page, sync_playwright

from benchmarks.candidates import CANDIDATES, PICTURE_PX, Candidate
from tests.browser.conftest import ARGUMENTS
from tests.browser.lab import Lab

JUMPS = 40
PATHS = "paths.txt"
PREPARING = "preparing"
_SETUP = "paths = open({file!r}, encoding='utf-8').read().splitlines()[:{count}]\n"
# What the setup left behind must not count as room that the candidate finds ready.
_TIDY = "\nimport ctypes, gc\ngc.collect()\nctypes.CDLL(None).malloc_trim(0)\n"
_STYLE = """
const style = document.createElement("style");
style.textContent = `${watch.container} img { height: %dpx !important }`;
new MutationObserver((_, observer) => {
    if (!document.documentElement) return;
    document.documentElement.append(style);
    observer.disconnect();
}).observe(document, { childList: true });
"""
# The promise of the cell is not awaited: the pictures are.
_RUN_CELL = """() => {
    watch.received = 0;
    const panel = jupyterapp.shell.currentWidget;
    jupyterapp.commands.execute("notebook:run-cell").then(() => {
        const outputs = panel.content.model.cells.get(0).toJSON().outputs;
        const error = outputs.find(output => output.output_type === "error");
        if (error) watch.failure = `${error.ename}: ${error.evalue}`;
    });
}"""


def measure(
    name: str, count: int, folder: Path, say: Callable[[str, dict[str, Any]], None]
) -> dict[str, Any]:
    """Measure a candidate.

    Parameters
    ----------
    name
        One of `CANDIDATES`.
    count
        How many images are shown.
    folder
        Has the file `PATHS`; a folder in it is served by JupyterLab.
    say
        Hears what is waited for from now on, and what is known already.

    Returns
    -------
    dict
        `first_s`, `bytes_per_picture`, `nodes`, `kernel_mb`, `jump_median_ms`, `jump_p95_ms`,
        and what they were computed from.

    """
    say(PREPARING, {})
    candidate = CANDIDATES[name]
    with _lab(folder) as lab, _page(candidate) as page:
        lab.open(page, lab.write_notebook("bench.ipynb", [candidate.code.strip()]))
        setup = _SETUP.format(file=str(folder / PATHS), count=count) + candidate.setup
        lab.execute(page, setup + _TIDY, timeout_s=600)
        kernel = psutil.Process(lab.kernel_pid(page))
        before = kernel.memory_info().rss
        say("first picture", {})
        first_s = _show(lab, page, candidate)
        say("rest of the page", {"first_s": first_s})
        page.wait_for_load_state("load", timeout=0)
        page.evaluate("watch.settle()")
        say("jumps", {"first_s": first_s})
        shares = random.Random(0)  # noqa: S311 - the same places for all
        jumps = [page.evaluate("share => watch.jump(share)", shares.random()) for _ in range(JUMPS)]
        after = kernel.memory_info().rss
        return _figures(lab, page, candidate) | {
            "first_s": first_s,
            "kernel_mb": (after - before) / 1e6,
            "jump_median_ms": float(np.median(jumps)),
            "jump_p95_ms": float(np.percentile(jumps, 95)),
            "jumps_ms": [round(jump) for jump in jumps],
        }


def _show(lab: Lab, page: Page, candidate: Candidate) -> float:
    """Return the seconds until the first picture is on screen."""
    start = time.perf_counter()
    if candidate.page:
        lab.execute(page, candidate.code, timeout_s=3600)
        page.goto((lab.root / candidate.page).as_uri(), wait_until="commit", timeout=0)
    else:
        page.evaluate(_RUN_CELL)
    page.evaluate("watch.first()")
    return time.perf_counter() - start


def _figures(lab: Lab, page: Page, candidate: Candidate) -> dict[str, Any]:
    sums = page.evaluate("watch.sum()")
    received = sums["received"]
    if candidate.page:
        files = [lab.root / candidate.page, *map(_file, sums["files"])]
        received = sum(file.stat().st_size for file in files)
    return {
        "bytes": received,
        "pictures_seen": sums["seen"],
        "bytes_per_picture": received / sums["seen"],
        "nodes": sums["nodes"],
    }


def _file(url: str) -> Path:
    return Path(unquote(urlparse(url).path))


@contextmanager
def _lab(folder: Path) -> Iterator[Lab]:
    shutil.rmtree(folder / "lab", ignore_errors=True)
    root = folder / "lab" / "notebooks"
    root.mkdir(parents=True)
    lab = Lab(folder / "lab").start(root)
    try:
        yield lab
    finally:
        lab.stop()


@contextmanager
def _page(candidate: Candidate) -> Iterator[Page]:
    with sync_playwright() as playwright:
        path = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.add_init_script(path=Path(__file__).with_name("watch.js"))
        page.add_init_script(
            f"watch.root = {candidate.root!r}; watch.container = {candidate.container!r};"
            + (_STYLE % PICTURE_PX if "pv-" not in candidate.root else "")
        )
        yield page
        browser.close()
