from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from peta_viz.errors import InvalidDataError
from peta_viz.imageset import Head, ImageSet
from peta_viz.stills import show_images
from peta_viz.tables import resolve_paths


@pytest.fixture
def table(write_image):
    files = [str(write_image(f"{n}.png", seed=n)) for n in range(3)]
    return pd.DataFrame(
        {
            "file": files,
            "cat": [True, False, True],
            "dog": [0, 1, 1],
            "colour": ["red", "blue", "red"],
            "camera": [1, 2, 2],
        }
    )


def test_from_frame_takes_yes_no_columns_and_classes(table):
    before = table.copy()
    made = ImageSet.from_frame(table, path="file", labels=["cat", "dog"], classes=["colour"])
    assert made.labels.columns.tolist() == ["cat", "dog", "colour=blue", "colour=red"]
    assert made.labels.to_numpy().tolist() == [
        [True, False, False, True],
        [False, True, True, False],
        [True, True, False, True],
    ]
    assert made.known.to_numpy().all()
    assert made.heads == (
        Head("labels", ("cat", "dog")),
        Head("colour", ("colour=blue", "colour=red"), "exclusive"),
    )
    assert made.images["camera"].tolist() == [1, 2, 2]
    assert made.images[["width", "height"]].to_numpy().tolist() == [[24, 48]] * 3
    pd.testing.assert_frame_equal(table, before)


def test_every_problem_of_a_table_is_in_one_error(table):
    table.loc[1, "file"] = table.loc[0, "file"]
    table["cat"] = ["maybe", None, True]
    table["dog"] = [0.0, np.nan, 1.0]
    with pytest.raises(InvalidDataError) as caught:
        ImageSet.from_frame(table, path="file", labels=["cat", "dog"])
    message = str(caught.value)
    assert "must be unique, but 1 value repeats" in message
    assert (
        "column 'cat' must hold yes and no (yes/no, y/n, true/false, t/f, 1/0), but has 'maybe'"
        in message
    )
    assert "column 'cat' has 1 empty cell:" in message
    assert "column 'dog' has 1 empty cell:" in message


def test_a_column_that_is_nearly_called_so_is_offered(table):
    with pytest.raises(InvalidDataError) as caught:
        ImageSet.from_frame(table, path="fiel", labels=["cat", "window"])
    assert "no column 'fiel' (did you mean 'file'?); the columns" in str(caught.value)
    assert "no column 'window'; the columns" in str(caught.value)


def test_missing_columns_and_no_rows_are_told_together(table):
    with pytest.raises(InvalidDataError, match="no column 'picture'") as caught:
        ImageSet.from_frame(table.head(0), path="picture", labels=["cat", "bird"])
    assert "there is no image in it" in str(caught.value)
    assert "no column 'bird'; the columns are 'file', 'cat'" in str(caught.value)


def test_no_label_named_says_which_look_like_labels(table):
    with pytest.raises(InvalidDataError, match="these look like labels: cat, dog"):
        ImageSet.from_frame(table, path="file")


def test_an_empty_cell_can_mean_that_nobody_said(table):
    table["dog"] = [0.0, np.nan, 1.0]
    made = ImageSet.from_frame(table, path="file", labels=["dog"], missing="unknown")
    assert made.known["dog"].tolist() == [True, False, True]
    assert made.labels["dog"].tolist() == [False, False, True]


def test_paths_stay_inside_their_root(table, tmp_path):
    table["file"] = ["0.png", "../1.png", "/etc/passwd"]
    with pytest.raises(InvalidDataError) as caught:
        ImageSet.from_frame(table, path="file", labels=["cat"], root=tmp_path)
    assert caught.value.problems == (
        f"path '../1.png' leads out of the folder {tmp_path}",
        f"path '/etc/passwd' leads out of the folder {tmp_path}",
    )


@pytest.mark.parametrize(
    "path",
    [
        "a/../../1.png",
        "./..//../etc/passwd",
        "file:///etc/passwd",
        "FILE:///etc/passwd",
        "local:///etc/passwd",
        "file://{root}/../1.png",
        "//etc/passwd",
        "/proc/self/environ",
    ],
)
def test_no_way_of_writing_a_path_leads_out(table, tmp_path, path):
    table["file"] = ["0.png", "1.png", path.format(root=tmp_path)]
    with pytest.raises(InvalidDataError, match="leads out of the folder"):
        ImageSet.from_frame(table, path="file", labels=["cat"], root=tmp_path)


@pytest.mark.parametrize(
    "path", ["C:\\..\\1.png", "..\\..\\1.png", "~root/1.png", "$HOME/1.png", "a\0b.png"]
)
def test_what_is_a_path_elsewhere_is_a_name_here(table, tmp_path, path):
    table["file"] = ["0.png", "1.png", path]
    made = ImageSet.from_frame(table, path="file", labels=["cat"], root=tmp_path)
    assert Path(made.images["path"].iloc[2]).is_relative_to(tmp_path)
    assert made.images["problem"].iloc[2]


