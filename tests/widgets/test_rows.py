import json

import numpy as np
import pandas as pd
import pytest

from peta_viz.agreement import Flag, flag_components, measure_components
from peta_viz.links import Links
from peta_viz.widgets import rows
from peta_viz.widgets.catalogue import Catalogue
from tests.widgets.conftest import EVIL


@pytest.fixture
def catalogue(small, chain):
    components = flag_components(measure_components(small), Flag(absolute=0.1))
    return Catalogue.of(small, components, links=Links.of(small.images.index, chain))


@pytest.fixture
def chosen():
    return np.array([True, False, False, True, True, False, False])


def test_a_component(catalogue, chosen):
    row = rows.component_row(catalogue, 0, chosen, most=2, sort_by="contested_labels", note=EVIL)
    assert row == {
        "id": "10",
        "size": 3,
        "figures": [
            ["disagreement", "0.667"],
            ["weakest_link", "0.8"],
            ["subset", "s"],
            ["contested_labels", "2"],
        ],
        "flags": ["disagreement_abs0.10"],
        "labels": [["x", 2, 3], ["y", 2, 3]],
        "more_labels": 0,
        "images": [
            {"row": 0, "id": "a", "aspect": 1.0, "selected": True},
            {"row": 1, "id": "b", "aspect": 1.0, "selected": False},
        ],
        "selected": 1,
        "note": EVIL,
        "weakest": [1, 2],
    }
    assert json.loads(json.dumps(row)) == row


def test_a_component_without_anything_special(catalogue, chosen):
    row = rows.component_row(catalogue, 3, chosen, most=5, sort_by="size")
    assert row["figures"] == [["disagreement", "0"], ["subset", "t"]]
    assert (row["flags"], row["weakest"], row["note"]) == ([], [], "")
    assert row["labels"] == [["z", 1, 1]]


def test_missing_figures_are_left_out(small, chosen):
    given = pd.DataFrame({"disagreement": [0.5], "flag": [True]}, index=[10])
    row = rows.component_row(Catalogue.of(small, given), 1, chosen, most=5)
    assert row["figures"] == [["subset", "t"]]
    assert row["flags"] == []


def test_contested_labels_come_first_and_the_evenest_before_them(make_set):
    rows_of = {"a": "p q r s", "b": "p q r", "c": "p q", "d": "p ?t"}
    catalogue = Catalogue.of(make_set(rows_of, components=[0] * 4))
    counts = rows.label_counts(catalogue, catalogue.members(0))
    assert counts == [["r", 2, 4], ["q", 3, 4], ["s", 1, 4], ["p", 4, 4]]


def test_many_labels_are_counted_but_not_all_sent(make_set):
    words = " ".join(f"l{n:02}" for n in range(50))
    row = rows.component_row(
        Catalogue.of(make_set({"a": words}, components=[0])), 0, np.zeros(1, bool), most=1
    )
    assert (len(row["labels"]), row["more_labels"]) == (40, 10)


def test_a_pair(catalogue, chosen):
    near = rows.pair_row(catalogue, 2, chosen, 0.65)
    assert (near["similarity"], near["linked"], near["joined"]) == ("0.7000", True, True)
    assert [image["id"] for image in near["images"]] == ["d", "e"]
    apart = rows.pair_row(catalogue, 3, chosen, 0.65)
    assert (apart["linked"], apart["joined"]) == (False, False)


def test_an_image_with_all_its_labels(catalogue, chosen):
    details = rows.image_details(catalogue, 5, chosen, most=60)
    assert details["component"] == "30"
    assert details["heads"] == [
        ["first", [["x", True, 1, 1], ["y", None, 0, 0]]],
        ["second", [["z", False, 0, 1]]],
    ]
    assert ["blur", "5"] in details["facts"]
    assert "path" not in dict(details["facts"])
    assert details["path"] == "f"
    assert (details["size"], details["position"], details["first"]) == (1, 0, 0)
    assert details["weakest"] == []
    assert json.loads(json.dumps(details)) == details


def test_labels_in_no_head_are_named_too(make_set):
    catalogue = Catalogue.of(make_set({"a": "x y"}, components=[0], heads=()))
    heads = rows.image_details(catalogue, 0, np.zeros(1, bool), most=1)["heads"]
    assert heads == [["", [["x", True, 1, 1], ["y", True, 1, 1]]]]


def test_an_image_on_its_own_has_no_component(make_set):
    catalogue = Catalogue.of(make_set({"a": "x", "b": "x"}))
    assert rows.image_details(catalogue, 1, np.zeros(2, bool), most=1)["component"] == ""


@pytest.mark.parametrize(
    ("row", "first", "shown"),
    [(0, 0, [0, 1, 2, 3]), (1, 0, [0, 1, 2, 3]), (5, 3, [3, 4, 5, 6]), (9, 6, [6, 7, 8, 9])],
)
def test_the_images_around_one(make_set, row, first, shown):
    imageset = make_set({f"{n}": "x" for n in range(10)}, components=[0] * 10)
    details = rows.image_details(Catalogue.of(imageset), row, np.zeros(10, bool), most=4)
    assert details["first"] == first
    assert [image["row"] for image in details["images"]] == shown
    assert details["images"][details["position"] - first]["row"] == row


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, ""),
        (pd.NA, ""),
        (pd.NaT, ""),
        (float("nan"), ""),
        (np.float32("nan"), ""),
        (np.float32(0.25), "0.25"),
        (0.123456, "0.123"),
        (3.0, "3"),
        (1234567.8, "1234568"),
        (float("inf"), "inf"),
        (np.int64(7), "7"),
        (np.True_, "True"),
        (EVIL, EVIL),
        ("", ""),
    ],
)
def test_cells_as_a_person_would_write_them(value, words):
    assert rows.text(value) == words
