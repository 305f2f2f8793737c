import pandas as pd
import pytest

from peta_viz import ImageSet, cluster
from peta_viz.mugs import make_mugs
from peta_viz.sample import TRUTH


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return make_mugs(tmp_path_factory.mktemp("mugs"))


def test_the_table_is_of_the_usual_kind(table):
    frame = pd.read_csv(table)
    assert frame.columns.tolist() == [
        *("file", "product", "colour", "pattern", "has_handle", "has_saucer")
    ]
    assert frame["product"].nunique() == 90
    assert frame["has_handle"].isna().any()
    assert all((table.parent / name).is_file() for name in frame["file"])


def test_what_is_planted_is_what_the_table_has_wrong(table):
    frame = pd.read_csv(table, dtype=str)
    truth = pd.read_csv(table.parent / TRUTH, dtype=str)
    assert set(truth["column"]) == {"colour", "pattern", "has_handle"}
    assert len(truth) >= 5
    kept = frame.set_index("file")
    for row in truth.itertuples():
        others = kept[kept["product"] == kept.at[row.file, "product"]].drop(row.file)
        assert (others[row.column].dropna() == row.shown).all()
        assert kept.at[row.file, row.column] != row.shown


def test_photos_of_a_mug_are_one_component(table):
    frame = pd.read_csv(table)
    imageset = cluster(
        ImageSet.from_frame(
            frame, path="file", classes=["colour"], root=table.parent, person_id="product"
        )
    )
    images = imageset.images
    assert (images["problem"] != "").sum() == 1  # the file that was cut off
    images = images[images["problem"] == ""]
    assert images.groupby("person_id")["component_id"].nunique().mean() < 1.2
    assert images.groupby("component_id")["person_id"].nunique().mean() < 1.1


def test_the_same_seed_gives_the_same_files(table, tmp_path):
    again = make_mugs(tmp_path)
    for file in sorted(table.parent.rglob("*.jpg")):
        assert (tmp_path / file.relative_to(table.parent)).read_bytes() == file.read_bytes()
    assert again.read_bytes() == table.read_bytes()
    other = make_mugs(tmp_path, seed=1)
    assert other.read_bytes() != table.read_bytes()
    assert not (tmp_path / ".complete-mugs-0").exists()
