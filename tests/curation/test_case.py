"""What can be done to one component."""

import numpy as np
import pandas as pd
import pytest

from peta_viz import Head, ImageSet
from peta_viz.curation.acts import Cell, Change, Entry, Ledger
from peta_viz.curation.case import Case, NothingToDoError
from peta_viz.curation.decisions import Decisions
from peta_viz.errors import InvalidDataError
from peta_viz.links import Links

ROWS = {
    "a": "m x",
    "b": "m x y",
    "c": "f",
    "d": "m x ?y",
    "e": "f q",
}


@pytest.fixture
def imageset():
    index = pd.Index(list(ROWS), name="image_id", dtype="str")
    images = pd.DataFrame(
        {"path": index, "subset": "", "person_id": index, "width": 4, "height": 8}, index=index
    )
    names = ["m", "f", "x", "y", "q"]
    carried = [[name in row.split() for name in names] for row in ROWS.values()]
    known = [[f"?{name}" not in row.split() for name in names] for row in ROWS.values()]
    heads = (Head("sex", ("m", "f"), "exclusive"), Head("rest", ("x", "y")))
    labels, known = (pd.DataFrame(cells, index, names) for cells in (carried, known))
    return ImageSet(images.assign(component_id=[5, 5, 5, 5, 9]), labels, known, heads)


@pytest.fixture
def table(imageset):
    return Table(imageset)


class Table:
    """Acts are put down, and the component is looked at again."""

    def __init__(self, imageset):
        self.imageset = imageset
        self.entries = []

    @property
    def case(self):
        return Case.of(self.imageset, Ledger(self.entries), 5, np.arange(4))

    def do(self, name, *arguments, person="Ada"):
        act = getattr(self.case, name)(*arguments)
        number = len(self.entries)
        self.entries.append(
            Entry(act, f"e{number:03}", f"2026-01-01T00:00:00.{number:06}+00:00", person)
        )
        return act

    def curated(self):
        return Decisions.of(self.entries).apply(self.imageset)

    def carried(self, image):
        labels = self.curated().labels.loc[image]
        return " ".join(labels.index[labels])


def changed(act):
    return {(change.cell.image_id, change.cell.label): change.after for change in act.changes}


def test_the_majority_is_one_act(table):
    assert table.case.contested().tolist() == [True, True, True, True, False]
    act = table.do("accept")
    assert act.kind == "accept"
    assert act.images == ("a", "b", "c", "d")
    # y is known of three and carried by one; q is in no head and nobody carries it.
    assert changed(act) == {
        ("c", "m"): "yes",
        ("c", "f"): "no",
        ("c", "x"): "yes",
        ("b", "y"): "no",
    }
    assert not table.case.contested().any()
    assert not table.curated().known.loc["d", "y"]
    assert table.do("accept").changes == ()


def test_of_one_head_alone(table):
    assert changed(table.case.accept("sex")) == {("c", "m"): "yes", ("c", "f"): "no"}
    assert changed(table.case.accept("q")) == {}
    with pytest.raises(NothingToDoError, match="no head 'mood'"):
        table.case.accept("mood")


def test_a_tie_stays_as_it_is(table):
    table.do("drop", ["d"])
    table.do("drop", ["b"])
    with pytest.raises(NothingToDoError, match="there is no majority"):
        table.case.accept()
    assert table.case.contested().tolist() == [True, True, True, False, False]


def test_a_yes_in_an_exclusive_head_takes_the_others_away(table):
    act = table.do("relabel", "f", "yes", ["a"])
    assert changed(act) == {("a", "f"): "yes", ("a", "m"): "no"}
    assert table.carried("a") == "f x"
    assert table.case.relabel("m", "yes", "a") == table.case.relabel("m", "yes", ["a"])
    # As a list of likely wrong labels has it.
    assert changed(table.case.relabel("sex", "m", ["a"])) == {("a", "m"): "yes", ("a", "f"): "no"}
    assert changed(table.do("relabel", "y", "unknown", None)) == {
        ("a", "y"): "unknown",
        ("b", "y"): "unknown",
        ("c", "y"): "unknown",
    }
    with pytest.raises(NothingToDoError, match="y is unknown there already"):
        table.case.relabel("y", "unknown")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sex", "male"), "sex is one of 'm', 'f', but this is 'male'"),
        (("rest", "x"), "no label or head 'rest'"),
        (("se", "m"), r"no label or head 'se' \(did you mean 'sex'\?\); there are 'sex', 'm',"),
        (("y", True), "a value is one of yes, no, unknown, but this is True"),
        (
            ("yy", "ja"),
            r"'yy' \(did you mean 'y'\?\); there are 'sex', 'm', 'f', 'x', 'y' and 1 more$",
        ),
        (("y", "yes", ["a", "e"]), "component 5 does not hold 'e', but 'a', 'b', 'c', 'd'"),
    ],
)
def test_what_cannot_be_is_refused_and_not_written(table, arguments, words):
    with pytest.raises(InvalidDataError, match=words):
        table.case.relabel(*arguments)


