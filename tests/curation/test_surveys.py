"""What a blind drawing says of all components."""

import numpy as np
import pytest

from peta_viz import measure_components
from peta_viz.curation.acts import Act, Cell, Change, Entry, Ledger
from peta_viz.curation.case import Case
from peta_viz.curation.decisions import Decisions
from peta_viz.curation.queues import strata_of
from peta_viz.curation.surveys import survey


@pytest.fixture
def imageset(make_set):
    """Twenty components of two images; the first five are of CUHK, every fourth is contested."""
    rows = {}
    for component in range(20):
        rows |= {f"{component:02d}a": "x y", f"{component:02d}b": "x y" if component % 4 else "x"}
    number = np.arange(40) // 2
    made = make_set(rows).with_columns(component_id=number, split="test")
    return made.with_columns(subset=np.where(number < 5, "CUHK", "VIPeR"))


def test_strata_are_by_source_and_contest(imageset):
    strata = strata_of(imageset, measure_components(imageset))
    assert strata.value_counts().to_dict() == {
        "all but CUHK, agreed": 12,
        "CUHK, agreed": 3,
        "all but CUHK, contested": 3,
        "CUHK, contested": 2,
    }
    assert len(strata_of(imageset, measure_components(imageset), sides=["test"])) == 20


def test_only_blind_decisions_count_and_each_with_its_weight(imageset):
    entries = []

    def do(component, name, *arguments, blind=True):
        rows = np.flatnonzero(imageset.images["component_id"] == component)
        case = Case.of(imageset, Ledger(entries), component, rows)  # as it then stands
        where = {"blind": blind, "probability": 0.5 if blind else None}
        act = getattr(case, name)(*arguments, **where)
        number = len(entries)
        entries.append(Entry(act, f"e{number}", f"t{number:02}", "Ada"))

    components = measure_components(imageset)
    assert survey(imageset, components, Decisions.of([])).empty
    do(1, "mark", "good")
    do(0, "mark", "label error")
    do(0, "mark", "unsure")
    do(0, "mark", "good")  # and not unsure any more
    do(8, "split", ["08a"])
    do(8, "mark", "good")
    do(4, "mark", "label error")  # and skipped: it is not settled
    do(1, "drop", ["01a"])
    do(1, "drop", ["01a"])  # and back in
    do(12, "mark", "unsure")
    do(9, "mark", "good")
    do(13, "mark", "label error", blind=False)
    found = survey(imageset, components, Decisions.of(entries))
    assert (found["components"] == 5).all()
    assert found["found"].to_dict() == {
        "labels changed": 0,
        "label error": 1,
        "different things": 1,
        "images dropped": 0,
        "model mistake": 0,
        "bad": 0,
        "undecidable": 1,
    }
    assert found.loc["label error", "share"] == pytest.approx(2 / 20)  # all of CUHK, contested
    assert found.loc["different things", "share"] == pytest.approx(3 / 20 / 2)
    assert (found["low"] <= found["share"]).all()
    assert found.loc["bad", "low"] == 0
    assert (found["share"] <= found["high"]).all()


def test_only_what_was_drawn_and_is_settled_counts(imageset):
    components = measure_components(imageset)

    def looked(component, *, settles=True, probability=0.5, changes=(), images=None):
        number = len(entries)
        images = (f"{component:02}a", f"{component:02}b") if images is None else images
        act = Act(
            "mark",
            component,
            images,
            changes,
            settles=settles,
            blind=True,
            probability=probability,
        )
        entries.append(Entry(act, f"e{number}", f"t{number:02}", "Ada"))

    entries = []
    looked(1, settles=False)
    looked(5, probability=None)
    looked(6, images=("06a",))
    assert survey(imageset, components, Decisions.of(entries)).empty
    assert survey(imageset, components, Decisions.of(entries)).columns.tolist() == [
        *("components", "found", "share", "low", "high"),
    ]
    looked(2)
    looked(7, changes=(Change(Cell("07a", "mark", "bad"), "no", "yes"),))
    looked(9, changes=(Change(Cell("09a", "label", "x"), "yes", "yes"),))
    looked(10, changes=(Change(Cell("10a", "label", "x"), "yes", "no"),))
    found = survey(imageset, components, Decisions.of(entries))
    assert found["components"].tolist() == [4] * 7
    assert found.index.name == "finding"
    assert found["found"][found["found"] > 0].to_dict() == {"labels changed": 1, "bad": 1}
    # Two strata were looked at: 3 of CUHK, agreed, and 12 others, agreed, of which three.
    assert found.loc["bad", "share"] == pytest.approx(12 / 15 / 3)
    only = survey(
        imageset.with_columns(split=np.where(np.arange(40) < 20, "a", "b")),
        components,
        Decisions.of(entries),
        sides=["b"],
    )
    assert only["components"].tolist() == [1] * 7
    assert only.loc["labels changed", "share"] == 1
