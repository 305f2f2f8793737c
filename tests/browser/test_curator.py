"""The curator's front end: what a person sees, and what keys and buttons do."""

from pathlib import Path

import pandas as pd
import pytest

from peta_viz.curation.log import DecisionLog
from peta_viz.imageset import Head, ImageSet
from peta_viz.widgets.curator import Curator
from tests.browser.scenes import doubts_of, narrow, pairs_of, street
from tests.browser.stub import Stub

READY = ".pv-curator[data-pending='0'][data-answers]:not([data-busy], [data-unseen])"


class Seat(Stub):
    """A curator in a page."""

    def settle(self):
        self.page.wait_for_selector(READY)

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)
            self.answered()
            self.settle()

    def click(self, deed):
        self.page.locator(f"[data-deed='{deed}']").click()
        self.answered()
        self.settle()

    @property
    def component(self):
        return self.page.locator(".pv-curator").get_attribute("data-component")

    @property
    def status(self):
        return self.page.locator("[role=status]").inner_text()

    @property
    def problem(self):
        return self.page.locator("[role=alert]").inner_text()

    def chosen(self):
        return self.page.locator(".pv-pick[aria-pressed=true]").count()

    def kinds(self):
        return [entry.act.kind for entry in self.widget._desk.log.since()]


@pytest.fixture
def imageset(tmp_path):
    return street(tmp_path / "pictures")


@pytest.fixture
def sit(page, imageset, tmp_path):
    seats = []

    def seat(**options):
        log = DecisionLog(tmp_path / "decisions.sqlite")
        changes, light = options.pop("changes", None), options.pop("light", True)
        focus, ready = options.pop("focus", True), options.pop("ready", READY)
        options = {"person": "Ada", "pairs": pairs_of(imageset), **options}
        widget = Curator(options.pop("imageset", imageset), log, **options)
        seats.append(widget)
        shown = Seat(page, widget, changes=changes, light=light)
        page.wait_for_selector(ready)
        if focus:
            page.locator(".pv-curator").focus()
        return shown

    yield seat
    for one in seats:
        one.close()
    assert page.complaints == []


def test_all_of_a_component_is_seen(sit, page):
    seat = sit()
    images = page.locator(".pv-sheet figure")
    assert images.count() > 1
    assert page.locator(".pv-pick img").count() == images.count()
    assert f"component {seat.component}" in page.locator(".pv-case").inner_text()
    assert page.locator(".pv-label[aria-current]").count() == 1
    current = page.locator(".pv-label[aria-current]").get_attribute("data-label")
    states = page.locator(".pv-cell").evaluate_all("all => all.map((one) => one.dataset.state)")
    assert {"y", "n"} <= set(states)
    assert current == page.locator(".pv-asked b").inner_text()
    assert set(page.locator(".pv-cell").all_inner_texts()) <= {"✓", "–", "?"}
    assert page.evaluate("see.nameless()") == []


# What of each picture lies outside its frame, or is in no frame that one can scroll to.
CUT = """() => [...document.querySelectorAll(".pv-pick img")].filter((img) => {
    const [one, frame] = [img, img.parentElement].map((part) => part.getBoundingClientRect());
    const sheet = img.closest(".pv-sheet");
    const right = sheet.getBoundingClientRect().left + sheet.clientWidth;
    const inside = one.top >= frame.top && one.bottom <= frame.bottom + 0.1 && one.right <= right;
    return !inside || getComputedStyle(img).objectFit !== "contain";
}).length"""


@pytest.mark.parametrize("width", [1440, 1100, 700])
@pytest.mark.parametrize("count", [5, 7, 20])
def test_every_picture_is_whole(sit, page, tmp_path, count, width):
    page.set_viewport_size({"width": width, "height": 900})
    sit(imageset=narrow(tmp_path / "narrow", count), pairs=None)
    assert page.locator(".pv-pick img").count() == count
    assert page.evaluate(CUT) == 0
    scrolls = "(sheet) => sheet.scrollHeight > sheet.clientHeight"
    assert count == 20 or not page.locator(".pv-sheet").evaluate(scrolls)


