import threading
import time

import pytest
import traitlets

from peta_viz import ConfusionMatrix
from peta_viz.errors import InvalidDataError
from peta_viz.widgets.matrices import Cell
from peta_viz.words import counted
from tests.widgets.conftest import predict


@pytest.fixture
def imageset(random_set):
    return random_set(2)


@pytest.fixture
def matrix(imageset):
    matrix = ConfusionMatrix(imageset, predict(imageset, 2), component_size="all")
    yield matrix
    matrix.close()


def shown(matrix):
    return set(matrix.gallery.current["component_id"])


def cells(matrix):
    """Each cell with the number that stands in it."""
    for one in matrix.grid._matrices:
        for row, true in enumerate(one["full"]):
            for column, said in enumerate(one["full"]):
                cell = {"label": one["label"], "true": true, "predicted": said}
                yield cell, one["cells"][row][column]["count"]


def test_it_starts_with_the_first_experiment_and_head(matrix, imageset):
    assert (matrix.experiment, matrix.head, matrix.against, matrix.cell) == ("A", "colour", "", {})
    assert shown(matrix) == set(imageset.images["component_id"])
    assert matrix.gallery.title.startswith("All that are counted")
    assert matrix.grid.experiment == "A"
    assert matrix.grid._choices["heads"] == ["colour", "worn"]
    assert matrix.grid._choices["exclusive"] == ["colour"]


@pytest.mark.parametrize("options", [{}, {"head": "worn"}, {"head": "worn", "against": "B"}])
def test_a_click_on_a_cell_shows_exactly_its_images(matrix, imageset, options):
    for name, value in options.items():
        setattr(matrix, name, value)
    for cell, count in list(cells(matrix)):
        matrix.grid.cell = cell  # as the front end does
        notes = matrix._counted.members(matrix.question(), Cell(**cell))
        expected = imageset.images.index[imageset.images["component_id"].isin(notes.index)]
        assert set(matrix.gallery.current.index) == set(expected)
        assert counted(len(notes), "component") in matrix.gallery.title
        if not matrix.against:
            assert len(notes) == count
        for component, note in notes.items():
            code = matrix.gallery._shelf.base.components.index.get_loc(component)
            assert matrix.gallery._shelf.note(code) == note
    matrix.cell = {}
    assert matrix.grid.cell == {}
    assert matrix.gallery.title.startswith("All that are counted")


def test_a_cell_stays_open_where_it_still_means_something(matrix):
    matrix.cell = {"label": "", "true": "red", "predicted": "blue"}
    before = shown(matrix)
    matrix.experiment = "B"
    assert matrix.cell["true"] == "red"
    assert shown(matrix) != before
    matrix.head = "worn"
    assert matrix.cell == matrix.grid.cell == {}
    assert shown(matrix) == set(matrix._counted.judged["B"].truth.index)


def test_choices_reach_the_grid_and_come_back_from_it(matrix):
    matrix.grid.head = "worn"
    assert matrix.head == "worn"
    assert [one["label"] for one in matrix.grid._matrices] == ["hat", "coat", "bag"]
    matrix.rates = True
    assert matrix.grid.rates
    assert "%" in matrix.grid._matrices[0]["cells"][0][0]["text"]
    matrix.grid.order = "support"
    support = [int(one["figures"].split("· ")[1].split()[0]) for one in matrix.grid._matrices]
    assert support == sorted(support)
    matrix.component_size = "1"
    assert shown(matrix) == set(matrix._counted.components(matrix.question()))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"experiment": "C"}, "no experiment 'C'"),
        ({"head": "colours"}, "no head 'colours'"),
        ({"against": "C"}, "no against 'C'"),
        ({"component_size": "huge"}, "no component_size 'huge'"),
        ({"order": "size"}, "no order 'size'"),
        ({"colour": "red"}, "no option 'colour'"),
    ],
)
def test_wrong_options_are_refused(imageset, options, words):
    with pytest.raises(InvalidDataError, match=words):
        ConfusionMatrix(imageset, predict(imageset), **options)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("experiment", "C"),
        ("against", "C"),
        ("head", "colours"),
        ("component_size", "huge"),
        ("image_size", "huge"),
        ("order", "size"),
        ("cell", {"label": "", "true": "red"}),
        ("cell", {"label": "", "true": "red", "predicted": "pink"}),
        ("cell", {"label": "hat", "true": "yes", "predicted": "no"}),
        ("cell", {"label": [], "true": None, "predicted": 3}),
        ("cell", {"a": 1}),
        ("cell", [1]),
    ],
)
def test_what_is_not_there_is_refused_and_changes_nothing(matrix, name, value):
    matrix.cell = {"label": "", "true": "red", "predicted": "blue"}
    before = matrix.question(), matrix.cell, shown(matrix), matrix.grid._matrices
    with pytest.raises(traitlets.TraitError):
        setattr(matrix, name, value)
    assert (matrix.question(), matrix.cell, shown(matrix), matrix.grid._matrices) == before


def test_the_front_end_cannot_break_it(matrix):
    before = matrix.question(), shown(matrix)
    for state in ({"head": "x"}, {"cell": {"a": 1}}, {"experiment": ""}, {"against": "x"}):
        matrix.grid.set_state(state)
        assert (matrix.question(), shown(matrix)) == before


def test_a_cell_can_be_open_from_the_start(imageset):
    cell = {"label": "hat", "true": "yes", "predicted": "no"}
    matrix = ConfusionMatrix(imageset, predict(imageset, 2), head="worn", cell=cell)
    assert matrix.grid.cell == cell
    assert matrix.gallery.title.startswith("hat: true yes, predicted no (A)")
    matrix.close()


def test_the_still_picture_is_of_the_same_question(matrix):
    matrix.head = "worn"
    matrix.against = "B"
    data, _ = matrix._repr_mimebundle_()
    html = data["text/html"]
    assert "Predictions of A minus those of B" in html
    assert html.index("<summary>worn") < html.index("<summary>colour")
    for one in matrix.grid._matrices:
        for row in one["cells"]:
            for cell in row:
                assert f'title="{cell["words"]}"' in html


def test_closing_takes_the_gallery_and_its_threads_down(imageset):
    def workers():
        return {t for t in threading.enumerate() if t.name.startswith("thumbnails")}

    before = workers()
    matrix = ConfusionMatrix(imageset, predict(imageset))
    matrix.gallery._thumbnails.prepare([(0, 32)])
    assert workers() - before
    matrix.close()
    assert matrix.gallery.comm is None
    assert matrix.grid.comm is None
    end = time.monotonic() + 10
    while workers() - before:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_nothing_is_compared_with_itself(matrix):
    matrix.against = "B"
    matrix.experiment = "B"
    assert matrix.against == ""
    assert matrix.question().against == ""
    matrix.against = "B"
    assert matrix.against == ""
