import numpy as np
import pandas as pd
import pytest

from peta_viz.cleaning import clean
from peta_viz.experiments import run_experiments, train_models
from peta_viz.imageset import Head
from peta_viz.pruning import ComponentPruning
from peta_viz.splitting import split
from peta_viz.training.config import TrainConfig


@pytest.fixture
def task(make_set, write_image):
    rng = np.random.default_rng(0)
    rows, paths, components = {}, [], []
    for component in range(24):
        for copy in range(2):
            name = f"{component:02d}_{copy}"
            odd = component % 6 == 5 and copy
            rows[name] = "x f" if (component % 2 == 0) ^ bool(odd) else "m"
            paths.append(str(write_image(f"{name}.png", seed=int(rng.integers(2**31)))))
            components.append(component)
    heads = [Head("gender", ("f", "m"), "exclusive"), Head("rest", ("x",))]
    return split(make_set(rows, components=components, heads=heads, path=paths))


def test_a_b_and_c_are_trained_and_judged_on_what_they_say(task, tmp_path):
    cleaning = clean(task, [ComponentPruning(lambda c: c["contested"])])
    config = TrainConfig(epochs=1, height_px=32, width_px=32, batch_size=4, weights=None)
    history = train_models(task, cleaning, config, tmp_path, progress=False)
    assert history["trained_on"].tolist() == ["raw", "cleaned"]
    table = run_experiments(task, cleaning, tmp_path, progress=False)
    pairs = table[["experiment", "trained_on", "judged_on"]].drop_duplicates().to_numpy().tolist()
    assert pairs == [["A", "raw", "raw"], ["B", "cleaned", "cleaned"], ["C", "cleaned", "raw"]]

    test = task.images[task.images["split"] == "test"]
    cleaned = cleaning.apply(task).images
    judged = table[(table["component_size"] == "all") & (table["head"] == "rest")]
    judged = judged.set_index("experiment")["components"]
    contested = (
        test["component_id"].nunique()
        - cleaned[cleaned["split"] == "test"]["component_id"].nunique()
    )
    assert judged["B"] == cleaned[cleaned["split"] == "test"]["component_id"].nunique()
    assert judged["A"] == judged["C"] == test["component_id"].nunique() - contested  # ties
    assert isinstance(table, pd.DataFrame)