@pytest.mark.parametrize("width", [700, 1000])
def test_names_of_labels_can_be_told_apart(sit, page, tmp_path, width):
    page.set_viewport_size({"width": width, "height": 900})
    imageset = narrow(tmp_path / "narrow", 6)
    names = {"hat": "upperBodyThickStripes", "bag": "upperBodyThinStripesAndLogo"}
    labels, known = (frame.rename(columns=names) for frame in (imageset.labels, imageset.known))
    head = Head("upper_body", tuple(names.values()))
    imageset = ImageSet(imageset.images, labels, known, (head,))
    predictions = pd.DataFrame(
        [
            (0, label, state, "raw", 0.5)
            for label in labels
            for state in ("raw", "cleaned", "curated")
        ],
        columns=["component_id", "label", "trained_on", "judged_on", "probability"],
    )
    queue = pd.DataFrame({"component_id": [0]})
    sit(imageset=imageset, pairs=None, predictions=predictions, queue=queue)
    shown = page.locator(".pv-label .pv-name")
    assert set(names.values()) <= set(shown.all_inner_texts())
    lines = "all => all.map((one) => one.getBoundingClientRect().height / 17)"
    assert max(shown.evaluate_all(lines)) < 3
    for part in (".pv-name", ".pv-model", ".pv-asked"):
        cut = "all => all.filter((one) => one.scrollWidth > one.clientWidth).length"
        assert page.locator(part).evaluate_all(cut) == 0, part
        hidden = "all => all.filter((one) => getComputedStyle(one).overflow !== 'visible').length"
        assert page.locator(part).evaluate_all(hidden) == 0, part
    assert page.locator(".pv-columns:not(.pv-label) .pv-model").all_inner_texts() == [
        "models trained on",
        "raw",
        "curated",
        "cleaned",
    ]


def test_one_picture_large(sit, page):
    seat = sit()
    dialog = page.locator("dialog[data-row]")
    large = page.locator(".pv-large-picture img")
    rows = page.locator("figure").evaluate_all("all => all.map((one) => one.dataset.row)")
    page.locator(".pv-pick").nth(1).dblclick()
    dialog.wait_for()
    assert dialog.get_attribute("data-row") == rows[1]
    assert seat.chosen() == 0
    column = page.locator(".pv-cell").nth(1).get_attribute("data-state")
    current = page.locator(".pv-label[aria-current]").get_attribute("data-label")
    sign = {"y": "✓", "n": "–", "?": "?"}[column]
    assert page.locator(f".pv-closeup li:has-text('{current}')").inner_text().split() == [
        sign,
        current,
    ]
    fits = "(img) => img.clientHeight <= img.parentElement.clientHeight"
    assert large.evaluate(fits)
    page.keyboard.press("ArrowRight")
    page.locator(f"dialog[data-row='{rows[2]}']").wait_for()
    page.keyboard.press("g")  # nothing is decided behind it
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    assert seat.kinds() == []
    seat.press("4", "o")
    page.locator(f"dialog[data-row='{rows[3]}']").wait_for()
    page.keyboard.press("o")
    assert not page.locator("dialog").is_visible()
    seat.press("e")
    assert seat.kinds() == ["mark"]
    assert page.evaluate("window.pictures.size") == 0


def test_with_keys_alone(sit):
    seat = sit()
    first = seat.component
    seat.press("Enter")
    assert seat.component != first
    assert seat.status.startswith(f"Saved: component {first}: settled")
    seat.press("u")
    assert seat.page.locator(".pv-done h3").inner_text() == "All of it is done."
    seat.press("z", "z")
    assert seat.component == first
    seat.press("Shift+Z", "Control+z", "Control+y")
    assert seat.kinds() == ["accept", "mark", "undo", "undo", "redo", "undo", "redo"]
    seat.press("ArrowRight", "ArrowLeft")
    assert seat.component == first


