import numpy as np
import pytest

from peta_viz.widgets.confusion import ConfusionMatrix
from tests.browser import scenes
from tests.browser.stub import Stub


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    return scenes.street(tmp_path_factory.mktemp("pictures") / "street")


@pytest.fixture
def matrix(page, street):
    """The matrix of everything; at the end the console must be clean."""
    matrix = ConfusionMatrix(street, scenes.predictions_of(street), component_size="all")
    matrix.stub = Stub(page, matrix.grid)
    matrix.page = page
    page.wait_for_selector(".pv-cell")
    yield matrix
    assert page.complaints == []
    assert [url for url in page.requests if not url.startswith(("blob:", "data:"))] == []


def _numbers(page, card=0):
    rows = page.locator(".pv-card").nth(card).locator("tbody tr")
    return [row.locator(".pv-cell").all_inner_texts() for row in rows.all()]


def _choose(matrix, label, value):
    matrix.page.get_by_label(label, exact=True).select_option(value)
    matrix.stub.answered()


def _expected(experiment):
    """True and predicted age of the components, counted from the labels."""
    step = {"A": 2, "B": 5}[experiment]
    counts = np.zeros((2, 2), dtype=int)
    for component in range(len(scenes.SIZES)):
        true = component % 2  # 0 is young
        counts[true, true ^ (component % step == 0)] += 1
    return [[str(n) for n in row] for row in counts.tolist()]


def test_the_numbers_are_right(matrix):
    assert _numbers(matrix.page) == _expected("A")
    assert matrix.page.locator(".pv-card thead th").all_inner_texts()[1:] == ["Young", "Old"]
    assert "20 components" in matrix.page.locator(".pv-card small").inner_text()
    _choose(matrix, "experiment", "B")
    assert _numbers(matrix.page) == _expected("B")
    _choose(matrix, "images in the component", "2 and more")
    assert sum(int(n) for row in _numbers(matrix.page) for n in row) == 11


def test_a_click_fills_the_gallery_and_a_second_one_empties_it(matrix):
    page = matrix.page
    cell = page.locator(".pv-cell").nth(1)
    cell.click()
    matrix.stub.answered()
    assert page.locator(".pv-cell[aria-pressed='true']").count() == 1
    assert matrix.cell == {"label": "", "true": "ageYoung", "predicted": "ageOld"}
    shown = sorted(matrix.gallery.current["component_id"].unique())
    assert shown == list(range(0, 20, 2))
    assert str(len(shown)) == cell.inner_text()
    assert "true ageYoung, predicted ageOld" in matrix.gallery.title
    cell.click()
    matrix.stub.answered()
    assert page.locator(".pv-cell[aria-pressed='true']").count() == 0
    assert matrix.cell == {}
    assert matrix.gallery.current["component_id"].nunique() == 20


def test_every_cell_opens_as_many_components_as_it_says(matrix):
    _choose(matrix, "head", "clothes")
    for cell in matrix.page.locator(".pv-cell").all():
        cell.click()
        matrix.stub.answered()
        assert matrix.gallery.current["component_id"].nunique() == int(cell.inner_text())


def test_keys(matrix):
    page = matrix.page
    _choose(matrix, "head", "clothes")
    page.locator(".pv-cell").first.focus()
    words = "document.activeElement.getAttribute('aria-label')"
    for key, said in [
        ("ArrowRight", "true yes, predicted no"),
        ("ArrowRight", "true yes, predicted no"),
        ("ArrowDown", "true no, predicted no"),
        ("ArrowLeft", "true no, predicted yes"),
        ("ArrowUp", "true yes, predicted yes"),
        ("ArrowDown", "true no, predicted yes"),
    ]:
        page.keyboard.press(key)
        assert said in page.evaluate(words)
    page.keyboard.press("Enter")
    matrix.stub.answered()
    assert page.locator(".pv-cell[aria-pressed='true']").count() == 1
    assert matrix.cell == {"label": "hat", "true": "no", "predicted": "yes"}
    page.keyboard.press("Tab")
    assert "bag: true yes, predicted yes" in page.evaluate(words)
    page.keyboard.press("Shift+Tab")
    assert "hat: true no, predicted yes" in page.evaluate(words)
    page.keyboard.press("Escape")
    matrix.stub.answered()
    assert page.locator(".pv-cell[aria-pressed='true']").count() == 0
    assert matrix.cell == {}


