import pytest
import torch
from torchvision.models import mobilenet_v2

from peta_viz.errors import InvalidDataError, MissingPartError
from peta_viz.imageset import Head
from peta_viz.training import model as model_module
from peta_viz.training.model import GroupNet

HEADS = (Head("gender", ("f", "m"), "exclusive"), Head("rest", ("x", "y", "z")))


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    state = mobilenet_v2(weights=None).state_dict()
    features = {name: value for name, value in state.items() if name.startswith("features.")}
    torch.save(features, tmp_path / "features.pth")
    return tmp_path / "features.pth"


def test_one_output_per_label_of_each_head():
    outputs = GroupNet(HEADS)(torch.zeros(2, 3, 32, 32, 3, dtype=torch.uint8))
    assert [tuple(output.shape) for output in outputs] == [(2, 2), (2, 3)]


@pytest.mark.parametrize("images", [1, 3, 5])
def test_the_stem_begins_as_the_mean_of_the_images(weights, images):
    net = GroupNet(HEADS, images_per_group=images, weights=str(weights)).eval()
    plain = mobilenet_v2(weights=None)
    plain.load_state_dict(torch.load(weights, weights_only=True), strict=False)
    view = torch.randn(2, images, 3, 32, 32)
    expected = plain.features[0][0](view.mean(dim=1))
    with torch.no_grad():
        torch.testing.assert_close(
            net.features[0][0](view.flatten(1, 2)), expected, rtol=1e-4, atol=1e-5
        )


def test_a_shared_stem_sees_the_mean_of_the_features(weights):
    net = GroupNet(HEADS, images_per_group=3, stem="shared", weights=str(weights)).eval()
    alone = GroupNet(HEADS, images_per_group=1, weights=str(weights)).eval()
    view = torch.randint(0, 255, (2, 3, 64, 32, 3), dtype=torch.uint8)
    with torch.no_grad():
        expected = torch.stack([alone.embed(view[:, [n]]) for n in range(3)]).mean(dim=0)
        torch.testing.assert_close(net.embed(view), expected, rtol=1e-4, atol=1e-5)
        assert [len(output) for output in net(view)] == [2, 2]


@pytest.mark.parametrize("stem", ["grouped", "shared"])
def test_an_image_that_is_repeated_is_handed_over_once(stem):
    torch.manual_seed(0)
    net = GroupNet(HEADS, images_per_group=3, stem=stem).eval()
    images = torch.randint(0, 255, (4, 64, 32, 3), dtype=torch.uint8)
    places = torch.tensor([[0, 1, 0], [2, 3, 1], [3, 3, 3]])
    seen = []
    net.features.register_forward_hook(lambda _, given, __: seen.append(len(given[0])))
    with torch.no_grad():
        torch.testing.assert_close(net.embed(images, places), net.embed(images[places]))
    assert seen == ([4, 9] if stem == "shared" else [3, 3])


def test_weights_that_are_not_there_or_something_else(tmp_path):
    with pytest.raises(MissingPartError, match="there are no weights at"):
        GroupNet(HEADS, weights=str(tmp_path / "gone.pth"))
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(InvalidDataError, match="not a MobileNetV2 state dict"):
        GroupNet(HEADS, weights=str(tmp_path / "text.pth"))
    torch.save({"layer": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(InvalidDataError, match="does not fit torchvision's MobileNetV2"):
        GroupNet(HEADS, weights=str(tmp_path / "other.pth"))


def test_a_pickle_is_not_executed(tmp_path):
    class Attack:
        def __reduce__(self):
            return (open, (str(tmp_path / "owned"), "w"))

    torch.save({"features.0.0.weight": Attack()}, tmp_path / "attack.pth")
    with pytest.raises(InvalidDataError):
        GroupNet(HEADS, weights=str(tmp_path / "attack.pth"))
    assert not (tmp_path / "owned").exists()


def test_without_a_network_the_message_names_the_way(monkeypatch):
    def refuse(**_):
        raise OSError("no route to host")

    monkeypatch.setattr(model_module, "mobilenet_v2", refuse)
    with pytest.raises(MissingPartError, match="give weights=<path"):
        GroupNet(HEADS, weights="imagenet")
