import numpy as np
import pandas as pd
import pytest
from PIL import Image

from peta_viz import images
from peta_viz.errors import UnreadableImageError
from peta_viz.images import inspect_headers, load_batch, problems_of, read_rgb, thumbnail_uri


def test_read_rgb_gives_uint8_rgb(tmp_path):
    Image.new("RGB", (3, 5), (255, 0, 10)).save(tmp_path / "a.png")
    pixels = read_rgb(tmp_path / "a.png")
    assert pixels.shape == (5, 3, 3)
    assert pixels.dtype == np.uint8
    assert pixels[0, 0].tolist() == [255, 0, 10]


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    suffix = "tif" if mode == "CMYK" else "png"
    Image.new(mode, (3, 5)).save(tmp_path / f"a.{suffix}")
    assert read_rgb(tmp_path / f"a.{suffix}").shape == (5, 3, 3)


def test_exif_orientation_is_applied(write_image):
    exif = Image.Exif()
    exif[0x0112] = 6
    assert read_rgb(write_image("a.jpg", size=(24, 48), exif=exif)).shape == (24, 48, 3)


@pytest.fixture
def broken(tmp_path, write_image):
    whole = write_image("whole.png", size=(64, 64)).read_bytes()
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "zero.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "folder.png").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("zero.png", "the file is empty"),
        ("text.png", "it is not an image that Pillow knows"),
        ("folder.png", "it is a folder"),
        ("gone.png", "the file does not exist"),
        ("half.png", "it cannot be decoded"),
    ],
)
def test_what_cannot_be_read_says_why(broken, name, reason):
    with pytest.raises(UnreadableImageError, match=reason):
        read_rgb(broken / name)
    assert problems_of([str(broken / name)])[0].startswith(reason)


def test_too_many_pixels_are_refused_before_decoding(write_image, monkeypatch):
    monkeypatch.setattr(images, "_MAX_PIXELS", 100)
    with pytest.raises(UnreadableImageError, match="24×48 pixels are more than 100"):
        read_rgb(write_image())


def test_headers_tell_size_or_problem(broken):
    paths = pd.Series([str(broken / "whole.png"), str(broken / "zero.png")], index=["w", "z"])
    found = inspect_headers(paths)
    assert found.loc["w"].tolist() == [64, 64, ""]
    assert found.loc["z"].tolist() == [0, 0, "the file is empty"]


def test_load_batch_marks_what_it_could_not_read(broken):
    pixels, readable = load_batch([str(broken / n) for n in ("half.png", "whole.png")], (4, 8))
    assert pixels.shape == (2, 8, 4, 3)
    assert readable.tolist() == [False, True]
    assert not pixels[0].any()
    assert pixels[1].any()


def test_thumbnail_is_a_data_uri_of_bounded_width(write_image):
    uri = thumbnail_uri(write_image(size=(900, 3)), 16)
    assert uri.startswith("data:image/jpeg;base64,")
    assert len(uri) < 4000
