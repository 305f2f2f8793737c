import numpy as np
import pandas as pd
import pytest

from peta_viz.cleaning import clean
from peta_viz.confusion import judged, label_table, right
from peta_viz.errors import InvalidDataError
from peta_viz.experiments import EXPERIMENTS, run_experiments, train_models
from peta_viz.imageset import Head
from peta_viz.intervals import score_experiments
from peta_viz.pruning import ComponentPruning, LabelPruning
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
    history = train_models(task, cleaning, config, tmp_path, seeds=[3], progress=False)
    assert history["trained_on"].tolist() == ["raw", "cleaned"]
    assert history["seed"].tolist() == [3, 3]
    predictions = run_experiments(task, cleaning, tmp_path, progress=False)
    table = score_experiments(predictions, task, resamples=10)
    table = table[table["metric"] == "macro_f1"]
    pairs = table[["experiment", "trained_on", "judged_on"]].drop_duplicates().to_numpy().tolist()
    assert pairs == [
        ["A", "raw", "raw"],
        ["B", "cleaned", "cleaned"],
        ["C", "cleaned", "raw"],
        ["D, cleaned", "raw", "cleaned"],
    ]

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
        "trained_on": "str",
        "judged_on": "str",
        "seed": "int64",
        "component_id": "int64",
        "size": "int64",
        "label": "str",
        "probability": "float32",
        "truth": "boolean",
    }
    _assert_predictions_are_of(predictions, "A", task)
    _assert_predictions_are_of(predictions, "B", cleaning.apply(task))
    _assert_predictions_are_of(predictions, "C", task)
    _assert_predictions_are_of(predictions, "D, cleaned", cleaning.apply(task))
    assert predictions["truth"].isna().any()  # of the ties

    # A table is what its predictions say.
    for name, one in judged(predictions).items():
        for head in task.heads:
            row = table[(table["experiment"] == name) & (table["head"] == head.name)]
            row = row[row["component_size"] == "all"].iloc[0]
            assert right(one, [head])[head.name].notna().sum() == row["components"]
    f1 = label_table(judged(predictions)["A"], task.heads[1])["f1"].mean()
    chosen = (table["experiment"] == "A") & (table["head"] == "rest")
    expected = table.loc[chosen & (table["component_size"] == "all"), "value"].iloc[0]
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


@pytest.fixture
def trained(task, tmp_path):
    cleaning = clean(task, [ComponentPruning(lambda c: c["contested"])])
    config = TrainConfig(epochs=2, height_px=32, width_px=32, batch_size=4, weights=None)
    options = {"seeds": [0, 1], "report_every": 2, "progress": False}
    train_models(task, cleaning, config, tmp_path, **options)
    return cleaning, tmp_path


def test_curated_labels_are_another_judge(task, trained):
    cleaning, folder = trained
    curation = clean(task, [LabelPruning(0.9)])
    predictions = run_experiments(task, cleaning, folder, curation=curation, progress=False)
    names = [experiment.name for experiment in EXPERIMENTS]
    assert predictions["experiment"].unique().tolist() == names
    assert predictions.groupby("experiment")["seed"].unique().map(sorted).tolist() == [[0, 1]] * 6
    curated = predictions[predictions["seed"] == 1]
    _assert_predictions_are_of(curated, "D, curated", curation.apply(task))
    _assert_predictions_are_of(curated, "C′", curation.apply(task))
    # What a model says hangs on what it was trained on, not on what judges it.
    said = {
        name: rows.set_index(["seed", "component_id", "label"])["probability"]
        for name, rows in predictions.groupby("experiment")
    }
    assert said["A"].equals(said["D, curated"])
    assert said["C"].equals(said["C′"])
    assert not said["A"].equals(said["C"])
    shared = said["D, cleaned"].index
    assert said["A"].reindex(shared).equals(said["D, cleaned"])


