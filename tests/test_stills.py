import pytest

from peta_viz.agreement import Flag, flag_components, measure_components
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


def test_nothing_to_show_is_said(imageset, components):
    assert "no such component" in show_components(imageset, components.head(0)).html
