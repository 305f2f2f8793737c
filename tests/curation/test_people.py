"""What several people say of the same components."""

import math

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from peta_viz import Head
from peta_viz.curation.acts import Entry, Ledger
from peta_viz.curation.case import Case
from peta_viz.curation.decisions import Decisions
from peta_viz.curation.people import adjudication, agreement, conflicts, kappa


@pytest.fixture
def imageset(make_set):
    rows = {"a": "x y", "b": "x", "c": "z", "d": "z", "e": "x", "f": "y"}
    return make_set(rows).with_columns(component_id=[0, 0, 1, 1, 2, 2])


class Room:
    """People act, each seeing what stands by then; or only what they did themselves."""

    def __init__(self, imageset):
        self.imageset = imageset
        self.entries = []

    def do(self, person, component, name, *arguments, blind=False):
        rows = np.flatnonzero(self.imageset.images["component_id"] == component)
        own = [e for e in self.entries if not blind or (e.person == person and e.act.blind)]
        case = Case.of(self.imageset, Ledger(own), component, rows)
        act = getattr(case, name)(*arguments, blind=blind)
        number = len(self.entries)
        self.entries.append(Entry(act, f"e{number}", f"t{number:02}", person))

    @property
    def decisions(self):
        return Decisions.of(self.entries)


@pytest.fixture
def room(imageset):
    return Room(imageset)


@pytest.fixture
def said(room):
    """Both looked at 0 and 1 blindly; only Bo at 2."""
    room.do("Ada", 0, "relabel", "y", "yes", ["b"], blind=True)
    room.do("Bo", 0, "relabel", "y", "no", ["a"], blind=True)
    room.do("Ada", 1, "mark", "good", blind=True)
    room.do("Bo", 1, "drop", ["d"], blind=True)
    room.do("Bo", 1, "mark", "unsure", ["c"], blind=True)
    room.do("Bo", 2, "mark", "good", blind=True)
    for person in ("Ada", "Bo"):
        room.do(person, 0, "accept", blind=True)
    return room.decisions


def test_conflicts_are_listed(imageset, said):
    found = conflicts(imageset, said)
    assert found[["image_id", "field", "label", "says", "other_says"]].to_numpy().tolist() == [
        ["a", "label", "y", "yes", "no"],
        ["b", "label", "y", "yes", "no"],
        ["c", "mark", "unsure", "no", "yes"],
        ["d", "image", "", "in", "out"],
    ]
    assert set(found["person"]) == {"Ada"}
    assert set(found["other"]) == {"Bo"}
    queue = adjudication(imageset, said)
    assert queue.sort_values("component_id").to_numpy().tolist() == [[0, 2], [1, 2]]
    assert conflicts(imageset, said.of_persons(["Bo"])).empty
    assert adjudication(imageset, said.of_persons(["Bo"])).empty


def test_who_gave_no_name_is_one_person(imageset, room):
    room.do("Ada", 0, "mark", "good")
    room.do("", 1, "mark", "good")
    assert conflicts(imageset, room.decisions).empty


def test_agreement_is_about_what_is_disputed(imageset, said):
    found = agreement(imageset, said)
    row = found[found["cells"] > 0].iloc[0]
    # y of a and b: Ada says yes twice, Bo no twice.
    assert (row["cells"], row["agree"], row["kappa"]) == (2, 0.0, 0.0)


def test_who_sees_an_answer_and_agrees_is_no_conflict(imageset, room):
    room.do("Ada", 0, "relabel", "y", "yes", ["b"])
    room.do("Ada", 0, "accept")
    room.do("Bo", 0, "accept")  # and sees that it is settled
    assert conflicts(imageset, room.decisions).empty
    assert agreement(imageset, room.decisions)["agree"].tolist() == [1.0]
    room.do("Bo", 0, "relabel", "y", "no", ["b"])
    assert conflicts(imageset, room.decisions).empty  # it is open again
    room.do("Bo", 0, "mark", "good")
    assert conflicts(imageset, room.decisions)["image_id"].tolist() == ["b"]


def test_parted_or_together_is_a_conflict(imageset, room):
    room.do("Ada", 2, "split", ["e"], blind=True)
    room.do("Ada", 2, "mark", "good", blind=True)
    room.do("Bo", 2, "mark", "good", blind=True)
    found = conflicts(imageset, room.decisions)
    assert found[["image_id", "field", "says", "other_says"]].to_numpy().tolist() == [
        ["e", "component", "", "f"]
    ]


