from dataclasses import FrozenInstanceError, replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from peta_viz import Gallery, cluster, label_quality, measure_components, split
from peta_viz.arrow import HEADS_KEY
from peta_viz.errors import InvalidDataError
from peta_viz.imageset import Head, ImageSet


def test_validation_lists_what_is_wrong_with_the_parts(make_set):
    good = make_set({"a": "x", "b": "y"})
    with pytest.raises(InvalidDataError) as caught:
        ImageSet(
            good.images.drop(columns="width").set_axis(["a", "a"]),
            good.labels.astype(int),
            good.known.rename(columns={"x": "z"}),
            (Head("h", ("x", "nose")), Head("h", ("x",), "exclusive")),
        )
    message = " ".join(caught.value.problems)
    for words in (
        "images lacks the columns width",
        "image_id must be unique",
        "labels has another index",
        "labels must be boolean, but these columns are not: x, y",
        "labels and known have different columns",
        "two heads are named 'h'",
        "names the label 'nose', which is not there",
        "label 'x' is in two heads",
        "head 'h' (exclusive) has 1 label",
    ):
        assert words in message
        assert words in str(caught.value)


def test_a_label_that_is_not_known_cannot_be_true(make_set):
    made = make_set({"a": "x", "b": "y"})
    with pytest.raises(InvalidDataError, match="1 cell is true in labels and False in known"):
        made.with_labels(made.labels, made.known & ~made.labels.assign(y=False))


def test_parquet_gives_back_the_same(make_set, tmp_path):
    made = make_set({"ä <b>": "x ?y", "b": "y"}, components=[0, 1])
    made.to_parquet(tmp_path / "run")
    again = ImageSet.from_parquet(tmp_path / "run")
    for name in ("images", "labels", "known"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(made, name))
    assert again.heads == made.heads
    assert pd.read_parquet(tmp_path / "run" / "labels.parquet")["y"].isna().tolist() == [
        True,
        False,
    ]
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [
        "images.parquet",
        "labels.parquet",
    ]


def test_files_of_another_tool_are_refused(make_set, tmp_path):
    made = make_set({"a": "x"})
    made.to_parquet(tmp_path)
    made.labels.to_parquet(tmp_path / "labels.parquet")
    with pytest.raises(InvalidDataError, match="peta-viz did not write it"):
        ImageSet.from_parquet(tmp_path)


def test_subset_takes_a_mask_or_ids_and_keeps_the_order(make_set):
    made = make_set({"a": "x", "b": "y", "c": "x"})
    assert made.subset(["c", "a"]).images.index.tolist() == ["a", "c"]
    assert made.subset(iter(["c", "a"])).images.index.tolist() == ["a", "c"]
    assert made.subset(made.labels["x"]).labels.index.tolist() == ["a", "c"]
    assert made.subset(made.labels["x"].to_numpy()).known.index.tolist() == ["a", "c"]
    with pytest.raises(KeyError, match="1 id is not in this image set, such as 'z'"):
        made.subset(["a", "z"])


def test_of_very_many_problems_the_rest_is_counted():
    error = InvalidDataError("the table", [f"problem {n}" for n in range(30)])
    assert "problem 11\n  … and 18 more" in str(error)
    assert len(error.problems) == 30


def test_a_mask_in_another_order_goes_by_its_index(make_set):
    made = make_set({"a": "x", "b": "y", "c": "x"})
    assert made.subset(made.labels["x"][::-1]).images.index.tolist() == ["a", "c"]
    assert made.subset(made.labels["y"].iloc[[2, 1, 0]]).images.index.tolist() == ["b"]


def test_rows_are_taken_by_number_and_in_that_order(make_set):
    made = make_set({"a": "x", "b": "y z", "c": "x ?y"}).take(np.array([2, 0]))
    assert made.images.index.tolist() == ["c", "a"]
    assert made.labels["x"].tolist() == [True, True]
    assert made.known["y"].tolist() == [False, True]
    assert repr(made) == "ImageSet(2 images, 3 labels, 1 head)"


def test_columns_are_added_to_a_copy(make_set):
    made = make_set({"a": "x", "b": "y"})
    more = made.with_columns(split=["train", "test"], width=9)
    assert more.images["split"].tolist() == ["train", "test"]
    assert more.images["width"].tolist() == [9, 9]
    assert "split" not in made.images
    assert made.images["width"].tolist() == [8, 8]


def test_a_short_mask_leaves_out_what_it_does_not_name(make_set):
    made = make_set({"a": "x", "b": "y", "c": "x"})
    assert made.subset(made.labels["x"].iloc[1:]).images.index.tolist() == ["c"]


