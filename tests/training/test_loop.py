import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from peta_viz.errors import InvalidDataError
from peta_viz.imageset import Head
from peta_viz.progress import EPOCH_LINE
from peta_viz.training import loop
from peta_viz.training.checkpoints import LAST, load_model, new_model
from peta_viz.training.config import TrainConfig
from peta_viz.training.loop import train
from peta_viz.training.pixels import PixelStore
from peta_viz.training.predict import predict

CONFIG = TrainConfig(
    epochs=3, height_px=32, width_px=32, batch_size=8, learning_rate=3e-3, weights=None, seed=4
)


@pytest.fixture
def task(make_set):
    """Bright images are `x`, dark ones are not, `f` or `m` says the same; half are judged."""
    rng = np.random.default_rng(0)
    bright = np.arange(48) % 3 == 0
    rows = {f"{n:02d}": "x f" if b else "m" for n, b in enumerate(bright)}
    heads = [Head("gender", ("f", "m"), "exclusive"), Head("rest", ("x",))]
    imageset = make_set(rows, components=np.arange(48) // 3 * 3 + np.arange(48) % 3, heads=heads)
    side = np.where(np.arange(48) % 2, "validation", "train")
    noise = rng.integers(0, 60, (48, 32, 32, 3), dtype=np.uint8)
    return imageset.with_columns(split=side), noise + (bright * 180).astype(np.uint8)[
        :, None, None, None
    ]


def _store(task):
    imageset, values = task
    return PixelStore(values, imageset.images.index, str(values.sum()))


def _train(task, folder, config=CONFIG, hooks=()):
    return train(task[0], config, folder, pixels=_store(task), hooks=hooks, progress=False)


def test_it_learns_what_can_be_seen(task, tmp_path):
    history = _train(task, tmp_path, replace(CONFIG, epochs=30))
    assert history["loss"].iloc[-1] < history["loss"].iloc[0] / 2
    assert history["validation_f1"].max() > 0.9


def test_without_a_terminal_there_is_a_line_per_epoch(task, tmp_path, capsys):
    train(task[0], replace(CONFIG, epochs=2), tmp_path, pixels=_store(task), name="raw")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(EPOCH_LINE.match(line) for line in lines)
    assert lines[1].startswith("raw: epoch 2 of 2, loss ")
    assert lines[1].endswith(" images/s, done")
    _train(task, tmp_path / "silent")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("terminal", [True, False])
def test_one_of_several_trainings_says_which_it_is(task, tmp_path, capsys, monkeypatch, terminal):
    monkeypatch.setattr("peta_viz.progress.bar_fits", lambda: terminal)
    once = replace(CONFIG, epochs=1)
    train(task[0], once, tmp_path, pixels=_store(task), name="raw", part="model 1 of 2")
    assert "raw (model 1 of 2): " in capsys.readouterr().err


def test_the_same_seed_gives_the_same_history(task, tmp_path):
    one, two = _train(task, tmp_path / "1"), _train(task, tmp_path / "2")
    assert one.equals(two)
    assert not one.equals(_train(task, tmp_path / "3", replace(CONFIG, seed=5)))


def test_an_interrupted_training_carries_on_to_the_same_result(task, tmp_path, monkeypatch):
    undisturbed = _train(task, tmp_path / "whole")
    seen = []

    def stop(*arguments):
        seen.append(arguments[-2])
        if len(seen) == 2:
            raise KeyboardInterrupt
        return original(*arguments)

    original = loop._train_epoch
    monkeypatch.setattr(loop, "_train_epoch", stop)
    with pytest.raises(KeyboardInterrupt):
        _train(task, tmp_path / "cut")
    carried_on = _train(task, tmp_path / "cut")
    assert seen == [0, 1, 1, 2]  # the first epoch is not done twice
    assert carried_on.equals(undisturbed)
    whole, cut = (
        torch.load(tmp_path / name / "last.pt", weights_only=True)["model"]
        for name in ("whole", "cut")
    )
    assert all(torch.equal(whole[name], cut[name]) for name in whole)


def test_other_data_or_settings_start_again(task, tmp_path):
    _train(task, tmp_path)
    imageset, pixels = task
    darker = _train((imageset, pixels // 2), tmp_path)
    assert darker.equals(_train((imageset, pixels // 2), tmp_path / "darker"))
    other = _train(task, tmp_path, replace(CONFIG, learning_rate=1e-3))
    assert other.equals(_train(task, tmp_path / "fresh", replace(CONFIG, learning_rate=1e-3)))


@pytest.mark.parametrize("tuned", [False, True])
def test_the_best_epoch_is_what_is_loaded(task, tmp_path, tuned):
    imageset, _ = task
    wanted = replace(CONFIG, tune_thresholds=tuned)
    history = _train(task, tmp_path, wanted)
    model, config, heads = load_model(tmp_path / "best.pt")
    assert config == wanted
    assert heads == imageset.heads
    validation = imageset.subset(imageset.images["split"] == "validation")
    store = _store(task)
    side = loop.Side.of(validation, store, config)
    probabilities = predict(model, side.groups.draw(3), store.values, heads)
    assert probabilities.columns.tolist() == ["f", "m", "x"]
    np.testing.assert_allclose(probabilities[["f", "m"]].sum(axis=1), 1, atol=1e-5)
    table = loop.evaluate(probabilities.set_axis(side.targets.values.index), side.targets, heads)
    assert loop.mean_macro_f1(table) == history["validation_f1"].max()


def test_small_components_can_be_left_out(task, tmp_path):
    with pytest.raises(InvalidDataError, match="no two components of 2 images and more"):
        _train(task, tmp_path, replace(CONFIG, min_component_size=2))


@pytest.mark.parametrize("data", [b"hello", b"", b"PK\x03\x04", b"\x80\x02}."])
def test_what_is_no_checkpoint_is_told(tmp_path, data):
    (tmp_path / "a.pt").write_bytes(data)
    with pytest.raises(InvalidDataError, match="not a peta-viz checkpoint"):
        load_model(tmp_path / "a.pt")


@pytest.mark.parametrize(
    "change",
    [
        {"config": {"height_px": 10**9}},
        {"config": {"epochs": "x"}},
        {"config": None},
        {"heads": [("a", ("b",), "odd")]},
        {"heads": [(1, ("b",), "multiple")]},
        {"heads": None},
        {"model": {}},
    ],
)
def test_a_checkpoint_with_anything_else_in_it_is_refused(tmp_path, change):
    model = new_model([Head("a", ("b",))], TrainConfig(weights=None), weights=None)
    whole = {"config": {}, "heads": [("a", ("b",), "multiple")], "model": model.state_dict()}
    torch.save(whole, tmp_path / "a.pt")
    assert load_model(tmp_path / "a.pt", device="cpu")[2] == (Head("a", ("b",)),)
    torch.save(whole | change, tmp_path / "a.pt")
    with pytest.raises(InvalidDataError, match=r"a\.pt"):
        load_model(tmp_path / "a.pt")


def test_a_damaged_last_checkpoint_is_told_and_not_passed_over(task, tmp_path):
    _train(task, tmp_path)
    (tmp_path / LAST).write_bytes((tmp_path / LAST).read_bytes()[:-100])
    with pytest.raises(InvalidDataError, match="remove it to train from the start"):
        _train(task, tmp_path)


@pytest.mark.parametrize(
    "options",
    [
        {"stem": "shared"},
        {"loss": "focal"},
        {"class_weights": "balanced"},
        {"images_per_group": 1},
        {"precision": "bfloat16"},
        {"batch_size": 23},
    ],
)
def test_every_option_learns(task, tmp_path, options):
    # Batch normalisation takes longer to find its figures for judging: only the loss tells here.
    history = _train(task, tmp_path, replace(CONFIG, epochs=10, **options))
    assert history["loss"].iloc[-1] < 0.7 * history["loss"].iloc[0]


def test_hooks_are_told_of_every_epoch_that_was_trained(task, tmp_path):
    told = []
    history = _train(task, tmp_path, hooks=[told.append])
    assert [epoch.number for epoch in told] == [1, 2, 3]
    assert [epoch.best for epoch in told] == history["best"].tolist()
    assert [epoch.validation_f1 for epoch in told] == history["validation_f1"].tolist()
    assert all(epoch.images_per_s > 0 for epoch in told)
    assert told[0].probabilities.index.equals(told[0].targets.values.index)
    _train(task, tmp_path, hooks=[told.append])  # nothing is left to do
    assert len(told) == 3


def test_tuned_thresholds_are_those_of_the_validation_side(task, tmp_path):
    told = []
    plain = _train(task, tmp_path / "plain")
    tuned = _train(task, tmp_path / "tuned", replace(CONFIG, tune_thresholds=True), [told.append])
    assert (tuned["validation_f1"] >= plain["validation_f1"]).all()
    assert tuned["loss"].tolist() == plain["loss"].tolist()  # training itself is the same


def test_killed_in_mid_epoch_it_carries_on_to_the_same_metrics(tmp_path):
    def run(name, dies_at):
        (tmp_path / name).mkdir(exist_ok=True)
        command = [sys.executable, "-m", "tests.training.killed", tmp_path / name, str(dies_at)]
        return subprocess.run(command, capture_output=True, check=False).returncode

    assert run("whole", 0) == 0
    assert run("cut", 5) == -signal.SIGKILL  # three batches an epoch: in the second one
    assert not (tmp_path / "cut" / "history.csv").exists()
    assert len(torch.load(tmp_path / "cut" / "last.pt", weights_only=True)["history"]) == 1
    assert run("cut", 0) == 0
    whole, cut = (pd.read_csv(tmp_path / name / "history.csv") for name in ("whole", "cut"))
    pd.testing.assert_frame_equal(whole, cut, check_exact=True)
    models = [load_model(tmp_path / name / "best.pt")[0].state_dict() for name in ("whole", "cut")]
    assert all(torch.equal(models[0][key], models[1][key]) for key in models[0])
