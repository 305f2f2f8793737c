import pickle
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from peta_viz.errors import InvalidDataError
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
    monkeypatch.setattr(pixels_module, "load_all", None)
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
    monkeypatch.setattr(pixels_module, "load_all", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        _store(imageset, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_images_that_vanish_are_told_and_not_taken_for_black_ones(imageset, tmp_path, monkeypatch):
    cache, fingerprint = tmp_path / "cache", pixels_module._fingerprint

    def unmounted(*arguments):
        key = fingerprint(*arguments)
        (tmp_path / "3.png").rename(tmp_path / "3.away")
        return key

    monkeypatch.setattr(pixels_module, "_fingerprint", unmounted)
    with pytest.raises(
        InvalidDataError, match=r"decoded before(?s:.*)3\.png: the file does not exist"
    ):
        _store(imageset, cache)
    assert list(cache.iterdir()) == []


def test_a_full_disk_is_an_error_and_not_the_end_of_the_process(imageset, tmp_path):
    script = (
        "import pickle, signal, sys\n"
        "from peta_viz.training.pixels import PixelStore\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "imageset = pickle.load(sys.stdin.buffer)\n"
        f"PixelStore.of(imageset, 32, 16, cache={str(tmp_path / 'cache')!r}, progress=False)\n"
    )
    done = subprocess.run(
        ["bash", "-c", f'ulimit -f 50; exec {sys.executable} -c "$0"', script],
        input=pickle.dumps(imageset),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert b"OSError: [Errno" in done.stderr
    assert list((tmp_path / "cache").iterdir()) == []
