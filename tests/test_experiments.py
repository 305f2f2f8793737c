import numpy as np
import pytest

from peta_viz.cleaning import clean
from peta_viz.confusion import judged, label_table, right
from peta_viz.experiments import run_experiments, train_models
from peta_viz.imageset import Head
from peta_viz.pruning import ComponentPruning
from peta_viz.splitting import split
from peta_viz.training.config import TrainConfig
from peta_viz.training.data import component_targets


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
    table, predictions = run_experiments(task, cleaning, tmp_path, progress=False)
    pairs = table[["experiment", "trained_on", "judged_on"]].drop_duplicates().to_numpy().tolist()
    assert pairs == [["A", "raw", "raw"], ["B", "cleaned", "cleaned"], ["C", "cleaned", "raw"]]

    test = task.images[task.images["split"] == "test"]
    cleaned = cleaning.apply(task).images
    number = table[(table["component_size"] == "all") & (table["head"] == "rest")]
    number = number.set_index("experiment")["components"]
    contested = (
        test["component_id"].nunique()
        - cleaned[cleaned["split"] == "test"]["component_id"].nunique()
    )
    assert number["B"] == cleaned[cleaned["split"] == "test"]["component_id"].nunique()
    assert number["A"] == number["C"] == test["component_id"].nunique() - contested  # ties

    assert predictions.dtypes.astype(str).to_dict() == {
        "experiment": "str",
        "component_id": "int64",
        "size": "int64",
        "label": "str",
        "probability": "float32",
        "truth": "boolean",
    }
    _assert_predictions_are_of(predictions, "A", task)
    _assert_predictions_are_of(predictions, "B", cleaning.apply(task))
    _assert_predictions_are_of(predictions, "C", task)
    assert predictions["experiment"].unique().tolist() == ["A", "B", "C"]
    assert predictions["truth"].isna().any()  # of the ties

    # A table is what its predictions say.
    for name, one in judged(predictions).items():
        for head in task.heads:
            row = table[(table["experiment"] == name) & (table["head"] == head.name)]
            row = row[row["component_size"] == "all"].iloc[0]
            assert right(one, [head])[head.name].notna().sum() == row["components"]
    f1 = label_table(judged(predictions)["A"], task.heads[1])["f1"].mean()
    chosen = (table["experiment"] == "A") & (table["head"] == "rest")
    expected = table.loc[chosen & (table["component_size"] == "all"), "macro_f1"].iloc[0]
    assert f1 == pytest.approx(expected, nan_ok=True)


def _assert_predictions_are_of(predictions, experiment, imageset):
    chosen = predictions[predictions["experiment"] == experiment]
    test = imageset.subset(imageset.images["split"] == "test")
    targets = component_targets(test, "majority")
    assert chosen["component_id"].unique().tolist() == targets.values.index.tolist()
    assert chosen["label"].tolist() == ["f", "m", "x"] * len(targets.values)
    wide = chosen.pivot_table(
        index="component_id", columns="label", values="truth", aggfunc="first", dropna=False
    )
    expected = targets.values.astype("boolean").where(targets.known)
    for label in "fmx":
        assert wide[label].tolist() == expected[label].tolist()
    sizes = chosen.drop_duplicates("component_id").set_index("component_id")["size"]
    assert sizes.to_dict() == targets.sizes.to_dict()
    both = chosen[chosen["label"] != "x"].groupby("component_id")["probability"].sum()
    np.testing.assert_allclose(both, 1, atol=1e-5)  # softmax of the exclusive head
