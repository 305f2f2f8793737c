"""The list and the page of labels that are likely wrong."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from peta_viz.quality.pages import write_worst
from peta_viz.quality.reading import (
    WORST_FILE,
    WORST_PAGE,
    keep_vectors,
    quality_of_run,
    read_worst,
)
from peta_viz.quality.scores import label_quality
from peta_viz.report import read_notes
from tests.quality.conftest import image_set, world


@pytest.fixture
def quality(write_image):
    """Twelve people, each four times; of the first two images a hat is missing."""
    person, labels, vectors = world(people=12, per_person=4)
    labels[:4, 5] = True
    labels[0, 5] = labels[1, 7] = False
    known = np.ones(labels.shape, dtype=bool)
    known[3, 5] = False
    imageset = image_set(labels, person, known)
    paths = [str(write_image(f"{n}.png", seed=n)) for n in range(8)] + ["gone.png"] * 40
    return label_quality(imageset.with_columns(path=paths), vectors)


@pytest.fixture
def page(tmp_path):
    return tmp_path / WORST_PAGE


def _text(page):
    return " ".join(page.read_text().split())


def listed(*cells, scores):
    images, labels = zip(*cells, strict=True)
    return pd.DataFrame({"image_id": images, "label": labels, "score": scores})


def test_what_is_listed_and_what_is_shown(quality, tmp_path, page):
    scores = quality.scores.copy()
    scores[:] = np.float32(0.95)  # surely enough right
    names = ["man", "hat", "bag"]  # of each image three answers
    scores.loc[scores.index[:10], names] = np.linspace(0.1, 0.89, 30, dtype=np.float32).reshape(
        10, 3
    )
    # Near-copies contradict each other in the hat of the first image and in the dog of the second.
    quality = replace(quality, pairs=quality.pairs.head(0), scores=scores)
    write_worst(quality, tmp_path, count=40, shown=3)
    assert len(pd.read_csv(tmp_path / WORST_FILE)) == 30
    assert "30 labels that are wrong with a probability of 10 % or more" in _text(page)
    worst = write_worst(quality, tmp_path, count=20, shown=3)
    pd.testing.assert_frame_equal(worst, quality.worst(20))
    assert len(pd.read_csv(tmp_path / WORST_FILE)) == 20
    text = page.read_text()
    assert text.count('class="finding"') == worst.head(3)["image_id"].nunique()
    assert "20 labels that are most likely wrong" in _text(page)
    assert "the first 3 are below" in text
    first = worst.iloc[0]
    assert f"{100 * (1 - first['score']):.1f} %" in text
    assert first["reason"] in text
    write_worst(quality, tmp_path, count=2, shown=3)
    assert "the first 2 are below" in page.read_text()
    scores[:] = np.float32(0.95)
    write_worst(replace(quality, scores=scores), tmp_path)
    assert pd.read_csv(tmp_path / WORST_FILE).empty
    assert "How many are truly wrong" not in page.read_text()


def test_an_image_stands_beside_its_likeliest_copies(quality, tmp_path, page):
    scores = quality.scores.copy()
    scores[:] = np.float32(0.99)
    scores.loc["i0", ["hat", "dog"]] = np.float32(0.01)
    pairs = quality.pairs.assign(same=np.float32(0.1))
    for second, same in ((1, 0.7), (2, 0.9), (3, 0.8)):
        pairs.loc[(pairs["first"] == 0) & (pairs["second"] == second), "same"] = np.float32(same)
    shown = replace(quality, scores=scores, pairs=pairs)
    assert shown.copies_of(0).tolist() == [2, 3, 1]
    write_worst(shown, tmp_path, shown=2)
    text = page.read_text()
    assert text.count('class="finding"') == 1
    assert text.count('height="160"') == 1
    assert text.count('height="80"') == 3
    labels, known = quality.imageset.labels, quality.imageset.known
    for image in ("i1", "i2", "i3"):
        signs = [
            "?" if not known.loc[image, name] else "✓" if labels.loc[image, name] else "–"
            for name in shown.worst(2)["label"]
        ]
        said = "".join(f"<span>{sign}</span> " for sign in signs)
        assert f"<figcaption>{said}</figcaption>" in text
    places = [text.index(f'height="80" alt="i{number}"') for number in (2, 3, 1)]
    assert places == sorted(places)


def test_components_of_several_things_are_shown_in_parts(quality, tmp_path, page):
    components = quality.components.assign(different=np.float32(0.1))
    components.loc[[3, 5], "different"] = np.float32([0.6, 0.9])
    components.loc[7, "different"] = np.float32(0.5)
    images = quality.images.assign(part=0)
    images.iloc[[12, 15], images.columns.get_loc("part")] = 1
    images.iloc[20, images.columns.get_loc("part")] = 1
    write_worst(replace(quality, components=components, images=images), tmp_path)
    text = page.read_text()
    assert "2 components likely hold images of different things" in " ".join(text.split())
    apart = text[text.index("Different things?") :]
    assert apart.index("likely 3 + 1 images") < apart.index("likely 2 + 2 images")
    places = [apart.index(f"i{number}") for number in (13, 14, 12, 15)]
    assert places == sorted(places)
    assert "i28" not in apart


def test_components_that_contradict_themselves_are_shown_with_those(quality, tmp_path, page):
    write_worst(quality, tmp_path)
    assert "There is none.</p>" in _text(page).partition("Different things?")[2]
    labels = quality.imageset.labels.copy()
    labels.loc[["i20", "i21"], "dog"] ^= True
    split = replace(quality, imageset=quality.imageset.with_labels(labels, quality.imageset.known))
    assert split.contradicting.tolist() == [5]
    write_worst(split, tmp_path)
    apart = _text(page).partition("Different things?")[2]
    assert "In 1 component several images contradict several others" in apart
    assert "component 5" in apart
    assert "several contradict several others</i>" in apart
    assert "likely hold" not in apart


def test_what_to_bear_in_mind_is_kept_for_the_front_page(quality, tmp_path):
    labels = quality.imageset.labels.to_numpy()
    alone = label_quality(image_set(labels, np.arange(len(labels))))
    scores = alone.scores.copy()
    scores.iloc[0, 0] = np.float32(0.5)
    write_worst(replace(alone, scores=scores), tmp_path)
    assert read_notes(tmp_path) == alone.cautions != []
    (tmp_path / "notes.json").write_text('["melted"]')
    assert read_notes(tmp_path) == ["melted", *alone.cautions]
    scores[:] = np.float32(0.95)
    write_worst(replace(alone, scores=scores), tmp_path)  # what is not doubted needs no caution
    assert read_notes(tmp_path) == ["melted"]


def test_vectors_are_kept_for_a_run(quality, tmp_path):
    _, _, vectors = world(people=12, per_person=4)
    quality.imageset.to_parquet(tmp_path)
    none = pd.DataFrame({"first": [], "second": [], "similarity": []})
    none.astype({"first": "str", "second": "str"}).to_parquet(tmp_path / "pairs.parquet")
    without = quality_of_run(tmp_path).scores
    pd.testing.assert_frame_equal(
        without, label_quality(quality.imageset, pairs=none).scores, check_exact=True
    )
    keep_vectors(tmp_path, vectors)
    found = quality_of_run(tmp_path).scores
    assert not found.equals(without)
    pd.testing.assert_frame_equal(
        found, label_quality(quality.imageset, vectors, pairs=none).scores, check_exact=True
    )
    keep_vectors(tmp_path, None)
    keep_vectors(tmp_path, None)
    assert quality_of_run(tmp_path).scores.equals(without)
    assert read_worst(tmp_path) is None


def test_what_is_doubted_of_a_class_is_one_line(quality, tmp_path, page):
    labels = quality.imageset.labels
    (has,) = [colour for colour in ("red", "blue", "green") if labels.loc["i0", colour]]
    rather, never = (colour for colour in ("red", "blue", "green") if colour != has)
    for wrong, words in (
        ({has: 0.9, rather: 0.8, never: 0.7}, f"{has} → {rather}?"),
        ({rather: 0.8, never: 0.7}, f"{has} → {rather}?"),
        ({has: 0.9}, f"{has} → another?"),
    ):
        scores = quality.scores.copy()
        scores[:] = np.float32(0.95)
        for colour, probability in wrong.items():
            scores.loc["i0", colour] = np.float32(1 - probability)
        write_worst(replace(quality, scores=scores), tmp_path)
        text = _text(page)
        assert text.count('class="turn"') == 1
        assert f'<span class="label">colour</span> <span class="turn">{words}</span>' in text
        assert f"{100 * max(wrong.values()):.1f} %" in text
        assert never not in text.partition('class="turn"')[2].partition("</li>")[0]
    assert read_notes(tmp_path) == []
    # What is no class stays a label of its own.
    scores.loc["i0", ["hat", "bag"]] = np.float32(0.01)
    write_worst(replace(quality, scores=scores), tmp_path)
    assert _text(page).count('class="turn"') == 3
