"""MobileNetV2 as a network that gives vectors."""

import numpy as np
import pytest
import torch
from torchvision.models import mobilenet_v2

from peta_viz.embedding import embed
from peta_viz.errors import InvalidDataError, MissingPartError
from peta_viz.images import open_rgb
from peta_viz.networks import save_mobilenet
from tests.conftest import run_cli


@pytest.fixture(scope="module")
def trunk(tmp_path_factory):
    """A MobileNetV2 with random weights, and the file of its state."""
    torch.manual_seed(0)
    model = mobilenet_v2(weights=None).eval()
    file = tmp_path_factory.mktemp("weights") / "random.pth"
    torch.save(model.state_dict(), file)
    return model, file


def test_its_vectors_are_the_mean_features_that_torch_finds(trunk, make_set, write_image, tmp_path):
    model, weights = trunk
    paths = [str(write_image(f"{n}.png", seed=n, size=(40, 70))) for n in range(3)]
    imageset = make_set({str(n): "x" for n in range(3)}, path=paths)
    options = ("--weights", weights, "--height", "64", "--width", "32")
    done = run_cli("network", tmp_path / "new" / "mobilenet.xml", *options)
    file = tmp_path / "new" / "mobilenet.xml"
    assert done.stdout.strip() == str(file)
    assert sorted(one.name for one in file.parent.iterdir()) == ["mobilenet.bin", "mobilenet.xml"]
    vectors = embed(imageset, file, batch_size=2, progress=False)
    pixels = np.stack([open_rgb(path, (32, 64)) for path in paths]) / 255
    scaled = (pixels - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    with torch.no_grad():
        given = torch.from_numpy(scaled.transpose(0, 3, 1, 2)).float()
        expected = model.features(given).mean((2, 3)).numpy()
    assert vectors.shape == (3, 1280)
    # Weights are kept in half precision.
    np.testing.assert_allclose(vectors, expected, atol=0.02 * expected.max())
    assert np.abs(expected[0] - expected[1]).max() > 0.1 * expected.max()


def test_what_it_cannot_be_made_of_is_told(trunk, tmp_path):
    with pytest.raises(InvalidDataError, match=r"ends in \.xml, but got .*\n.* are 16 and 80$"):
        save_mobilenet(tmp_path / "a.onnx", str(trunk[1]), height_px=16)
    with pytest.raises(MissingPartError, match="there are no weights at"):
        save_mobilenet(tmp_path / "a.xml", str(tmp_path / "gone.pth"))
    assert list(tmp_path.iterdir()) == []