def test_what_was_split_off_is_a_component_of_its_own(table):
    table.do("split", ["c"])
    assert table.case.groups.tolist() == [0, 0, 1, 0]
    assert table.case.contested().tolist() == [False, False, False, True, False]
    with pytest.raises(NothingToDoError, match="there is no majority"):
        table.do("accept")  # y: one of two
    curated = table.curated()
    ids = curated.images["component_id"].tolist()
    assert ids[:2] + ids[3:] == [5, 5, 5, 9]
    assert ids[2] > 9
    for images, words in ([], "choose"), (["a", "b", "d"], "all images of their group"):
        with pytest.raises(NothingToDoError, match=words):
            table.case.split(images)


def test_a_whole_part_goes_back(table):
    table.do("split", ["c", "d"])
    assert table.do("split", ["c", "d"]).kind == "join"
    assert table.case.groups.tolist() == [0, 0, 0, 0]
    assert table.curated().images["component_id"].tolist() == [5, 5, 5, 5, 9]


def test_the_majority_of_a_head_is_more_than_half(table):
    table.do("relabel", "m", "no", ["b", "d"])
    # Of four one is m, one f, two nothing: nobody can tell.
    with pytest.raises(NothingToDoError, match="there is no majority"):
        table.case.accept("sex")


def test_through_with_it_or_not(table):
    assert not table.case.relabel("x", "no").settles
    assert not table.case.mark("label error").settles
    assert table.case.mark("unsure").settles
    assert table.case.accept().settles
    assert not table.case.accept("sex").settles  # x and y are still contested
    assert table.case.drop(["a", "b", "c", "d"]).settles
    assert not table.case.drop(["a"]).settles
    assert not table.case.note("?").settles


def links(*pairs):
    index = pd.Index(list(ROWS))
    return Links.of(index, pd.DataFrame(pairs, columns=["first", "second", "similarity"]))


def test_the_weakest_link_suggests_what_to_split_off(table):
    found = links(("a", "b", 0.9), ("b", "c", 0.7), ("c", "d", 0.8), ("a", "e", 0.99))
    assert table.case.suggest_split(found) in (["c", "d"], ["a", "b"])
    found = links(("a", "b", 0.9), ("b", "c", 0.7), ("b", "d", 0.8))
    assert table.case.suggest_split(found) == ["c"]
    table.do("split", ["c"])
    assert table.case.suggest_split(found) == ["d"]
    table.do("split", ["b"])  # what held a and d together
    assert table.case.suggest_split(found) in (["a"], ["d"])


def test_without_links_the_labels_do(table):
    table.do("accept", "rest")
    assert table.case.suggest_split(None) == ["c", "d"]  # d: y is not known
    table.do("relabel", "y", "no", ["d"])
    assert table.case.suggest_split(None) == ["c"]
    table.do("accept")
    assert table.case.suggest_split(None) == []


def test_dropped_images_come_back(table):
    assert table.do("drop", ["c", "d"]).kind == "drop"
    assert table.case.kept.tolist() == [True, True, False, False]
    assert len(table.curated()) == 3
    assert table.do("drop", ["d", "c"]).kind == "restore"
    assert len(table.curated()) == 5
    with pytest.raises(NothingToDoError, match="choose"):
        table.case.drop([])


def test_of_the_verdicts_there_is_one(table):
    table.do("mark", "good")
    table.do("mark", "label error", ["c"])
    table.do("mark", "bad")
    marks = table.curated().images
    assert marks["verdict"].tolist() == ["bad"] * 4 + [""]
    assert marks["label_error"].tolist() == [False, False, True, False, False]
    table.do("mark", "bad")
    assert (table.curated().images["verdict"] == "").all()


