"""What decisions make of an image set: property-based, over acts that any number of people do."""

from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peta_viz import Head, ImageSet
from peta_viz.curation.acts import (
    Act,
    Cell,
    Change,
    Entry,
    Ledger,
    blindly,
    normal_time,
    undo_stacks,
)
from peta_viz.curation.decisions import Decisions, part_id
from peta_viz.errors import InvalidDataError

IDS = ["a", "b", "c", "d"]
PEOPLE = ["Ada", "Bo"]
LABELS = ["m", "f", "x"]
BEFORE = {"label": "unknown", "mark": "no", "image": "in", "component": "0", "note": ""}
settings.register_profile("small", max_examples=40, deadline=None)
settings.load_profile("small")


def when(number):
    return f"2026-01-01T00:00:00.{number:06}+00:00"


def imageset():
    index = pd.Index(IDS, name="image_id", dtype="str")
    rows = {"path": IDS, "subset": "", "person_id": IDS, "width": 4, "height": 8}
    images = pd.DataFrame(rows | {"component_id": [0, 0, 0, 7]}, index=index)
    labels = pd.DataFrame([[1, 0, 1], [1, 0, 0], [0, 1, 0], [0, 1, 0]], index, LABELS, dtype=bool)
    known = labels | True
    known.loc["d", "x"] = False
    heads = (Head("sex", ("m", "f"), "exclusive"), Head("rest", ("x",)))
    return ImageSet(images, labels, known, heads)


def changes():
    ids = st.sampled_from(IDS)
    values = {"label": ["yes", "no", "unknown"], "mark": ["yes", "no"], "image": ["in", "out"]}
    values |= {"component": ["0/p", "0/q"], "note": ["", "ü", "<b>"]}
    labels = {"label": LABELS, "mark": ["label error", "good"]}
    parts = [
        st.tuples(
            ids, st.just(field), st.sampled_from(labels.get(field, [""])), st.sampled_from(after)
        )
        for field, after in values.items()
    ]
    # Image d always stays: decisions that drop all images are refused.
    one = st.one_of(parts).filter(lambda change: change[:2] != ("d", "image"))
    return st.lists(one, max_size=3, unique_by=lambda change: change[:3]).map(
        lambda found: tuple(
            Change(Cell(*change[:3]), BEFORE[change[1]], change[3]) for change in found
        )
    )


@st.composite
def histories(draw):
    """Draw acts of several people, some taken back and done again."""
    entries = []
    for number in range(draw(st.integers(0, 12))):
        person = draw(st.sampled_from(PEOPLE))
        kind = draw(st.sampled_from(["relabel", "relabel", "undo", "redo"]))
        act = Act("relabel", 0, ("a", "b", "c"), draw(changes()))
        if kind != "relabel":
            ledger = Ledger(entries)
            found = ledger.switchable(person)[kind == "redo"]
            if found is None:
                continue
            act = Act(kind, 0, target=found.id)
        entries.append(Entry(act, f"{number:03}{person}", when(number), person))
    return entries


def same(one, other):
    pd.testing.assert_frame_equal(one.images, other.images)
    pd.testing.assert_frame_equal(one.labels, other.labels)
    pd.testing.assert_frame_equal(one.known, other.known)


def act(kind="relabel", *changes, component=0, **more):
    made = tuple(Change(Cell(*cell), before, after) for cell, before, after in changes)
    return Act(kind, component, ("a", "b", "c"), made, **more)


def entry(number, what, person="Ada"):
    return Entry(what, f"e{number}", when(number), person)


@given(histories(), st.randoms(use_true_random=False))
def test_the_order_of_telling_does_not_matter(entries, chance):
    shuffled = entries.copy()
    chance.shuffle(shuffled)
    same(Decisions.of(entries).apply(imageset()), Decisions.of(shuffled).apply(imageset()))
    parts = Ledger(shuffled[::2])
    parts.add(shuffled)  # in parts, and some of them twice
    assert parts.standing() == Ledger(entries).standing()


@given(histories())
def test_the_last_one_that_stands_decides(entries):
    ledger = Ledger(entries)
    off = set()
    for one in entries:
        if one.act.target:
            (off.add if one.act.kind == "undo" else off.discard)(one.act.target)
    expected = {}
    for one in entries:
        if not one.act.target and one.id not in off:
            expected |= {change.cell: change.after for change in one.act.changes}
    assert {cell: after for cell, (after, _) in ledger.standing().items()} == expected
    assert all(ledger.value(cell) == after for cell, after in expected.items())