def test_labels_with_keys(sit, imageset):
    seat = sit()
    label = seat.page.locator(".pv-label[aria-current]").get_attribute("data-label")
    seat.press("2")
    assert seat.page.locator(".pv-choice").inner_text() == "1 chosen: acts are for this one"
    seat.press("y")
    assert seat.chosen() == 0
    assert seat.page.locator(".pv-choice").inner_text() == ""
    seat.press("ArrowDown")
    other = seat.page.locator(".pv-label[aria-current]").get_attribute("data-label")
    assert other != label
    seat.press("0", "ArrowUp", "n")
    curated = seat.widget.decisions.apply(imageset)
    own = curated.images["component_id"] == seat.widget.current
    assert not curated.labels.loc[own, label].any()
    assert curated.known.loc[own, label].all()
    assert not curated.known.loc[own, other].any()


def test_any_other_label_is_found(sit, page, imageset):
    seat = sit()
    absent = next(
        name
        for name in imageset.labels
        if not page.locator(f".pv-label[data-label='{name}']").count()
    )
    seat.press("/")
    page.keyboard.type(absent)
    page.keyboard.press("Enter")
    page.locator(f".pv-label[data-label='{absent}'][aria-current]").wait_for()
    seat.press("y")
    assert page.locator(f".pv-label[data-label='{absent}']").count() == 1
    curated = seat.widget.decisions.apply(imageset)
    assert curated.labels.loc[curated.images["component_id"] == int(seat.component), absent].all()
    seat.press("/")
    page.keyboard.type("no such label")
    page.keyboard.press("Enter")
    assert "no label no such label" in seat.problem
    field = page.get_by_label("any other label", exact=True)
    assert field.evaluate("(field) => field === document.activeElement")
    page.keyboard.type("hat")  # in place of what was wrong
    page.keyboard.press("Enter")
    page.locator(".pv-label[data-label='hat'][aria-current]").wait_for()
    assert seat.problem == ""
    seat.press("/")
    page.keyboard.type("no such label")
    page.locator(".pv-case").click()
    seat.press("ArrowRight")
    assert field.input_value() == ""
    assert seat.problem == ""


def test_different_persons_are_suggested_first(sit, page):
    seat = sit()
    seat.press("p")
    suggested = seat.chosen()
    assert 0 < suggested < page.locator("figure").count()
    assert seat.kinds() == []
    seat.press("p")
    assert seat.kinds() == ["split"]
    assert seat.chosen() == 0
    assert page.locator(".pv-letter:text('B')").count() == suggested
    seat.press("z")
    assert page.locator(".pv-letter:visible").count() == 0


def test_images_are_dropped_and_come_back(sit, page):
    seat = sit()
    seat.press("d")
    assert "choose the images to drop" in seat.problem
    seat.press("1", "d")
    assert "touched by Ada" in page.locator(".pv-case").inner_text()
    assert page.locator("figure[data-out]").count() == 1
    count = page.locator("figure").count()
    assert f"{count - 1} images, 1 dropped" in page.locator(".pv-case").inner_text()
    known = page.locator(".pv-label[aria-current] .pv-tally").inner_text().split("/")[1]
    assert known == str(count - 1)
    assert seat.problem == ""
    seat.press("1", "d")
    assert page.locator("figure[data-out]").count() == 0
    assert seat.kinds() == ["drop", "restore"]


def test_one_image_has_it_right(sit):
    seat = sit()
    seat.press("l")
    assert "choose the one image" in seat.problem
    seat.press("1", "l")
    assert seat.kinds() == ["accept"]


