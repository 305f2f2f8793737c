"""The curator in real JupyterLab: an hour's work, and what survives a page or a kernel."""

import itertools
import os
import signal

import pytest

from peta_viz.curation.acts import Ledger
from peta_viz.curation.log import DecisionLog
from peta_viz.curation.queues import done_by

READY = ".pv-curator[data-pending='0'][data-answers]:not([data-busy], [data-unseen])"
MAKE = """
import numpy as np
import pandas as pd
from peta_viz import Curator, ImageSet, read_peta

small = read_peta({root!r})
rows = np.resize(np.arange(len(small)), 120)
frame = pd.DataFrame({{
    "id": [f"image {{n}}" for n in range(120)],
    "file": small.images["path"].to_numpy()[rows],
    "male": np.arange(120) % 3 > 0,
    "red": np.arange(120) % 6 < 3,
}})
many = ImageSet.from_frame(frame, path="file", labels=["male", "red"], image_id="id")
many = many.with_columns(component_id=np.arange(120) // 3)
"""


class Work:
    """A notebook with a curator over forty contested components, and its log."""

    def __init__(self, page, lab, root):
        self.page, self.lab = page, lab
        folder = lab.root / "curation"
        cells = [
            MAKE.format(root=root),
            "curator = Curator(many, 'decisions.sqlite', person='Ada')\ncurator",
        ]
        (folder / "decisions.sqlite").unlink(missing_ok=True)
        lab.open(page, lab.write_notebook("curation/work.ipynb", cells))
        self.run()
        self.log = DecisionLog(folder / "decisions.sqlite", make=False)

    def run(self):
        self.lab.run_all(self.page)
        self.wait()
        self.page.locator(".pv-curator").focus()

    def wait(self):
        self.page.wait_for_selector(READY)

    def here(self):
        """Return how many answers came, which component is on top, and what is said of it."""
        data = self.page.locator(".pv-curator").evaluate("element => ({...element.dataset})")
        return int(data["answers"]), data["component"]

    def answered(self, do, *arguments):
        """Do something that asks the kernel, and wait for what is shown then."""
        before, _ = self.here()
        do(*arguments)
        self.page.wait_for_function(
            "(before) => Number(document.querySelector('.pv-curator').dataset.answers) > before",
            arg=before,
        )
        self.wait()

    def press(self, *keys):
        for key in keys:
            self.answered(self.page.keyboard.press, key)

    def click(self, deed):
        self.answered(self.page.locator(f"[data-deed='{deed}']").click)

    @property
    def status(self):
        return self.page.locator(".pv-curator [role=status]").inner_text()

    def done(self):
        return done_by(Ledger(self.log.since()).acts(), "Ada")


@pytest.fixture
def work(page, lab, sample_folder):
    return Work(page, lab, str(sample_folder / "PETA dataset"))


def test_twenty_with_keys_alone_then_a_reload_and_a_restart(work, lab):
    keys = itertools.cycle([["Enter"], ["1", "l"], ["g"], ["ArrowDown", "y", "Enter"], ["u"]])
    shown = []
    for _ in range(20):
        shown.append(work.here()[1])
        for key in next(keys):
            local = key in ("1", "ArrowDown")
            work.page.keyboard.press(key) if local else work.press(key)
        assert work.here()[1] != shown[-1]
    assert len(set(shown)) == 20
    assert work.done() == {int(one) for one in shown}
    work.press("z")
    assert work.here()[1] == shown[-1]
    work.press("Shift+Z")
    here = work.here()[1]
    work.page.keyboard.press("t")
    work.page.keyboard.type("who is it?")
    work.answered(work.page.keyboard.press, "Enter")
    assert [entry.act.kind for entry in work.log.since()][-3:] == ["undo", "redo", "note"]

    lab.reload(work.page)
    work.wait()
    assert work.here()[1] == here
    assert work.page.locator(".pv-case .pv-note").inner_text() == "who is it?"
    assert "20 done · 20 left" in work.page.locator(".pv-curator").inner_text()

    lab.restart_kernel(work.page)
    work.run()
    assert work.here()[1] == here
    assert "20 done · 20 left" in work.page.locator(".pv-curator").inner_text()
    work.press("z")
    assert [entry.act.kind for entry in work.log.since()][-1] == "undo"


def test_twenty_with_buttons_alone(work):
    page = work.page
    shown = []
    ways = itertools.cycle(["accept", "good", "bad", "unsure", "copy", "head", "split", "drop"])
    for _ in range(20):
        shown.append(work.here()[1])
        way = next(ways)
        if way in ("copy", "split", "drop"):
            page.locator(".pv-pick").first.click()
        work.click(way)
        if way in ("split", "drop"):
            assert work.here()[1] == shown[-1]
            work.click("good")
        assert work.here()[1] != shown[-1]
    assert len(set(shown)) == 20
    assert work.done() == {int(one) for one in shown}
    work.click("undo")
    work.click("undo")
    work.click("redo")
    work.click("back")
    work.click("skip")
    page.locator("input[aria-label=note]").fill("<i>why</i>")
    work.answered(page.locator("input[aria-label=note]").blur)
    work.click("label error")
    work.click("model mistake")
    kinds = [entry.act.kind for entry in work.log.since()]
    assert kinds[-6:] == ["undo", "undo", "redo", "note", "mark", "mark"]


def test_a_kernel_that_is_killed_right_after_a_click(work, lab):
    for number in range(4):
        before = work.here()[1]
        pid = lab.kernel_pid(work.page)
        work.page.locator("[data-deed='accept']").click()
        if number % 2:  # as soon as the click is acknowledged, or at once
            work.page.get_by_text(f"Saved: component {before}").wait_for()
        seen = work.status
        os.kill(pid, signal.SIGKILL)
        written = {entry.act.component_id for entry in work.log.since()}
        if "Saved" in seen:
            assert int(seen.split()[2].rstrip(":")) in written
        if number % 2:
            assert int(before) in written
        lab.shutdown_kernels()
        lab.open(work.page, lab.root / "curation" / "work.ipynb")
        work.run()
        here = int(work.here()[1])
        assert here not in work.done()
        if number % 2:
            assert here != int(before)
    acts = [entry.act.component_id for entry in work.log.since()]
    assert len(acts) == len(set(acts))


def test_labs_own_keys_stay_out_of_it(work):
    cells = work.page.locator(".jp-Cell").count()
    for key in ("x", "a", "d", "d", "0", "0", "Escape", "z", "ArrowDown", "c", "v"):
        work.page.keyboard.press(key)
        work.wait()
    assert work.page.locator(".jp-Cell").count() == cells
    assert work.page.locator(".jp-Dialog").count() == 0


def test_without_a_kernel_there_is_a_report(work, lab):
    work.press("Enter")
    lab.execute(work.page, "from IPython.display import display; display(curator)")
    lab.run_cell(work.page, 1)
    lab.save(work.page)
    lab.shutdown_kernels()
    lab.open(work.page, lab.root / "curation" / "work.ipynb")
    work.page.get_by_text("1 of 40 components decided").first.wait_for()
    assert work.page.locator(".pv-curator").count() == 0