def test_a_link_shows_nothing_of_what_is_no_image(table, tmp_path):
    (tmp_path / "secret.txt").write_text("password 123")
    (tmp_path / "0.png").unlink()
    (tmp_path / "0.png").symlink_to(tmp_path / "secret.txt")
    table["file"] = ["0.png", "1.png", "2.png"]
    made = ImageSet.from_frame(table, path="file", labels=["cat"], root=tmp_path)
    html = show_images(made, [""] * 3).html
    assert "not an image" in html
    assert "123" not in html
    assert "cGFzc3dvcmQ" not in html  # the same in base64


def test_unreadable_images_are_kept_with_a_reason(table, tmp_path):
    (tmp_path / "0.png").write_bytes(b"")
    table.loc[1, "file"] = str(tmp_path / "gone.png")
    made = ImageSet.from_frame(table, path="file", labels=["cat"])
    assert made.images["problem"].tolist() == [
        "the file is empty",
        "the file does not exist",
        "",
    ]


def test_empty_paths_and_columns_of_one_name_are_told(table):
    table.loc[1, "file"] = None
    with pytest.raises(InvalidDataError, match="column 'file' is empty in 1 row"):
        ImageSet.from_frame(table, path="file", labels=["cat"])
    doubled = pd.concat([table, table[["cat"]]], axis=1)
    with pytest.raises(InvalidDataError, match="more than one column 'cat'"):
        ImageSet.from_frame(doubled, path="file", labels=["cat"])


def test_an_empty_person_is_a_person_of_its_own_and_odd_columns_can_be_written(table, tmp_path):
    table["who"] = ["p", None, "p"]
    table["odd"] = [1, "a", None]
    made = ImageSet.from_frame(table, path="file", labels=["cat"], person_id="who")
    assert made.images["person_id"].tolist() == ["p", made.images.index[1], "p"]
    made.to_parquet(tmp_path / "out")


def test_classes_are_told_apart_by_their_text(table):
    table["kind"] = pd.Series([1, "1", "2"], dtype=object)
    made = ImageSet.from_frame(table, path="file", classes=["kind"])
    assert made.labels["kind=1"].tolist() == [True, True, False]


def test_classes_are_at_least_two(table):
    table["kind"] = "a"
    with pytest.raises(InvalidDataError, match="needs at least two classes, but has 1"):
        ImageSet.from_frame(table, path="file", classes=["kind"])


def test_a_cell_that_is_neither_is_named_by_its_row(table):
    table.index = ["p", "q", "r"]
    table["dog"] = [1, 2, 0]
    words = r"t/f, 1/0\), but has 2 in row 'q'$"
    with pytest.raises(InvalidDataError, match=words):
        ImageSet.from_frame(table, path="file", labels=["dog"])
    table["dog"] = [1, 2, 3]
    with pytest.raises(InvalidDataError, match=r"but has 2 in row 'q' and 1 more$"):
        ImageSet.from_frame(table, path="file", labels=["dog"])


@pytest.mark.parametrize("kind", [object, "str", "category"])
def test_words_for_yes_and_no_are_taken(table, kind):
    for words in (
        ["yes", "no", None],
        [" Y", "N ", None],
        ["TRUE", "false", None],
        ["t", "F", None],
    ):
        table["dog"] = pd.Series(words, dtype=kind)
        made = ImageSet.from_frame(table, path="file", labels=["dog"], missing="unknown")
        assert made.labels["dog"].tolist() == [True, False, False]
        assert made.known["dog"].tolist() == [True, True, False]
        with pytest.raises(InvalidDataError, match="column 'dog' has 1 empty cell:"):
            ImageSet.from_frame(table, path="file", labels=["dog"])
    table["dog"] = pd.Series(["yes", "no", "yess"], dtype=kind)
    with pytest.raises(
        InvalidDataError,
        match=r"'yess' in row 3 below the header; columns of class names go into classes=…$",
    ):
        ImageSet.from_frame(table, path="file", labels=["dog"])


def test_empty_classes_are_unknown_or_a_mistake(table):
    table["colour"] = ["red", None, "blue"]
    with pytest.raises(InvalidDataError) as caught:
        ImageSet.from_frame(table, path="file", classes=["colour"])
    assert len(caught.value.problems) == 1
    assert "column 'colour' has 1 empty cell:" in caught.value.problems[0]
    made = ImageSet.from_frame(table, path="file", classes=["colour"], missing="unknown")
    assert made.known["colour=red"].tolist() == [True, False, True]
    assert made.labels["colour=red"].tolist() == [True, False, False]
    assert made.labels["colour=blue"].tolist() == [False, False, True]


def test_columns_have_the_role_they_were_named_for(table):
    table["id"], table["part"] = ["p", "q", "r"], ["s", None, "t"]
    made = ImageSet.from_frame(
        table, path="file", labels=["cat"], image_id="id", subset="part", heads=[]
    )
    assert made.images.index.tolist() == ["p", "q", "r"]
    assert made.images.index.name == "image_id"
    assert made.images["subset"].tolist() == ["s", "", "t"]
    assert made.images["person_id"].tolist() == ["p", "q", "r"]
    assert made.images.columns.tolist() == [
        *("path", "subset", "person_id", "width", "height", "problem"),
        *("dog", "colour", "camera"),
    ]
    assert made.heads == ()
    with pytest.raises(InvalidDataError) as caught:
        ImageSet.from_frame(table.drop(columns="id"), path="file", labels=["cat"], image_id="id")
    assert len(caught.value.problems) == 1
    assert ImageSet.from_frame(table, path="file", labels=["cat"]).images["subset"].tolist() == [
        *("", "", ""),
    ]


