import pytest

from peta_viz import ConfusionMatrix, Gallery
from tests.widgets.conftest import predict


@pytest.fixture
def said():
    return []


@pytest.fixture
def listen(said, monkeypatch):
    """Hear what a widget sends, and take what ipywidgets logs of exceptions as a failure."""

    def start(widget):
        monkeypatch.setattr(widget, "send", lambda content, *_: said.append(content))
        monkeypatch.setattr(widget, "send_state", lambda key=None: said.append(key))
        return widget.set_state

    return start


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("thumb_px", "wide"),
        ("thumb_px", 10**9),
        ("threshold", float("nan")),
        ("view", "odd"),
        ("descending", None),
        ("min_size", -1),
        ("query", ["a"]),
        ("_facts", 3),
    ],
)
def test_what_does_not_fit_is_put_right_and_told(small, listen, said, name, value):
    gallery = Gallery(small)
    before = getattr(gallery, name)
    listen(gallery)({name: value, "title": "new"})
    assert getattr(gallery, name) == before
    assert gallery.title == ""
    assert any(isinstance(one, list) and name in one for one in said)
    (error,) = [one["error"] for one in said if isinstance(one, dict) and "error" in one]
    assert name in error or "expected" in error


def test_what_fits_is_taken(small, listen, said):
    gallery = Gallery(small)
    listen(gallery)({"view": "images", "min_size": 2})
    assert (gallery.view, gallery.min_size) == ("images", 2)
    assert not any(isinstance(one, dict) and one.get("error") for one in said)


@pytest.mark.parametrize("state", [None, [], "view", 3])
def test_a_state_that_is_none_is_passed_over(small, listen, said, state):
    listen(Gallery(small))(state)
    assert said == []


def test_the_two_halves_of_a_matrix_stay_the_same(random_set, listen):
    imageset = random_set(2)
    matrix = ConfusionMatrix(imageset, predict(imageset, 2), component_size="all")
    tell = listen(matrix.grid)
    tell({"experiment": "odd"})
    assert matrix.grid.experiment == matrix.experiment == "A"
    tell({"cell": {"label": "odd", "true": [], "predicted": None}})
    assert matrix.grid.cell == matrix.cell == {}
    tell({"experiment": "B"})
    assert matrix.grid.experiment == matrix.experiment == "B"
    matrix.close()