def test_with_buttons_alone(sit, page):
    seat = sit()
    first = seat.component
    page.locator(".pv-pick").first.click()
    seat.click("drop")
    page.locator(".pv-cell").nth(1).click()
    seat.answered()
    page.locator(".pv-set button").first.click()
    seat.answered()
    for deed in ("label error", "model mistake"):
        seat.click(deed)
        pressed = page.locator(f"[data-deed='{deed}']").get_attribute("aria-pressed")
        assert pressed == "mixed"  # not of what was dropped
    page.locator(".pv-settle").first.click()
    seat.answered()
    seat.settle()
    assert seat.component != first  # its last contested head was settled
    seat.click("good")
    assert seat.component == ""
    seat.click("back")
    seat.click("back")
    assert seat.component == first
    seat.click("undo")
    seat.click("redo")
    seat.click("skip")
    assert seat.component != first
    page.get_by_role("button", name="Write corrected labels").click()
    page.get_by_text("Saved: written: corrected_labels.csv").wait_for()


def test_the_keys_work_after_a_click(sit):
    seat = sit()
    first = seat.component
    seat.page.locator(".pv-pick").first.click()
    seat.press("1")
    assert seat.chosen() == 0
    seat.press("Enter")
    assert seat.component != first


def test_one_sees_whether_the_keys_come_here(sit, page):
    seat = sit()
    line = page.get_by_role("button", name="click here to use the keys")
    border = "(root) => getComputedStyle(root).borderTopColor"
    assert not line.is_visible()
    with_focus = page.locator(".pv-curator").evaluate(border)
    page.evaluate("document.activeElement.blur()")
    assert line.is_visible()
    assert page.locator(".pv-curator").evaluate(border) != with_focus
    line.click()
    assert not line.is_visible()
    seat.press("1")
    assert seat.chosen() == 1


@pytest.mark.parametrize(
    ("around", "taken"),
    [
        ("", True),
        ("<div class='jp-Notebook' tabindex=-1 data-now></div>", True),
        ("<input data-now>", False),
        ("<div contenteditable=true data-now></div>", False),
        ("<div class='jp-OutputArea'><div tabindex=0 data-now></div></div>", False),
        ("<div style='height: 2000px'></div>", False),  # nothing of it is seen
    ],
)
def test_it_takes_the_keys_from_nobody(sit, page, around, taken):
    place = f"document.body.insertAdjacentHTML('afterbegin', `{around}`);"
    focus = "document.querySelector('[data-now]')?.focus();"
    sit(changes={"class View {": place + focus + "\nclass View {"}, focus=False)
    assert page.evaluate("document.activeElement.matches('.pv-curator')") == taken


def test_blind_is_said_large(sit, page):
    queue = pd.DataFrame({"component_id": [0], "probability": [0.5]})
    sit(blind=True, queue=queue, name="b")
    assert page.locator(".pv-case .pv-badge").inner_text() == "blind"


def test_many_pictures_are_chosen_at_once(sit, page):
    seat = sit()
    picks = page.locator(".pv-pick")
    count = picks.count()
    pressed = "all => all.flatMap((one, place) => (one.ariaPressed === 'true' ? [place] : []))"
    top = picks.first.bounding_box()
    picks.nth(2).click()
    picks.nth(5).click(modifiers=["Shift"])
    assert picks.evaluate_all(pressed) == [2, 3, 4, 5]
    assert picks.first.bounding_box() == top  # nothing moves
    seat.press("i")
    assert picks.evaluate_all(pressed) == [n for n in range(count) if n not in (2, 3, 4, 5)]
    seat.press("Escape", "1", "d", "Control+a")
    assert picks.evaluate_all(pressed) == list(range(1, count))  # not what is dropped
    seat.press("w")
    states = page.locator(".pv-cell").evaluate_all("all => all.map((one) => one.dataset.state)")
    yes = [place for place, state in enumerate(states) if state == "y" and place]
    assert picks.evaluate_all(pressed) == yes
    assert 0 < len(yes) < count - 1
    for name, wanted in (("All", count - 1), ("None", 0), ("The rest", count - 1)):
        page.get_by_role("button", name=name, exact=True).click()
        assert seat.chosen() == wanted
    seat.press("e")
    assert seat.chosen() == count - 1  # a remark may be one of several
    seat.press("g")
    assert seat.chosen() == 0


