import numpy as np
import pandas as pd
import pytest

from peta_viz.imageset import Head, ImageSet

LABELS = ("man", "woman", "red", "blue", "green", "hat", "bag", "dog")
HEADS = (
    Head("gender", LABELS[:2], "exclusive"),
    Head("colour", LABELS[2:5], "exclusive"),
    Head("things", LABELS[5:]),
)


def world(people=150, per_person=4, seed=0, features=6):
    """Generate people who are seen several times: their true labels, and vectors like them."""
    rng = np.random.default_rng(seed)
    own = np.zeros((people, len(LABELS)), dtype=bool)
    own[np.arange(people), rng.integers(0, 2, people)] = True
    own[np.arange(people), 2 + rng.integers(0, 3, people)] = True
    own[:, 5:] = rng.random((people, 3)) < (0.5, 0.3, 0.1)
    person = np.repeat(np.arange(people), per_person)
    centre = rng.normal(size=(people, features)) + 2 * own[:, :1]
    vectors = centre[person] + rng.normal(scale=0.15, size=(len(person), features))
    return person, own[person], vectors.astype(np.float32)


def image_set(labels, component_id, known=None):
    index = pd.Index([f"i{n}" for n in range(len(labels))], name="image_id", dtype="str")
    images = pd.DataFrame(
        {"path": index, "subset": "", "person_id": index, "width": 8, "height": 8}, index=index
    ).assign(problem="", component_id=component_id)
    values = pd.DataFrame(labels, index, list(LABELS))
    answered = pd.DataFrame(
        np.ones(labels.shape, dtype=bool) if known is None else known, index, list(LABELS)
    )
    return ImageSet(images, values & answered, answered, HEADS)


@pytest.fixture
def planted():
    """Return a world with one label turned in 5 % of its images, and where."""
    person, labels, vectors = world()
    rng = np.random.default_rng(7)
    wrong = np.zeros(labels.shape, dtype=bool)
    rows = rng.choice(len(labels), len(labels) // 20, replace=False)
    wrong[rows, rng.integers(0, labels.shape[1], len(rows))] = True
    return image_set(labels ^ wrong, person), wrong, vectors
