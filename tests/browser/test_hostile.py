"""Text from data is shown as text, and what is no proper image is shown or says why not."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from peta_viz import ImageLoader
from peta_viz.imageset import Head
from peta_viz.widgets.confusion import ConfusionMatrix
from peta_viz.widgets.gallery import Gallery
from tests.browser import scenes
from tests.browser.stub import Stub

HIT = "window.hit=1"
HOSTILE = {
    "script": f"<script>{HIT}</script>",
    "image": f"<img src=x onerror={HIT}>",
    "quotes": f'"\'`> onload="{HIT}" x=\'y',
    "style": "</style></title></script><b>bold</b>",
    "emoji": "👩🏽‍🚒🏳️‍🌈 é",
    "arabic": "\u202eسلام\u202c שלום",
    "long": "very long " * 1_000,
    "newlines": "one\ntwo\r\nthree\ttab",
    "template": "{{ 7 * 7 }} ${7*7} {% raw %} &lt;i&gt;",
    "css": "}} * { display: none } /* url(x)",
}


def _clean(page):
    assert page.evaluate("window.hit") is None
    assert page.complaints == []
    assert [url for url in page.requests if not url.startswith(("blob:", "data:", "file:"))] == []


def _scene(folder, text, *, named=False):
    """An image set in which everything that can be text is this one; component ids if `named`."""
    heads = (
        Head(f"{text}age", (f"{text}young", f"{text}old"), "exclusive"),
        Head(f"{text}clothes", (f"{text}hat", f"{text}bag")),
    )
    count = 8
    folder = folder / "pictures"
    paths = scenes.pictures(folder, count)
    paths[3] = str(folder / f"{text[:60].replace('/', '_')}.png")  # which is missing
    components = [f"{text}c{number // 2}" if named else number // 2 for number in range(count)]
    labels = np.array([[n < 4, n >= 4, n % 2 == 0, n == 1] for n in range(count)])
    imageset = scenes.image_set(
        paths,
        components,
        labels,
        heads=heads,
        image_id=[f"{text}id{n}" for n in range(count)],
        subset=[f"{text}s{n % 2}" for n in range(count)],
        person_id=text,
    )
    return imageset.with_columns(**{f"{text}column": [f"{text}cell"] * count})


def _components(imageset, text):
    ids = pd.Index(sorted(imageset.images["component_id"].unique()), name="component_id")
    flags = {f"is_bad_component_{text}flag": True, "disagreement": 0.5, f"{text}measure": 0.1}
    return pd.DataFrame({"size": 2, **flags}, index=ids)


def _squash(text):
    """Without line breaks, and without the sign that stands for what cannot be printed."""
    return " ".join(text.replace("\ufffd", " ").split())


def _text_of(page, selector):
    return _squash(" ".join(page.locator(selector).all_text_contents()))


@pytest.fixture(params=HOSTILE)
def text(request):
    return HOSTILE[request.param]


def _fits(page, root):
    """Nothing sticks out of the page, and rows lie one below the other."""
    width = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(f"document.querySelector('{root}').scrollWidth") <= width


def test_text_in_the_gallery(page, tmp_path, text):
    imageset = _scene(tmp_path, text, named=True)
    ids = list(imageset.images.index)
    gallery = Gallery(
        imageset,
        _components(imageset, text),
        pairs=pd.DataFrame({"first": ids[::2], "second": ids[1::2], "similarity": 0.9}),
        threshold=0.8,
        notes=dict.fromkeys(imageset.images["component_id"], f"{text}note"),
        title=f"{text}title",
    )
    stub = Stub(page, gallery)
    stub.settle()
    shown = _text_of(page, ".pv-viewport")
    for what in ["c0", "note", "flag", "hat", "bag"]:
        assert _squash(text + what) in shown
    assert _squash(f"{text}title") in _text_of(page, ".pv-headline")
    tall = page.locator(".pv-item").first.bounding_box()["height"]
    assert tall == 112 + 46
    head = page.locator(".pv-head").first.bounding_box()
    size = page.get_by_text("2 images", exact=True).first.bounding_box()
    assert size["x"] + size["width"] < head["x"] + head["width"]
    chips = page.locator(".pv-labels").first
    assert chips.evaluate(
        "(e) => [...e.children].every((c) => c.offsetTop + c.offsetHeight <= e.clientHeight)"
    )
    _fits(page, ".pv-gallery")

    page.locator(".pv-frame").first.click()
    page.wait_for_selector(".pv-large[data-row]")
    side = _text_of(page, ".pv-large-side")
    for what in ["flag", "hat", "note", "column", "cell", "s0"]:
        assert _squash(text + what) in side
    assert _squash(f"{text}id0") in _text_of(page, ".pv-large-title")
    picture = page.locator(".pv-large-picture").bounding_box()
    assert picture["height"] > 300
    assert page.locator(".pv-large").evaluate("(e) => e.scrollWidth <= e.clientWidth")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Escape")

    for view in ["images", "pairs"]:
        with stub.renewed():
            gallery.view = view
            stub.push()
        _fits(page, ".pv-gallery")
    with stub.renewed():
        gallery.view = "components"
        gallery.threshold = 0.95
        stub.push()
    assert "of the 2 images of" in _text_of(page, ".pv-note")
    _clean(page)


def test_hostile_values_work_in_the_controls(page, tmp_path, text):
    imageset = _scene(tmp_path, text)
    gallery = Gallery(
        imageset,
        _components(imageset, text),
        predictions=scenes.predictions_of(imageset, names=(f"{text}A",)),
    )
    stub = Stub(page, gallery)
    stub.settle()
    for label, value in [
        ("subset", f"{text}s1"),
        ("flag of the component", f"is_bad_component_{text}flag"),
        ("result of an experiment", f"{text}A right"),
        ("sort by", f"{text}measure"),
    ]:
        with stub.renewed():
            page.get_by_label(label, exact=True).select_option(index=1 + _place(page, label, value))
    assert gallery.subset == f"{text}s1"
    assert gallery.flag == f"is_bad_component_{text}flag"
    assert gallery.result == f"{text}A right"
    assert gallery.sort_by == f"{text}measure"
    with stub.renewed():
        page.get_by_role("button", name="Clear filters").first.click()
    with stub.renewed():
        page.get_by_label("label", exact=True).fill(
            f"{text}hat".replace("\n", "").replace("\r", "")
        )
    assert gallery.label == f"{text}hat"
    page.get_by_label("query over columns and labels").fill(text)
    page.wait_for_selector(".pv-problem:visible")
    _fits(page, ".pv-gallery")
    assert page.locator(".pv-viewport").bounding_box()["height"] == 640
    _clean(page)


def _place(page, label, value):
    values = (
        page.get_by_label(label, exact=True)
        .locator("option")
        .evaluate_all("(all) => all.map((one) => one.value)")
    )
    return values.index(value) - 1


def test_text_in_the_matrix(page, tmp_path, text):
    imageset = _scene(tmp_path, text)
    predictions = scenes.predictions_of(imageset, names=(f"{text}A", f"{text}B"))
    matrix = ConfusionMatrix(imageset, predictions, component_size="all")
    stub = Stub(page, matrix.grid)
    page.wait_for_selector(".pv-cell")
    for head in imageset.heads:
        page.get_by_label("head", exact=True).select_option(index=imageset.heads.index(head))
        stub.answered()
        assert matrix.head == head.name
        page.locator(".pv-cell").first.click()
        stub.answered()
        assert matrix.cell
        _fits(page, ".pv-matrix")
    assert _squash(f"{text}hat") in _text_of(page, ".pv-card h4")
    assert page.locator(".pv-card").first.bounding_box()["height"] < 300
    page.get_by_label("experiment that is subtracted").select_option(index=2)
    stub.answered()
    assert matrix.against == f"{text}B"
    _clean(page)


def _stills(folder, text):
    imageset = _scene(folder, text, named=True)
    components = _components(imageset, text)
    notes = dict.fromkeys(components.index, f"{text}note")
    gallery = Gallery(imageset, components, notes=notes, title=f"{text}title")
    yield "components", gallery.still().html, ["c0", "note", "flag", "hat", "title"]
    gallery.view = "images"
    yield "images", gallery.still().html, ["id0"]
    imageset = _scene(folder, text)
    predictions = scenes.predictions_of(imageset, names=(f"{text}A", f"{text}B"))
    matrix = ConfusionMatrix(imageset, predictions, component_size="all")
    yield "matrix", matrix.still().html, ["A", "hat", "clothes"]
    path = imageset.images["path"].iloc[0]
    yield "loader", ImageLoader(path, name=text)._repr_html_(), []
    yield "broken loader", ImageLoader(str(path) + "x", name=text)._repr_html_(), [""]
    frame = imageset.images.assign(path=imageset.images.viz.load("path"))
    yield "frame", frame.viz.render().html, ["column", "cell"]


def test_text_in_what_stays_without_a_kernel(page, tmp_path, text):
    for what, html, texts in _stills(tmp_path, text):
        page.set_content(f"<!DOCTYPE html><html><body>{html}<p id='after'>after</p></body></html>")
        page.wait_for_function("[...document.images].every((image) => image.complete)")
        shown = _squash(page.evaluate("document.body.textContent"))
        for one in texts:
            start = _squash(text + one) if len(text) < 400 else _squash(text)[:400]
            assert start in shown, (what, one)
        assert page.locator("#after").is_visible(), what
        assert page.locator("b:text-is('bold')").count() == 0, what
        _clean(page)


# Images.

ODD = {
    "truncated.jpg": "Truncated",
    "empty.jpg": "empty",
    "missing.jpg": "does not exist",
    "folder.jpg": "folder",
    "drawing.jpg": "not an image",
    "page.jpg": "not an image",
    "cmyk.jpg": None,
    "grey16.png": None,
    "palette.png": None,
    "animated.gif": None,
    "wide.png": None,
    "tall.png": None,
    "turned.jpg": None,
}


def _write_odd(folder):
    red = Image.new("RGB", (40, 80), "red")
    red.save(folder / "truncated.jpg")
    data = (folder / "truncated.jpg").read_bytes()
    (folder / "truncated.jpg").write_bytes(data[: len(data) // 2])
    (folder / "empty.jpg").touch()
    (folder / "folder.jpg").mkdir()
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" onload="{HIT}"><script>{HIT}</script></svg>'
    (folder / "drawing.jpg").write_text(svg)
    (folder / "page.jpg").write_text(f"<!DOCTYPE html><script>{HIT}</script>")
    Image.new("CMYK", (40, 80), (0, 200, 200, 0)).save(folder / "cmyk.jpg")
    grey = np.linspace(0, 65535, 80 * 40).reshape(80, 40).astype(np.uint16)
    Image.fromarray(grey).save(folder / "grey16.png")
    palette = Image.new("P", (40, 80), 1)
    palette.putpalette([255, 255, 255, 200, 0, 0])
    palette.save(folder / "palette.png", transparency=0)
    frames = [Image.new("RGB", (40, 80), colour) for colour in ("red", "blue")]
    frames[0].save(folder / "animated.gif", save_all=True, append_images=frames[1:])
    Image.new("RGB", (20_000, 1), "red").save(folder / "wide.png")
    Image.new("RGB", (1, 20_000), "red").save(folder / "tall.png")
    turned = Image.new("RGB", (80, 40), "red")
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(folder / "turned.jpg", exif=exif)


@pytest.fixture
def odd(tmp_path):
    _write_odd(tmp_path)
    sizes = {"wide.png": (20_000, 1), "tall.png": (1, 20_000)}
    width, height = zip(*[sizes.get(name, (40, 80)) for name in ODD], strict=True)
    return scenes.image_set(
        [str(tmp_path / name) for name in ODD],
        list(range(len(ODD))),
        image_id=list(ODD),
        width=list(width),
        height=list(height),
    )


def test_odd_images_are_shown_or_say_why_not(page, odd):
    gallery = Gallery(odd, view="images", sort_by="")
    stub = Stub(page, gallery)
    stub.settle()
    for name, reason in ODD.items():
        frame = page.locator(f".pv-frame[data-id='{name}']")
        if reason:
            assert reason in frame.locator(".pv-missing").inner_text(), name
        else:
            _seen(frame.locator("img"), name)
        frame.click()
        row = list(ODD).index(name)
        page.wait_for_selector(f".pv-large[open][data-row='{row}']:not([data-waiting])")
        large = page.locator(".pv-large-picture")
        if reason:
            assert reason in large.locator(".pv-missing").inner_text(), name
        else:
            _seen(large.locator("img"), name)
        page.keyboard.press("Escape")
        page.wait_for_selector(".pv-large:not([open])", state="attached")
    _clean(page)


def _seen(img, name):
    """The picture has come, and no side of it is less than a pixel on screen."""
    shown = img.evaluate("see.size")
    assert min(shown) >= 1, (name, shown)
    if name == "turned.jpg":
        assert shown[0] < shown[1]


def test_odd_images_in_what_stays_without_a_kernel(page, odd):
    for view in ["components", "images"]:
        html = Gallery(odd, view=view, sort_by="").still(most=len(ODD)).html
        page.set_content(html)
        page.wait_for_function("[...document.images].every((image) => image.complete)")
        assert page.locator("img").count() == sum(reason is None for reason in ODD.values())
        shown = page.evaluate("document.body.textContent")
        for reason in filter(None, ODD.values()):
            assert reason in shown
        _clean(page)
