import re

import numpy as np
import pandas as pd
import pytest

from peta_viz.widgets.gallery import Gallery
from tests.browser import scenes
from tests.browser.stub import Stub

FEW = 12
MANY = 100_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture(scope="module")
def street(folder):
    return scenes.street(folder / "street")


@pytest.fixture(scope="module")
def many(folder):
    paths = np.resize(scenes.pictures(folder / "few", FEW), MANY)
    return scenes.image_set(paths, np.arange(MANY) // 3)


@pytest.fixture
def open_gallery(page):
    """Show a gallery; at the end the console must be clean and nothing asked of a network."""

    def show(imageset, *, light=True, changes=None, **options):
        stub = Stub(page, Gallery(imageset, **options), light=light, changes=changes)
        stub.settle()
        return stub

    yield show
    assert page.complaints == []
    assert [url for url in page.requests if not url.startswith(("blob:", "data:"))] == []


@pytest.fixture
def full(open_gallery, street):
    """A gallery with all there is: pairs, predictions, flags."""
    components = pd.DataFrame({"size": scenes.SIZES}, index=range(len(scenes.SIZES)))
    components["is_bad_component_std_80"] = np.arange(len(components)) < 3
    components["disagreement"] = np.linspace(0.9, 0, len(components))
    return open_gallery(
        street,
        components=components,
        pairs=scenes.pairs_of(street),
        threshold=scenes.MADE_AT,
        predictions=scenes.predictions_of(street),
    )


def _names(page):
    """The component ids that are drawn, in order."""
    return page.evaluate("see.names()")


def _selected(stub):
    return list(stub.widget.selected.index)


def _focused(page):
    return page.evaluate(
        "(() => { const e = document.activeElement; return e.className || e.name || e.tagName })()"
    )


def _check_active(page):
    """The keys are at something that exists and has a name."""
    active = page.evaluate(
        """() => { const view = document.querySelector(".pv-viewport");
        const e = document.getElementById(view.getAttribute("aria-activedescendant"));
        return e && [e.getAttribute("role"), e.getAttribute("aria-label")] }"""
    )
    assert active, "aria-activedescendant points nowhere"
    assert active[0] == "option"
    assert active[1]
    assert active[1] != "loading"


def _press(stub, key):
    stub.page.keyboard.press(key)
    stub.settle()


def _keyed(stub, key):
    with stub.marked():
        stub.page.keyboard.press(key)


# What is shown.


def test_pictures_appear_and_are_the_right_ones(full):
    pictures = full.page.locator("img.pv-picture").all()
    colours = {
        int(img.evaluate("(img) => img.parentElement.dataset.row")): img.evaluate("see.shown")
        for img in pictures
    }
    assert len(colours) > 20
    for row, seen in colours.items():
        assert np.abs(np.subtract(seen, scenes.colour(row))).max() < 12


def test_a_component_says_what_it_is(full):
    row = full.page.locator(".pv-item").first
    assert row.locator("b").inner_text() == "0"
    text = row.inner_text()
    assert "14 images" in text
    assert "disagreement 0.9" in text
    assert "std_80" in text
    contested = row.locator(".pv-contested")
    carried = int(full.widget._shelf.shown.labels[:14, 2].sum())
    assert f"hat {carried}/14" in contested.all_text_contents()
    weakest = row.locator(".pv-frame[data-weakest]")
    assert [one.get_attribute("data-row") for one in weakest.all()] == ["2", "3"]
    label = row.get_attribute("aria-label")
    assert label.startswith("component 0, 14 images, 1 contested labels")


def _pictured(stub):
    """Return the rows whose pictures were sent, alone or along with what they belong to."""
    replies = [content.get("pictures", content) for content, _ in stub.sent]
    return [row for reply in replies if "px" in reply for row in reply["rows"]]


def test_only_what_is_in_view_and_next_to_it_is_sent_and_once(open_gallery, many):
    stub = open_gallery(many, view="images")
    sent = _pictured(stub)
    assert sorted(sent) == sorted(set(stub.rows()))
    per_line = len(stub.items()) // 7 + 1
    assert len(sent) < 8 * per_line * 3
    assert sum(len(one) for _, buffers in stub.sent for one in buffers) < 1_000 * len(sent) + 1


@pytest.mark.parametrize("view", ["components", "images"])
def test_the_end_of_100_000_images_is_reached_with_few_nodes(open_gallery, many, view):
    stub = open_gallery(many, view=view)
    stub.scroll(1)
    assert stub.rows()[-1] == MANY - 1
    nodes = "document.querySelector('.pv-gallery').querySelectorAll('*').length"
    assert stub.page.evaluate(nodes) < 1_000
    last = stub.page.locator(f".pv-frame[data-row='{MANY - 1}'] img")
    last.scroll_into_view_if_needed()
    box, view_box = last.bounding_box(), stub.page.locator(".pv-viewport").bounding_box()
    assert box["y"] + box["height"] <= view_box["y"] + view_box["height"]


def test_where_the_height_is_scaled_every_line_is_reached(open_gallery, many):
    stub = open_gallery(many, changes={"MOST_PX = 8_000_000": "MOST_PX = 20_000"})
    assert stub.page.evaluate("document.querySelector('.pv-viewport').scrollHeight") == 20_000
    stub.scroll(1)
    assert stub.rows()[-1] == MANY - 1
    stub.scroll(0.5)
    before = stub.items()
    stub.page.mouse.move(400, 400)
    stub.page.mouse.wheel(0, 158)  # one line and no more
    stub.page.wait_for_function(
        "(first) => !document.querySelector(`[data-item='${first}']`)", arg=before[0]
    )
    stub.settle()
    assert stub.items()[0] == before[0] + 1
    stub.page.locator(".pv-viewport").focus()
    for key, place in [("End", MANY // 3), ("Home", 0), ("ArrowDown", 1), ("PageDown", 5)]:
        _press(stub, key)
        _check_active(stub.page)
        assert place in stub.items()


def test_jumps_end_with_the_right_pictures(open_gallery, many):
    stub = open_gallery(many, view="images", sort_by="width", descending=False)
    order = stub.widget._shelf.order
    for share in [0.9, 0.1, 0.55, 0.55001, 0.0, 1.0, 0.3]:
        stub.scroll(share)
        assert stub.rows() == order[stub.items()].tolist()
        ids = stub.page.evaluate(
            "[...document.querySelectorAll('img.pv-picture')].map((i) => i.alt)"
        )
        assert sorted(ids) == sorted(stub.widget.current.index[stub.items()])


def test_what_was_passed_by_is_not_asked_for(open_gallery, many):
    stub = open_gallery(many, view="images")
    stub.asked.clear()
    stub.page.evaluate(
        """() => { const view = document.querySelector(".pv-viewport");
        for (const share of [0.2, 0.4, 0.6, 0.8, 0.7]) {
          view.scrollTop = share * view.scrollHeight;
          view.dispatchEvent(new Event("scroll"));
        } }"""
    )
    stub.settle()
    # The first, which was under way, and the last, with what is next to it.
    first, *others = [message["first"] for message in stub.messages("rows")]
    assert set(others) <= set(stub.rows())
    assert not set(_pictured(stub)) & set(range(first + 500, min(stub.rows())))


def test_what_was_seen_long_ago_is_let_go_and_fetched_again(open_gallery, many):
    stub = open_gallery(
        many, view="images", changes={"KEPT_CHARACTERS = 30_000_000": "KEPT_CHARACTERS = 150_000"}
    )
    first = stub.rows()
    for share in [0.3, 0.6, 0.9]:
        stub.scroll(share)
    stub.asked.clear()
    stub.scroll(0)
    assert stub.rows() == first
    assert {row for one in stub.messages("thumbnails") for row in one["rows"]} == set(first)


# Filters, order, views: the real controls.


def _choose(stub, label, value):
    with stub.renewed():
        stub.page.get_by_label(label, exact=True).select_option(value)


def _fill(stub, label, value):
    with stub.renewed():
        stub.page.get_by_label(label, exact=True).fill(value)


def test_filter_by_label_and_its_state(full, street):
    _fill(full, "label", "bag")
    component, carried = street.images["component_id"], street.labels["bag"]
    assert set(full.widget.current["component_id"]) == set(component[carried])
    assert full.page.evaluate("document.activeElement.name") == "label"
    _choose(full, "how the label is meant", "absent")
    assert set(full.widget.current["component_id"]) == set(component[~carried])
    _choose(full, "how the label is meant", "contested")
    assert "1 of 11 components of two and more" in full.page.locator(".pv-status").inner_text()
    full.page.get_by_label("label", exact=True).fill("nonsense")
    assert full.page.get_by_label("label", exact=True).get_attribute("aria-invalid") == "true"
    with full.renewed():
        full.page.get_by_role("button", name="Clear filters").click()
    assert len(full.widget.current) == len(street)
    assert full.page.get_by_label("label", exact=True).input_value() == ""
    assert not full.page.get_by_label("how the label is meant").is_visible()


def test_filter_by_head_flag_size_subset_and_result(full):
    page = full.page
    _choose(full, "head in which labels are contested, or the result is meant", "clothes")
    assert _names(page) == ["0", "1"]
    with full.renewed():
        page.get_by_role("button", name="Clear filters").click()
    _choose(full, "flag of the component", "is_bad_component_std_80")
    assert _names(page) == ["0", "1", "2"]
    _fill(full, "largest component", "6")
    assert _names(page) == ["1", "2"]
    _fill(full, "smallest component", "4")
    assert _names(page) == ["1"]
    _choose(full, "flag of the component", "")
    with full.renewed():
        page.get_by_role("button", name="Clear filters").click()
    _choose(full, "subset", "there")
    assert set(full.widget.current["subset"]) == {"there"}
    _choose(full, "subset", "")
    _choose(full, "result of an experiment", "B right, A wrong")
    ids = set(full.widget.current["component_id"])
    assert ids == {n for n in range(20) if n % 2 == 0 and n % 5}


def test_a_query_is_understood_or_answered(full):
    page = full.page
    _fill(full, "query over columns and labels", "size > 3 and hat")
    assert set(full.widget.current["component_id"]) <= {0, 1}
    shown = list(full.widget.current.index)
    page.get_by_label("query over columns and labels").fill("sise > 3")
    page.wait_for_selector(".pv-problem:visible")
    assert "did you mean size" in page.locator(".pv-problem").inner_text()
    assert list(full.widget.current.index) == shown
    assert page.get_by_label("query over columns and labels").input_value() == "sise > 3"
    _fill(full, "query over columns and labels", "blur >= 48")
    assert not page.locator(".pv-problem").is_visible()
    assert list(full.widget.current.index) == ["i48"]


def test_nothing_to_show_is_said_and_cleared(full, street):
    _fill(full, "query over columns and labels", "blur > 1000")
    empty = full.page.locator(".pv-empty")
    assert "No component fits these filters." in empty.inner_text()
    assert full.items() == []
    with full.renewed():
        empty.get_by_role("button", name="Clear filters").click()
    assert not empty.is_visible()
    assert _focused(full.page) == "pv-viewport"  # and not nowhere
    _choose(full, "flag of the component", "is_bad_component_std_80")
    with full.renewed():
        full.page.locator(".pv-bar").get_by_role("button", name="Clear filters").click()
    assert _focused(full.page) == "pv-viewport"
    assert len(full.widget.current) == len(street)
    full.widget.show([])
    full.push()
    assert full.page.locator(".pv-empty").inner_text() == "There is no component to show."


def test_sort_and_direction(full):
    _choose(full, "sort by", "size")
    names = [int(name) for name in _names(full.page)]
    assert names[:3] == [0, 1, 2]
    with full.renewed():
        full.page.get_by_role("button", name="largest first").click()
    assert int(_names(full.page)[0]) >= 11
    assert full.page.get_by_role("button", name="smallest first").is_visible()
    _choose(full, "sort by", "")
    assert _names(full.page)[:2] == ["0", "1"]


def test_views_by_button_and_key(full):
    page = full.page
    with full.renewed():
        page.get_by_role("button", name="Images", exact=True).click()
    assert full.rows() == full.widget._shelf.order[full.items()].tolist()
    assert (
        page.get_by_role("button", name="Images", exact=True).get_attribute("aria-pressed")
        == "true"
    )
    page.locator(".pv-viewport").focus()
    with full.renewed():
        page.keyboard.press("v")
    assert full.widget.view == "pairs"
    captions = page.locator(".pv-caption").all_inner_texts()
    near = [round(abs(float(text.split()[0]) - scenes.MADE_AT), 6) for text in captions]
    assert near == sorted(near)
    assert not page.get_by_label("sort by", exact=True).is_visible()
    with full.renewed():
        page.keyboard.press("v")
    assert full.widget.view == "components"


# Selecting.


def test_select_with_the_mouse(full):
    page = full.page
    with full.marked():
        page.locator(".pv-check").nth(1).click()
    assert _selected(full) == [f"i{n}" for n in range(14, 20)]
    assert page.locator(".pv-check").nth(1).is_checked()
    with full.marked():
        page.locator(".pv-frame[data-row='2']").click(modifiers=["Control"])
    assert "i2" in _selected(full)
    assert page.locator(".pv-check").first.evaluate("(e) => e.indeterminate")
    assert page.locator(".pv-chosen").inner_text() == "7 selected"
    page.locator(".pv-frame[data-row='2']").click(modifiers=["Control"])
    page.wait_for_function("document.querySelectorAll('.pv-frame[data-selected]').length === 6")
    with full.marked():
        page.locator(".pv-check").nth(1).click()
    assert _selected(full) == []
    page.locator(".pv-head").nth(1).click(position={"x": 200, "y": 10})
    with full.marked():
        page.locator(".pv-head").nth(3).click(position={"x": 200, "y": 10}, modifiers=["Shift"])
    assert _selected(full) == [f"i{n}" for n in range(14, 26)]
    assert page.locator(".pv-picture").count() > 20  # what was there stays there


def test_a_picture_stays_itself_while_it_is_selected(full):
    full.page.evaluate("document.querySelector('.pv-frame[data-row=\"2\"] img').mine = true")
    with full.marked():
        full.page.locator(".pv-frame[data-row='2']").click(modifiers=["Control"])
    assert full.page.evaluate("document.querySelector('.pv-frame[data-selected] img').mine")


def test_select_with_keys_in_the_grid(full):
    with full.renewed():
        full.page.get_by_role("button", name="Images", exact=True).click()
    shown = list(full.widget.current.index)
    full.page.locator(".pv-viewport").focus()
    _keyed(full, "Space")
    assert _selected(full) == shown[:1]
    _keyed(full, "Shift+ArrowRight")
    _keyed(full, "Shift+ArrowRight")
    assert set(_selected(full)) == set(shown[:3])
    _keyed(full, "Shift+ArrowDown")
    columns = full.page.evaluate(
        "see.items().filter((e) => e.style.transform.endsWith(', 0px)')).length"
    )
    assert set(_selected(full)) == set(shown[: 3 + columns])
    _keyed(full, "Escape")
    assert _selected(full) == []
    _keyed(full, "Control+a")
    assert len(_selected(full)) == len(shown)


def test_select_all_takes_what_is_shown_only(full):
    _choose(full, "subset", "there")
    full.page.locator(".pv-viewport").focus()
    _keyed(full, "Control+a")
    assert set(full.widget.selected["subset"]) == {"there"}
    _choose(full, "subset", "")
    assert len(full.widget.selected) == len(full.widget.current) - 38


def test_selecting_in_python_shows(full):
    full.widget.select(["i1", "i3"])
    with full.marked():
        full.widget.select(["i1", "i4"])
        full.push()
    assert full.page.evaluate(
        "[...document.querySelectorAll('.pv-frame[data-selected]')].map((e) => e.dataset.id)"
    ) == ["i1", "i4"]


# Keys.


def _key_move(full):
    for key in [
        "ArrowDown",
        "ArrowRight",
        "ArrowLeft",
        "ArrowUp",
        "PageDown",
        "PageUp",
        "End",
        "Home",
    ]:
        _press(full, key)
        _check_active(full.page)
    assert full.page.locator(".pv-active").get_attribute("data-item") == "0"


def _key_enlarge(full):
    full.page.keyboard.press("Enter")
    full.page.wait_for_selector(".pv-large[open][data-row='0']")
    full.page.keyboard.press("Escape")


def _key_select(full):
    _press(full, "ArrowRight")
    _keyed(full, "Space")
    assert _selected(full) == ["i1"]
    _keyed(full, "Space")


def _key_select_component(full):
    _keyed(full, "Shift+Space")
    assert len(_selected(full)) == 14
    _keyed(full, "Shift+Space")
    assert _selected(full) == []


def _key_select_up_to(full):
    _keyed(full, "Shift+ArrowRight")
    full.page.wait_for_function("document.querySelectorAll('[data-selected]').length === 2")
    _keyed(full, "Shift+ArrowDown")
    assert len(_selected(full)) == 20


def _key_all(full):
    _keyed(full, "Control+a")
    assert len(_selected(full)) == len(full.widget.current)


def _key_none(full):
    full.widget.select(["i1"])
    full.push()
    _keyed(full, "Escape")
    assert _selected(full) == []


def _key_view(full):
    with full.renewed():
        full.page.keyboard.press("v")
    assert full.widget.view == "images"
    assert _focused(full.page) == "pv-viewport"


def _key_query(full):
    full.page.keyboard.press("/")
    assert _focused(full.page) == "pv-query"
    full.page.keyboard.type("/")
    assert full.page.locator(".pv-query").input_value() == "/"


def _key_help(full):
    full.page.keyboard.press("?")
    assert full.page.locator(".pv-help").is_visible()
    full.page.keyboard.press("?")
    assert not full.page.locator(".pv-help").is_visible()


KEYS = {
    "Arrows, Page Up, Page Down, Home, End": _key_move,
    "Enter or click": _key_enlarge,
    "Space or Ctrl+click": _key_select,
    "Shift+Space": _key_select_component,
    "Shift with arrows or click": _key_select_up_to,
    "Ctrl+A": _key_all,
    "Esc": _key_none,
    "v": _key_view,
    "/": _key_query,
    "?": _key_help,
}


@pytest.mark.parametrize("keys", KEYS)
def test_every_key_of_the_help_does_what_it_says(full, keys):
    full.page.locator(".pv-viewport").focus()
    KEYS[keys](full)


def test_the_help_names_every_key(full):
    full.page.get_by_role("button", name="keys").click()
    assert full.page.locator(".pv-help dt").all_inner_texts() == list(KEYS)
    described = full.page.locator(".pv-viewport").get_attribute("aria-describedby")
    assert full.page.locator(f"#{described}").count() == 1


def test_with_the_keyboard_alone_the_focus_is_never_lost(full):
    page = full.page
    page.keyboard.press("Tab")
    seen = []
    while (at := _focused(page)) != "pv-viewport":
        assert at != "BODY"
        assert len(seen) < 30
        name = page.evaluate(
            "document.activeElement.ariaLabel ?? document.activeElement.textContent"
        )
        assert name.strip()
        seen.append(name)
        page.keyboard.press("Tab")
    assert {"Components", "Images", "Pairs", "sort by", "label", "similarity threshold"} <= set(
        seen
    )
    for key in ["ArrowDown", "ArrowDown", "ArrowRight", "End", "PageUp", "Home", "ArrowUp"]:
        _press(full, key)
        assert _focused(page) == "pv-viewport"
        _check_active(page)
    for _ in range(3):
        with full.renewed():
            page.keyboard.press("v")
        assert _focused(page) == "pv-viewport"
        _check_active(page)
    page.keyboard.press("Enter")
    page.wait_for_selector(".pv-large[open][data-row]")
    for key in ["ArrowRight", "Tab", "ArrowDown", "Tab", "ArrowLeft"]:
        page.keyboard.press(key)
        assert page.evaluate("!!document.activeElement.closest('.pv-large')")
    page.keyboard.press("Escape")
    assert _focused(page) == "pv-viewport"


def test_a_short_row_takes_the_keys_to_its_last_picture(full):
    page = full.page
    page.locator(".pv-viewport").focus()
    for _ in range(8):
        _press(full, "ArrowRight")
    for _ in range(4):
        _press(full, "ArrowDown")  # a component of two
    assert page.locator(".pv-here").get_attribute("data-n") == "1"
    _press(full, "ArrowLeft")
    assert page.locator(".pv-here").get_attribute("data-n") == "0"


# One image, large.


def _at(page, row):
    page.wait_for_selector(f".pv-large[open][data-row='{row}']:not([data-waiting])")


def test_walk_through_images_and_components(full):
    page = full.page
    page.locator(".pv-frame[data-row='14']").click()
    _at(page, 14)
    for key, row in [
        ("ArrowRight", 15),
        ("ArrowLeft", 14),
        ("ArrowDown", 20),
        ("ArrowUp", 14),
        ("ArrowUp", 0),
        ("ArrowUp", 0),
    ]:
        page.keyboard.press(key)
        _at(page, row)
    for row in range(1, 15):  # through the whole component and on to the next
        page.keyboard.press("ArrowRight")
        _at(page, row)
    assert "i14" in page.locator(".pv-large-title").inner_text()
    assert "component 1, 1 of 6" in page.locator(".pv-large-title").inner_text()
    page.locator(".pv-large-thumb").nth(2).click()
    _at(page, 16)
    page.keyboard.press("ArrowRight")
    _at(page, 17)
    page.keyboard.press("Escape")
    page.wait_for_selector(".pv-large:not([open])", state="attached")
    assert _focused(page) == "pv-viewport"


def test_in_the_grid_the_arrows_follow_the_grid(full):
    with full.renewed():
        full.page.get_by_role("button", name="Images", exact=True).click()
    _fill(full, "query over columns and labels", "blur % 10 == 0")
    order = full.widget._shelf.order.tolist()
    page = full.page
    page.locator(f".pv-frame[data-row='{order[1]}']").click()
    _at(page, order[1])
    page.keyboard.press("ArrowRight")
    _at(page, order[2])
    page.keyboard.press("ArrowDown")  # to its neighbour in the component, which is not in the grid
    neighbour = int(page.locator(".pv-large").get_attribute("data-row"))
    page.wait_for_function(
        "(row) => document.querySelector('.pv-large').dataset.row != row", arg=str(order[2])
    )
    neighbour = int(page.locator(".pv-large").get_attribute("data-row"))
    assert neighbour not in order
    page.keyboard.press("ArrowLeft")
    _at(page, order[1])


def test_all_labels_with_their_counts(full, street):
    page = full.page
    page.locator(".pv-frame[data-row='20']").click()
    _at(page, 20)
    page.locator(".pv-large summary").click()
    shown = page.locator(".pv-large .pv-chip").all_text_contents()
    members = slice(20, 23)
    for label in scenes.LABELS:
        carried = int(street.labels[label].iloc[members].sum())
        known = int(street.known[label].iloc[members].sum())
        assert f"{label} {carried}/{known}" in shown
    assert page.locator(".pv-mark[aria-label='not known']").count() == 1
    text = page.locator(".pv-large-side").inner_text()
    assert str(street.images["path"].iloc[20]) in text
    assert "p2" in text


def test_select_inside_and_see_it_outside(full):
    page = full.page
    page.locator(".pv-frame[data-row='14']").click()
    _at(page, 14)
    _keyed(full, "Space")
    assert _selected(full) == ["i14"]
    assert page.locator(".pv-large-select input").is_checked()
    with full.marked():
        page.locator(".pv-large-select input").click()
    assert _selected(full) == []
    page.keyboard.press("ArrowRight")  # the focus was on what is gone
    _at(page, 15)
    _keyed(full, "Space")
    page.keyboard.press("Escape")
    assert page.locator(".pv-frame[data-row='15'][data-selected]").count() == 1


def test_after_walking_the_keys_are_where_one_walked_to(full):
    page = full.page
    page.locator(".pv-frame[data-row='0']").click()
    _at(page, 0)
    shelf = full.widget._shelf
    for place in range(1, 9):
        page.keyboard.press("ArrowDown")
        row = int(shelf.shown.members(shelf.order[place])[0])
        _at(page, row)
    page.keyboard.press("Escape")
    page.wait_for_selector(f".pv-active .pv-here[data-row='{row}']")
    assert page.locator(".pv-active").is_visible()
    _keyed(full, "Space")
    assert _selected(full) == [full.widget._shelf.base.ids[row]]


def test_lists_of_terms_are_ours_though_lab_has_rules_for_all(full):
    """JupyterLab floats every dt and dd of an output, at a fifth and four fifths of the width."""
    page = full.page
    page.add_style_tag(
        content="#at dl { display: block; padding: 0 } #at dt { float: left; width: 20%; display: "
        "block } #at dd { float: left; width: 80%; display: block }".replace("#at", "body")
    )
    page.locator(".pv-viewport").focus()
    page.keyboard.press("?")
    lines = page.evaluate(
        """[...document.querySelectorAll(".pv-help dt")].map((dt) => {
        const [a, b] = [dt, dt.nextElementSibling].map((e) => e.getBoundingClientRect());
        return [Math.abs(a.top - b.top) < 2, b.left - a.right, a.width] })"""
    )
    assert all(level and 0 <= apart < 60 for level, apart, _ in lines)
    page.keyboard.press("?")
    page.locator(".pv-frame[data-row='14']").click()
    _at(page, 14)
    names = page.locator(".pv-large-side dt").all()
    heights = [one.bounding_box()["height"] for one in names]
    assert max(heights) < 2.5 * min(heights)  # none is broken after every few letters


def test_a_count_is_seen_however_narrow_the_chip(full):
    full.page.add_style_tag(content=".pv-chip { width: 60px }")
    cut = full.page.evaluate(
        """[...document.querySelectorAll(".pv-chip")].filter((chip) => {
        const count = document.createRange();
        count.selectNode(chip.lastChild);
        const [end, edge] = [count, chip].map((one) => one.getBoundingClientRect().right);
        return end > edge + 1 }).length"""
    )
    assert cut == 0


def test_what_is_being_typed_stands_whatever_the_kernel_says(full):
    page = full.page
    label = page.get_by_label("label", exact=True)
    label.press_sequentially("ba")
    with full.renewed():
        full.widget.descending = False
        full.push()
    assert label.input_value() == "ba"
    with full.renewed():
        label.fill("BAG")
        label.press("Enter")
    assert full.widget.label == "bag"


def test_what_has_no_room_is_enlarged_by_its_number(full):
    page = full.page
    page.set_viewport_size({"width": 600, "height": 900})
    more = page.locator(".pv-more").first
    more.wait_for()
    full.settle()
    shown = page.locator(".pv-item").first.locator(".pv-frame").count()
    assert more.inner_text() == f"+{14 - shown}"
    more.click()
    _at(page, shown)


# The threshold.


def test_dragging_the_threshold_shows_live_how_components_merge_and_part(full):
    page = full.page
    slider = page.get_by_label("similarity threshold", exact=True)
    box = slider.bounding_box()
    low = float(slider.get_attribute("min"))

    def x(value):
        return box["x"] + 8 + (box["width"] - 16) * (value - low) / (1 - low)

    assert page.get_by_role("button", name="as made").is_disabled()
    page.mouse.move(x(scenes.MADE_AT), box["y"] + box["height"] / 2)
    page.mouse.down()
    seen = []
    for value in [0.85, 0.95, 0.9, 0.75]:
        page.mouse.move(x(value), box["y"] + box["height"] / 2)
        page.wait_for_function(
            "(v) => Math.abs(window.model.state.threshold - v) < 0.02", arg=value
        )
        page.wait_for_function(
            "document.querySelector('.pv-gallery').dataset.version == window.model.state._version"
        )
        full.settle()
        seen.append(
            (page.locator(".pv-status").inner_text(), page.locator(".pv-head").all_inner_texts())
        )
    page.mouse.up()
    assert full.widget.threshold == pytest.approx(0.75, abs=0.02)
    assert len({words for words, _ in seen}) == 4
    assert "are parts of one" in seen[1][0]
    assert any("parted" in head for head in seen[1][1])
    assert any("merged from" in head for head in seen[3][1])
    with full.renewed():
        page.get_by_role("button", name="as made").click()
    assert full.widget.threshold == scenes.MADE_AT
    assert _names(page)[:3] == ["0", "1", "2"]
    assert page.get_by_role("button", name="as made").is_disabled()
    assert not any("merged" in head for head in page.locator(".pv-head").all_inner_texts())


def test_the_threshold_as_a_number_and_the_pairs_nearest_to_it(full):
    with full.renewed():
        full.page.get_by_role("button", name="Pairs", exact=True).click()
    number = full.page.get_by_label("similarity threshold, as a number", exact=True)
    for wrong in ("1.5", "0", ""):
        number.fill(wrong)
        number.press("Tab")
        assert number.input_value() == str(scenes.MADE_AT)
        assert full.widget.threshold == scenes.MADE_AT
    with full.renewed():
        number.fill("0.9")  # half typed, which counts for nothing
        number.fill("0.95")
        assert full.widget.threshold == scenes.MADE_AT
        number.press("Enter")
    words = full.page.locator(".pv-caption").all_inner_texts()
    values = [float(text.split()[0]) for text in words]
    near = [round(abs(value - 0.95), 6) for value in values]
    assert near == sorted(near)
    for text, value in zip(words, values, strict=True):
        assert text.endswith("linked") == (value > 0.95)


# The view itself.


def test_two_views_of_one_widget(full):
    page = full.page
    page.evaluate(
        """async () => { const el = document.createElement("div"); el.id = "two";
        document.body.append(el); await window.show(el) }"""
    )
    for view in ("#at", "#two"):
        page.wait_for_selector(f"{view} .pv-gallery[data-pending='0'][data-around='true']")
    assert (
        page.locator("#at img.pv-picture").count()
        == page.locator("#two img.pv-picture").count()
        > 20
    )
    with full.marked():
        page.locator("#two .pv-check").first.click()
    page.wait_for_selector("#two .pv-frame[data-selected]")
    assert page.locator("#at .pv-check").first.is_checked()
    page.locator("#at .pv-frame[data-row='14']").click()
    page.wait_for_selector("#at .pv-large[open][data-row='14']")
    assert page.locator("#two .pv-large[open]").count() == 0


def test_a_closed_view_leaves_nothing_behind(full):
    page = full.page
    page.locator(".pv-frame").first.click()
    _at(page, 0)
    assert page.evaluate("window.pictures.size") == 1  # the large one
    page.get_by_label("query over columns and labels").evaluate(
        "(e) => { e.value = 'size > 1'; e.dispatchEvent(new Event('input')) }"
    )
    page.evaluate("window.cleanup()")
    assert page.evaluate("document.querySelector('#at').childElementCount") == 0
    assert page.evaluate("window.pictures.size") == 0
    assert page.evaluate("Object.values(window.model.heard).flat().length") == 0
    assert page.evaluate("document.querySelectorAll('datalist, dialog, .pv-gallery').length") == 0


def test_a_kernel_that_does_not_answer_is_told_of(open_gallery, many):
    stub = open_gallery(many, changes={"PATIENCE_MS = 15_000": "PATIENCE_MS = 60"})
    page = stub.page
    page.evaluate("window.model.silent = true")
    page.evaluate("document.querySelector('.pv-viewport').scrollTop = 500000")
    page.wait_for_selector(".pv-gallery[data-stalled]")
    assert "The kernel does not answer" in page.locator(".pv-status").inner_text()
    assert page.get_by_role("status").first.is_visible()
    page.evaluate("window.model.speak()")
    stub.settle()
    assert "images" in page.locator(".pv-status").inner_text()
    assert page.locator(".pv-gallery[data-stalled]").count() == 0


def test_an_answer_with_an_error_is_shown(full):
    full.page.evaluate("window.model.emit('msg:custom', { id: 'nobody', error: 'not for us' }, [])")
    full.widget._shelf.describe = None
    full.page.locator(".pv-check").first.click()
    full.page.wait_for_selector(".pv-gallery[data-failed]")
    assert "TypeError" in full.page.locator(".pv-status").inner_text()


def test_size_and_title_follow_python(full):
    page = full.page
    full.widget.thumb_px = 48
    full.push()
    page.wait_for_function("document.querySelector('.pv-frame').style.height === '48px'")
    full.settle()
    assert len(full.items()) >= 8
    assert set(page.evaluate("see.heights()")) == {48}
    full.widget.height_px = 300
    full.widget.title = "What is <b>wrong</b>"
    full.push()
    page.wait_for_function("document.querySelector('.pv-viewport').clientHeight === 300")
    assert page.locator(".pv-headline").inner_text() == "What is <b>wrong</b>"
    page.wait_for_function("document.querySelectorAll('.pv-item').length < 8")
    full.widget.title = ""
    full.push()
    assert not page.locator(".pv-headline").is_visible()


def test_pictures_of_the_size_before_are_not_kept(full):
    page = full.page
    with full.renewed():
        page.get_by_role("button", name="Images", exact=True).click()
    page.evaluate("window.model.silent = true")
    for height in [44, 40]:  # the answer with the first comes after the second is wanted
        full.widget.thumb_px = height
        full.push()
        page.wait_for_function("(h) => see.frames()[0].style.height === `${h}px`", arg=height)
    page.wait_for_function("window.model.late.length > 0")
    page.evaluate("window.model.speak()")
    full.settle()
    assert set(page.evaluate("see.heights()")) == {40}


def test_a_narrower_window_moves_what_has_no_room(full):
    page = full.page
    with full.renewed():
        page.get_by_role("button", name="Images", exact=True).click()
    for width in [500, 1_000, 320]:
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_function(
            "(w) => document.querySelector('.pv-viewport').clientWidth < w", arg=width
        )
        full.settle()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.wait_for_function("(w) => 0 < see.right() && see.right() <= w", arg=width)


def test_the_place_stays_when_the_width_changes(open_gallery, many):
    stub = open_gallery(many, view="images")
    stub.scroll(0.5)
    first = stub.items()[0]
    lines = len(stub.items())
    stub.page.set_viewport_size({"width": 700, "height": 900})
    stub.page.wait_for_function(
        "(n) => document.querySelectorAll('.pv-item').length < n", arg=lines
    )
    stub.settle()
    assert abs(stub.items()[0] - first) < 200


@pytest.mark.parametrize("light", [True, False])
def test_text_can_be_read_in_light_and_dark(open_gallery, street, page, light):
    page.emulate_media(color_scheme="light" if light else "dark")
    stub = open_gallery(street, light=light, pairs=scenes.pairs_of(street))
    page.locator(".pv-frame").first.click()
    _at(page, 0)
    selectors = [
        ".pv-head b",
        ".pv-figure",
        ".pv-status",
        ".pv-query",
        ".pv-chip",
        ".pv-large-title",
    ]
    for selector in selectors:
        text, back = stub.page.locator(selector).first.evaluate("see.colours")
        assert _contrast(text, back) >= 4.5, selector
        assert (sum(back[:3]) > 380) == light


def _contrast(one, other):
    def light(colour):
        linear = [
            ((c / 255 + 0.055) / 1.055) ** 2.4 if c > 10 else c / 255 / 12.92 for c in colour[:3]
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted([light(one), light(other)], reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_every_control_has_a_name(full):
    full.page.locator(".pv-frame").first.click()
    _at(full.page, 0)
    assert full.page.evaluate("see.nameless()") == []


def test_images_without_components_are_a_grid(open_gallery, folder):
    stub = open_gallery(scenes.image_set(scenes.pictures(folder / "few", FEW)))
    assert stub.page.get_by_role("group", name="view").locator("button").all_inner_texts() == [
        "Images"
    ]
    assert stub.rows() == list(range(FEW))
    assert not stub.page.get_by_label("smallest component").is_visible()
    assert re.search("12 images", stub.page.locator(".pv-status").inner_text())
