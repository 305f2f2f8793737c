import pytest

from peta_viz.errors import InvalidDataError
from peta_viz.peta import peta_heads, peta_summary, read_peta


@pytest.fixture
def release(tmp_path, write_image):
    """Two tiny subsets, one per key style, with the oddities of the real files."""
    for name in ("07_1.png", "07_2.PNG", "7_1.jpg"):
        write_image(f"PETA dataset/People/archive/{name}")
    for name in ("0606.png", "0607.png"):
        write_image(f"PETA dataset/Images/archive/{name}")
    root = tmp_path / "PETA dataset"
    (root / "People/archive/Label.txt").write_text(
        "07 hairLong personalMale hairLong\n\n7 hairShort personalFemale\n99 hairLong \n\n"
    )
    (root / "Images/archive/Label.txt").write_text("0606.png hairLong \r\n0607.png hairShort\r\n")
    (root / "Images/archive/Thumbs.db").write_text("")
    return root


def test_both_key_styles(release):
    made = read_peta(release)
    assert made.images["person_id"].to_dict() == {
        "Images/0606.png": "Images/0606.png",
        "Images/0607.png": "Images/0607.png",
        "People/07_1.png": "People/07",
        "People/07_2.PNG": "People/07",
        "People/7_1.jpg": "People/7",
    }
    assert made.labels["hairLong"].tolist() == [True, False, True, True, False]
    assert made.known.to_numpy().all()
    assert made.images["subset"].unique().tolist() == ["Images", "People"]


def test_the_parent_folder_and_a_part_do_too(release):
    assert len(read_peta(release.parent)) == 5
    assert len(read_peta(release, subsets=["Images"])) == 2
    with pytest.raises(InvalidDataError, match="no subset 'Moon', only Images, People"):
        read_peta(release, subsets=["Moon"])


def test_oddities_are_counted_and_named(release):
    people = peta_summary(release).loc["People"]
    assert people.drop("named").to_dict() == {
        "images": 3,
        "label_rows": 3,
        "persons": 2,
        "most_images": 2,
        "images_without_row": 0,
        "rows_without_image": 1,
        "repeated_labels": 1,
    }
    assert people["named"] == "no image for 99; 07 repeats hairLong"


def test_what_is_no_image_is_passed_over(release):
    folder = release / "People/archive"
    (folder / "notes.txt").write_text("")
    (folder / ".7_9.jpg").write_bytes((folder / "7_1.jpg").read_bytes())
    assert len(read_peta(release)) == 5
    assert read_peta(release).images["width"].tolist() == [24] * 5


def test_of_many_oddities_the_first_are_named(release):
    file = release / "Images/archive/Label.txt"
    for count, words in (
        (6, "no image for 1, 2, 3, 4, 5, 6"),
        (7, "no image for 1, 2, 3, 4, 5, 6 and 1 more"),
    ):
        more = "".join(f"{number} hairLong\n" for number in range(1, count + 1))
        file.write_text(f"0606.png hairLong\n0607.png hairShort\n{more}")
        summary = peta_summary(release)
        assert summary.loc["Images", "named"] == words
        assert summary.loc["Images", "rows_without_image"] == count
        assert summary.index.tolist() == ["Images", "People"]


def test_a_subset_without_images_is_counted_too(release):
    (release / "Rows/archive").mkdir(parents=True)
    (release / "Rows/archive/Label.txt").write_text("1 hairLong\n")
    row = peta_summary(release, subsets=["Rows"]).loc["Rows"]
    assert row[["images", "label_rows", "persons", "most_images"]].tolist() == [0, 1, 0, 0]


def test_a_label_file_may_begin_with_a_mark(release):
    file = release / "People/archive/Label.txt"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert read_peta(release).images["person_id"].nunique() == 4


def test_an_image_without_a_row_has_unknown_labels(release, write_image):
    write_image("PETA dataset/People/archive/55_1.png")
    made = read_peta(release)
    assert not made.known.loc["People/55_1.png"].any()
    assert peta_summary(release).loc["People", "named"].startswith("no row for 55_1.png")


def test_heads_are_grouped_and_the_rest_is_other():
    heads = {h.name: h for h in peta_heads(["personalMale", "hairBlack", "hairLong", "hairShort"])}
    assert heads["hair_length"].labels == ("hairLong", "hairShort")
    assert heads["hair_length"].kind == "exclusive"
    assert heads["hair_colour"].labels == ("hairBlack",)
    assert "gender" not in heads  # one label alone is no choice
    assert heads["other"].labels == ("personalMale",)
    of_two = peta_heads(
        ["personalMale", "personalFemale", "accessoryHat", "accessory", "accessorHat"]
    )
    assert [(head.name, head.labels, head.kind) for head in of_two] == [
        ("gender", ("personalFemale", "personalMale"), "exclusive"),
        ("accessory", ("accessoryHat", "accessory"), "multiple"),
        ("other", ("accessorHat",), "multiple"),
    ]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("8", "line 2: the key '8' has no label"),
        ("07 hairLong", "line 2: the key '07' has a row already"),
        ("8 hair hair<Long 1a", "line 2: 'hair<Long' is not a label name"),
        (b"8 hair\xff", "line 2: it is not UTF-8 text"),
    ],
)
def test_a_broken_row_is_named_by_file_and_line(release, row, problem):
    file = release / "People/archive/Label.txt"
    row = row if isinstance(row, bytes) else row.encode()
    file.write_bytes(b"07 hairLong\n" + row + b"\n7 hairShort\n9\n")
    with pytest.raises(InvalidDataError) as caught:
        read_peta(release)
    assert f"{file}, {problem}; expected 'KEY label label …'" in str(caught.value)
    assert len(caught.value.problems) == 2


def test_a_missing_label_file_is_named(release):
    (release / "People/archive/Label.txt").unlink()
    with pytest.raises(InvalidDataError, match=r"People/archive/Label.txt: it is missing"):
        read_peta(release)


def test_a_folder_that_is_not_peta_says_what_was_expected(release, tmp_path):
    with pytest.raises(InvalidDataError, match=r"expected folders such as .* does not exist"):
        read_peta(tmp_path / "nowhere")
    with pytest.raises(InvalidDataError, match="looks like one subset: give the folder above it"):
        read_peta(release / "People")
    with pytest.raises(InvalidDataError, match="looks like one subset"):
        read_peta(release / "People/archive")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InvalidDataError, match="but the folder is empty"):
        read_peta(empty)
    for name in "gfedcba":
        (empty / name).mkdir()
    with pytest.raises(InvalidDataError, match=r"but found a, b, c, d, e$"):
        read_peta(empty)


def test_the_real_release(peta_root):
    made = read_peta(peta_root)
    assert len(made) == 16_479
    assert made.images["person_id"].nunique() == 6_328
    assert made.labels.any(axis=1).all()
    assert made.known.to_numpy().all()
    assert made.images.loc[made.images["subset"] == "VIPeR", "person_id"].iloc[0] == "VIPeR/000"
    summary = peta_summary(peta_root)
    assert summary["rows_without_image"].to_dict() == {
        **dict.fromkeys(summary.index, 0),
        "CUHK": 2,
        "TownCentre": 6,
    }
    assert summary.loc["TownCentre", "named"] == "no image for 122, 180, 187, 189, 50, 8"
    assert summary.loc["i-LID", "named"] == "0001 repeats footwearPink"
    assert [head.name for head in made.heads][:4] == ["gender", "age", "accessory", "carrying"]
