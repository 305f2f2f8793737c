import numpy as np
import pandas as pd
import pytest

from peta_viz.agreement import Flag, flag_components, measure_components
from peta_viz.errors import InvalidDataError
from peta_viz.links import Links
from peta_viz.widgets import shelf as shelf_module
from peta_viz.widgets.catalogue import Catalogue
from peta_viz.widgets.filters import Filters
from peta_viz.widgets.shelf import Shelf


@pytest.fixture
def shelf(small, chain):
    components = flag_components(measure_components(small), Flag(absolute=0.1))
    results = {"A": pd.DataFrame({"first": [True]}, index=[10], dtype="boolean")}
    links = Links.of(small.images.index, chain)
    shelf = Shelf(Catalogue.of(small, components, links=links, results=results))
    arrange(shelf)
    return shelf


def arrange(shelf, view="components", sort_by="", *, descending=False, **filters):
    shelf.arrange(view, Filters(**filters), sort_by, descending=descending)
    return ids(shelf, shelf.images)


def ids(shelf, rows):
    return "".join(shelf.base.ids[rows])


def chosen(shelf):
    return ids(shelf, np.flatnonzero(shelf.chosen))


def test_components_with_all_their_images(shelf):
    assert arrange(shelf, sort_by="size") == "fgdeabc"
    assert shelf.order.tolist() == [2, 3, 1, 0]
    assert arrange(shelf, subset="s") == "abcf"  # of a component all are shown
    assert arrange(shelf, "images", subset="s") == "abf"
    assert arrange(shelf, query="size > 99") == ""
    assert shelf.images.dtype == shelf.order.dtype == np.int64


def test_a_column_that_is_not_there_is_refused_and_nothing_changes(shelf):
    arrange(shelf, "images", "blur")
    order = shelf.order.tolist()
    for view in ("components", "images"):
        with pytest.raises(InvalidDataError, match="'blurr'; did you mean blur"):
            arrange(shelf, view, "blurr")
        with pytest.raises(InvalidDataError):
            arrange(shelf, view, query="size >")
    assert (shelf.view, shelf.order.tolist()) == ("images", order)


def test_pairs_are_those_nearest_to_the_threshold(shelf, monkeypatch):
    assert shelf.made_at == pytest.approx(0.65, abs=0.06)
    shelf.regroup(0.68)
    images = arrange(shelf, "pairs")
    described = shelf.describe(0, 10, most=2, sort_by="")
    assert [row["similarity"] for row in described] == [
        "0.7000",
        "0.6000",
        "0.8000",
        "0.9000",
        "0.3000",
    ]
    assert [row["linked"] for row in described] == [True, False, True, True, False]
    assert images == "decbafg"  # as they are seen, none twice
    assert arrange(shelf, "pairs", label="x") == "bcafg"
    monkeypatch.setattr(shelf_module, "_NEAREST", 1)
    assert arrange(shelf, "pairs") == "de"
    assert arrange(shelf, "pairs", query="image_id == 'f'") == "fg"


def test_without_links_there_are_no_pairs_and_no_other_threshold(small):
    shelf = Shelf(Catalogue.of(small))
    shelf.regroup(0.9)
    assert not shelf.changed
    assert arrange(shelf, "pairs") == ""
    assert shelf.describe(0, 5, most=1, sort_by="") == []
    assert shelf.facts()["pairs"] is False


def test_another_threshold_and_back(shelf):
    before = shelf.facts(), arrange(shelf, sort_by="disagreement"), shelf.words()
    shelf.regroup(0.85)
    assert shelf.changed
    facts = shelf.facts()
    assert facts["results"] == []
    assert facts["flags"] == ["contested", "merged", "parted"]
    assert facts["made_at"] == before[0]["made_at"]
    assert arrange(shelf, sort_by="size", descending=True).startswith("ab")
    shelf.regroup(shelf.made_at)
    assert not shelf.changed
    assert (shelf.facts(), arrange(shelf, sort_by="disagreement"), shelf.words()) == before


def test_a_column_of_the_made_components_is_passed_over_at_another_threshold(small, chain):
    own = measure_components(small).assign(own=[4.0, 3.0, 2.0, 1.0])
    shelf = Shelf(Catalogue.of(small, own, links=Links.of(small.images.index, chain)))
    assert arrange(shelf, sort_by="own") == "gfdeabc"
    shelf.regroup(0.85)
    assert arrange(shelf, sort_by="own") == "abcdefg"
    shelf.regroup(shelf.made_at)
    assert arrange(shelf, sort_by="own") == "gfdeabc"