def test_nothing_moves(sit, page):
    page.set_viewport_size({"width": 1100, "height": 900})
    seat = sit()
    first = page.locator(".pv-pick").first
    height = page.locator(".pv-curator").bounding_box()["height"]
    place = first.bounding_box()
    for key in ("d", "e", "1", "m", "Escape", "p", "Escape", "?", "?"):
        seat.press(key)
        assert first.bounding_box() == place, key
    assert "touched by Ada" in page.locator(".pv-case").inner_text()
    seat.press("ArrowRight", "u")
    assert page.locator(".pv-case").inner_text() == "end of the queue"
    assert page.get_by_role("button", name="Go through the one that was skipped").is_visible()
    assert page.locator(".pv-curator").bounding_box()["height"] == height
    seat.press("Enter", "1", "o", "y")
    assert seat.kinds() == ["mark", "mark", "mark"]


def test_the_keys_are_told_over_the_pictures(sit, page):
    page.set_viewport_size({"width": 700, "height": 700})
    seat = sit()
    seat.press("?")
    assert "Fix: give the label" in page.locator(".pv-keys").inner_text()
    box, stage = (page.locator(one).bounding_box() for one in (".pv-keys", ".pv-stage"))
    assert box == stage
    wide = "(keys) => keys.scrollWidth > keys.clientWidth"
    assert not page.locator(".pv-keys").evaluate(wide)
    seat.press("Escape")
    assert not page.locator(".pv-keys").is_visible()


def test_a_mark_looks_like_no_act(sit, page):
    seat = sit()
    seat.press("e")
    colours = [
        page.locator(f"[data-deed='{deed}']").evaluate("(one) => see.colours(one)[1].join()")
        for deed in ("accept", "label error", "model mistake")
    ]
    assert len(set(colours)) == 3


@pytest.mark.parametrize("height", [600, 800, 1200])
def test_it_is_no_higher_than_the_room(sit, page, height):
    page.set_viewport_size({"width": 1100, "height": height})
    sit()
    box = page.locator(".pv-curator").bounding_box()
    assert box["height"] <= height - 150
    assert page.evaluate(CUT) == 0
    assert page.locator(".pv-foot").last.bounding_box()["y"] + 20 <= box["y"] + box["height"]


def test_a_note_is_typed_in_peace(sit, page):
    seat = sit()
    first = seat.component
    seat.press("t")
    page.keyboard.type("bag? <b>green</b>")
    assert seat.kinds() == []
    page.keyboard.press("Enter")
    seat.answered()
    seat.settle()
    assert seat.kinds() == ["note"]
    assert seat.component == first
    assert page.locator(".pv-case .pv-note").inner_text() == "bag? <b>green</b>"
    seat.press("t")
    page.keyboard.type("never mind")
    page.keyboard.press("Escape")
    assert page.locator("input[aria-label=note]").input_value() == "bag? <b>green</b>"
    assert seat.kinds() == ["note"]


def test_nothing_is_shown_as_saved_before_it_is(sit, page):
    seat = sit(changes={"PATIENCE_MS = 15_000": "PATIENCE_MS = 50"})
    first = seat.component
    seat.press("d")  # a refusal, which must not stand before what follows
    page.evaluate("window.model.silent = true")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")  # what one cannot see yet is not decided
    page.get_by_text("What is not shown as saved is not saved").wait_for()
    assert seat.component == first
    assert "Saved" not in seat.status
    page.evaluate("window.model.speak()")
    seat.settle()
    assert seat.component != first
    assert seat.status.startswith("Saved")
    assert seat.kinds() == ["accept"]


