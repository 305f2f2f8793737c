import threading
import time

import pytest

from peta_viz import stills
from peta_viz.agreement import Flag, flag_components, measure_components
from peta_viz.errors import UnreadableImageError
from peta_viz.loader import ImageLoader
from peta_viz.stills import show_components, show_images

EVIL = """<script>alert("1")</script>'&"""


@pytest.fixture
def imageset(make_set, write_image, tmp_path):
    paths = [str(write_image(f"{n}.png", seed=n)) for n in range(6)]
    (tmp_path / "1.png").write_bytes(b"")
    rows = {f"{EVIL} {n}": "x y" if n != 4 else "x" for n in range(6)}
    return make_set(rows, components=[0, 0, 0, 1, 1, 2], path=paths, subset="<b>")


@pytest.fixture
def components(imageset):
    return flag_components(measure_components(imageset), Flag(absolute=0.1))


def test_pictures_counts_flags_and_reasons(imageset, components):
    html = show_components(imageset, components).html
    assert html.count('<img src="data:image/jpeg;base64,') == 5
    assert "the file is empty" in html
    assert "y 1/2" in html
    assert html.count("all labels agree") == 2
    assert html.count("disagreement_abs0.10") == 1


def test_text_from_data_is_never_markup(imageset, components):
    labels = imageset.labels.rename(columns={"y": EVIL})
    known = imageset.known.rename(columns={"y": EVIL})
    evil = type(imageset)(imageset.images, labels, known, ())
    pages = [
        show_components(evil, components).html,
        show_images(evil, [EVIL] * 6).html,
    ]
    for html in pages:
        assert "<script" not in html
        assert "&lt;script&gt;alert(&#34;1&#34;)" in html


def test_it_says_what_it_leaves_out(imageset, components):
    html = show_components(imageset, components, most_components=1, most_images=2).html
    assert "and 1 more" in html
    assert "2 more components are not shown" in html
    short = show_components(imageset, components, byte_budget=1).html
    assert short.count("<img") == 1


def test_of_what_was_not_measured_nothing_is_said(imageset, components):
    assert "disagreement" in show_components(imageset, components[["disagreement"]]).html
    for unmeasured in (components[[]], components[["disagreement"]] * float("nan")):
        html = show_components(imageset, unmeasured).html
        assert html.count("<img") > 0
        assert "disagreement" not in html


def test_nothing_to_show_is_said(imageset, components):
    assert "no component to show" in show_components(imageset, components.head(0)).html


def test_servers_that_do_not_answer_do_not_hold_it_up(make_set, write_image, monkeypatch):
    monkeypatch.setattr(stills, "_PATIENCE_S", 0.3)
    let_go = threading.Event()
    jpeg = stills.ImageLoader.jpeg

    def slow(self, px):
        if "dead" in self.name:
            let_go.wait(10)
            raise UnreadableImageError(self.name, "no answer")
        if self.is_remote:
            return jpeg(ImageLoader(str(local)), px)
        return jpeg(self, px)

    monkeypatch.setattr(stills.ImageLoader, "jpeg", slow)
    local = write_image()
    paths = [str(local), *(f"http://dead/{n}.png" for n in range(6)), "http://alive/a.png"]
    imageset = make_set({str(n): "x" for n in range(8)}, components=[0] * 8, path=paths)
    started = time.monotonic()
    html = show_components(imageset, measure_components(imageset)).html
    assert time.monotonic() - started < 5
    assert html.count("<img") == 2
    assert html.count("it did not come within 0.3 s") == 6
    images = show_images(imageset, [""] * 8).html
    assert images.count("<img") == 2
    let_go.set()
