import re

import numpy as np
import pytest

from peta_viz.imageset import Head, ImageSet
from peta_viz.widgets.matrices import Cell, Matrices, Question
from peta_viz.widgets.matrix_stills import show_confusion
from tests.widgets.conftest import EVIL, HEADS, predict

ASKED = Question("A", "worn", component_size="all")


@pytest.fixture
def imageset(random_set, write_image, tmp_path):
    """Forty images of real files, three of them unreadable."""
    found = random_set(3, count=40, components=15)
    paths = [str(write_image(f"{n}.png", seed=n)) for n in range(40)]
    for n in (0, 1, 2):
        (tmp_path / f"{n}.png").write_bytes(b"")
    return found.with_columns(path=paths)


@pytest.fixture
def matrices(imageset):
    return Matrices(imageset, predict(imageset, 3))


def anchors(html):
    return re.findall(r'href="#(pv-[^"]+)"', html)


def pictures(html):
    return re.findall(r"background-image: url\((data:image/jpeg;base64,[^)]+)\)", html)


@pytest.mark.parametrize("question", [ASKED, Question("A", "colour", against="B", rates=True)])
def test_every_cell_leads_to_something_that_is_there(imageset, matrices, question):
    html = show_confusion(imageset, matrices, question).html
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert set(anchors(html)) <= set(ids)
    assert len(set(anchors(html))) > 5
    there = set(imageset.images["component_id"])
    for head in matrices.heads.values():
        asked = Question(**(vars(question) | {"head": head.name}))
        for matrix in matrices.matrices(asked):
            for true in matrix.names:
                for said in matrix.names:
                    members = matrices.members(asked, Cell(matrix.label, true, said))
                    count = len(there & set(members.index))
                    title = f"{matrix.label}: " * bool(matrix.label)
                    title += f"true {true}, predicted {said}: "
                    cells = re.findall(rf'<a ([^>]*)title="{title}', html)
                    assert len(cells) == 1
                    assert ("href" in cells[0]) == (count > 0)


def test_the_head_asked_about_is_first_and_open(imageset, matrices):
    html = show_confusion(imageset, matrices, ASKED).html
    assert re.findall(r"<details (open)?><summary>(\w+)", html) == [
        ("open", "worn"),
        ("", "colour"),
    ]


def test_each_picture_is_there_once(imageset, matrices):
    html = show_confusion(imageset, matrices, ASKED).html
    found = pictures(html)
    assert 3 < len(found) == len(set(found)) <= 15
    for name in re.findall(r'<i class="(pv-[^"]+)"', html):
        assert name == "pv-none" or f".{name} " in html
    assert "picture left out" not in html
    assert "were left out" not in html
    assert "data:" not in re.sub(r"url\(data:", "", html)


def test_what_cannot_be_read_says_why_in_every_cell(imageset, matrices):
    whole = imageset.with_columns(path="/nowhere/<b>.png")
    html = show_confusion(whole, matrices, ASKED).html
    assert not pictures(html)
    boxes = re.findall(r'<i class="pv-none"[^>]*>([^<]*)</i>', html)
    assert boxes
    assert set(boxes) == {"the file does not exist"}
    assert "were left out" not in html


def test_the_budget_is_kept_and_what_is_left_out_is_said(imageset, matrices):
    without = show_confusion(imageset, matrices, ASKED, byte_budget=0).html
    assert not pictures(without)
    bare = len(without.encode())
    every = len(pictures(show_confusion(imageset, matrices, ASKED).html))
    before = 0
    for budget in (bare, bare + 3_000, bare + 6_000, bare + 10_000):
        html = show_confusion(imageset, matrices, ASKED, byte_budget=budget).html
        assert len(html.encode()) <= budget + 200
        number = len(pictures(html))
        assert before <= number <= every
        before = number
        left_out = [int(n) for n in re.findall(r"(\d+) pictures were left out", html)] or [0]
        assert every <= number + left_out[0] <= every + 3  # of three nobody can tell yet
        assert ("picture left out" in html) == (number < every)
    assert before > 0


def test_wrong_predictions_get_their_pictures_first(imageset, matrices):
    bare = len(show_confusion(imageset, matrices, ASKED, byte_budget=0).html.encode())
    html = show_confusion(imageset, matrices, ASKED, byte_budget=bare + 4_000).html
    with_picture = {"good": 0, "bad": 0}
    for title, body in re.findall(
        r'<div class="pv-of" id="[^"]+"><b>([^<]+)</b>(.*?)</div>\n', html, re.DOTALL
    ):
        true, said = re.search(r"true (\w+), predicted (\w+)", title).groups()
        shown = len(re.findall(r'<i class="pv-\w{8}-\d+"', body))
        with_picture["good" if true == said else "bad"] += shown
    assert with_picture["bad"] >= with_picture["good"]
    assert with_picture["bad"] > 0


def test_many_components_in_a_cell_are_not_all_shown(random_set):
    imageset = random_set(0, count=100, components=90)
    html = show_confusion(imageset, Matrices(imageset, predict(imageset)), ASKED).html
    assert re.search(r"\d+ more components are not shown", html)
    shown = [body.count("<figure>") for body in html.split('class="pv-of"')[1:]]
    assert max(shown) == 10


def test_text_is_never_markup(imageset):
    evil = {name: f"{EVIL} {name}" for name in imageset.labels.columns}
    index = imageset.images.index.map(lambda name: f"{EVIL} {name}").rename("image_id")
    heads = tuple(Head(f"{EVIL} {h.name}", tuple(evil[x] for x in h.labels), h.kind) for h in HEADS)
    odd = ImageSet(
        imageset.images.set_axis(index),
        imageset.labels.rename(columns=evil).set_axis(index),
        imageset.known.rename(columns=evil).set_axis(index),
        heads,
    )
    ids = imageset.images["component_id"].to_numpy()
    assert np.issubdtype(ids.dtype, np.integer)
    predictions = predict(odd, 3, experiments=(f"{EVIL} A", "B"))
    for question in (
        Question(f"{EVIL} A", heads[0].name, component_size="all"),
        Question("B", heads[1].name, against=f"{EVIL} A", component_size="all"),
    ):
        html = show_confusion(odd, Matrices(odd, predictions), question).html
        assert "<script" not in html
        assert "&lt;script&gt;alert(&#34;1&#34;)" in html
        assert EVIL[-8:] in html
        assert not re.search(r'(href|src)="(?!#)', html)


def test_two_on_one_page_do_not_meet(imageset, matrices):
    ids = [
        re.findall(r' id="([^"]+)"', show_confusion(imageset, matrices, ASKED).html) for _ in "ab"
    ]
    assert not set(ids[0]) & set(ids[1])
