import pandas as pd
import pytest

from peta_viz.errors import InvalidDataError
from peta_viz.imageset import Head
from peta_viz.sources import (
    check_images,
    class_notes,
    find_images,
    read_folder,
    read_images,
    table_paths,
)


@pytest.fixture
def table(tmp_path, write_image):
    for n in range(3):
        write_image(f"pictures/{n}.png", seed=n)
    frame = pd.DataFrame({"file": [f"pictures/{n}.png" for n in range(3)], "cat": [1, 0, 1]})
    frame["who"] = ["p", "p", "q"]
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_parquet(tmp_path / "t.parquet")
    return tmp_path / "t.csv"


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_and_its_paths_beside_it(table, suffix):
    imageset, summary = read_images(
        table=str(table.with_suffix(suffix)),
        path_column="file",
        label_columns=["cat"],
        person_column="who",
    )
    assert imageset.images["problem"].tolist() == ["", "", ""]
    assert imageset.images["person_id"].tolist() == ["p", "p", "q"]
    assert summary.loc["cat"].tolist() == [2, 3]


def test_images_may_lie_elsewhere_but_paths_stay_there(table, tmp_path):
    options = {"table": str(table), "path_column": "file", "label_columns": ["cat"]}
    moved = tmp_path / "elsewhere"
    (tmp_path / "pictures").rename(tmp_path / "elsewhere_pictures")
    moved.mkdir()
    (tmp_path / "elsewhere_pictures").rename(moved / "pictures")
    imageset, _ = read_images(**options, images_root=str(moved))
    assert imageset.images["problem"].tolist() == ["", "", ""]
    frame = pd.read_csv(table)
    frame.assign(file="../" + frame["file"]).to_csv(table, index=False)
    with pytest.raises(InvalidDataError, match="leads out of the folder"):
        read_images(**options, images_root=str(moved))


def test_input_that_is_none(tmp_path):
    with pytest.raises(InvalidDataError, match="give either root"):
        read_images()
    with pytest.raises(InvalidDataError, match="there is no such file"):
        read_images(table=str(tmp_path / "gone.csv"))
    with pytest.raises(InvalidDataError, match=r"one of \.csv, \.parquet"):
        read_images(table=str(tmp_path / "gone.xlsx"))
    (tmp_path / "bad.parquet").write_text("hello")
    with pytest.raises(InvalidDataError, match="it cannot be read"):
        read_images(table=str(tmp_path / "bad.parquet"))


def test_text_of_a_csv_stays_as_it_stands(tmp_path, write_image):
    for n in range(3):
        write_image(f"{n}.png", seed=n)
    rows = "file,hat,who,cat\n0.png,None,007,1\n1.png,Cap,7,\n2.png,NA,007,0\n"
    (tmp_path / "t.csv").write_text(rows)
    imageset, _ = read_images(
        table=str(tmp_path / "t.csv"),
        path_column="file",
        label_columns=["cat"],
        class_columns=["hat"],
        person_column="who",
        missing="unknown",
    )
    assert list(imageset.labels) == ["cat", "hat=Cap", "hat=NA", "hat=None"]
    assert imageset.images["person_id"].tolist() == ["007", "7", "007"]
    assert imageset.known["cat"].tolist() == [True, False, True]


def test_images_of_a_folder_or_a_table(table):
    folder = table.parent
    (folder / "notes.txt").write_text("no image")
    there = find_images(folder)
    assert there.paths == [str(folder / "pictures" / f"{n}.png") for n in range(3)]
    assert there.names == there.paths
    assert there.components is None
    found = find_images(table, path_column="file", component_column="who")
    assert found.names == [f"pictures/{n}.png" for n in range(3)]
    assert found.paths == there.paths
    assert found.components == ["p", "p", "q"]
    moved = find_images(table, path_column="file", root=folder / "pictures")
    assert moved.paths[0] == str(folder / "pictures" / "pictures" / "0.png")