def test_the_cell_stays_under_its_head_and_goes_with_it(matrix):
    page = matrix.page
    page.locator(".pv-cell").first.click()
    matrix.stub.answered()
    assert page.locator(".pv-cell[aria-pressed='true']").count() == 1
    _choose(matrix, "experiment", "B")
    assert matrix.cell["true"] == "ageYoung"
    assert page.locator(".pv-cell").first.get_attribute("aria-pressed") == "true"
    _choose(matrix, "head", "clothes")
    assert matrix.cell == {}
    assert page.locator(".pv-cell[aria-pressed='true']").count() == 0


def test_the_difference_of_two(matrix):
    page = matrix.page
    _choose(matrix, "experiment that is subtracted", "B")
    a, b = (np.array(_expected(name), dtype=int) for name in "AB")
    assert np.array_equal(np.array(_numbers(page), dtype=int), a - b)
    # More on the diagonal is good, and so is less beside it.
    good = [cell.get_attribute("data-good") for cell in page.locator(".pv-cell").all()]
    assert good == [
        str(bool((n >= 0) == (place in (0, 3)))).lower() for place, n in enumerate((a - b).ravel())
    ]
    options = page.get_by_label("experiment that is subtracted").locator("option")
    assert options.filter(has_text="minus A").is_disabled()
    page.locator(".pv-cell").nth(1).click()
    matrix.stub.answered()
    assert page.locator(".pv-cell[aria-pressed='true']").count() == 1
    assert "not in both" in matrix.gallery.title


def test_shares_of_the_true_class(matrix):
    matrix.page.get_by_label("shares").check()
    matrix.stub.answered()
    counts = np.array(_expected("A"), dtype=int)
    shares = 100 * counts / counts.sum(axis=1, keepdims=True)
    assert _numbers(matrix.page) == [[f"{share:.0f} %" for share in row] for row in shares]


def test_labels_by_f1_and_support(matrix):
    page = matrix.page
    order = page.get_by_label("order of the labels, smallest first")
    assert not order.is_visible()  # of one matrix there is no order
    _choose(matrix, "head", "clothes")
    assert page.locator(".pv-card h4").all_inner_texts() == ["hat", "bag", "coat"]
    for name, read in [
        ("F1", lambda t: float(t.split()[1])),
        ("support", lambda t: int(t.split()[3])),
    ]:
        order.select_option(name)
        matrix.stub.answered()
        values = [read(text) for text in page.locator(".pv-card small").all_inner_texts()]
        assert values == sorted(values)


def test_the_focus_stays_where_numbers_change(matrix):
    page = matrix.page
    page.locator(".pv-cell").nth(2).focus()
    matrix.experiment = "B"
    matrix.stub.push()
    assert "true ageOld, predicted ageYoung" in page.evaluate("document.activeElement.ariaLabel")


def test_every_control_has_a_name_for_screen_readers(matrix):
    assert matrix.page.evaluate("see.nameless()") == []
    label = matrix.page.locator(".pv-cell").first.get_attribute("aria-label")
    assert label.startswith("true ageYoung, predicted ageYoung: 0 components")
    assert matrix.page.locator(".pv-cells th[scope='row']").count() == 2


def test_a_closed_matrix_leaves_nothing_behind(matrix):
    matrix.page.evaluate("window.cleanup()")
    assert matrix.page.evaluate("document.querySelector('#at').childElementCount") == 0
    assert matrix.page.evaluate("Object.values(window.model.heard).flat().length") == 0


@pytest.mark.parametrize("light", [True, False])
def test_numbers_can_be_read_on_their_colours(page, street, light):
    page.emulate_media(color_scheme="light" if light else "dark")
    matrix = ConfusionMatrix(street, scenes.predictions_of(street), component_size="all")
    Stub(page, matrix.grid, light=light)
    page.wait_for_selector(".pv-cell")
    for cell in page.locator(".pv-cell").all():
        text, back = cell.evaluate("see.colours")
        assert abs(sum(text) - sum(back)) > 250
