import io
import os
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from PIL import Image, PngImagePlugin

from peta_viz import images
from peta_viz.errors import InvalidDataError, UnreadableImageError
from peta_viz.images import (
    encode_jpeg,
    fit,
    inspect_headers,
    load_all,
    load_batch,
    open_rgb,
    open_thumbnail,
    problems_of,
    read_rgb,
    read_size,
    thumbnail_uri,
)


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


def test_load_all_names_what_it_could_not_read(broken):
    names = [str(broken / name) for name in ("whole.png", "gone.png")]
    assert load_all(names[:1], (4, 8)).shape == (1, 8, 4, 3)
    with pytest.raises(InvalidDataError, match=r"gone\.png: the file does not exist") as caught:
        load_all(names, (4, 8))
    assert len(caught.value.problems) == 1


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


def upright(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def read_back(picture, suffix="png", **options):
    """Save a picture into memory and read it as peta-viz does."""
    buffer = io.BytesIO()
    picture.save(buffer, {"tif": "TIFF"}.get(suffix, suffix), **options)
    return read_rgb(buffer.getvalue())


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
def test_sixteen_bits_keep_their_steps(suffix, dtype):
    steps = (np.arange(4, dtype=np.uint16) * 21845).reshape(1, 4).astype(dtype)
    mode = "I;16" if dtype == "<u2" else "I;16B"
    deep = Image.frombytes(mode, (4, 1), steps.tobytes())
    assert read_back(deep, suffix)[0, :, 0].tolist() == [0, 85, 170, 255]


def test_integer_grey_of_a_png_is_sixteen_bits():
    deep = Image.fromarray(np.array([[0, 257, 65535]], dtype=np.int32), "I")
    assert read_back(deep)[0, :, 0].tolist() == [0, 1, 255]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),
        ([0.0, 7.0, 255.0], [0, 7, 255]),
        ([-5.0, 0.0, 5.0], [0, 128, 255]),
        ([0.0, float("nan"), 1.0], [0, 0, 255]),
        ([9999.0, 9999.0, 9999.0], [0, 0, 0]),
    ],
)
def test_floats_are_brought_into_range(values, expected):
    floats = Image.fromarray(np.array([values], dtype=np.float32))
    assert read_back(floats, "tif")[0, :, 0].tolist() == expected


