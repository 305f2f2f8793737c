"""From a key to the next component on screen, beside what one would write oneself today.

``python -m benchmarks.curator`` opens a real JupyterLab with 10,000 contested components of three
images of the sample and decides about one after the other. "Plain widgets" is what a notebook of
today does: `ipywidgets.Image` and a button whose handler adds a row to a CSV file and shows the
next three images. Measured in the page: from the key (or click) until the next component's
pictures are decoded and there.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright

from benchmarks.machine import in_words
from peta_viz.files import write_text
from peta_viz.sample import make_sample
from tests.browser.conftest import ARGUMENTS
from tests.browser.lab import Lab

SETUP = """
import numpy as np, pandas as pd
from peta_viz import Curator, ImageSet, read_peta
small = read_peta({root!r})
count = {components} * 3
rows = np.resize(np.arange(len(small)), count)
frame = pd.DataFrame({{
    "id": [f"image {{n}}" for n in range(count)],
    "file": small.images["path"].to_numpy()[rows],
    **{{name: small.labels[name].to_numpy()[rows] for name in small.labels}},
    "contested": np.arange(count) % 3 > 0,
}})
labels = [*small.labels, "contested"]
many = ImageSet.from_frame(frame, path="file", labels=labels, image_id="id")
many = many.with_columns(component_id=np.arange(count) // 3)
paths = many.images["path"].to_numpy().reshape(-1, 3)
"""
OURS = """
curator = Curator(many, "decisions.sqlite", person="script")
curator
"""
PLAIN = """
import csv, ipywidgets
at = 0
pictures = ipywidgets.HBox()
title = ipywidgets.HTML()
accept = ipywidgets.Button(description="accept")
def show():
    title.value = f"<b class='plain'>component {at}</b>"
    pictures.children = [
        ipywidgets.Image(value=open(path, "rb").read(), format="jpg", height=260)
        for path in paths[at]
    ]
def clicked(_):
    global at
    with open("decisions.csv", "a") as file:
        csv.writer(file).writerow([at, "accept"])
    at += 1
    show()
accept.on_click(clicked)
show()
ipywidgets.VBox([title, pictures, accept])
"""
# `name()` says what is on screen; it has changed, and all its pictures are decoded.
WATCH = """
async ([kind, key]) => {
    const ours = kind === "ours";
    const plain = ".jp-OutputArea-output .widget-vbox";
    const root = document.querySelector(ours ? ".pv-curator" : plain);
    const name = () => ours ? root.dataset.component : root.querySelector(".plain").textContent;
    const pictures = () => [...root.querySelectorAll(ours ? ".pv-pick img" : "img")];
    const before = name(), old = new Set(pictures());
    const is_there = (img) => img.complete && img.naturalWidth && !old.has(img);
    // The curator takes no decision about what one cannot have seen yet: no time of its own.
    while (root.hasAttribute("data-unseen")) await new Promise(requestAnimationFrame);
    const start = performance.now();
    if (ours) root.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    else root.querySelector("button").click();
    for (;;) {
        const now = pictures();
        const all = now.length === 3 && now.every(is_there) && !root.hasAttribute("data-busy");
        if (all && name() !== before) break;
        await new Promise(requestAnimationFrame);
        if (performance.now() - start > 20000) throw new Error("nothing came");
    }
    await Promise.all(pictures().map((img) => img.decode()));
    return performance.now() - start;
}
"""


def measure(page: Page, lab: Lab, kind: str, code: str, components: int, steps: int) -> list[float]:
    """Return the milliseconds of each step."""
    root = str(make_sample("data/sample").absolute())
    cells = [SETUP.format(root=root, components=components), code.strip()]
    lab.open(page, lab.write_notebook(f"{kind}.ipynb", cells))
    lab.run_all(page, timeout_s=600)
    ready = ".pv-curator[data-pending='0'][data-answers]" if kind == "ours" else ".plain"
    page.wait_for_selector(ready, timeout=60_000)
    return [float(page.evaluate(WATCH, [kind, "Enter"])) for _ in range(steps)]


def main() -> None:
    """Print a table, and write it beside this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--components", type=int, default=10_000)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--out", default="benchmarks/curator.md")
    options = parser.parse_args()
    lines = ["| | median | 95 % | components a minute |", "| --- | --: | --: | --: |"]
    found = {}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        home, work = Path(folder, "home"), Path(folder, "work")
        home.mkdir()
        work.mkdir()
        lab = Lab(home).start(work)
        try:
            for kind, code in (("ours", OURS), ("plain", PLAIN)):
                page = browser.new_page(viewport={"width": 1280, "height": 900})
                times = measure(page, lab, kind, code, options.components, options.steps)
                found[kind] = times
                page.close()
                lab.shutdown_kernels()
        finally:
            lab.stop()
    for name, words in (("ours", "the curator"), ("plain", "plain widgets and a CSV file")):
        median, high = np.percentile(found[name], [50, 95])
        pace = 60_000 / np.mean(found[name])
        lines.append(f"| {words} | {median:.0f} ms | {high:.0f} ms | {pace:,.0f} |")
    ratio = np.median(found["ours"]) / np.median(found["plain"])
    words = (
        f"{options.components:,} components of three images, {options.steps} decisions each; "
        f"the curator's median is {ratio:.2f} of the plain widgets'; {in_words()}"
    )
    text = "\n".join([words, "", *lines, ""])
    print(text)  # noqa: T201 - what it is for
    write_text(options.out, text)


if __name__ == "__main__":
    main()