@given(histories())
def test_acts_on_other_cells_can_be_told_in_any_order(entries):
    touched = set()
    apart = []
    for one in entries:
        cells = {change.cell for change in one.act.changes}
        if not one.act.target and not cells & touched:
            touched |= cells
            apart.append(one)
    times = sorted((one.at for one in apart), reverse=True)
    backwards = [replace(one, at=at) for one, at in zip(apart, times, strict=True)]
    same(Decisions.of(apart).apply(imageset()), Decisions.of(backwards).apply(imageset()))


@given(histories())
def test_when_all_is_taken_back_the_set_is_raw(entries):
    entries = entries.copy()
    for person in PEOPLE:
        while (last := Ledger(entries).switchable(person)[0]) is not None:
            undo = Act("undo", 0, target=last.id)
            entries.append(Entry(undo, f"u{len(entries):03}", when(100 + len(entries)), person))
    curated = Decisions.of(entries).apply(imageset())
    added = ["label_error", "model_mistake", "verdict", "note"]
    assert not curated.images[["label_error", "model_mistake"]].to_numpy().any()
    assert (curated.images[["verdict", "note"]] == "").to_numpy().all()
    raw = imageset()
    same(replace(curated, images=curated.images.drop(columns=added)), raw)
    assert Decisions.of(entries).diff(raw).empty


@given(histories())
def test_undo_and_redo_come_back_to_the_same(entries):
    for person in PEOPLE:
        before = Ledger(entries).standing()
        last = Ledger(entries).switchable(person)[0]
        if last is None:
            continue
        back = [*entries, Entry(Act("undo", 0, target=last.id), "u", when(200), person)]
        again = Ledger(back).switchable(person)[1]
        assert again == last
        there = [*back, Entry(Act("redo", 0, target=last.id), "v", when(201), person)]
        assert Ledger(there).standing() == before
        assert Ledger(there).switchable(person)[0] == last


@settings(max_examples=15)
@given(entries=histories())
def test_what_was_written_is_read(entries, tmp_path_factory):
    decisions = Decisions.of(entries)
    for suffix in ("csv", "parquet"):
        file = tmp_path_factory.mktemp("decisions") / f"decisions.{suffix}"
        decisions.write(file)
        assert Decisions.read(file).entries == decisions.entries


def test_the_raw_set_is_not_changed():
    raw = imageset()
    Decisions.of([entry(1, act("relabel", (("a", "label", "x"), "yes", "no")))]).apply(raw)
    same(raw, imageset())


def test_what_each_field_does():
    decisions = Decisions.of(
        [
            entry(1, act("relabel", (("a", "label", "x"), "yes", "no"))),
            entry(2, act("relabel", (("b", "label", "m"), "yes", "unknown"))),
            entry(3, act("split", (("c", "component"), "0", "0/p"))),
            entry(4, act("drop", (("d", "image"), "in", "out"))),
            entry(5, act("mark", (("b", "mark", "label error"), "no", "yes"))),
            entry(6, act("mark", (("b", "mark", "good"), "no", "yes"))),
            entry(7, act("note", (("b", "note"), "", "<b>see</b>"))),
        ]
    )
    curated = decisions.apply(imageset())
    assert curated.images.index.tolist() == ["a", "b", "c"]
    ids = curated.images["component_id"].tolist()
    assert ids[:2] == [0, 0]
    assert ids[2] == part_id("0/p") > 2**40
    assert not curated.labels.loc["a", "x"]
    assert curated.known.loc["b"].tolist() == [False, True, True]
    assert not curated.labels.loc["b", "m"]
    assert curated.images["label_error"].tolist() == [False, True, False]
    assert curated.images["verdict"].tolist() == ["", "good", ""]
    assert curated.images["note"].tolist() == ["", "<b>see</b>", ""]
    diff = decisions.diff(imageset())
    assert diff[["image_id", "field", "raw", "now"]].to_numpy().tolist()[0] == [
        "a",
        "label",
        "yes",
        "no",
    ]
    assert len(diff) == 7


def test_what_the_user_has_under_the_same_name_stays():
    own = imageset().with_columns(note=["mine", "", "", ""])
    decisions = Decisions.of(
        [
            entry(1, act("mark", (("b", "mark", "good"), "no", "yes"))),
            entry(2, act("mark", (("b", "mark", "bad"), "no", "yes")), "Bo"),
            entry(3, act("note", (("a", "note"), "", "theirs"))),
        ]
    )
    curated = decisions.apply(own)
    assert curated.images["note"].tolist() == ["mine", "", "", ""]
    assert curated.images["note (decided)"].tolist() == ["theirs", "", "", ""]
    assert curated.images["verdict"].tolist() == ["", "bad", "", ""]  # the last one


