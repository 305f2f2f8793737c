"""Corrected labels in the user's own columns."""

import pandas as pd

from peta_viz import Decisions, Head, ImageSet
from peta_viz.curation.acts import Act, Cell, Change, Entry
from peta_viz.curation.export import changes_in_words, corrected_table, write_corrected
from peta_viz.sources import read_images

EVIL = "a <b> ünï"
FORMULAS = ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(1)", "\t=1", '"=1"']


def test_a_table_comes_back_as_it_was_but_for_what_changed(write_image, tmp_path):
    names = [write_image(f"{n}.png", seed=n).name for n in range(4)]
    frame = pd.DataFrame(
        {
            "file": names,
            "colour": ["red", "blue", "red", "green"],
            "big": [1, 0, 1, 1],
            EVIL: [True, False, None, True],
            "price": [1.5, 2.5, 3.5, 4.5],
        }
    )
    imageset = ImageSet.from_frame(
        frame,
        path="file",
        labels=["big", EVIL],
        classes=["colour"],
        heads=[Head("size", ("big",))],
        root=tmp_path,
        missing="unknown",
    ).with_columns(component_id=0)
    untouched = corrected_table(imageset, Decisions.of([]))
    assert untouched["colour"].tolist() == ["red", "blue", "red", "green"]
    assert untouched["big"].tolist() == [1, 0, 1, 1]
    assert untouched[EVIL].isna().tolist() == [False, False, True, False]
    first, second, third, _ = imageset.images.index
    changes = (
        Change(Cell(first, "label", "colour=red"), "yes", "no"),
        Change(Cell(first, "label", "colour=blue"), "no", "yes"),
        Change(Cell(second, "label", "big"), "no", "unknown"),
        Change(Cell(third, "image"), "in", "out"),
        Change(Cell(second, "note"), "", EVIL),
    )
    decisions = Decisions.of([Entry(Act("relabel", 0, changes=changes), "e", "t", "Ada")])
    table = corrected_table(imageset, decisions)
    assert table["colour"].tolist() == ["blue", "blue", "green"]
    assert table["big"].isna().tolist() == [False, True, False]
    assert table["note"].tolist() == ["", EVIL, ""]
    assert table["price"].tolist() == [1.5, 2.5, 4.5]
    labels, changed = write_corrected(imageset, decisions, tmp_path / "out")
    assert pd.read_csv(labels, keep_default_na=False)["colour"].tolist() == [
        "blue",
        "blue",
        "green",
    ]
    again = ImageSet.from_frame(
        pd.read_csv(labels), path="file", labels=["big"], classes=["colour"], missing="unknown"
    )
    assert again.labels["colour=blue"].tolist() == [True, True, False]
    listed = pd.read_csv(changed, keep_default_na=False)
    assert listed.loc[listed["field"] == "label", "now"].tolist() == ["yes", "no", "unknown"]


def test_the_users_table_comes_back_in_its_own_words(write_image, tmp_path):
    for n in range(3):
        write_image(f"photos/{n}.png", seed=n)
    lines = [
        "worn,id,who,file,hue,laces,box,new,split,price",
        "Yes,007,p,photos/0.png,red,1,True,y,a,1.50",
        "no,8,,photos/1.png,NA,0,,y,b,2.00",
        "Yes,9,q,photos/2.png,red,1,False,y,c,3.25",
    ]
    (tmp_path / "shoes.csv").write_text("\n".join(lines) + "\n")
    read, _ = read_images(
        table=str(tmp_path / "shoes.csv"),
        path_column="file",
        label_columns=["worn", "laces", "box", "new"],
        class_columns=["hue"],
        person_column="who",
        missing="unknown",
    )
    read = read.with_columns(component_id=[4, 4, 5], split="train")
    read.to_parquet(tmp_path / "run")
    imageset = ImageSet.from_parquet(tmp_path / "run")
    marks = ",component_id,label_error,model_mistake,verdict,note"
    labels, _ = write_corrected(imageset, Decisions.of([]), tmp_path / "out")
    written = labels.read_text().splitlines()
    assert written[0] == lines[0].replace(",split", "") + marks  # a column of ours, too
    assert written[1] == "Yes,7,p,photos/0.png,red,1,True,y,1.5,4,False,False,,"
    assert written[2] == "no,8,,photos/1.png,NA,0,,y,2.0,4,False,False,,"
    changes = (
        Change(Cell("photos/0.png", "label", "worn"), "yes", "no"),
        Change(Cell("photos/0.png", "label", "laces"), "yes", "no"),
        Change(Cell("photos/1.png", "label", "box"), "unknown", "yes"),
        Change(Cell("photos/1.png", "label", "new"), "yes", "no"),
    )
    decisions = Decisions.of([Entry(Act("relabel", 4, changes=changes), "e", "t", "Ada")])
    labels, _ = write_corrected(imageset, decisions, tmp_path / "out")
    written = labels.read_text().splitlines()
    assert written[1].startswith("no,7,p,photos/0.png,red,0,True,y,")
    assert written[2].startswith("no,8,,photos/1.png,NA,0,True,n,")