def test_words(shelf):
    assert shelf.words() == "2 components of two and more · 2 singletons · 7 images"
    arrange(shelf, min_size=2, label="x")
    assert shelf.words() == (
        "1 of 2 components of two and more · 0 of 2 singletons · 3 of 7 images"
    )
    arrange(shelf, "images", label="x")
    assert shelf.words() == "3 of 7 images"
    shelf.regroup(0.85)
    arrange(shelf)
    made_at = f"{shelf.made_at:.3f}"
    assert shelf.words() == (
        "1 component of two and more · 5 singletons · 7 images · "
        f"at {made_at} they were 2: 0 merged from several, 4 are parts of one"
    )
    arrange(shelf, "pairs")
    assert shelf.words().startswith("the 5 pairs nearest to 0.850 · at ")


def test_only_some_components_with_notes(shelf):
    shelf.restrict([20, 30, 99], {20: "twenty", 10: "ten"})
    assert arrange(shelf) == "def"
    assert arrange(shelf, "images", label="x") == "f"
    assert [row["note"] for row in shelf_rows(shelf)] == ["twenty", ""]
    assert shelf.details(3, most=5)["note"] == "twenty"
    shelf.restrict(iter([]), {})
    assert arrange(shelf) == ""
    shelf.restrict(None, {})
    assert arrange(shelf) == "abcdefg"


def shelf_rows(shelf):
    arrange(shelf)
    return shelf.describe(0, 100, most=5, sort_by="")


def test_notes_stay_with_their_images_at_another_threshold(make_set):
    # Above 0.85 the first component falls apart, so that the numbers of the others change.
    imageset = make_set(dict.fromkeys("abcdef", "x"), components=[0, 0, 1, 1, 2, 2])
    pairs = pd.DataFrame(
        {"first": list("ace"), "second": list("bdf"), "similarity": [0.8, 0.9, 0.95]}
    )
    shelf = Shelf(Catalogue.of(imageset, links=Links.of(imageset.images.index, pairs)))
    shelf.restrict(None, {0: "of ab", 1: "of cd", 2: "of ef"})
    shelf.regroup(0.85)
    notes = {row["images"][0]["id"]: row["note"] for row in shelf_rows(shelf)}
    assert notes == {
        "a": "1 of the 2 images of 0",
        "b": "1 of the 2 images of 0",
        "c": "of cd",
        "e": "of ef",
    }
    assert shelf.details(2, most=5)["note"] == "of cd"


def test_a_restriction_holds_at_another_threshold(shelf):
    shelf.restrict([10], {})
    shelf.regroup(0.85)
    assert arrange(shelf) == "abc"


@pytest.mark.parametrize(
    ("first", "count", "expected"),
    [(0, 2, "ab"), (5, 9, "fg"), (7, 3, ""), (-3, 4, "a"), (2, 0, "")],
)
def test_only_the_places_asked_for_are_described(shelf, first, count, expected):
    arrange(shelf, "images")
    described = shelf.describe(first, count, most=1, sort_by="")
    assert "".join(row["id"] for row in described) == expected


def test_selecting_images(shelf):
    arrange(shelf, "images", "blur")  # bdeafcg
    shelf.select("toggle", row=0)
    assert chosen(shelf) == "a"
    shelf.select("add", first=2, last=0)
    assert chosen(shelf) == "abde"
    shelf.select("toggle", first=1, last=3)  # d e a are all selected: not any more
    assert chosen(shelf) == "b"
    shelf.select("toggle", first=0, last=1)  # one of two is: both are
    assert chosen(shelf) == "bd"
    shelf.select("only", first=5, last=6)
    assert chosen(shelf) == "cg"
    shelf.select("only", row=1)
    assert chosen(shelf) == "b"
    arrange(shelf, "images", label="z")
    shelf.select("all")
    assert chosen(shelf) == "bdeg"
    shelf.select("none")
    assert chosen(shelf) == ""