def test_wide_integers_are_stretched():
    wide = Image.fromarray(np.array([[0, 500_000, 1_000_000]], dtype=np.int32), "I")
    assert read_back(wide, "tif")[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_what_is_transparent_is_white(mode):
    picture = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    picture.putpixel((1, 0), (0, 0, 0, 255))
    picture = picture.quantize(4) if mode == "PA" else picture.convert(mode)
    assert read_back(picture)[0].tolist() == [[255, 255, 255], [0, 0, 0]]


def test_half_transparent_is_between_and_a_colour_key_is_white():
    assert read_back(Image.new("RGBA", (1, 1), (0, 0, 0, 128)))[0, 0, 0] in (126, 127, 128)
    keyed = Image.new("RGB", (2, 1), (1, 2, 3))
    keyed.putpixel((1, 0), (9, 9, 9))
    assert read_back(keyed, transparency=(1, 2, 3))[0].tolist() == [[255] * 3, [9] * 3]


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif"])
def test_the_first_frame_is_read(suffix):
    frames = [Image.new("RGB", (8, 4), colour) for colour in ("red", "blue")]
    options = {"lossless": True} if suffix == "webp" else {}
    options |= {} if suffix == "gif" else {"exif": upright(6)}
    pixels = read_back(frames[0], suffix, save_all=True, append_images=frames[1:], **options)
    assert pixels[0, 0].tolist() == [255, 0, 0]
    assert pixels.shape == ((4, 8, 3) if suffix == "gif" else (8, 4, 3))


@pytest.mark.parametrize("suffix", ["png", "jpeg", "webp", "tif", "tif-lzw"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_size_and_pixels_are_upright(suffix, orientation):
    suffix, _, compression = suffix.partition("-")
    picture = Image.new("RGB", (64, 32), "black")
    picture.paste("white", (0, 0, 32, 16))  # the stored upper left quarter
    options = {"compression": "tiff_lzw"} if compression else {}
    options |= {"quality": 95} if suffix == "jpeg" else {}
    buffer = io.BytesIO()
    picture.save(buffer, {"tif": "TIFF"}.get(suffix, suffix), exif=upright(orientation), **options)
    pixels, size = read_rgb(buffer), read_size(buffer)
    assert pixels.shape == ((64, 32, 3) if orientation > 4 else (32, 64, 3))
    assert size == pixels.shape[1::-1]
    right, low = orientation in (2, 3, 6, 7), orientation in (3, 4, 7, 8)
    height, width = pixels.shape[:2]
    corners = pixels[[4, 4, -5, -5], [4, -5, 4, -5], 0].reshape(2, 2) > 128
    assert np.argwhere(corners).tolist() == [[int(low), int(right)]]
    small = np.asarray(open_thumbnail(buffer, height // 4))
    assert small.shape[:2] == (height // 4, width // 4)
    assert small[-2 if low else 1, -2 if right else 1, 0] > 128


def test_exif_behind_the_pixels_of_a_png_counts_and_nothing_is_decoded(
    tmp_path, write_image, monkeypatch
):
    whole = write_image("whole.png", size=(24, 48)).read_bytes()
    animated = io.BytesIO()
    frames = [Image.open(io.BytesIO(whole)), Image.new("RGB", (24, 48))]
    frames[0].save(animated, "png", save_all=True, append_images=frames[1:])
    body = b"eXIf" + upright(6).tobytes()[6:]
    chunk = (len(body) - 4).to_bytes(4) + body + zlib.crc32(body).to_bytes(4)
    turned, both = (f[:-12] + chunk + f[-12:] for f in (whole, animated.getvalue()))
    for file in (turned, both):
        assert read_rgb(file).shape == (24, 48, 3)
        assert open_thumbnail(file, 12).size == (24, 12)
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", lambda _: pytest.fail("decoded"))
    assert read_size(turned) == (48, 24)
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    assert inspect_headers(pd.Series([str(tmp_path / "half.png")])).iloc[0].tolist() == [24, 48, ""]


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
@pytest.mark.parametrize("exif", [b"Exif\x00\x00no TIFF at all", b"Exif\x00\x00II*\x00"])
def test_broken_exif_does_not_hide_a_whole_picture(write_image, suffix, exif):
    path = write_image(f"a.{suffix}", exif=exif)
    assert read_rgb(path).shape == (48, 24, 3)
    assert read_size(path) == (24, 48)


def test_files_bytes_and_paths_read_alike(write_image):
    path = write_image()
    with path.open("rb") as file:
        file.read(3)
        assert (read_rgb(file) == read_rgb(path)).all()
        assert (read_rgb(file) == read_rgb(path.read_bytes())).all()


@pytest.mark.parametrize("source", [b"", io.BytesIO()])
def test_an_empty_buffer_says_so_under_its_name(source):
    with pytest.raises(UnreadableImageError, match="of page 7: the file is empty"):
        open_rgb(source, name="of page 7")


def test_a_pipe_is_refused_and_a_long_name_is_no_crash(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(UnreadableImageError, match="it is no regular file"):
        read_rgb(tmp_path / "pipe.png")
    assert problems_of(["a" * 999, "a\0b"])[0] == "it cannot be read (File name too long)"


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((100, 200), (16, 32)),
        ((20_000, 1), (128, 1)),
        ((1, 20_000), (1, 32)),
        ((20, 10), (20, 10)),
        ((300, 10), (128, 4)),
    ],
)
def test_fit_keeps_proportions_and_never_enlarges(size, expected, write_image):
    assert fit(Image.new("RGB", size), 32).size == expected
    assert open_thumbnail(write_image("a.jpg", size=size), 32).size == expected


def test_a_thumbnail_of_a_big_jpeg_looks_like_the_whole_one_made_small(write_image):
    path = write_image("big.jpg", size=(1200, 1601), quality=95)
    quick, slow = open_thumbnail(path, 112), fit(open_rgb(path), 112)
    assert quick.size == slow.size == (84, 112)
    assert np.abs(np.asarray(quick, float) - np.asarray(slow, float)).mean() < 2


def test_big_jpegs_are_decoded_small(write_image, monkeypatch):
    sizes = []
    whole = images.flatten
    monkeypatch.setattr(images, "flatten", lambda image: sizes.append(image.size) or whole(image))
    open_thumbnail(write_image("big.jpg", size=(800, 3200), exif=upright(6)), 100)
    assert sizes == [(200, 800)]


def test_a_thumbnail_carries_nothing_but_pixels(write_image):
    path = write_image("a.jpg", comment=b"taken at home", exif=upright(3), icc_profile=b"x" * 500)
    jpeg = encode_jpeg(open_thumbnail(path, 16))
    assert jpeg.startswith(b"\xff\xd8")
    assert b"home" not in jpeg
    assert b"Exif" not in jpeg
    assert Image.open(io.BytesIO(jpeg)).size == (8, 16)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_what_is_half_transparent_is_laid_over_white(mode, tmp_path):
    shades = np.arange(256, dtype=np.uint8)
    cells = np.dstack([*np.meshgrid(shades, shades), np.full((256, 256), 77, np.uint8)])
    colour, alpha = Image.fromarray(cells), Image.fromarray(cells[..., 1])
    picture = colour.convert("L" if mode == "LA" else "RGB").convert("RGBA")
    picture.putalpha(alpha)
    whole = picture if mode == "PA" else picture.convert(mode)
    whole.save(tmp_path / "a.png")
    white = Image.new("RGBA", picture.size, "white")
    expected = np.asarray(Image.alpha_composite(white, picture).convert("RGB"), dtype=int)
    assert abs(read_rgb(tmp_path / "a.png") - expected).max() <= 1


def test_wide_grey_is_stretched_alike_from_top_to_bottom(tmp_path):
    values = np.linspace(-7, 1000, 300, dtype=np.float32)[:, None].repeat(3, axis=1)
    values[17, 1] = np.nan
    Image.fromarray(values).save(tmp_path / "a.tif")
    grey = read_rgb(tmp_path / "a.tif")[..., 0]
    clean = np.nan_to_num(values, nan=0.0)
    assert np.array_equal(grey, ((clean + 7) * (255 / 1007)).round().astype(np.uint8))


def test_large_images_are_decoded_one_at_a_time(tmp_path, monkeypatch):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    monkeypatch.setattr(images, "_LARGE_PIXELS", 15)
    begun = threading.Event()

    def decode():
        begun.set()
        return read_rgb(tmp_path / "a.png")

    with ThreadPoolExecutor() as pool:
        with images._ONE_LARGE:
            waiting = pool.submit(decode)
            begun.wait()
            with pytest.raises(TimeoutError):
                waiting.result(0.3)
        assert waiting.result(60).shape == (4, 4, 3)


def test_a_program_that_calls_itself_an_image_is_not_run(tmp_path):
    file = tmp_path / "a.png"
    Image.new("RGB", (8, 8)).save(file, "EPS")
    with pytest.raises(UnreadableImageError, match="not an image"):
        read_size(file)