def test_what_was_changed_back_is_no_change():
    back = [
        entry(1, act("drop", (("a", "image"), "in", "out"))),
        entry(2, act("restore", (("a", "image"), "out", "in"))),
        entry(3, act("mark", (("a", "mark", "label error"), "no", "yes"))),
        entry(4, act("mark", (("a", "mark", "label error"), "yes", "no"))),
    ]
    summary = Decisions.of(back).summary()
    assert summary.loc["Ada", ["acts", "images", "images_out", "label error"]].tolist() == [
        4,
        0,
        0,
        0,
    ]
    assert Decisions.of(back).diff(imageset()).empty


def test_the_summary_counts_by_person():
    undone = act("relabel", (("a", "label", "f"), "no", "yes"))
    entries = [
        entry(1, act("relabel", (("a", "label", "x"), "yes", "no"), seconds=30)),
        entry(
            2, act("mark", (("a", "mark", "bad"), "no", "yes"), (("b", "mark", "bad"), "no", "yes"))
        ),
        entry(3, undone),
        entry(4, Act("undo", 0, target="e3")),
        entry(5, act("accept", component=7, seconds=30, settles=True), "Bo"),
    ]
    found = Decisions.of(entries).summary()
    assert found.loc[
        "Ada", ["acts", "undone", "components", "images", "labels_changed", "bad"]
    ].tolist() == [2, 1, 0, 2, 1, 1]
    assert found.loc["Bo", ["acts", "components", "images", "minutes"]].tolist() == [1, 1, 0, 0.5]
    assert Decisions.of(entries).of_persons(["Bo"]).persons == ["Bo"]


def test_decisions_about_something_else_are_refused():
    lost = act("relabel", (("z", "label", "q"), "yes", "no"))
    with pytest.raises(InvalidDataError) as caught:
        Decisions.of([entry(1, lost)]).apply(imageset())
    assert "1 of the 1 images they are about are not in this image set, such as 'z'" in str(
        caught.value
    )
    assert "no labels 'q'" in str(caught.value)
    drop = act("drop", *((("abcd"[n], "image"), "in", "out") for n in range(4)))
    with pytest.raises(InvalidDataError, match="drop every image"):
        Decisions.of([entry(1, drop)]).apply(imageset())


def test_a_table_of_something_else_is_refused():
    good = Decisions.of([entry(1, act("relabel", (("a", "label", "x"), "yes", "no")))]).table()
    with pytest.raises(InvalidDataError, match="columns person, kind are missing"):
        Decisions.from_table(good.drop(columns=["person", "kind"]))
    for column, value, words in [
        ("kind", "shout", "no kind 'shout'"),
        ("field", "mood", "no field 'mood'"),
        ("after", "perhaps", "holds 'perhaps', not yes, no, unknown"),
        ("at", "2026-05-01 10:00", "does not say in which zone"),
        ("at", "01/05/2026", "Invalid isoformat"),
    ]:
        with pytest.raises(InvalidDataError, match=words):
            Decisions.from_table(good.assign(**{column: value}))
    with pytest.raises(InvalidDataError, match="changed before"):
        Decisions.from_table(pd.concat([good, good]))


def test_changes_are_a_table_of_what_stands():
    entries = [
        entry(
            1,
            act("relabel", (("a", "label", "x"), "yes", "no"), (("b", "label", "x"), "no", "yes")),
        ),
        entry(2, act("relabel", (("a", "label", "x"), "no", "unknown"), component=3), "Bo"),
        entry(3, act("drop", (("c", "image"), "in", "out"), (("d", "image"), "in", "out"))),
        entry(4, act("restore", (("d", "image"), "out", "in"))),
        entry(5, act("note", (("a", "note"), "", "hm"))),
    ]
    found = Decisions.of(entries).changes
    assert found.to_numpy().tolist() == [
        [1, "Bo", "a", "x", "no", "unknown", "component 3: relabel"],
        [1, "Ada", "b", "x", "no", "yes", "component 0: relabel"],
        [1, "Ada", "c", "", "in", "out", "component 0: drop"],
    ]
    assert str(found["step"].dtype) == "int64"


