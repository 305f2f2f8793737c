import base64
import io
import pickle
import re
import tracemalloc

import fsspec
import numpy as np
import pytest
from PIL import Image

from peta_viz.errors import UnreadableImageError
from peta_viz.loader import ImageLoader

NASTY = '<script>alert("1")</script>\'&\u202e🦊 שלום\udcff\x00'


def red():
    return Image.new("RGB", (8, 4), "red")


def boom():
    raise LookupError("the store <b>burned</b>")


class Counter:
    """A callable that counts its calls."""

    def __init__(self, result):
        self.calls, self.result = 0, result

    def __call__(self):
        self.calls += 1
        return self.result


def shown_by(html):
    """Decode the pictures of a page."""
    found = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', html)
    return [Image.open(io.BytesIO(base64.b64decode(data))) for data in found]


@pytest.fixture
def sources(write_image):
    path = write_image("a.png", size=(6, 4))
    fsspec.filesystem("memory").pipe("/loader.png", path.read_bytes())
    with Image.open(path) as picture:
        picture.load()
    pixels = np.asarray(picture)
    return {
        "path": path,
        "text": str(path),
        "file URL": f"file://{path}",
        "memory URL": "memory://loader.png",
        "bytes": path.read_bytes(),
        "file": io.BytesIO(path.read_bytes()),
        "array": pixels,
        "floats": pixels / 255,
        "small floats": (pixels / 255).astype(np.float32),
        "four channels": np.dstack([pixels, np.full((4, 6), 255, np.uint8)]),
        "mirrored view": pixels[:, ::-1][:, ::-1],
        "picture": picture,
        "callable of a picture": lambda: picture,
        "callable of a path": lambda: path,
        "callable of an array": lambda: pixels,
        "callable of a URL": lambda: "memory://loader.png",
    }


KINDS = [
    "path",
    "text",
    "file URL",
    "memory URL",
    "bytes",
    "file",
    "array",
    "floats",
    "small floats",
    "four channels",
    "mirrored view",
    "picture",
    "callable of a picture",
    "callable of a path",
    "callable of an array",
    "callable of a URL",
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_source_gives_the_same_picture(sources, kind, tmp_path):
    loader = ImageLoader(sources[kind], cache=tmp_path / "cache")
    for _ in range(2):
        assert loader.image.dtype == np.uint8
        assert (loader.image == sources["array"]).all()
        assert loader.size == (6, 4)
        assert loader.problem == ""
    assert loader.thumbnail(2).size == (3, 2)
    assert Image.open(io.BytesIO(loader.jpeg(2))).size == (3, 2)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([[True, False]]), [[255] * 3, [0] * 3]),
        (np.array([[0, 7]], np.uint8), [[0] * 3, [7] * 3]),
        (np.array([[[0], [7]]], np.uint8), [[0] * 3, [7] * 3]),
        (np.array([[0.0, np.nan, 1.2, -0.1]]), [[0] * 3, [0] * 3, [255] * 3, [0] * 3]),
        (np.array([[[9, 9, 9, 0], [9, 9, 9, 255]]], np.uint8), [[255] * 3, [9] * 3]),
        (np.array([[[1, 1, 1, 0], [0, 0, 0, 1]]], float), [[255] * 3, [0] * 3]),
    ],
)
def test_arrays_of_every_form(array, expected):
    assert ImageLoader(array).image[0].tolist() == expected


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("gone.png", "the file does not exist"),
        (b"", "the file is empty"),
        (b"hello", "it is not an image that Pillow knows"),
        (None, "no image is given"),
        (float("nan"), "no image is given"),
        (7, "expected a path, a URL, an array, a PIL image, or a callable"),
        (lambda: 7, "expected a path"),
        (lambda: boom, "expected a path"),
        (boom, "the callable raised LookupError: the store <b>burned</b>"),
        (lambda: "gone.png", "the file does not exist"),
        (np.zeros((2, 2, 2), np.uint8), "expected an array of shape (H, W)"),
        (np.zeros(3, np.uint8), "expected an array of shape (H, W)"),
        (np.zeros((0, 5, 3), np.uint8), "5×0 has no pixels"),
        (np.zeros((2, 2), np.int64), "expected uint8, bool or float, but got int64"),
        (np.array([[0.0, 255.0]]), "expected floats from 0 to 1, but they go from 0 to 255"),
        (np.array([[0.0, np.inf]]), "expected floats from 0 to 1"),
        (np.broadcast_to(np.uint8(0), (20_000, 20_000)), "20000×20000 pixels are more than"),
    ],
)
def test_whatever_is_wrong_is_a_reason(source, reason):
    loader = ImageLoader(source, name="it")
    assert loader.problem.startswith(reason)
    for look in (
        lambda: loader.image,
        lambda: loader.thumbnail(8),
        lambda: loader.jpeg(8),
        lambda: loader.draw_regions([]).image,
    ):
        with pytest.raises(UnreadableImageError, match=f"^it: {re.escape(reason)}"):
            look()
    assert not shown_by(loader._repr_html_())