def test_mistakes_in_a_table_are_told_in_the_names_of_the_parameters(table):
    for given, told in (
        ({"path_column": "fille"}, r"path_column=…: there is no column 'fille'"),
        ({"label_columns": ["cta"]}, r"label_columns=…: there is no column 'cta'"),
        ({"class_columns": ["hta"]}, r"class_columns=…: there is no column 'hta'"),
        ({"person_column": "how"}, r"person_column=…: there is no column 'how'"),
        ({"path_column": "my=…"}, r"path_column=…: there is no column 'my=…'"),  # what data says
    ):
        own = {"path_column": "file", "class_columns": ["hat"], "missing": "unknown"} | given
        with pytest.raises(InvalidDataError, match=told):
            read_images(table=str(table), **own)


def test_mistakes_in_a_table_to_predict_are_told(table):
    with pytest.raises(
        InvalidDataError, match=r"'fille' \(did you mean 'file'\?\); the columns are"
    ):
        find_images(table, path_column="fille")
    table.with_suffix(".xlsx").touch()
    with pytest.raises(InvalidDataError, match=r"save it as CSV \(UTF-8, commas\)"):
        find_images(table.with_suffix(".xlsx"))
    assert find_images(table) == find_images(table, path_column="file")  # it looks like files
    pd.DataFrame({"cat": [1, 0]}).to_csv(table.with_name("u.csv"), index=False)
    with pytest.raises(InvalidDataError, match=r"no column 'path'; the columns are 'cat'"):
        find_images(table.with_name("u.csv"))
    for gone in ("gone.csv", "gone"):
        with pytest.raises(InvalidDataError, match="there is no such file or folder"):
            find_images(table.with_name(gone))
    pd.DataFrame({"path": ["../a.png", None]}).to_csv(table.with_name("u.csv"), index=False)
    with pytest.raises(InvalidDataError, match="column 'path' is empty in 1 row"):
        find_images(table.with_name("u.csv"))
    pd.DataFrame({"path": ["../a.png"]}).to_csv(table.with_name("u.csv"), index=False)
    with pytest.raises(InvalidDataError, match=r"'\.\./a\.png' leads out of the folder"):
        find_images(table.with_name("u.csv"))


def test_a_table_with_other_marks_between_columns_says_so(tmp_path):
    (tmp_path / "a.csv").write_text("file;hat\na.png;1\n")
    with pytest.raises(InvalidDataError, match="separated by ';': save it with commas"):
        read_images(table=str(tmp_path / "a.csv"), path_column="file", label_columns=["hat"])


def test_classes_that_look_alike_are_told(table):
    frame = pd.read_csv(table).assign(hue=["Dark red", "dark-red", "blue"])
    frame.to_csv(table, index=False)
    imageset, _ = read_images(table=str(table), class_columns=["hue"])
    (note,) = class_notes(imageset)
    assert note.startswith("hue: 'Dark red', 'dark-red' differ in case, blanks or hyphens only:")
    assert not class_notes(read_images(table=str(table))[0])


def test_a_class_that_occurs_once_is_told(table, write_image):
    hues = ["red", "blue"] * 15
    frame = pd.DataFrame({"file": [f"pictures/{n % 3}.png" for n in range(30)], "hue": hues})
    frame["file"] = [str(write_image(f"more/{n}.png", seed=n % 3)) for n in range(30)]
    for others, told in (
        ([], []),
        (["rde"], ["hue: 'rde' occurs only once: is it a slip?"]),
        (["rde", "rde"], []),
        (["rde", "green", "green"], ["hue: 'rde' occurs only once: is it a slip?"]),
        (["rde", "bule", *["green", "pink"] * 2], ["hue: 'bule', 'rde' occur only once each"]),
        (["rde", "bule"], []),  # half of the classes: it is how they are
    ):
        own = frame.assign(hue=[*others, *hues[len(others) :]])
        own.to_csv(table, index=False)
        imageset, _ = read_images(table=str(table), path_column="file", class_columns=["hue"])
        assert class_notes(imageset) == told
    own.head(29).to_csv(table, index=False)
    imageset, _ = read_images(table=str(table), path_column="file", class_columns=["hue"])
    assert class_notes(imageset) == []