def test_what_looks_like_a_label_is_not_the_path(table):
    table["file"] = [1, 0, 1]
    with pytest.raises(InvalidDataError) as caught:
        ImageSet.from_frame(table, path="file")
    assert caught.value.problems == (
        (
            "no label is named (labels=… or classes=…); these look like labels: cat, dog; "
            "the columns are 'file', 'cat', 'dog', 'colour', 'camera'"
        ),
    )
    with pytest.raises(InvalidDataError, match=r"classes=…\); the columns are 'file', 'colour'$"):
        ImageSet.from_frame(table[["file", "colour"]], path="file")


def test_urls_lie_below_no_folder(table, tmp_path):
    table["file"] = ["http://127.0.0.1:9/a.png", "0.png", "x/../1.png"]
    files, outside = resolve_paths(table["file"], tmp_path)
    assert files == ["http://127.0.0.1:9/a.png", str(tmp_path / "0.png"), str(tmp_path / "1.png")]
    assert outside == []
    assert resolve_paths(table["file"], None) == (table["file"].tolist(), [])


def test_the_first_of_many_is_named(table):
    table["id"] = ["r", "s", "r"]
    with pytest.raises(InvalidDataError, match=r"column 'id' must be unique, but 1 value repeats"):
        ImageSet.from_frame(table, path="file", labels=["cat"], image_id="id")
    four = pd.concat([table, table.assign(id="s")], ignore_index=True)
    with pytest.raises(InvalidDataError, match="but 2 values repeat, such as 'r'"):
        ImageSet.from_frame(four, path="file", labels=["cat"], image_id="id")


@pytest.mark.parametrize("cell", [b"\xff", [1], {"a": 1}, "\ud800", object()])
@pytest.mark.parametrize("column", ["file", "colour", "camera", "cat", "extra"])
def test_a_cell_that_is_no_text_and_no_yes_or_no_is_named(table, column, cell, tmp_path):
    odd = table.assign(extra="x").astype({column: "O"})
    odd.at[1, column] = cell
    options = {"path": "file", "labels": ["cat"], "classes": ["colour"], "person_id": "camera"}
    if column == "extra":  # nobody asked for it, so that it is only kept, as text
        made = ImageSet.from_frame(odd, **options)
        made.to_parquet(tmp_path)
        assert isinstance(ImageSet.from_parquet(tmp_path).images["extra"].iloc[1], str)
        return
    with pytest.raises(InvalidDataError, match=f"column '{column}' must hold .* in row 2 below"):
        ImageSet.from_frame(odd, **options)


def test_columns_of_one_name_or_of_none_that_can_be_written_are_named(table):
    twice = pd.concat([table, table[["dog"]]], axis=1)
    with pytest.raises(InvalidDataError, match="more than one column 'dog'"):
        ImageSet.from_frame(twice, path="file")
    odd = table.set_axis(pd.Index([*table.columns[:-1], "\ud800"], dtype="O"), axis=1)
    with pytest.raises(InvalidDataError, match="cannot be written: rename it"):
        ImageSet.from_frame(odd, path="file", labels=["cat"])
    numbered = table.rename(columns={"camera": 5, "dog": 6})
    made = ImageSet.from_frame(numbered, path="file", labels=["cat", 6])
    assert made.labels.columns.tolist() == ["cat", "6"]
    assert made.images["5"].tolist() == [1, 2, 2]


def test_complex_numbers_are_kept_as_text(table, tmp_path):
    made = ImageSet.from_frame(table.assign(z=[1j, 2, 0]), path="file", labels=["cat"])
    made.to_parquet(tmp_path)
    assert ImageSet.from_parquet(tmp_path).images["z"].tolist() == ["1j", "(2+0j)", "0j"]


@pytest.mark.parametrize("root", ["inside/..", "inside/../inside/..", "."])
def test_a_root_with_dots_is_the_folder_it_names(table, tmp_path, monkeypatch, root):
    (tmp_path / "inside").mkdir()
    monkeypatch.chdir(tmp_path)
    table["file"] = [Path(name).name for name in table["file"]]
    made = ImageSet.from_frame(table, path="file", labels=["cat"], root=root)
    assert (made.images["problem"] == "").all()
    assert not made.images["path"].str.contains("..", regex=False).any()
    table.loc[0, "file"] = "../elsewhere.png"
    with pytest.raises(InvalidDataError, match="leads out of the folder"):
        ImageSet.from_frame(table, path="file", labels=["cat"], root=root)


def test_one_name_may_be_given_alone(table):
    made = ImageSet.from_frame(table, path="file", labels="cat", classes="colour")
    assert made.labels.columns.tolist() == ["cat", "colour=blue", "colour=red"]
