import numpy as np
import pytest
from PIL import Image

from peta_viz.training import pixels as pixels_module
from peta_viz.training.pixels import PixelStore


@pytest.fixture
def imageset(make_set, write_image):
    paths = [str(write_image(f"{n}.png", seed=n)) for n in range(70)]
    return make_set({f"{n:02d}": "x" for n in range(70)}, path=paths)


def _store(imageset, cache=None, size=(32, 16)):
    return PixelStore.of(imageset, *size, cache=cache, progress=False)


def test_the_order_is_kept_and_nothing_skipped(imageset):
    store = _store(imageset)
    assert store.values.shape == (70, 32, 16, 3)
    again = _store(imageset.subset(["69"]))
    np.testing.assert_array_equal(store.values[69], again.values[0])
    assert store.rows(imageset.subset(["69", "03"])).tolist() == [3, 69]


def test_what_was_decoded_is_mapped_and_not_decoded_again(imageset, tmp_path, monkeypatch):
    first = _store(imageset, tmp_path)
    np.testing.assert_array_equal(first.values, _store(imageset).values)
    assert isinstance(first.values, np.memmap)
    assert not first.values.flags.writeable
    monkeypatch.setattr(pixels_module, "load_batch", None)
    np.testing.assert_array_equal(_store(imageset, tmp_path).values, first.values)


def test_other_content_or_size_is_another_key(imageset, tmp_path):
    first = _store(imageset, tmp_path)
    assert _store(imageset, tmp_path, (32, 32)).values.shape == (70, 32, 32, 3)
    path = imageset.images["path"].iloc[5]
    Image.new("RGB", (8, 8), "red").save(path)
    changed = _store(imageset, tmp_path)
    assert changed.key != first.key
    assert (changed.values[5, :, :, 0] > 200).all()
    np.testing.assert_array_equal(changed.values[6], first.values[6])


def test_an_interrupted_decoding_leaves_nothing_that_would_be_read(imageset, tmp_path, monkeypatch):
    monkeypatch.setattr(pixels_module, "load_batch", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        _store(imageset, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())