@pytest.mark.parametrize(
    ("heads", "words"),
    [
        ([Head("h", ("x",), "exclusive")], r"head 'h' \(exclusive\) has 1 label"),
        ([Head("h", (), "multiple")], r"head 'h' \(multiple\) has 0 labels"),
        ([Head("h", ("x", "y"), "any")], "head 'h' has the kind 'any', not exclusive or multiple"),
        ([Head("g", ("x",)), Head("h", ("x",))], "label 'x' is in two heads, 'g' and 'h'"),
    ],
)
def test_heads_that_cannot_be(make_set, heads, words):
    with pytest.raises(InvalidDataError, match=words) as caught:
        make_set({"a": "x", "b": "y"}, heads=heads)
    assert len(caught.value.problems) == 1


def test_a_head_may_have_one_label_or_a_choice_of_two(make_set):
    heads = [Head("h", ("x", "y"), "exclusive"), Head("g", ("z",))]
    assert make_set({"a": "x z", "b": "y"}, heads=heads).heads == tuple(heads)


def test_ids_are_text_and_none_is_empty_or_twice(make_set):
    made = make_set({"a": "x", "b": "y"})

    def problems(ids):
        parts = [frame.set_axis(ids) for frame in (made.images, made.labels, made.known)]
        with pytest.raises(InvalidDataError) as caught:
            ImageSet(*parts, made.heads)
        return caught.value.problems

    assert problems([1, 2]) == ("image_id must be text",)
    assert problems(["a", None])[0] == "image_id is empty in 1 row"
    repeated = "image_id must be unique, but 1 value repeats, such as 'a'"
    assert problems(["a", "a"]) == (repeated,)
    assert problems(pd.Index(["a", "a"], dtype="object")) == (repeated,)
    mixed = pd.Index(["a", "b"], dtype="object")
    parts = [frame.set_axis(mixed) for frame in (made.images, made.labels, made.known)]
    assert len(ImageSet(*parts, made.heads)) == 2


def test_parts_of_other_shapes_are_told(make_set):
    made = make_set({"a": "x", "b": "y"})
    with pytest.raises(InvalidDataError) as caught:
        ImageSet(made.images, made.labels, made.known.iloc[::-1], made.heads)
    assert caught.value.problems == ("known has another index than images",)
    doubled = made.labels.set_axis(["x", "x"], axis=1)
    with pytest.raises(InvalidDataError, match="labels has columns of the same name"):
        ImageSet(made.images, doubled, doubled, ())
    nothing = made.images.iloc[:0], made.labels.iloc[:0], made.known.iloc[:0]
    with pytest.raises(InvalidDataError) as caught:
        ImageSet(*nothing, made.heads)
    assert caught.value.problems == ("there is no image in it",)


def test_a_folder_without_a_run_says_what_it_lacks(make_set, tmp_path):
    with pytest.raises(InvalidDataError, match=r"there is no images\.parquet"):
        ImageSet.from_parquet(tmp_path)
    make_set({"a": "x"}).to_parquet(tmp_path)
    (tmp_path / "labels.parquet").unlink()
    with pytest.raises(InvalidDataError, match=r"there is no labels\.parquet"):
        ImageSet.from_parquet(tmp_path)


def test_an_image_set_is_not_written_into(make_set):
    made = make_set({"a": "x", "b": "y"})
    for what, name in ((made, "labels"), (made.heads[0], "labels")):
        with pytest.raises(FrozenInstanceError):
            setattr(what, name, None)
    # It is itself alone, so that what was found for it can be kept with it.
    assert made != replace(made)
    assert len({made, made}) == 1


@pytest.mark.parametrize("heads", ["[", "{}", "[1]", '[{"name": 1}]', "[[]]", "[" * 5_000])
def test_heads_that_are_none_are_told(make_set, tmp_path, heads):
    make_set({"a": "x"}).to_parquet(tmp_path)
    file = tmp_path / "labels.parquet"
    labels = pq.read_table(file)
    told = {**labels.schema.metadata, HEADS_KEY: heads.encode()}
    pq.write_table(labels.replace_schema_metadata(told), file)
    with pytest.raises(InvalidDataError):
        ImageSet.from_parquet(tmp_path)


def test_ids_that_are_not_there_are_counted_and_the_first_named(make_set):
    made = make_set({"a": "x", "b": "y"})
    with pytest.raises(KeyError, match="2 ids are not in this image set, such as 'p'"):
        made.subset(["q", "a", "p"])


def test_where_no_problem_is_told_there_is_none(make_set):
    made = make_set({"a": "x", "b": "y"})
    images = made.images.drop(columns="problem")
    assert replace(made, images=images).images["problem"].tolist() == ["", ""]
    assert "problem" not in images


def test_a_table_is_no_image_set_and_says_what_makes_one_of_it():
    frame = pd.DataFrame({"path": ["a.png"]})
    for use in (cluster, measure_components, label_quality, split, Gallery):
        with pytest.raises(InvalidDataError, match=r"ImageSet\.from_frame\(frame, path=…"):
            use(frame)
    with pytest.raises(InvalidDataError, match=r"of type str,.*\n.*read_peta\(…\) a release"):
        cluster("PETA dataset")
    with pytest.raises(InvalidDataError, match=r"of type int, .*\n.*expected an ImageSet$"):
        cluster(7)