def test_a_table_has_a_row_per_change():
    told = act(
        "relabel",
        (("a", "label", "x"), "yes", "no"),
        (("b", "image"), "in", "out"),
        settles=True,
        queue="q",
        blind=True,
        probability=0.5,
        seconds=2.0,
    )
    table = Decisions.of([entry(2, Act("undo", 7, target="e1")), entry(1, told)]).table()
    assert table["id"].tolist() == ["e1", "e1", "e2"]
    assert table["settles"].tolist() == [True, True, False]
    assert table["blind"].tolist() == [True, True, False]
    assert table["probability"].isna().tolist() == [False, False, True]
    assert table["images"].tolist() == ['["a", "b", "c"]'] * 2 + ["[]"]
    assert table.iloc[2][["image_id", "field", "label", "before", "after"]].tolist() == [""] * 5
    assert table.iloc[1][["image_id", "field", "label", "before", "after"]].tolist() == [
        *("b", "image", "", "in", "out"),
    ]
    again = Decisions.from_table(table.astype("str").replace("nan", "")).entries
    assert [one.act for one in again] == [told, Act("undo", 7, target="e1")]
    numbers = table.assign(settles=table["settles"].astype(int), blind=table["blind"].astype(int))
    assert Decisions.from_table(numbers).entries == again
    with pytest.raises(InvalidDataError):
        Decisions.from_table(table.assign(component_id="five"))


def test_a_table_with_several_faults_tells_them_all():
    good = Decisions.of([entry(1, act("relabel", (("a", "label", "x"), "yes", "no")))]).table()
    with pytest.raises(InvalidDataError) as caught:
        Decisions.from_table(
            pd.concat([good.assign(kind="shout", at="noon", before="so", field="image")] * 3)
        )
    assert len(caught.value.problems) == 4
    assert caught.value.problems[2] == "the field image holds 'no', 'so', not in, out"
    assert caught.value.problems[3] == "2 rows change a cell that their act changed before"
    # An act without changes has no field, and may be there several times.
    bare = Decisions.of([entry(1, act("accept")), entry(2, act("accept"))]).table()
    assert len(Decisions.from_table(bare).entries) == 2


def test_what_is_not_as_it_was_is_listed():
    entries = [
        entry(1, act("relabel", (("d", "label", "x"), "unknown", "yes"))),
        entry(2, act("relabel", (("a", "label", "x"), "no", "yes"))),  # it is yes in the set
        entry(3, act("split", (("c", "component"), "0", "0/p"), (("d", "component"), "7", "7"))),
        entry(4, act("mark", (("b", "mark", "bad"), "no", "no"))),
    ]
    diff = Decisions.of(entries).diff(imageset())
    assert diff.drop(columns="at").to_numpy().tolist() == [
        ["c", "component", "", "0", "0/p", "Ada"],
        ["d", "label", "x", "unknown", "yes", "Ada"],
    ]
    assert diff["at"].tolist() == [when(3), when(1)]


def test_parts_that_come_home_have_their_number_again():
    entries = [
        entry(1, act("split", (("b", "component"), "0", "0/p"), (("c", "component"), "0", "0/q"))),
        entry(2, act("join", (("b", "component"), "0/p", "0"))),
    ]
    assert Decisions.of(entries).apply(imageset()).images["component_id"].tolist() == [
        *(0, 0, part_id("0/q"), 7),
    ]
    assert part_id("0/p") != part_id("0/q")
    assert part_id("0/p") >= 2**48
    assert part_id("0/p") < 2**49


def test_marks_that_are_taken_back_leave_no_verdict():
    entries = [
        entry(1, act("mark", (("a", "mark", "good"), "no", "yes"))),
        entry(2, act("mark", (("a", "mark", "good"), "yes", "no"))),
        entry(3, act("mark", (("b", "mark", "model mistake"), "no", "yes"))),
        entry(4, act("mark", (("c", "mark", "unsure"), "no", "yes"))),
        entry(5, act("mark", (("c", "mark", "bad"), "no", "no"))),
    ]
    images = Decisions.of(entries).apply(imageset()).images
    assert images["verdict"].tolist() == ["", "", "unsure", ""]
    assert images["model_mistake"].tolist() == [False, True, False, False]
    assert not images["label_error"].any()