def test_a_part_has_the_same_name_in_both_files(make_set, tmp_path):
    imageset = make_set({"a": "x", "b": "x"}, components=[3, 3])
    changes = (Change(Cell("b", "component"), "3", "3/f71a7a7e"),)
    decisions = Decisions.of([Entry(Act("split", 3, changes=changes), "e", "t", "Ada")])
    labels, changed = (pd.read_csv(f) for f in write_corrected(imageset, decisions, tmp_path))
    assert labels["component_id"].astype("str").tolist() == ["3", changed["now"].astype("str")[0]]


def test_changes_are_told_by_component(make_set):
    imageset = make_set({"a": "x", "b": "x", "c": "x", "d": "x"}, components=[1, 3, 3, 3])
    changes = (
        Change(Cell("b", "label", "x"), "yes", "no"),
        Change(Cell("c", "label", "x"), "yes", "no"),
        Change(Cell("d", "component"), "3", "3/f7"),
        Change(Cell("d", "mark", "unsure"), "no", "yes"),
    )
    decisions = Decisions.of(
        [
            Entry(Act("relabel", 3, changes=changes), "e", "t", "Ada"),
            Entry(
                Act("drop", 1, changes=(Change(Cell("a", "image"), "in", "out"),)), "f", "u", "Bo"
            ),
        ]
    )
    words = changes_in_words(imageset, decisions.diff(imageset))
    assert list(words.items()) == [
        (3, "x: yes → no (2 images), 1 image split off"),
        (1, "1 image dropped"),
    ]
    assert changes_in_words(imageset, Decisions.of([]).diff(imageset)) == {}


def test_what_was_measured_is_left_out_and_classes_are_told_apart(make_set):
    heads = [
        Head("colour", ("colour=blue", "colour=red"), "exclusive"),
        Head("colour=", ("colour=x", "other"), "exclusive"),
        Head("many", ("many=a", "many=b")),
    ]
    names = [label for head in heads for label in head.labels]
    rows = {"a": "colour=red other", "b": "colour=red colour=blue many=a", "c": "?many=b"}
    imageset = make_set(rows, [0, 0, 1], heads, names, blur=1.0, own="mine", split="test")
    table = corrected_table(imageset, Decisions.of([]))
    assert table.columns.tolist() == [
        *("path", "subset", "person_id", "own", "component_id"),
        *("label_error", "model_mistake", "verdict", "note"),
        *("colour", "colour=x", "other", "many=a", "many=b"),
    ]
    # Who has two classes, or none, has no class.
    assert table["colour"].tolist() == ["red", "", ""]
    assert table["many=b"].isna().tolist() == [False, False, True]
    assert table["many=a"].tolist() == [0, 1, 0]


def test_components_with_most_changes_come_first(make_set):
    imageset = make_set(dict.fromkeys("abcde", "x"), components=[1, 2, 2, 3, 3])
    changes = (
        Change(Cell("a", "image"), "in", "out"),
        *(Change(Cell(image, "label", "x"), "yes", "unknown") for image in "bc"),
        Change(Cell("d", "component"), "3", "3/a"),
        Change(Cell("e", "component"), "3", "3/b"),
        Change(Cell("e", "image"), "in", "out"),
        Change(Cell("a", "note"), "", "hm"),
    )
    decisions = Decisions.of([Entry(Act("relabel", 1, changes=changes), "e", "t", "Ada")])
    words = changes_in_words(imageset, decisions.diff(imageset))
    assert list(words.items()) == [
        (3, "1 image dropped, 2 images split off"),
        (2, "x: yes → unknown (2 images)"),
        (1, "1 image dropped"),
    ]


def test_cells_that_a_spreadsheet_would_compute_are_written_as_they_are(write_image, tmp_path):
    """Marked with an apostrophe they would fit neither the table nor the log any more."""
    names = [write_image(f"{n}.png", seed=n).name for n in range(len(FORMULAS))]
    frame = pd.DataFrame({"id": FORMULAS, "file": names, "kind": FORMULAS, "=x": 1})
    imageset = ImageSet.from_frame(
        frame, path="file", image_id="id", labels=["=x"], classes=["kind"], root=tmp_path
    ).with_columns(component_id=0)
    change = Change(Cell(FORMULAS[0], "note"), "", FORMULAS[1])
    entry = Entry(Act("note", 0, changes=(change,)), "e", "2026-11-26T12:00:00+00:00", "Ada")
    decisions = Decisions.of([entry])
    labels, _ = write_corrected(imageset, decisions, tmp_path / "out")
    table = pd.read_csv(labels, keep_default_na=False)
    assert table["id"].tolist() == imageset.images.index.tolist()
    assert table["file"].tolist() == names
    assert set(table["kind"]) == set(FORMULAS)
    assert table["note"].iloc[table["id"].tolist().index(FORMULAS[0])] == FORMULAS[1]
    decisions.write(tmp_path / "decisions.csv")
    assert Decisions.read(tmp_path / "decisions.csv").entries[0].act.changes == (change,)
