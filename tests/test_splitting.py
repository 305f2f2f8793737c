import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageEnhance

from peta_viz.components import default_threshold, find_pairs, link, near_pairs
from peta_viz.errors import InvalidDataError, LeakError
from peta_viz.peta import read_peta
from peta_viz.splitting import check_leaks, find_leaks, side_of, split, units


def test_units_join_components_and_persons_until_nothing_crosses(make_set):
    imageset = make_set(
        dict.fromkeys("abcdef", "x"),
        components=[7, 7, 3, 3, 9, 1],
        person_id=["p", "q", "q", "r", "s", "t"],
    )
    assert units(imageset).tolist() == [0, 0, 0, 0, 1, 2]


@pytest.fixture
def large(make_set):
    rng = np.random.default_rng(0)
    count = 2000
    imageset = make_set({f"{n:04d}": "x" for n in range(count)})
    return imageset.with_columns(
        component_id=rng.integers(0, 900, count), person_id=rng.integers(0, 5000, count).astype(str)
    )


def test_no_unit_lies_on_two_sides(large):
    made = split(large, seed=3)
    for column in ("component_id", "person_id"):
        assert made.images.groupby(column)["split"].nunique().max() == 1


def test_the_shares_are_kept_and_the_seed_decides(make_set):
    imageset = make_set({f"{n:04d}": "x" for n in range(1500)})
    imageset = imageset.with_columns(component_id=np.repeat(np.arange(750), 2))
    made = split(imageset, seed=1).images["split"]
    shares = made.value_counts(normalize=True)
    assert shares["train"] == pytest.approx(0.6, abs=0.01)
    assert shares["test"] == pytest.approx(0.2, abs=0.01)
    assert made.equals(split(imageset, seed=1).images["split"])
    assert not made.equals(split(imageset, seed=2).images["split"])


def test_each_side_gets_its_share_of_multiple_components(make_set):
    imageset = make_set({f"{n:04d}": "x" for n in range(1000)})
    ids = np.concatenate([np.repeat(np.arange(50), 2), np.arange(100, 1000)])
    made = split(imageset.with_columns(component_id=ids)).images.iloc[:100]
    assert made["split"].value_counts(normalize=True)["validation"] == pytest.approx(0.2, abs=0.03)


def test_what_cannot_be_split_is_told(make_set):
    imageset = make_set({"a": "x", "b": "x"}, components=[0, 0])
    with pytest.raises(InvalidDataError, match="1 unit cannot be split into 3"):
        split(imageset)
    with pytest.raises(InvalidDataError, match="must add up to 1"):
        split(imageset, shares={"train": 0.5, "test": 0.4})


def test_no_side_stays_empty_and_an_emptied_one_is_named(make_set):
    for seed in range(5):
        imageset = make_set(dict.fromkeys("abcdef", "x"), components=[0, 0, 0, 1, 2, 2])
        made = split(imageset, seed=seed)
        assert set(made.images["split"]) == {"train", "validation", "test"}
    left = made.subset(made.images["split"] != "test")
    with pytest.raises(InvalidDataError, match="the test split cannot be used"):
        side_of(left, "test")


def test_near_copies_stay_on_one_side(large):
    ids = large.images.index
    rng = np.random.default_rng(1)
    near = pd.DataFrame(
        {"first": rng.choice(ids, 300), "second": rng.choice(ids, 300), "similarity": 0.69}
    )
    made = split(large, near=near, seed=0)
    side = made.images["split"]
    assert (side[near["first"]].to_numpy() == side[near["second"]].to_numpy()).all()
    assert len(find_leaks(made, near)) == 0
    check_leaks(made, near)
    assert made.images["unit"].tolist() == units(large, near).tolist()
    assert len(find_leaks(split(large, seed=0), near)) > 0
    far = pd.DataFrame({"first": ["gone"], "second": ["0001"], "similarity": [0.7]})
    assert units(large, far).tolist() == units(large).tolist()


def test_every_kind_of_leak_is_named(make_set):
    leaky = make_set(
        dict.fromkeys("abcdef", "x"),
        components=[0, 0, 1, 2, 3, 4],
        person_id=["p", "p", "q", "q", "r", "s"],
    ).with_columns(split=["train", "test", "train", "validation", "train", "test"])
    near = pd.DataFrame({"first": ["e", "a"], "second": ["f", "c"], "similarity": [0.69, 0.68]})
    found = find_leaks(leaky, near)
    assert found.to_numpy().tolist() == [
        ["component", "0", "a", "b", "train and test"],
        ["person", "p", "a", "b", "train and test"],
        ["person", "q", "c", "d", "train and validation"],
        ["near-copy", "0.6900", "e", "f", "train and test"],
    ]
    with pytest.raises(
        LeakError, match=r"1 of the kind near-copy, such as 0\.6900: e and f are in"
    ):
        check_leaks(leaky, near)
    check_leaks(leaky.subset(["e"]), near)


def test_a_copy_planted_as_a_file_stays_with_its_original(sample_folder, tmp_path):
    root = tmp_path / "PETA dataset"
    shutil.copytree(sample_folder / "PETA dataset", root)
    archive = root / "SampleStreet" / "archive"
    copies = sorted(archive.glob("*_1.jpg"))[::6]
    for number, original in enumerate(copies):  # said to be somebody else, and a little brighter
        with Image.open(original) as picture:
            brighter = ImageEnhance.Brightness(picture).enhance(1.04)
            brighter.save(archive / f"9{number:03d}_1.jpg", quality=90)
        with (archive / "Label.txt").open("a") as file:
            file.write(f"9{number:03d} personalMale upperBodyBlue\n")
    imageset = read_peta(root)
    threshold = default_threshold(None)
    imageset, pairs = find_pairs(imageset, threshold=threshold, work_dir=tmp_path / "work")
    imageset = link(imageset, pairs, threshold)
    near = near_pairs(imageset, pairs, threshold - (1 - threshold) / 6)
    imageset = split(imageset, near=near)
    check_leaks(imageset, near)
    planted = [f"SampleStreet/9{number:03d}_1.jpg" for number in range(len(copies))]
    originals = [f"SampleStreet/{original.name}" for original in copies]
    side, home = imageset.images["split"], imageset.images["component_id"]
    assert side[planted].tolist() == side[originals].tolist()
    together = home[planted].to_numpy() == home[originals].to_numpy()
    assert together.mean() > 0.9
    # Parted by hand, it is told.
    moved = imageset.images["split"].copy()
    moved[planted[0]] = next(one for one in ("train", "test") if one != moved[planted[0]])
    with pytest.raises(LeakError, match=planted[0]):
        check_leaks(imageset.with_columns(split=moved), near)