def test_all_columns_of_the_summary():
    entries = [
        entry(1, act("relabel", (("a", "label", "x"), "yes", "no"), seconds=90, settles=True)),
        entry(2, act("split", (("c", "component"), "0", "0/p"))),
        entry(3, act("drop", (("d", "image"), "in", "out"), component=7, settles=True)),
        entry(4, act("mark", (("b", "mark", "unsure"), "no", "yes"), component=0, settles=True)),
        entry(5, act("note", (("b", "note"), "", "hm"))),
        entry(6, act("relabel", (("b", "label", "m"), "yes", "no"))),
        entry(7, Act("undo", 0, target="e6", seconds=30)),
        entry(8, act("relabel", (("c", "label", "f"), "yes", "no")), "Bo"),
    ]
    found = Decisions.of(entries).summary()
    assert found.loc["Ada"].to_dict() == {
        "acts": 5,
        "undone": 1,
        "components": 2,
        "images": 4,
        "labels_changed": 1,
        "images_out": 1,
        "split_off": 1,
        "good": 0,
        "bad": 0,
        "unsure": 1,
        "label error": 0,
        "model mistake": 0,
        "minutes": 2,
    }
    assert found.loc["Bo", ["acts", "undone", "labels_changed"]].tolist() == [1, 0, 1]
    assert found.index.name == "person"


def test_stacks_of_what_can_be_taken_back():
    acts = [("a", "relabel", ""), ("b", "relabel", ""), ("c", "relabel", "")]
    assert undo_stacks(acts) == (["a", "b", "c"], [])
    # In a log that was joined, what is taken back need not lie on top.
    back = [*acts, ("u", "undo", "b"), ("v", "undo", "c")]
    assert undo_stacks(back) == (["a"], ["b", "c"])
    assert undo_stacks([*back, ("r", "redo", "b")]) == (["a", "b"], ["c"])
    assert undo_stacks([*back, ("r", "redo", "z"), ("w", "undo", "z")]) == (["a"], ["b", "c"])
    assert undo_stacks([*back, ("d", "relabel", "")]) == (["a", "d"], [])


def test_until_then():
    entries = [
        entry(1, act("relabel", (("a", "label", "x"), "yes", "no"))),
        entry(2, act("relabel", (("a", "label", "x"), "no", "unknown"))),
        entry(3, Act("undo", 0, target="e2")),
        entry(4, Act("redo", 0, target="e2")),
    ]
    ledger = Ledger(entries)
    cell = Cell("a", "label", "x")
    said = [ledger.value(cell, one.order) for one in entries]
    assert said == ["no", "unknown", "no", "unknown"]
    assert ledger.value(cell, ("", "")) is None
    assert ledger.value(Cell("b", "label", "x")) is None
    assert [ledger.is_active("e2", one.order) for one in entries] == [True, True, False, True]
    assert ledger.before(cell) == "yes"
    assert ledger.touched("a") == {cell}
    assert list(ledger.touched("b")) == []
    assert ledger.acts() == entries[:2]
    assert Ledger(entries[:3]).acts() == entries[:1]
    assert ledger.switchable("Ada") == (entries[1], None)
    assert ledger.switchable("Bo") == (None, None)


def test_blindly_done_is_with_all_that_is_taken_back():
    entries = [
        entry(1, act("relabel", blind=True)),
        entry(2, act("relabel")),
        entry(3, Act("undo", 0, target="e2")),
    ]
    assert blindly(entries) == [entries[0], entries[2]]


def test_times_are_of_one_zone():
    assert normal_time("2026-03-01T12:30:00+02:00") == "2026-03-01T10:30:00.000000+00:00"
    assert normal_time("2026-03-01T12:30:00.5Z") == "2026-03-01T12:30:00.500000+00:00"
    with pytest.raises(ValueError, match="does not say in which zone"):
        normal_time("2026-03-01T12:30:00")


@pytest.mark.parametrize("images", ["[", "[1]", "1", "", '"ab"', "[" * 5_000])
def test_images_that_are_no_list_are_named(images):
    act = Act("relabel", 0, ("a",), (Change(Cell("a", "label", "x"), "no", "yes"),))
    table = Decisions((Entry(act, "1", when(1), "Ada"),)).table()
    with pytest.raises(InvalidDataError, match="is no list of images"):
        Decisions.from_table(table.assign(images=images))


def test_texts_that_another_program_left_empty_are_empty_texts():
    act = Act("relabel", 0, ("a",), (Change(Cell("a", "image"), "in", "out"),))
    decisions = Decisions((Entry(act, "1", when(1), "Ada"),))
    told = decisions.table().assign(label=None, target=None, queue=float("nan"))
    assert Decisions.from_table(told).table().equals(decisions.table())


@pytest.mark.parametrize(
    ("column", "value"),
    [("probability", "half"), ("component_id", "x"), ("at", "9999"), ("at", None)],
)
def test_cells_of_another_type_are_refused(column, value):
    table = Decisions((Entry(Act("drop", 0, ("a",)), "1", when(1), "Ada"),)).table()
    with pytest.raises(InvalidDataError):
        Decisions.from_table(table.astype({column: "O"}).assign(**{column: value}))