def test_what_was_predicted_of_the_validation_side_is_kept(trained):
    _, folder = trained
    for state in ("raw", "cleaned"):
        epochs = folder / state / "seed-1" / "epochs"
        assert sorted(path.name for path in epochs.iterdir()) == ["best", "epoch-002"]
        for name in ("best", "epoch-002"):
            predictions = pd.read_parquet(epochs / name / "predictions.parquet")
            matrices = pd.read_parquet(epochs / name / "confusion.parquet")
            metrics = pd.read_parquet(epochs / name / "metrics.parquet")
            gender = matrices[matrices["head"] == "gender"]
            assert gender["true"].tolist() == ["f", "f", "m", "m"]
            own = metrics[(metrics["head"] == "gender") & (metrics["component_size"] == "all")]
            assert gender["components"].sum() == own["components"].iloc[0]
            right = gender.loc[gender["true"] == gender["predicted"], "components"].sum()
            assert right / gender["components"].sum() == pytest.approx(own["accuracy"].iloc[0])
            assert set(predictions["label"]) == {"f", "m", "x"}
            page = (epochs / name / "index.html").read_text()
            assert f"{state}/seed-1, epoch" in page
            assert "Content-Security-Policy" in page


def test_models_say_which_of_how_many_is_trained(task, tmp_path, capsys):
    config = TrainConfig(epochs=1, height_px=32, width_px=32, batch_size=4, weights=None)
    cleaning = clean(task, [ComponentPruning(lambda c: c["contested"])])
    train_models(task, cleaning, config, tmp_path, seeds=[0, 1])
    lines = [line for line in capsys.readouterr().err.splitlines() if "epoch 1" in line]
    assert [line.partition(":")[0] for line in lines] == [
        "raw/seed-0 (model 1 of 4)",
        "cleaned/seed-0 (model 2 of 4)",
        "raw/seed-1 (model 3 of 4)",
        "cleaned/seed-1 (model 4 of 4)",
    ]


def test_where_only_the_test_side_was_cleaned_one_model_stands_for_both(task, tmp_path, capsys):
    config = TrainConfig(epochs=1, height_px=32, width_px=32, batch_size=4, weights=None)
    for side, names in (("test", 1), ("train", 2), ("validation", 2)):
        own = task.images.loc[task.images["split"] == side, "component_id"].iloc[0]
        cleaning = clean(task, [ComponentPruning(lambda c, own=own: c.index == own)])
        assert len(cleaning.changes)
        train_models(task, cleaning, config, tmp_path / side)
        said = capsys.readouterr().err
        assert ("nothing was cleaned that it learns from" in said) == (names == 1)
        lines = {line.partition(":")[0] for line in said.splitlines() if "epoch 1" in line}
        assert len(lines) == names


def test_where_nothing_was_cleaned_one_model_stands_for_both(task, tmp_path, capsys):
    config = TrainConfig(epochs=2, height_px=32, width_px=32, batch_size=4, weights=None)
    nothing = clean(task, [])
    history = train_models(task, nothing, config, tmp_path, report_every=1)
    said = capsys.readouterr().err
    assert (
        "cleaned/seed-0 (model 2 of 2): nothing was cleaned that it learns from: it is raw/seed-0\n"
        in said
    )
    lines = [line for line in said.splitlines() if "epoch" in line]
    assert [line.partition(":")[0] for line in lines] == ["raw/seed-0 (model 1 of 2)"] * 2
    own = {state: rows.iloc[:, 2:] for state, rows in history.groupby("trained_on")}
    assert own["cleaned"].reset_index(drop=True).equals(own["raw"].reset_index(drop=True))
    raw, cleaned = tmp_path / "raw" / "seed-0", tmp_path / "cleaned" / "seed-0"
    assert (cleaned / "best.pt").read_bytes() == (raw / "best.pt").read_bytes()
    assert (cleaned / "epochs" / "best").is_dir()
    # What is cleaned afterwards is trained anew.
    cleaning = clean(task, [ComponentPruning(lambda c: c["contested"])])
    train_models(task, cleaning, config, tmp_path, progress=False)
    assert (cleaned / "best.pt").read_bytes() != (raw / "best.pt").read_bytes()


def test_models_that_are_not_there_are_told(task, trained):
    cleaning, folder = trained
    (folder / "raw" / "seed-1" / "best.pt").unlink()
    with pytest.raises(InvalidDataError, match=r"raw has the seeds \[0\]"):
        run_experiments(task, cleaning, folder, progress=False)
    with pytest.raises(InvalidDataError, match="train them first"):
        run_experiments(task, cleaning, folder / "gone", progress=False)
