"""Take the pictures of the documentation, of the generated sample: ``make screenshots``.

``python tools/screenshots.py RUN FOLDER`` takes them of any other run, into a folder of yours.
"""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

TOP = Path(__file__).parents[1]
sys.path.insert(0, str(TOP))

from tests.browser.conftest import ARGUMENTS  # noqa: E402
from tests.browser.lab import Lab  # noqa: E402

READY = ".pv-gallery[data-pending='0']"
LOAD = """import pandas as pd
from peta_viz import ConfusionMatrix, Curator, Gallery, ImageSet

imageset = ImageSet.from_parquet({run!r})
components = pd.read_parquet({run!r} + "/components.parquet")
flags = [name for name in components if name.startswith("is_bad_component_")]
components = components.drop(columns=[name for name in flags if "disagreement_80" not in name])
pairs = pd.read_parquet({run!r} + "/pairs.parquet")
predictions = pd.read_parquet({run!r} + "/predictions.parquet")
predictions = predictions[predictions["seed"] == predictions["seed"].min()]"""
GALLERY = "gallery = Gallery(imageset, components, pairs=pairs, height_px=560)\ngallery"
CURATOR = """curator = Curator(
    imageset, "decisions.sqlite", components, pairs=pairs, predictions=predictions, person="you"
)
curator"""
MATRIX = 'matrix = ConfusionMatrix(imageset, predictions, components, component_size="all")\nmatrix'


def main(run: Path, images: Path) -> None:
    """Write what the documentation shows as PNG into `images`; some of it light and dark."""
    images.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1360, "height": 900})
        page.goto((run / "index.html").absolute().as_uri())
        page.screenshot(path=str(images / "report.png"))
        home, work = Path(folder, "home"), Path(folder, "work")
        home.mkdir()
        work.mkdir()
        lab = Lab(home).start(work)
        try:
            load = LOAD.format(run=str(run.absolute()))
            _open(lab, page, "gallery.ipynb", [load, GALLERY])
            _shoot(page, images / "gallery.png", ".pv-gallery")
            lab.set_theme(page, "JupyterLab Dark")
            page.locator("#jupyterlab-splash").wait_for(state="detached")
            _shoot(page, images / "gallery-dark.png", ".pv-gallery")
            lab.set_theme(page, "JupyterLab Light")
            page.locator(".pv-row").nth(1).locator(".pv-frame").first.click()
            page.locator("dialog[data-row] .pv-large-picture img").wait_for()
            # Where this machine keeps the file is nobody's business.
            page.add_style_tag(content="dialog dl { visibility: hidden }")
            page.screenshot(path=str(images / "enlarged.png"))
            if images != TOP / "docs" / "images":  # where three dark pictures would be many
                lab.set_theme(page, "JupyterLab Dark")
                page.screenshot(path=str(images / "enlarged-dark.png"))
                lab.set_theme(page, "JupyterLab Light")
            page.keyboard.press("Escape")
            page.get_by_role("button", name="Pairs").click()
            _shoot(page, images / "pairs.png", ".pv-gallery")
            _open(lab, page, "curator.ipynb", [load, CURATOR])
            page.locator(".pv-curator").focus()
            page.keyboard.press("p")
            page.keyboard.press("ArrowDown")
            _shoot(page, images / "curator.png", ".pv-curator")
            _open(lab, page, "matrix.ipynb", [load, MATRIX])
            page.get_by_role("button", name="true personalFemale, predicted personalMale").click()
            page.get_by_text("true personalFemale, predicted personalMale (A)").wait_for()
            _shoot(page, images / "matrix.png", ".pv-matrix")
            if images != TOP / "docs" / "images":
                lab.set_theme(page, "JupyterLab Dark")
                _shoot(page, images / "matrix-dark.png", ".pv-matrix")
        finally:
            lab.stop()


def _open(lab: Lab, page: Page, name: str, cells: list[str]) -> None:
    lab.open(page, lab.write_notebook(name, cells))
    page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
    lab.run_all(page)
    page.wait_for_selector(READY)


def _shoot(page: Page, file: Path, selector: str) -> None:
    page.locator(selector).first.scroll_into_view_if_needed()
    page.wait_for_selector(READY)
    page.locator(".jp-OutputArea-output", has=page.locator(selector)).first.screenshot(
        path=str(file)
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if sys.argv[2:] else TOP / "docs" / "images")