def test_a_kernel_that_was_restarted_is_told(sit, page):
    seat = sit()
    page.evaluate("() => { window.model.send = () => { throw new Error('Cannot send') } }")
    seat.press("Enter")
    assert "run the cell again" in seat.problem
    assert "Cannot send" not in page.locator(".pv-curator").inner_text()


def test_a_key_that_is_held_down_decides_once(sit, page):
    seat = sit()
    first = seat.component
    page.keyboard.down("Enter")
    for _ in range(8):
        page.keyboard.down("Enter")  # the browser's own repeats
        seat.answered()
    page.keyboard.up("Enter")
    seat.settle()
    assert seat.kinds() == ["accept"]
    assert seat.component != first
    seat.press("Shift+Enter")
    assert seat.kinds() == ["accept"]


def test_a_double_tap_decides_once(sit, page):
    seat = sit(changes={"LOOK_MS = 200": "LOOK_MS = 2000"})
    first = seat.component
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('.pv-curator').dataset.place === '1'")
    page.wait_for_selector(".pv-curator[data-pending='0']:not([data-busy])")
    page.keyboard.press("Enter")
    page.locator("[data-deed=good]").click()
    page.locator(".pv-set button").first.click()
    seat.settle()
    assert seat.kinds() == ["accept"]
    page.keyboard.press("z")  # what one did oneself one may take back at once
    page.wait_for_function("document.querySelector('.pv-curator').dataset.place === '0'")
    seat.settle()
    seat.press("Enter")
    assert seat.kinds() == ["accept", "undo", "accept"]
    assert seat.component != first


def test_nothing_is_decided_without_pictures(sit, page):
    late = "this.asking = false;\n    this.closed = false;"
    waits = {late: late + "\n    window.held = this;\n    this.asking = true;"}
    seat = sit(changes=waits, ready=".pv-curator[data-answers]:not([data-busy])")
    page.keyboard.press("g")
    assert "not there yet" in seat.problem
    page.evaluate("() => { held.asking = false; held.pump() }")
    seat.settle()
    assert seat.problem == ""
    seat.press("g")
    assert seat.kinds() == ["mark"]


def test_a_note_is_written_before_the_click_that_ends_it(sit, page):
    seat = sit()
    seat.press("t")
    page.keyboard.type("green bag")
    page.locator("[data-deed='good']").click()
    page.wait_for_function("() => document.querySelector('.pv-curator').dataset.place === '1'")
    assert seat.kinds() == ["note", "mark"]


def test_a_note_that_is_being_typed_stays(sit, page):
    seat = sit()
    page.evaluate("window.model.silent = true")
    page.keyboard.press("e")
    page.keyboard.press("t")
    page.keyboard.type("green bag")
    page.evaluate("window.model.speak()")
    seat.settle()
    assert page.locator("input[aria-label=note]").input_value() == "green bag"


def test_the_keys_go_on_after_a_button_was_pressed_by_key(sit, page):
    seat = sit()
    page.locator(".pv-set button").first.focus()
    page.keyboard.press("Enter")
    seat.answered()
    seat.settle()
    before = len(seat.kinds())
    seat.press("e")
    assert len(seat.kinds()) == before + 1


def test_a_choice_outlives_a_key_that_came_too_early(sit, page):
    seat = sit()
    page.keyboard.press("4")
    page.evaluate("window.model.silent = true")
    page.keyboard.press("e")
    page.keyboard.press("d")
    page.evaluate("window.model.speak()")
    seat.settle()
    assert seat.chosen() == 1
    assert "drop" not in seat.kinds()


def test_what_could_not_be_written_is_told(sit, page):
    seat = sit()
    first = seat.component
    path = seat.widget._desk.log.path
    path.rename(path.with_suffix(".away"))
    seat.press("Enter")
    assert seat.component == first
    assert "not there" in seat.problem
    path.with_suffix(".away").rename(path)
    seat.press("Enter")
    assert seat.component != first
    assert not page.locator("[role=alert]").is_visible()


