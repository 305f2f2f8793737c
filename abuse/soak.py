"""What ten thousand jumps in the gallery and ten thousand acts in the curator leave behind.

``python -m abuse.soak`` (``make soak``) shows each widget in a real Chromium with the bridge of the
browser tests, so that "kernel" is this process, which runs the real Python object and drives the
browser; then it shows and closes both a hundred times in a real JupyterLab. Free memory is given
back before each look, in the kernel and in the page. It fails where memory or the number of things
in the page goes on rising after the middle, or a closed widget leaves anything behind; what
JupyterLab itself keeps of each cell that is run is told by two plain widgets beside ours.
"""

import argparse
import json
import logging
import shutil
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
from ipywidgets.widgets import widget as all_widgets
from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from benchmarks.machine import in_words
from benchmarks.memory import forget, resident
from peta_viz import Curator, DecisionLog, Gallery, ImageSet, read_peta
from peta_viz.files import write_text
from peta_viz.sample import make_sample
from tests.browser.conftest import ARGUMENTS
from tests.browser.lab import Lab
from tests.browser.stub import Stub

IMAGES = 100_000
TOLERANCE = 1.1  # of what there was at the middle
# Of memory a step may leave this: acts are kept (3 kB each), and pictures up to a limit.
ALLOWED_KB = {"kernel_mb": 10, "page_mb": 1}
STRETCH = 100  # steps between two words to the page
ENLARGE_EVERY = 50
ROUNDS = 100
COUNTS = ("widgets", "threads", "files", "addresses", "nodes", "listeners", "documents")
MEMORY = ("kernel_mb", "page_mb")
WORDS = {
    "kernel_mb": "kernel, resident MB",
    "page_mb": "page, JavaScript heap MB",
    "nodes": "nodes in the page",
    "listeners": "event listeners",
    "documents": "documents",
    "addresses": "object URLs",
    "widgets": "widgets (a comm each)",
    "comms": "comms in the page",
    "threads": "threads of the kernel",
    "files": "open files of the kernel",
    "step_ms": "a step before this, median ms",
}
_LOG = logging.getLogger(__name__)
WHAT = {
    "gallery": f"Jumps among {IMAGES:,} images",
    "curator": "Acts of a curator",
    "lab": "Both shown and closed in JupyterLab",
    "plain": "Two widgets of ipywidgets shown and closed in JupyterLab",
}
# Key by key what a person does to one component, and whether the kernel is asked.
ROUTINES = (
    [("Enter", True)],
    [("e", True), ("m", True), ("ArrowDown", False), ("y", True), ("n", True), ("Enter", True)],
    [("1", False), ("d", True), ("1", False), ("d", True), ("g", True)],
    [("e", True), ("z", True), ("Z", True), ("1", False), ("p", True), ("u", True)],
)


@dataclass
class Reading:
    """What there is at one moment."""

    when: str
    steps: int
    counts: dict[str, float]


class Bridge(Stub):
    """The bridge of the tests, which does not keep what went over it."""

    def __init__(self, page: Page, widget: Any, **options: Any) -> None:
        super().__init__(page, widget, **options)
        self.asked, self.sent = deque(maxlen=0), deque(maxlen=0)


