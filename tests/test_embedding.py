import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from peta_viz.embedding import embed
from peta_viz.errors import InvalidDataError, MissingPartError
from peta_viz.images import open_rgb


@pytest.fixture(scope="session")
def network(tmp_path_factory):
    """A network whose vector is the mean of each channel of its 16×8 input."""
    return _network(tmp_path_factory.mktemp("network"), [1, 3, 16, 8])


def _network(folder, shape):
    code = """
import sys; sys.modules["openvino_telemetry"] = None
import numpy as np, openvino as ov
from openvino import opset13 as ops
data = ops.parameter(SHAPE, np.float32)
axes = np.array(range(2, len(SHAPE)))
ov.save_model(ov.Model([ops.reduce_mean(data, axes)], [data]), FILE)
"""
    file = folder / "mean.xml"
    code = code.replace("SHAPE", repr(shape)).replace("FILE", repr(str(file)))
    subprocess.run([sys.executable, "-c", code], check=True)
    return file


@pytest.fixture
def imageset(make_set, write_image, tmp_path):
    paths = [str(write_image(f"{n}.png", seed=n)) for n in range(5)]
    (tmp_path / "2.png").write_bytes(b"broken")
    return make_set({str(n): "x" for n in range(5)}, path=paths)


def test_vectors_are_bgr_means_in_row_order(imageset, network):
    vectors = embed(imageset, network, batch_size=2, progress=False)
    assert vectors.shape == (5, 3)
    assert vectors.dtype == np.float32
    assert np.isnan(vectors[2]).all()
    for row in (0, 1, 3, 4):
        pixels = np.asarray(open_rgb(imageset.images["path"].iloc[row], (8, 16)), dtype=float)
        np.testing.assert_allclose(vectors[row], pixels.mean(axis=(0, 1))[::-1], rtol=0.01)


def test_the_cache_is_used_until_a_file_changes(imageset, network, tmp_path, write_image):
    first = embed(imageset, network, cache=tmp_path / "cache", progress=False)
    (kept,) = (tmp_path / "cache").iterdir()
    np.save(kept, first + 1)
    np.testing.assert_array_equal(
        embed(imageset, network, cache=tmp_path / "cache", progress=False), first + 1
    )
    for path in imageset.images["path"]:
        if Path(path).is_file():
            Path(path).touch()  # as in a copy
    np.testing.assert_array_equal(
        embed(imageset, network, cache=tmp_path / "cache", progress=False), first + 1
    )
    write_image("0.png", seed=99, size=(30, 30))
    again = embed(imageset, network, cache=tmp_path / "cache", progress=False)
    assert not np.allclose(again[0], first[0] + 1)
    assert len(list((tmp_path / "cache").iterdir())) == 2


@pytest.fixture
def _busy():
    """More processes at work than there are processors."""
    command = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(command) for _ in range(2 * (os.cpu_count() or 1))]
    yield
    for one in others:
        one.kill()
        one.wait()


@pytest.mark.usefixtures("_busy")
def test_a_network_that_is_let_go_of_at_once_does_not_hang(write_image, network):
    code = """
import sys
from pathlib import Path
from peta_viz.embedding import infer, load_network

def embed():
    network = load_network(Path(sys.argv[1]), 16)
    infer(network, 20 * [sys.argv[2]], 16)

for _ in range(60):
    embed()
"""
    command = [sys.executable, "-c", code, str(network), str(write_image(size=(8, 16)))]
    assert subprocess.run(command, check=False, timeout=300).returncode == 0


def test_openvino_does_not_report_itself(network):
    code = (
        "import sys; from peta_viz.embedding import load_network; from pathlib import Path; "
        f"load_network(Path({str(network)!r}), 1); "
        "print([m for m in sys.modules if m.startswith('openvino_telemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_is_no_network_is_told(imageset, tmp_path):
    with pytest.raises(MissingPartError, match="there is no network at"):
        embed(imageset, tmp_path / "gone.xml")
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(InvalidDataError, match="OpenVINO cannot load it"):
        embed(imageset, tmp_path / "text.onnx")
    odd = _network(tmp_path, [1, 4, 16, 8])
    with pytest.raises(InvalidDataError, match="expected one input of 1×3×height×width"):
        embed(imageset, odd)