def test_kappa_is_scikit_learns():
    rng = np.random.default_rng(0)
    for _ in range(20):
        one = rng.choice(["m", "f", "?"], 30).tolist()
        other = [
            a if rng.random() < 0.6 else b for a, b in zip(one, rng.permutation(one), strict=True)
        ]
        assert kappa(one, other) == pytest.approx(cohen_kappa_score(one, other), abs=1e-12)
    assert math.isnan(kappa(["m"], ["m"]))


def test_of_an_exclusive_head_the_class_is_compared(make_set):
    rows = {"a": "m x", "b": "f x", "c": "m", "d": "f"}
    heads = [Head("sex", ("m", "f"), "exclusive"), Head("rest", ("x",))]
    imageset = make_set(rows, components=[0, 0, 1, 1], heads=heads)
    room = Room(imageset)
    for person, first, second in (("Ada", "m", "m"), ("Bo", "m", "f"), ("Cy", "f", "f")):
        for component, label in ((0, first), (1, second)):
            images = list(imageset.images.index[imageset.images["component_id"] == component])
            room.do(person, component, "relabel", label, "yes", images, blind=True)
            room.do(person, component, "mark", "good", blind=True)
    found = agreement(imageset, room.decisions)
    assert found[["person", "other", "head", "cells", "agree"]].to_numpy().tolist() == [
        ["Ada", "Bo", "sex", 4, 0.5],
        ["Ada", "Cy", "sex", 4, 0.0],
        ["Bo", "Cy", "sex", 4, 0.5],
    ]
    assert found["kappa"].tolist() == [0, 0, 0]
    room.do("Ada", 0, "relabel", "f", "yes", ["a"], blind=True)
    room.do("Ada", 0, "mark", "unsure", ["b"], blind=True)
    found = conflicts(imageset, room.decisions)
    ours = found[(found["other"] == "Bo") & (found["component_id"] == 0)]
    assert ours[["image_id", "label", "says", "other_says"]].to_numpy().tolist() == [
        ["a", "f", "yes", "no"],
        ["a", "m", "no", "yes"],
        ["b", "unsure", "yes", "no"],
    ]


def test_queues_of_conflicts_begin_with_the_most(imageset, room):
    room.do("Ada", 1, "relabel", "x", "yes", ["c"], blind=True)
    for person, value in (("Ada", "yes"), ("Bo", "no")):
        room.do(person, 1, "mark", "good", blind=True)
        room.do(person, 2, "relabel", "x", value, blind=True)
        room.do(person, 2, "mark", "good", blind=True)
    queue = adjudication(imageset, room.decisions)
    assert queue.to_numpy().tolist() == [[2, 2], [1, 1]]
    assert queue.dtypes.astype(str).tolist() == ["int64", "float64"]
    found = conflicts(imageset, room.decisions)
    assert found["component_id"].dtype == np.int64
    assert found.columns.tolist()[4:] == ["person", "says", "other", "other_says"]


def test_who_saw_says_what_stood_by_then(imageset, room):
    room.do("Bo", 0, "relabel", "y", "yes", ["b"])
    room.do("Ada", 0, "accept")
    room.do("Bo", 0, "accept")
    # What is changed and settled afterwards is the other's opinion alone.
    room.do("Bo", 0, "relabel", "y", "no", ["a", "b"])
    room.do("Bo", 0, "mark", "good")
    found = conflicts(imageset, room.decisions)
    assert found[["image_id", "label", "person", "says", "other_says"]].to_numpy().tolist() == [
        ["a", "y", "Ada", "yes", "no"],
        ["b", "y", "Ada", "yes", "no"],
    ]


def test_notes_and_good_are_nobodys_conflict(imageset, room):
    room.do("Ada", 2, "note", "hm", blind=True)
    room.do("Ada", 2, "mark", "good", blind=True)
    room.do("Bo", 2, "mark", "bad", blind=True)
    found = conflicts(imageset, room.decisions)
    assert found[
        ["field", "label", "says", "other_says"]
    ].drop_duplicates().to_numpy().tolist() == [["mark", "bad", "no", "yes"]]
    assert len(found) == 2


def test_kappa_is_nothing_where_chance_alone_would_do():
    assert kappa(["m", "f"], ["f", "m"]) == -1
    assert kappa(["m", "f"], ["m", "f"]) == 1