def test_a_size_that_cannot_be_read_says_why():
    with pytest.raises(UnreadableImageError, match="expected an array of shape"):
        _ = ImageLoader(np.zeros(3)).size
    with pytest.raises(UnreadableImageError, match="the callable raised"):
        _ = ImageLoader(boom).size


def test_a_closed_picture_is_a_reason(write_image):
    with Image.open(write_image()) as picture:
        pass
    loader = ImageLoader(picture)
    assert loader.problem
    assert ImageLoader(Image.open(write_image("b.png"))).problem == ""


def test_nothing_is_called_before_it_is_looked_at():
    source = Counter(red())
    loader = ImageLoader(source)
    drawn = loader.draw_regions([(0, 0, 2, 2)], ["a"])
    assert "Counter" in repr(loader)
    assert repr(drawn)
    pickle.dumps(loader)
    assert source.calls == 0
    loader._repr_html_()
    assert source.calls == 1
    assert drawn.size == (8, 4)
    assert drawn.image.shape == (4, 8, 3)
    assert source.calls == 3


def test_size_reads_only_the_header(write_image):
    exif = Image.Exif()
    exif[0x0112] = 6
    whole = write_image("a.jpg", size=(64, 128), exif=exif).read_bytes()
    loader = ImageLoader(whole[:700], name="half")
    assert loader.size == (128, 64)
    assert "cannot be decoded" in loader.problem


def test_the_given_picture_stays_as_it_is(write_image):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = write_image("a.jpg", size=(640, 320), exif=exif, comment=b"mine")
    picture = Image.open(path)
    loader = ImageLoader(picture)
    assert loader.thumbnail(10).size == (5, 10)
    assert loader.size == (320, 640)
    assert picture.size == (640, 320)
    assert picture.info["comment"] == b"mine"
    assert picture.getexif()[0x0112] == 6


def test_the_text_shown_is_what_it_was_made_of():
    names = {
        "a/b.png": ImageLoader("a/b.png"),
        "https://host/a.png": ImageLoader("https://me:secret@host/a.png"),
        "array (2, 3)": ImageLoader(np.zeros((2, 3))),
        "picture": ImageLoader(red()),
        "red": ImageLoader(red),
        "mine": ImageLoader("a.png", name="mine").draw_regions([]),
        "b.png": ImageLoader("b.png").draw_regions([]),
    }
    assert [loader.name for loader in names.values()] == list(names)
    assert repr(names["mine"]) == "ImageLoader('mine')"


@pytest.mark.parametrize("source", [red, boom])
def test_html_is_whole_and_escaped(source):
    html = ImageLoader(source, name=NASTY)._repr_html_()
    html.encode("utf-8")
    assert "<script" not in html
    assert "<b>" not in html
    assert "\x00" not in html
    assert "&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt;&#39;&amp;" in html
    assert "🦊 שלום" in html
    assert "http" not in html
    assert len(shown_by(html)) == (source is red)
    assert ("the store &lt;b&gt;burned" in html) == (source is boom)