class Watch:
    """Counts what there is in this process and in a page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._wire: CDPSession = page.context.new_cdp_session(page)
        self._wire.send("Performance.enable")
        self.readings: list[Reading] = []
        self._times: list[float] = []
        self._steps = 0

    def took(self, times: list[float]) -> None:
        """Hear how long steps took."""
        self._times += times
        self._steps += len(times)
        _LOG.info("%d steps", self._steps)

    def look(self, when: str, steps: int) -> None:
        """Count everything now."""
        forget()
        process = psutil.Process()
        counts = {
            "kernel_mb": resident()[0] / 1e6,
            "widgets": len(all_widgets._instances),  # noqa: SLF001
            "threads": threading.active_count(),
            "files": process.num_fds(),
            **in_page(self.page, self._wire),
        }
        if self._times:
            counts["step_ms"] = float(np.median(self._times))
            self._times = []
        self.readings.append(_noted(when, steps, counts))


def in_page(page: Page, wire: CDPSession) -> dict[str, float]:
    """Count what a page holds, once what it does not need is gone."""
    for _ in range(2):  # what the first round frees may have held more
        wire.send("HeapProfiler.collectGarbage")
    told = {m["name"]: m["value"] for m in wire.send("Performance.getMetrics")["metrics"]}
    return {
        "page_mb": told["JSHeapUsedSize"] / 1e6,
        "nodes": told["Nodes"],
        "listeners": told["JSEventListeners"],
        "documents": told["Documents"],
        "addresses": page.evaluate("soak.addresses.size"),
    }


def many(folder: Path, images: int, *, size: int) -> ImageSet:
    """Return the sample's images over and over, in contested components."""
    small = read_peta(make_sample(folder / "sample"))
    rows = np.resize(np.arange(len(small)), images)
    frame = pd.DataFrame(
        {
            "image": [f"image {n}" for n in range(images)],
            "file": small.images["path"].to_numpy()[rows],
            **{name: small.labels[name].to_numpy()[rows] for name in small.labels},
            "contested": np.arange(images) % size > 0,
        }
    )
    labels = [*small.labels, "contested"]
    made = ImageSet.from_frame(frame, path="file", labels=labels, image_id="image")
    return made.with_columns(component_id=np.arange(images) // size)


def soak_gallery(watch: Watch, folder: Path, jumps: int) -> None:
    """Jump to and fro among a hundred thousand images, now and then looking at one of them."""
    imageset = many(folder, IMAGES, size=4)

    def jump(count: int) -> None:
        for part in _parts(count):
            watch.took(watch.page.evaluate("n => soak.jump(...n)", [part, ENLARGE_EVERY]))

    _soak(watch, lambda: Gallery(imageset, height_px=200), jump, jumps)


def soak_curator(watch: Watch, folder: Path, acts: int) -> None:
    """Decide, remark, relabel, split, drop, undo and do again, component after component."""
    imageset = many(folder, 3 * acts, size=3)
    log = DecisionLog(folder / "soak.sqlite")
    keys = cycle([key for routine in ROUTINES for key in routine])

    def decide(count: int) -> None:
        for part in _parts(count):
            wanted, given = [], 0
            while given < part:
                wanted.append(next(keys))
                given += wanted[-1][1]
            watch.took(watch.page.evaluate("keys => soak.decide(keys)", wanted))

    _soak(watch, lambda: Curator(imageset, log, person="soak"), decide, acts)
    stored = len(log.since())
    if stored != acts:
        raise RuntimeError(f"{acts} acts were done, and {stored} are in the log")


def _soak(watch: Watch, make: Callable[[], Any], go: Callable[[int], None], steps: int) -> None:
    """Show a widget, use it, close it; look before, between and after."""
    watch.page.goto("about:blank")
    watch.look("before", 0)
    widget = make()
    # Nobody looks here, so there is no time to be given for looking.
    looking = {"const LOOK_MS = 200;": "const LOOK_MS = 0;"} if isinstance(widget, Curator) else {}
    bridge = Bridge(watch.page, widget, changes=looking)
    _wait(watch.page, "[data-pending='0']")
    watch.look("shown", 0)
    done = 0
    for when, until in (("warm", steps // 10), ("middle", steps // 2), ("end", steps)):
        go(until - done)
        done = until
        watch.look(when, done)
    watch.page.evaluate("cleanup()")
    widget.close()
    del widget, bridge
    # What the bridge holds in the page is not the widget's.
    watch.page.evaluate("for (const name of ['cleanup', 'show', 'model']) delete window[name]")
    watch.look("closed", done)


def in_lab(browser: Browser, folder: Path, rounds: int, *, plain: bool) -> list[Reading]:
    """Show and close both widgets in JupyterLab, or two plain ones, over and over."""
    (folder / "home").mkdir()
    (folder / "notebooks").mkdir()
    imageset = many(folder, 3_000, size=3)
    imageset.to_parquet(folder / "notebooks")
    lab = Lab(folder / "home").start(folder / "notebooks")
    page = _page(browser)
    wire = page.context.new_cdp_session(page)
    wire.send("Performance.enable")
    readings = []

    def look(when: str, steps: int) -> None:
        told = json.loads(lab.execute(page, "print(count())").strip())
        counts = {**told, **in_page(page, wire), "comms": page.evaluate(_COMMS)}
        readings.append(_noted(when, steps, counts))

    try:
        cells = [_PREPARE, _PLAIN if plain else _SHOW, "gallery.close(); curator.close()"]
        lab.open(page, lab.write_notebook("soak.ipynb", cells))
        lab.run_cell(page, 0)
        for done in range(rounds + 1):
            if done in (1, rounds // 2, rounds):
                look({1: "once"}.get(done, "end" if done == rounds else "middle"), done)
            if done == rounds:
                break
            lab.run_cell(page, 1)
            ready = [".widget-button", ".widget-slider"] if plain else _READY
            for root in ready:
                _wait(page, root)
            lab.run_cell(page, 2)
            for root in ready:
                _wait(page, root, state="detached")
    finally:
        page.context.close()
        lab.stop()
    return readings


_PREPARE = """
import ctypes, gc, json, threading
import psutil
from ipywidgets.widgets import widget
from peta_viz import Curator, Gallery, ImageSet
imageset = ImageSet.from_parquet(".")
def count():
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    process = psutil.Process()
    return json.dumps({
        "kernel_mb": process.memory_info().rss / 1e6,
        "widgets": len(widget._instances),
        "threads": threading.active_count(),
        "files": process.num_fds(),
    })
"""
_SHOW = """
from IPython.display import display
gallery, curator = Gallery(imageset, height_px=300), Curator(imageset, "soak.sqlite", person="soak")
display(gallery, curator)
"""
_PLAIN = """
import ipywidgets
from IPython.display import display
gallery, curator = ipywidgets.Button(description="button"), ipywidgets.IntSlider()
display(gallery, curator)
"""
_READY = [f"{root}[data-pending='0']" for root in (".pv-gallery:not(.pv-curator)", ".pv-curator")]
_COMMS = "() => jupyterapp.shell.currentWidget.sessionContext.session.kernel._comms.size"


def problems(name: str, readings: list[Reading]) -> list[str]:
    """Say what goes on rising after the middle, and what a closed widget leaves behind."""
    at = {reading.when: reading.counts for reading in readings}
    found = [
        f"{name}: {WORDS[what]} rose from {at['middle'][what]:,.1f} to {at['end'][what]:,.1f}"
        for what in (*MEMORY, *COUNTS)
        if name in ("gallery", "curator") and _rose(what, readings)
    ]
    first, last = readings[0].counts, readings[-1].counts
    return found + [
        f"{name}: {last[what] - first[what]:g} {WORDS[what]} are left behind"
        for what in ("widgets", "addresses", "documents")
        if last[what] > first[what]
    ]


def _rose(what: str, readings: list[Reading]) -> bool:
    at = {reading.when: reading for reading in readings}
    middle, end = at["middle"].counts[what], at["end"].counts[what]
    if what in ALLOWED_KB:
        steps = at["end"].steps - at["middle"].steps
        return 1000 * (end - middle) > ALLOWED_KB[what] * steps
    return end > TOLERANCE * middle


def table(readings: list[Reading]) -> str:
    """Write readings as a table, a moment a column."""
    moments = [f"{one.when}, {one.steps:,}" if one.steps else one.when for one in readings]
    names = [name for name in WORDS if any(name in one.counts for one in readings)]
    rows = [
        [WORDS[name], *(_told(one.counts.get(name), name) for one in readings)] for name in names
    ]
    lines = [["", *moments], ["---", *["--:"] * len(readings)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _told(value: float | None, name: str) -> str:
    if value is None:
        return ""
    return f"{value:,.1f}" if name in (*MEMORY, "step_ms") else f"{value:,.0f}"


def _noted(when: str, steps: int, counts: dict[str, float]) -> Reading:
    _LOG.info("%s: %s", when, {name: round(value, 1) for name, value in counts.items()})
    return Reading(when, steps, counts)


def _wait(page: Page, selector: str, *, state: Any = "visible") -> None:
    # Without a handle, which would hold what is waited for.
    page.locator(selector).first.wait_for(state=state, timeout=60_000)


def _parts(count: int) -> Iterator[int]:
    yield from [STRETCH] * (count // STRETCH)
    if count % STRETCH:
        yield count % STRETCH


def _page(browser: Browser) -> Page:
    page = browser.new_context(viewport={"width": 640, "height": 480}).new_page()
    page.add_init_script(path=Path(__file__).with_suffix(".js"))
    return page


def main() -> None:
    """Soak what was asked for, and write all that is known beside this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=WHAT, help="one of them; the others stay as they were")
    parser.add_argument("--jumps", type=int, default=10_000)
    parser.add_argument("--acts", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    steps = {"gallery": options.jumps, "curator": options.acts}
    told = json.loads(options.out.read_text()) if options.out.is_file() else {}
    found = []
    for name in [options.only] if options.only else WHAT:
        with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"),
                args=[*ARGUMENTS, "--enable-precise-memory-info"],
            )
            if name in ("lab", "plain"):
                readings = in_lab(browser, Path(folder), options.rounds, plain=name == "plain")
            else:
                watch = Watch(_page(browser))
                {"gallery": soak_gallery, "curator": soak_curator}[name](
                    watch, Path(folder), steps[name]
                )
                readings = watch.readings
            browser.close()
        found += problems(name, readings) if name != "plain" else []
        told[name] = {"machine": in_words(), "readings": [asdict(one) for one in readings]}
        write_text(options.out, json.dumps(told, indent=1) + "\n")
        write_text(options.out.with_suffix(".md"), page_of(told))
    sys.exit("\n".join(found) or None)


def page_of(told: dict[str, Any]) -> str:
    """Write all that is known as a page."""
    parts = ["# What is left behind\n\n`make soak`; what it does is in `abuse/soak.py`."]
    for name, words in WHAT.items():
        if name in told:
            readings = [Reading(**one) for one in told[name]["readings"]]
            parts.append(f"## {words}\n\n{told[name]['machine']}\n\n{table(readings)}")
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    main()