def test_the_next_pictures_are_there_already(sit, page):
    seat = sit()
    page.wait_for_function("() => window.model.open === 0")
    asked = len(seat.messages("thumbnails"))
    seat.press("Enter")
    assert page.locator(".pv-pick img").count() == page.locator("figure").count()
    assert len(seat.messages("thumbnails")) <= asked + 1


def of(*components):
    return pd.DataFrame({"component_id": components})


def test_what_is_likely_wrong_is_told_with_the_reason(sit, page, imageset):
    sit(queue=of(0), doubts=doubts_of(imageset))
    hat = page.locator(".pv-label[data-label=hat]")
    now, other = ("yes", "no") if imageset.labels["hat"].iloc[1] else ("no", "yes")
    first, second = hat.locator(".pv-doubt").all()
    assert first.locator(".pv-doubt-words").inner_text().split("\n") == [
        f"image 2: {now}, 95% likely wrong, rather {other}",
        "none of 3 near-copies have it",
    ]
    assert f"images 4, 6: {now}, 80–90% likely wrong, rather {other}" in second.inner_text()
    bag = page.locator(".pv-label[data-label=bag]").inner_text()
    assert "all 14 images: " in bag
    assert hat.get_attribute("aria-current") == "true"
    doubted = "all => all.flatMap((one, place) => (one.dataset.doubted === '' ? [place] : []))"
    assert page.locator(".pv-cell").evaluate_all(doubted) == [1, 3, 5]
    assert page.locator(".pv-label kbd:visible").count() == 1
    assert page.evaluate("see.nameless()") == []


def test_fixing_with_the_key_and_the_button(sit, page, imageset):
    seat = sit(queue=of(0, 12), doubts=doubts_of(imageset))
    left = page.locator(".pv-doubt:not([data-decided])")
    seat.press("f")
    assert seat.kinds() == ["relabel"]
    curated = seat.widget.decisions.apply(imageset).labels["hat"]
    changed = [i for i in range(14) if curated.iloc[i] != imageset.labels["hat"].iloc[i]]
    assert changed == [1]
    assert left.count() == 2
    assert page.locator(".pv-doubt[data-decided]").inner_text().startswith("✓ image 2: ")
    seat.press("z")
    assert left.count() == 3
    page.locator(".pv-fix").nth(1).click()
    seat.answered()
    seat.settle()
    assert left.count() == 2
    seat.press("f")  # the other one of hat
    assert page.locator(".pv-label[aria-current]").get_attribute("data-label") == "bag"
    assert "No label is contested; one is likely wrong." in page.locator(".pv-panel").inner_text()
    seat.press("f")
    assert seat.component == "12"  # nothing was left to be decided


def test_the_key_first_leads_to_what_is_doubted(sit, page, imageset):
    seat = sit(queue=of(12, 13), doubts=doubts_of(imageset))
    current = page.locator(".pv-label[aria-current]")
    assert current.get_attribute("data-label") == "ageOld"
    seat.press("ArrowDown", "f")
    assert current.get_attribute("data-label") == "ageOld"
    assert seat.kinds() == []
    seat.press("f")
    assert seat.component == "13"
    seat.press("f")
    assert "no label is doubted here" in seat.problem
    seat.press("ArrowLeft")
    assert page.locator(".pv-doubt").inner_text() == "✓ this image: yes"
    assert "settled" in page.locator(".pv-by").first.get_attribute("title")
    seat.press("z")
    assert page.locator(".pv-doubt:not([data-decided])").count() == 1


