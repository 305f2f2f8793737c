"""What several people say of the same components."""

import math

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from peta_viz.curation.acts import Entry, Ledger
from peta_viz.curation.case import Case
from peta_viz.curation.decisions import Decisions
from peta_viz.curation.people import adjudication, agreement, conflicts, kappa


@pytest.fixture
def imageset(make_set):
    rows = {"a": "x y", "b": "x", "c": "z", "d": "z", "e": "x", "f": "y"}
    return make_set(rows).with_columns(component_id=[0, 0, 1, 1, 2, 2])


@pytest.fixture
def said(imageset):
    """What Ada and Bo say of component 0 and 1; only Bo looked at 2."""
    entries = []

    def do(person, component, name, *arguments):
        rows = np.flatnonzero(imageset.images["component_id"] == component)
        own = Ledger([entry for entry in entries if entry.person == person])
        act = getattr(Case.of(imageset, own, component, rows), name)(*arguments)
        number = len(entries)
        entries.append(Entry(act, f"e{number}", f"t{number:02}", person))

    do("Ada", 0, "relabel", "y", "yes", ["b"])
    do("Bo", 0, "relabel", "y", "no", ["a"])
    do("Ada", 1, "accept")
    do("Bo", 1, "drop", ["d"])
    do("Bo", 2, "relabel", "x", "no", ["e"])
    return Decisions.of(entries)


def test_conflicts_are_listed(imageset, said):
    found = conflicts(imageset, said)
    assert found[["image_id", "field", "says", "other_says"]].to_numpy().tolist() == [
        ["a", "label", "yes", "no"],
        ["b", "label", "yes", "no"],
        ["d", "image", "in", "out"],
    ]
    assert set(found["person"]) == {"Ada"}
    assert set(found["other"]) == {"Bo"}
    queue = adjudication(imageset, said)
    assert queue.to_numpy().tolist() == [[0, 2], [1, 1]]
    assert conflicts(imageset, said.of_persons(["Bo"])).empty
    assert adjudication(imageset, said.of_persons(["Bo"])).empty


def test_agreement_is_about_what_is_disputed(imageset, said):
    found = agreement(imageset, said)
    row = found[found["cells"] > 0].iloc[0]
    # y of a and b: Ada says yes twice, Bo no twice.
    assert (row["cells"], row["agree"], row["kappa"]) == (2, 0.0, 0.0)


def test_kappa_is_scikit_learns():
    rng = np.random.default_rng(0)
    for _ in range(20):
        one = rng.choice(["m", "f", "?"], 30).tolist()
        other = [
            a if rng.random() < 0.6 else b for a, b in zip(one, rng.permutation(one), strict=True)
        ]
        assert kappa(one, other) == pytest.approx(cohen_kappa_score(one, other), abs=1e-12)
    assert math.isnan(kappa(["m"], ["m"]))
