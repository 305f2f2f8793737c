import numpy as np
import pytest

from peta_viz.errors import InvalidDataError
from peta_viz.imageset import Head
from peta_viz.training import crossfit
from peta_viz.training.checkpoints import BEST, load_model
from peta_viz.training.config import TrainConfig
from peta_viz.training.crossfit import out_of_fold
from peta_viz.training.pixels import PixelStore
from peta_viz.training.predict import predict

CONFIG = TrainConfig(
    epochs=2, height_px=32, width_px=32, batch_size=8, learning_rate=3e-3, weights=None, seed=4
)


@pytest.fixture
def task(make_set):
    """Bright images are `x`, four images to a component, the last one cannot be read."""
    rng = np.random.default_rng(0)
    component = np.arange(64) // 4
    bright = component % 2 == 0
    rows = {f"{n:02d}": "x f" if b else "m" for n, b in enumerate(bright)}
    heads = [Head("gender", ("f", "m"), "exclusive"), Head("rest", ("x",))]
    imageset = make_set(rows, components=component, heads=heads)
    problem = np.where(np.arange(64) == 63, "it is not an image", "")
    noise = rng.integers(0, 60, (64, 32, 32, 3), dtype=np.uint8)
    values = noise + (bright * 180).astype(np.uint8)[:, None, None, None]
    store = PixelStore(values, imageset.images.index, str(values.sum()))
    return imageset.with_columns(problem=problem), store


def test_every_readable_image_is_predicted_by_a_model_that_has_not_seen_it(
    task, tmp_path, monkeypatch
):
    imageset, store = task
    trained = []

    def spy(data, config, folder, **options):
        trained.append(data.images["split"])
        return train(data, config, folder, **options)

    train = crossfit.train
    monkeypatch.setattr(crossfit, "train", spy)
    said = out_of_fold(imageset, CONFIG, tmp_path, pixels=store, progress=False)
    assert said.index.equals(imageset.images.index)
    assert list(said.columns) == ["f", "m", "x"]
    assert said.iloc[-1].isna().all()
    assert said.iloc[:-1].notna().all(axis=None)

    held = [set(sides.index[sides == "test"]) for sides in trained]
    assert held[0] | held[1] == set(imageset.images.index[:-1])
    assert not held[0] & held[1]
    component = imageset.images["component_id"]
    for sides in trained:
        assert sides.groupby(component[sides.index]).nunique().max() == 1
    for number, ids in enumerate(held):
        model, _, heads = load_model(tmp_path / f"fold-{number}" / BEST)
        rows = store.index.get_indexer(sorted(ids))[:, None]
        again = predict(model, rows, store.values, heads)
        assert np.allclose(said.loc[sorted(ids)], again, atol=1e-5)


def test_too_few_units_are_said(task, tmp_path):
    imageset, store = task
    with pytest.raises(InvalidDataError, match="16 units cannot be dealt out to 20 folds"):
        out_of_fold(imageset, CONFIG, tmp_path, pixels=store, folds=20)