def test_the_rest_of_what_is_doubted_is_counted(sit, page, imageset, monkeypatch):
    monkeypatch.setattr("peta_viz.widgets.doubts.FEW", 1)
    seat = sit(queue=of(0), doubts=doubts_of(imageset))
    assert "and 1 more, which come when these are decided" in page.locator(".pv-panel").inner_text()
    seat.press("f", "f")
    assert "more, which" not in page.locator(".pv-panel").inner_text()
    assert page.locator(".pv-label[data-label=bag] .pv-fix").count() == 1


def test_blind_shows_no_doubt(sit, page, imageset):
    queue = of(0, 12).assign(probability=0.5)
    seat = sit(blind=True, queue=queue, name="b", doubts=doubts_of(imageset))
    assert page.locator(".pv-doubt, [data-doubted]").count() == 0
    seat.press("f")
    assert seat.kinds() == []


@pytest.mark.parametrize("width", [420, 700, 1000])
def test_doubts_fit_where_there_is_little_room(sit, page, imageset, width):
    page.set_viewport_size({"width": width, "height": 900})
    long = f"{'x' * 60}; in place of {'y' * 60}"
    sit(queue=of(0), doubts=doubts_of(imageset, long))
    for part in (".pv-labels-list", ".pv-doubt", ".pv-doubt-words", ".pv-reason"):
        wide = "all => all.filter((one) => one.scrollWidth > one.clientWidth + 1).length"
        assert page.locator(part).evaluate_all(wide) == 0, part
    button = page.locator(".pv-fix").first.bounding_box()
    assert button["x"] + button["width"] <= width


def test_text_from_data_is_text(sit, page, imageset):
    evil = '<img src=x onerror="document.body.dataset.hacked=1">'
    images = imageset.images.rename(index={imageset.images.index[0]: evil})
    labels, known = (
        frame.set_axis(images.index).rename(columns={"hat": evil})
        for frame in (imageset.labels, imageset.known)
    )
    heads = tuple(
        type(head)(
            evil if head.name == "clothes" else head.name,
            tuple(evil if n == "hat" else n for n in head.labels),
            head.kind,
        )
        for head in imageset.heads
    )
    hostile = type(imageset)(images.assign(subset=evil), labels, known, heads)
    doubts = doubts_of(imageset, evil)
    doubts = doubts.replace({"label": {"hat": evil}, "image_id": {imageset.images.index[0]: evil}})
    queue = pd.DataFrame({"component_id": [0, 12]})
    seat = sit(imageset=hostile, person=evil, pairs=None, name=evil, doubts=doubts, queue=queue)
    assert evil in page.locator(".pv-doubt .pv-reason").all_inner_texts()
    seat.press("t")
    page.keyboard.type(evil)
    page.keyboard.press("Enter")
    seat.answered()
    seat.press("?", "ArrowRight", "ArrowLeft")
    assert page.evaluate("document.body.dataset.hacked") is None
    assert page.locator("img[src=x]").count() == 0


def test_an_image_that_is_gone_is_a_box(sit, page, imageset):
    for path in imageset.images["path"].iloc[:2]:
        Path(path).write_bytes(b"")
    sit()
    page.locator(".pv-pick .pv-missing").first.wait_for()


@pytest.mark.parametrize("light", [True, False])
def test_words_can_be_read(sit, page, imageset, light):
    sit(light=light, queue=of(0), doubts=doubts_of(imageset))

    def brightness(colour):
        parts = [c / 255 for c in colour[:3]]
        parts = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    for selector in (
        ".pv-case b",
        ".pv-case .pv-figure",
        ".pv-name",
        ".pv-cell",
        ".pv-doubt b",
        ".pv-reason",
        ".pv-fix",
        "[data-deed=accept]",
        ".pv-progress + * .pv-button",
    ):
        element = page.locator(selector).first.element_handle()
        text, back = page.evaluate("(element) => see.colours(element)", element)
        one, two = sorted([brightness(text), brightness(back)])
        assert (two + 0.05) / (one + 0.05) >= 4.5, selector
