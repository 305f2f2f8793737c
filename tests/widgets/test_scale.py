"""What a gallery holds and sends, and what a still picture is, hardly grow with the table."""

import gc
import json
import tracemalloc

import numpy as np
import pytest

from peta_viz import Gallery, measure_components
from peta_viz.widgets.matrices import Matrices, Question
from peta_viz.widgets.matrix_stills import show_confusion
from tests.widgets.conftest import predict

FEW, MANY = 20_000, 80_000
BOUND = 60  # bytes per image; a Python object for each would take as much again


@pytest.fixture
def table(random_set, write_image):
    """Make an image set and its measured components; every row leads to the same file."""
    path = str(write_image(size=(8, 16)))

    def make(count):
        imageset = random_set(count, count=count, components=count // 3)
        imageset = imageset.with_columns(path=path, component_id=np.arange(count) * 3 // 8)
        return imageset, measure_components(imageset)

    return make


def growth(cost):
    """Return by how many bytes per image a cost grows from few to many of them."""
    return (cost(MANY) - cost(FEW)) / (MANY - FEW)


def traced(make):
    """Return what was made, and the most bytes that this took; columns of numbers count as well."""
    gc.collect()
    tracemalloc.start()
    try:
        made = make()
        return made, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("view", ["components", "images"])
def test_opening_takes_a_few_numbers_per_image(table, view):
    def cost(count):
        imageset, components = table(count)
        gallery, most = traced(lambda: Gallery(imageset, components, view=view))
        gallery.close()
        return most

    assert growth(cost) < BOUND


def test_measuring_needs_bits_and_a_few_numbers_per_contested_cell(table):
    assert growth(lambda count: traced(lambda: measure_components(table(count)[0]))[1]) < 8 * BOUND


@pytest.mark.parametrize(
    ("view", "traits"),
    [
        ("components", {"label": "hat"}),
        ("components", {"sort_by": "size"}),
        ("images", {"sort_by": "blur"}),
        ("images", {"query": "hat and blur > 2"}),
    ],
)
def test_acts_take_a_few_numbers_per_image(table, view, traits):
    def cost(count):
        gallery = Gallery(*table(count), view=view)

        def act():
            for name, value in traits.items():
                setattr(gallery, name, value)
            gallery._handle_custom_msg({"kind": "select", "how": "all"}, [])

        _, most = traced(act)
        gallery.close()
        return most

    assert growth(cost) < BOUND


def test_what_is_sent_does_not_grow(table):
    def sent(count):
        gallery = Gallery(*table(count))
        state = {n: v for n, v in gallery.get_state().items() if n not in ("_esm", "_css")}
        messages = [json.dumps(state, default=str)]
        gallery.send = lambda content, _=None: messages.append(json.dumps(content))
        for kind in ({"kind": "rows", "first": 5, "count": 10, "most": 20}, {"kind": "image"}):
            gallery._handle_custom_msg({"row": 7, **kind}, [])
        gallery._handle_custom_msg({"kind": "select", "how": "all"}, [])
        gallery.close()
        return sum(map(len, messages))

    assert sent(MANY) < 1.1 * sent(FEW)


@pytest.mark.parametrize("view", ["components", "images"])
def test_a_still_gallery_does_not_grow(table, view):
    few, many = (len(Gallery(*table(n), view=view).still().html) for n in (2_000, 20_000))
    assert many < 1.05 * few


def test_a_still_matrix_does_not_grow(table):
    def size(count):
        imageset, _ = table(count)
        question = Question("A", "worn", component_size="all")
        return len(
            show_confusion(imageset, Matrices(imageset, predict(imageset, 1, "A")), question).html
        )

    few, many = size(1_000), size(4_000)
    assert many < 1.05 * few