def test_a_note_is_about_the_component(table):
    table.do("note", "two <b>persons</b>")
    assert table.curated().images["note"].tolist() == ["two <b>persons</b>"] * 4 + [""]
    with pytest.raises(NothingToDoError, match="as it was"):
        table.case.note("two <b>persons</b>")


def test_before_is_what_stood_there(table):
    table.do("relabel", "x", "no", ["a"])
    (change,) = table.do("relabel", "x", "unknown", ["a"]).changes
    assert change == (Cell("a", "label", "x"), "no", "unknown")


def test_all_like_the_one_that_is_right(table):
    act = table.do("copy", "b")
    assert act.kind == "accept"
    assert changed(act) == {
        ("a", "y"): "yes",
        ("c", "m"): "yes",
        ("c", "f"): "no",
        ("c", "x"): "yes",
        ("c", "y"): "yes",
    }  # not d: nobody said whether it has y
    with pytest.raises(NothingToDoError, match="carry what this one does"):
        table.case.copy("b")
    with pytest.raises(NothingToDoError):
        table.case.copy("d")


def test_like_one_of_its_part_alone(table):
    table.do("split", ["c", "b"])
    assert changed(table.do("copy", "c", "sex")) == {("b", "m"): "no", ("b", "f"): "yes"}


def test_values_are_those_of_the_set_until_somebody_decides(table):
    case = table.case
    assert [case.value(Cell("d", "label", name)) for name in "myf"] == ["yes", "unknown", "no"]
    assert case.value(Cell("a", "image")) == "in"
    assert case.value(Cell("a", "component")) == "5"
    assert case.value(Cell("a", "mark", "good")) == "no"
    assert case.value(Cell("a", "note")) == ""
    assert len(case) == 4
    table.do("drop", ["a"])
    table.do("note", "see")
    table.do("mark", "bad", ["a"])
    table.do("split", ["c"])
    case = table.case
    assert case.value(Cell("a", "image")) == "out"
    assert case.value(Cell("a", "note")) == "see"
    assert case.value(Cell("a", "mark", "bad")) == "yes"
    assert case.value(Cell("c", "component")).startswith("5/")


def test_where_it_was_done_is_kept(table):
    where = {"queue": "q", "blind": True, "probability": 0.25, "seconds": 1.5}
    for act in (table.case.accept("sex", **where), table.case.copy("a", "sex", **where)):
        assert act.component_id == 5
        assert (act.queue, act.blind, act.probability, act.seconds) == ("q", True, 0.25, 1.5)


def test_only_who_says_one_class_has_a_vote(table):
    for image in "ab":
        table.do("relabel", "f", "yes", [image])
        table.do("relabel", "m", "yes", [image])
        table.do("relabel", "f", "unknown", [image])
    # a and b are m and perhaps f, c is f, d is m: m has three of four.
    assert changed(table.case.accept("sex")) == {("c", "m"): "yes", ("c", "f"): "no"}
    table.entries.clear()
    table.do("relabel", "m", "unknown", ["a", "b"])
    table.do("relabel", "f", "unknown", ["a", "b"])
    with pytest.raises(NothingToDoError, match="no majority"):
        table.case.accept("sex")  # one against one: who was not asked has no vote
    table.do("drop", ["c"])
    assert changed(table.case.accept("sex")) == {}


def test_groups_are_settled_apart(table):
    table.do("split", ["a", "c"])
    table.do("relabel", "x", "yes", ["c"])
    act = table.case.accept("rest")
    # a, c agree about x and y; b and d about x, and y is known of b alone.
    assert changed(act) == {}
    assert not act.settles  # sex is contested
    table.do("relabel", "f", "yes", ["a"])
    assert table.case.accept().settles


def test_of_dropped_images_all_can_be_chosen(table):
    table.do("drop", ["a", "b", "c", "d"])
    act = table.do("relabel", "q", "yes")
    assert changed(act) == dict.fromkeys([(image, "q") for image in "abcd"], "yes")
    assert table.case.kept.tolist() == [False] * 4