def test_a_table_is_read_with_columns_that_are_guessed(table):
    (imageset, _), path = read_images(table=str(table)), str(table)
    assert imageset.labels.columns.tolist() == ["cat"]
    check_images(table=path)
    assert table_paths(path) == [f"pictures/{n}.png" for n in range(3)]


@pytest.mark.parametrize("sides", [[""], ["train", "Val"]])
def test_a_folder_of_images_per_class_is_a_table(write_image, tmp_path, sides):
    for side in sides:
        for n, kind in enumerate(("cat", "dog")):
            write_image(f"pets/{side}/{kind}/deep/{n}.png", seed=n)
    write_image("pets/.trash/9.png")
    imageset, summary = read_images(root=str(tmp_path / "pets"))
    check_images(root=str(tmp_path / "pets"))
    assert imageset.heads == (Head("class", ("class=cat", "class=dog"), "exclusive"),)
    assert len(imageset) == 2 * len(sides)
    told = imageset.labels["class=dog"]
    assert all(("dog" in name) == value for name, value in told.items())
    assert (imageset.images["problem"] == "").all()
    assert sorted(set(imageset.images["subset"])) == sorted(sides)
    assert summary["images"].tolist() == [len(sides)] * 2
    write_image("pets/stray.png")
    with pytest.raises(InvalidDataError, match=r"1 image lies in no folder.* such as stray\.png"):
        read_folder(tmp_path / "pets")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "it is empty"),
        (["a.png", "b.png"], "it holds a.png, b.png"),
        (["cat/a.png"], "it holds cat"),
        (["archive/a.png"], "this looks like one subset of PETA: give the folder above it"),
    ],
)
def test_a_folder_without_labels_says_what_to_give(write_image, tmp_path, names, words):
    (tmp_path / "all").mkdir()
    for name in names:
        write_image(f"all/{name}")
    for read in (read_folder, lambda root: check_images(root=root)):
        with pytest.raises(InvalidDataError, match="give a table") as caught:
            read(str(tmp_path / "all"))
        assert words in str(caught.value)
    with pytest.raises(InvalidDataError, match="there is no such file or folder"):
        read_folder(tmp_path / "gone")


def test_a_folder_of_classes_without_any_image_that_opens_is_refused(tmp_path):
    for kind in ("cat", "dog"):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "a.png").write_text("no image")
    with pytest.raises(InvalidDataError, match=r"none of its 2 images can be read, such as .*cat"):
        check_images(root=str(tmp_path))


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_what_is_checked_is_what_is_read_but_for_other_columns(table, suffix):
    options = {"table": str(table.with_suffix(suffix)), "path_column": "file"}
    check_images(**options, label_columns=["cat"], person_column="who")
    with pytest.raises(InvalidDataError, match=r"'x'; the columns are 'file', 'cat', 'who'$"):
        check_images(**options, label_columns=["cat", "x"])
    for n in range(2):
        (table.parent / "pictures" / f"{n}.png").write_text("no image")
    check_images(**options, label_columns=["cat"])  # one is enough
    (table.parent / "pictures" / "2.png").write_text("no image")
    with pytest.raises(InvalidDataError, match=r"none of its 3 images can be read.* not an image"):
        check_images(**options, label_columns=["cat"])


def test_images_behind_urls_are_not_asked_for(tmp_path):
    rows = "file,cat\nhttp://127.0.0.1:9/a.png,1\nhttp://127.0.0.1:9/b.png,0\n"
    (tmp_path / "t.csv").write_text(rows)
    check_images(table=str(tmp_path / "t.csv"), path_column="file", label_columns=["cat"])
