import hashlib
import subprocess
import sys

import pandas as pd
import pytest

from peta_viz.peta import peta_summary, read_peta
from peta_viz.sample import RELEASE, TRUTH, is_drawn, make_sample, score_cleaning


def _digest(folder):
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def truth(sample_folder):
    return pd.read_csv(sample_folder / TRUTH)


@pytest.fixture(scope="module")
def imageset(sample_folder):
    return read_peta(sample_folder / RELEASE)


def test_the_same_seed_gives_the_same_files(sample_folder, tmp_path):
    assert not is_drawn(tmp_path)
    make_sample(tmp_path)
    assert is_drawn(tmp_path)
    assert not is_drawn(tmp_path, seed=1)
    assert _digest(tmp_path) == _digest(sample_folder)


def test_about_400_images_in_both_key_styles(imageset):
    assert 350 < len(imageset) < 450
    persons = imageset.images.groupby("subset")["person_id"].value_counts()
    assert persons["SampleCampus"].max() == 1
    assert persons["SampleStreet"].max() > 3


def test_its_oddities_are_those_of_the_real_release(sample_folder):
    street = peta_summary(sample_folder / RELEASE).loc["SampleStreet"]
    assert street["rows_without_image"] == 1
    assert street["repeated_labels"] == 1


def test_every_kind_of_error_is_planted(truth):
    assert set(truth["kind"]) == {"slip", "age", "colour"}
    assert truth.groupby("kind")["image_id"].nunique().min() >= 10


def test_the_truth_tells_what_was_given(imageset, truth):
    given = [
        imageset.labels.loc[row.image_id, row.label] if row.label in imageset.labels else False
        for row in truth.itertuples()
    ]
    assert given == truth["given"].tolist()
    assert (truth["given"] != truth["shown"]).all()


def test_an_interrupted_sample_is_drawn_again(tmp_path):
    make_sample(tmp_path)
    before = _digest(tmp_path)
    (tmp_path / ".complete-0").unlink()
    (tmp_path / TRUTH).unlink()
    make_sample(tmp_path)
    assert _digest(tmp_path) == before


def test_scores_by_hand():
    changes = pd.DataFrame(
        [("a", "x"), ("a", "y"), ("b", "")], columns=["image_id", "label"], dtype="str"
    )
    planted = pd.DataFrame([("a", "x"), ("c", "x")], columns=["image_id", "label"], dtype="str")
    scores = score_cleaning(changes, planted)
    assert scores.loc["images"].tolist() == [2, 2, 1, 0.5, 0.5]
    assert scores.loc["cells"].tolist() == [2, 2, 1, 0.5, 0.5]


def test_another_seed_leaves_nothing_of_the_one_before(tmp_path):
    make_sample(tmp_path / "both", seed=0)
    make_sample(tmp_path / "both", seed=1)
    make_sample(tmp_path / "one", seed=1)
    assert _digest(tmp_path / "both") == _digest(tmp_path / "one")


def test_two_that_draw_at_once_leave_one_whole_sample(sample_folder, tmp_path):
    script = f"from peta_viz.sample import make_sample; make_sample({str(tmp_path)!r})"
    both = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(2)]
    assert [process.wait(timeout=300) for process in both] == [0, 0]
    assert _digest(tmp_path) == _digest(sample_folder)