def test_selecting_components_and_pairs(shelf):
    arrange(shelf, sort_by="size")  # f, g, de, abc
    shelf.select("only", first=3, last=2)
    assert chosen(shelf) == "abcde"
    shelf.select("toggle", first=3, last=3)
    assert chosen(shelf) == "de"
    arrange(shelf, "pairs", label="z")  # d-e, c-d and f-g
    shelf.select("only", first=0, last=0)
    assert len(chosen(shelf)) == 2
    shelf.select("all")
    assert chosen(shelf) == "cdefg"


@pytest.mark.parametrize(
    ("how", "options"),
    [
        ("every", {}),
        ("", {"row": 1}),
        ("only", {}),
        ("only", {"first": 1}),
        ("only", {"last": 1}),
        ("add", {"row": 7}),
        ("only", {"row": -1}),
        ("toggle", {"row": 10**30}),
        ("only", {"first": -1, "last": 2}),
        ("only", {"first": 2, "last": -5}),
        ("toggle", {"first": 0, "last": 7}),
    ],
)
def test_a_selection_that_means_nothing_changes_nothing(shelf, how, options):
    arrange(shelf, "images")
    shelf.select("only", first=2, last=4)
    with pytest.raises(ValueError, match=r"unknown way|expected"):
        shelf.select(how, **options)
    assert chosen(shelf) == "cde"


def test_neighbours(shelf):
    arrange(shelf, sort_by="size")  # f, g, de, abc
    assert shelf.neighbour(5, 1) == 6
    assert shelf.neighbour(6, 1) == 3
    assert shelf.neighbour(4, 1) == 0
    assert shelf.neighbour(1, -1) == 3
    assert shelf.neighbour(1, 1) == shelf.neighbour(5, -1) == -1
    arrange(shelf, "images", "blur")  # bdeafcg
    assert shelf.neighbour(1, 1) == 3
    assert shelf.neighbour(1, -1) == shelf.neighbour(6, 1) == shelf.neighbour(6, 10**30) == -1
    arrange(shelf, "images", label="z")
    assert shelf.neighbour(0, 1) == -1  # it is not on display
    for row in (-1, 7):
        with pytest.raises(ValueError, match="expected a row"):
            shelf.neighbour(row, 1)


def test_what_the_controls_offer(shelf, small):
    facts = shelf.facts()
    assert facts["labels"] == ["x", "y", "z"]
    assert facts["heads"] == ["first", "second"]
    assert facts["subsets"] == ["s", "t"]
    assert facts["results"] == ["A right", "A wrong"]
    assert facts["lowest"] == pytest.approx(0.3, abs=0.011)
    assert "is_bad_component_disagreement_abs0.10" in facts["flags"]
    one = Shelf(Catalogue.of(small.with_columns(subset="s"))).facts()
    assert (one["subsets"], one["pairs"], one["lowest"]) == ([], False, 0.0)


def test_links_without_a_pair(small):
    empty = pd.DataFrame({"first": [], "second": [], "similarity": []})
    shelf = Shelf(Catalogue.of(small, links=Links.of(small.images.index, empty)))
    assert shelf.facts()["lowest"] == 0.0
    assert arrange(shelf, "pairs") == ""
    shelf.regroup(0.5)
    assert arrange(shelf) == "abcdefg"


def test_random_selections_against_sets(random_set, random_links):
    for seed in range(4):
        rng = np.random.default_rng(seed)
        imageset = random_set(seed)
        links = random_links(imageset, seed)
        shelf = Shelf(Catalogue.of(imageset, links=links))
        expected = set()
        for _ in range(100):
            view = rng.choice(["components", "images", "pairs"])
            arrange(shelf, view, min_size=int(rng.integers(0, 4)))
            how = rng.choice(["only", "add", "toggle", "all", "none"])
            first, last = map(int, rng.integers(0, len(shelf.order), 2))
            part = shelf.order[min(first, last) : max(first, last) + 1]
            if view == "components":
                picked = {row for code in part for row in shelf.shown.members(code)}
            elif view == "images":
                picked = set(part)
            else:
                picked = {*links.first[part], *links.second[part]}
            whole = set(shelf.images)
            expected = {
                "only": picked,
                "add": expected | picked,
                "toggle": expected - picked if picked <= expected else expected | picked,
                "all": expected | whole,
                "none": set(),
            }[how]
            shelf.select(how, first=first, last=last)
            assert set(np.flatnonzero(shelf.chosen)) == expected