@pytest.mark.parametrize("source", ["a/b.png", "s3://bucket/a.png", red])
def test_a_pickle_by_reference_is_small(source):
    loader = ImageLoader(source, name="n", timeout_s=3, cache="c").draw_regions([(0, 0, 2, 2)])
    data = pickle.dumps(loader)
    assert len(data) < 500
    assert repr(pickle.loads(data)) == repr(loader)


def test_a_pickle_holds_the_array_and_draws_the_same():
    loader = ImageLoader(np.full((9, 9), 7, np.uint8)).draw_regions([(1, 1, 4, 4)], ["x"])
    assert (pickle.loads(pickle.dumps(loader)).image == loader.image).all()


def test_a_hundred_thousand_are_cheap():
    tracemalloc.start()
    loaders = [ImageLoader("a.png") for _ in range(10_000)]
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert used / len(loaders) < 120
    assert not hasattr(loaders[0], "__dict__")


def test_boxes_are_drawn_on_a_new_image():
    source = np.zeros((20, 30, 3), np.uint8)
    plain = ImageLoader(source)
    drawn = plain.draw_regions(np.array([[5, 4, 10, 8]]), color="#00ff00").image
    assert not plain.image.any()
    assert not source.any()
    lit = np.argwhere((drawn == [0, 255, 0]).all(axis=2))
    assert lit.min(axis=0).tolist() == [4, 5]
    assert lit.max(axis=0).tolist() == [11, 14]
    assert not drawn[6:10, 7:13].any()
    assert len(lit) == 2 * 10 + 2 * 6


def test_boxes_outside_crooked_or_empty_do_no_harm():
    plain = ImageLoader(np.zeros((20, 30, 3), np.uint8))
    boxes = [(-5, -5, 1e9, 3), (40, 40, 5, 5), (10, 10, -4, -4), (8, 8, 0, 0), (-1e300, 0, 1, 1)]
    drawn = plain.draw_regions(boxes, ["", "b", "c\nd", NASTY, "e" * 9999], color="white")
    assert drawn.size == (30, 20)
    assert drawn.image[6:10, 6].all()
    assert drawn.image.any()


def test_labels_are_written_and_boxes_stay_to_be_seen_when_small():
    plain = ImageLoader(np.zeros((1600, 1200, 3), np.uint8))
    boxes = [(200, 400, 600, 600)]
    box = np.asarray(plain.draw_regions(boxes, color="white").thumbnail(100)).max()
    assert box > 200
    without = plain.draw_regions(boxes, color="white").image
    written = plain.draw_regions(boxes, ["שלום"], color="white").image
    differs = np.argwhere((written != without).any(axis=2))
    assert differs[:, 0].max() < 400
    assert differs[:, 0].min() > 300
    assert differs[:, 1].max() < 1200 - 500
    corner = plain.draw_regions([(1150, 400, 40, 40)], ["hat"], color="white").image
    assert corner[350:395, 1100].any()
    assert {0, 255} < set(np.unique(written))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([(0, 0, 2)],), "expected boxes of left, top, width, height"),
        (([(0, 0, 2, float("nan"))],), "expected boxes of left, top, width, height"),
        (([(0, 0, 2, 2)], ["a", "b"]), "expected a label for each of 1 boxes, got 2"),
        (([], (), "no colour"), "unknown color specifier"),
    ],
)
def test_wrong_regions_are_refused_at_once(arguments, message):
    with pytest.raises(ValueError, match=message):
        ImageLoader("gone.png").draw_regions(*arguments)


def test_heights_start_at_one_pixel():
    assert ImageLoader(red).thumbnail(1).size == (2, 1)
    with pytest.raises(ValueError, match="at least 1 pixel, but got 0"):
        ImageLoader(red).thumbnail(0)


def test_only_urls_are_remote():
    far = ImageLoader("https://host/a.png")
    assert far.is_remote
    assert far.draw_regions([]).is_remote
    assert not ImageLoader("a.png").is_remote
    assert not ImageLoader(red).is_remote
