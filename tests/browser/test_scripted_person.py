"""A scripted person corrects the sample through the page alone, from the planted truth."""

import pandas as pd
import pytest

from peta_viz import Curator, ImageSet
from peta_viz.curation.log import DecisionLog
from peta_viz.sample import TRUTH
from tests.browser.stub import Stub

READY = ".pv-curator[data-pending='0'][data-answers]:not([data-busy], [data-unseen])"


class Person:
    """Looks at what is on top, and clicks until nothing is as it was planted."""

    def __init__(self, page, widget, truth):
        self.page, self.truth = page, truth
        self.shown = Stub(page, widget)
        self.ids = widget._desk.catalogue.ids
        self.settle()
        page.locator(".pv-curator").focus()

    def settle(self):
        self.shown.answered()
        self.page.wait_for_selector(READY)

    def correct(self):
        rows = self.page.locator("figure").evaluate_all("all => all.map((one) => +one.dataset.row)")
        own = self.truth[self.truth["image_id"].isin(self.ids[rows])]
        for (label, shown), cells in own.groupby(["label", "shown"]):
            self.page.keyboard.press("Escape")
            for image_id in cells["image_id"]:
                place = rows.index(self.ids.tolist().index(image_id))
                self.page.locator(".pv-pick").nth(place).click()
            if not self.page.locator(f"[data-label='{label}']").count():
                self.page.keyboard.press("/")
                self.page.keyboard.type(label)
                self.page.keyboard.press("Enter")
            value = "yes" if shown else "no"
            self.page.get_by_role("button", name=f"{label}: {value}", exact=True).click()
            self.settle()
        self.page.keyboard.press("g")
        self.settle()


@pytest.mark.parametrize("queue", ["influence", "all"])
def test_no_planted_error_is_left_in_what_was_seen(page, run_folder, tmp_path, queue):
    imageset = ImageSet.from_parquet(run_folder)
    components = pd.read_parquet(run_folder / "components.parquet")
    truth = pd.read_csv(run_folder / "sample" / TRUTH)
    several = components.index[components["size"] > 1]
    given = pd.DataFrame({"component_id": several}) if queue == "all" else None
    widget = Curator(
        imageset, DecisionLog(tmp_path / "log.sqlite"), components, queue=given, person="script"
    )
    person = Person(page, widget, truth)
    seen = []
    while widget.current is not None:
        seen.append(widget.current)
        person.correct()
    assert len(seen) == len(set(seen))
    curated = widget.decisions.apply(imageset)
    inside = curated.images["component_id"].isin(seen)
    of_seen = truth[truth["image_id"].isin(curated.images.index[inside])]
    assert len(of_seen) > 20  # most of what was planted
    left = [
        cell
        for cell in of_seen.itertuples()
        if curated.labels.loc[cell.image_id, cell.label] != cell.shown
    ]
    assert left == []
    # And nothing that was right was changed.
    changes = widget.decisions.diff(imageset)
    labels = changes[changes["field"] == "label"]
    planted = set(zip(truth["image_id"], truth["label"], strict=True))
    assert set(zip(labels["image_id"], labels["label"], strict=True)) <= planted
    assert page.complaints == []
    widget.close()