def test_a_drop_settles_where_no_image_is_left(table):
    table.do("drop", ["a", "b", "c"])
    act = table.do("drop", ["d"])
    assert act.settles
    back = table.do("drop", ["a", "d"])
    assert back.kind == "restore"
    assert not back.settles
    assert table.case.kept.tolist() == [True, False, False, True]
    # One that is in and one that is out: both are out then.
    assert changed(table.do("drop", ["a", "b"])) == {("a", ""): "out"}


def test_after_an_act_it_is_as_it_will_be(table):
    for name, *arguments in (
        ("accept",),
        ("relabel", "y", "unknown"),
        ("drop", ["a", "d"]),
        ("split", ["b"]),
        ("mark", "bad"),
    ):
        case = table.case
        act = table.do(name, *arguments)
        then, now = case.after(act), table.case
        for field in ("labels", "known", "kept", "groups"):
            assert getattr(then, field).tolist() == getattr(now, field).tolist()
        # It is still what it was.
        assert (
            case.labels.tolist()
            == Case.of(table.imageset, Ledger(table.entries[:-1]), 5, np.arange(4)).labels.tolist()
        )


def test_who_settles_blindly_decides_what_was_hidden(table):
    blind = table.case
    table.do("relabel", "x", "no", ["a"], person="Bo")
    table.do("drop", ["d"], person="Bo")
    table.do("split", ["c"], person="Bo")
    table.do("note", "hm", person="Bo")
    table.do("mark", "label error", person="Bo")
    part = table.case.value(Cell("c", "component"))
    hidden = {
        Change(Cell("a", "label", "x"), "no", "yes"),
        Change(Cell("c", "component"), part, "5"),
        Change(Cell("d", "image"), "out", "in"),
    }
    good = blind.mark("good")
    told = blind.complete(good, table.case)
    assert told.changes[: len(good.changes)] == good.changes
    assert set(told.changes[len(good.changes) :]) == hidden
    assert set(blind.complete(blind.accept(), table.case).changes) >= hidden
    # What they decided themselves stands as they decided it.
    out = blind.complete(blind.drop(["a", "b", "c", "d"]), table.case)
    assert [change.after for change in out.changes if change.cell == Cell("d", "image")] == ["out"]
    for act in (
        blind.mark("unsure"),
        blind.mark("bad"),
        blind.relabel("y", "no"),
        blind.accept("sex"),
        blind.drop(["a"]),
    ):
        assert blind.complete(act, table.case) == act
    # What is as it was is no change.
    assert table.case.complete(table.case.mark("good"), table.case).changes == (
        table.case.mark("good").changes
    )


def test_marks_are_taken_away_where_all_have_them(table):
    table.do("mark", "label error", ["a"])
    act = table.do("mark", "label error", ["a", "b"])
    assert changed(act) == {("b", "label error"): "yes"}
    act = table.do("mark", "label error", ["a", "b"])
    assert changed(act) == dict.fromkeys([("a", "label error"), ("b", "label error")], "no")
    # A verdict takes the others away, and is not brought back by being taken away.
    table.do("mark", "good", ["a"])
    assert changed(table.do("mark", "unsure", ["a"])) == {
        ("a", "unsure"): "yes",
        ("a", "good"): "no",
    }
    act = table.do("mark", "unsure", ["a"])
    assert changed(act) == {("a", "unsure"): "no"}
    assert not act.settles


def test_part_of_a_part_can_be_split_off(table):
    table.do("split", ["c", "d"])
    assert table.do("split", ["d"]).kind == "split"
    assert table.case.groups.tolist() == [0, 0, 1, 2]
    with pytest.raises(NothingToDoError, match="all images of their group"):
        table.case.split(["d", "a"])
    act = table.do("split", ["c", "d"])
    assert (act.kind, act.settles) == ("join", False)


def test_a_single_image_is_not_split_off(table):
    table.do("drop", ["a", "b", "c"])
    assert table.case.suggest_split(None) == []
    assert table.case.suggest_split(links(("c", "d", 0.9))) == []


def test_of_equal_rows_the_commonest_stays(table):
    table.do("split", ["c"])
    # The largest group is a, b, d: each has a row of its own, and one of them stays.
    assert len(table.case.suggest_split(None)) == 2
    table.do("relabel", "y", "no", ["b", "d"])
    assert table.case.suggest_split(None) == []
