import numpy as np
import pandas as pd
import pytest
import torch

from peta_viz.errors import InvalidDataError
from peta_viz.images import load_batch
from peta_viz.imageset import Head
from peta_viz.training import predict as predict_module
from peta_viz.training.checkpoints import load_model, new_model, save
from peta_viz.training.config import TrainConfig
from peta_viz.training.data import Targets
from peta_viz.training.predict import predict, predict_files, prediction_rows

HEADS = (Head("gender", ("f", "m"), "exclusive"), Head("rest", ("x", "y")))
CONFIG = TrainConfig(height_px=32, width_px=32, stem="shared", weights=None)


@pytest.fixture
def checkpoint(tmp_path, paths):
    torch.manual_seed(0)
    model = new_model(HEADS, CONFIG, weights=None)
    seen = load_batch(paths, (32, 32))[0][:, None]
    for _ in range(30):  # or batch normalisation would let all images look alike
        model(torch.from_numpy(seen))
    state = {"config": CONFIG.__dict__, "model": model.state_dict()}
    state["heads"] = [(head.name, list(head.labels), head.kind) for head in HEADS]
    save(tmp_path / "model.pt", state)
    return tmp_path / "model.pt"


@pytest.fixture
def paths(write_image):
    return [str(write_image(f"{n}.png", seed=n)) for n in range(5)]


def test_each_file_gets_its_row(checkpoint, paths, tmp_path):
    (tmp_path / "bad.png").write_text("hello")
    files = [*paths[:2], str(tmp_path / "bad.png"), *paths[2:]]
    frame = predict_files(checkpoint, files, progress=False)
    assert frame.columns.tolist() == ["path", "problem", "gender", "f", "m", "x", "y"]
    assert frame["path"].tolist() == files
    assert frame["problem"].tolist()[2] == "it is not an image that Pillow knows"
    assert frame.iloc[2, 2:].isna().all()
    good = frame.drop(index=2)
    assert (good["problem"] == "").all()
    np.testing.assert_allclose(good["f"] + good["m"], 1, atol=1e-5)
    assert good["gender"].tolist() == ["f" if f > 0.5 else "m" for f in good["f"]]
    alone = predict_files(checkpoint, [paths[3]], progress=False)
    np.testing.assert_allclose(alone[["f", "x"]], frame.loc[[4], ["f", "x"]], rtol=1e-4)


def test_images_of_a_component_are_seen_together(checkpoint, paths):
    frame = predict_files(checkpoint, paths, components=["b", "a", "b", "c", "b"], progress=False)
    assert frame.loc[[0, 2, 4], "x"].nunique() == 1
    assert frame["x"].nunique() == 3
    alone = predict_files(checkpoint, paths, progress=False)
    np.testing.assert_allclose(frame.loc[[1, 3], "x"], alone.loc[[1, 3], "x"], rtol=1e-4)


def test_many_files_are_decoded_a_batch_at_a_time(checkpoint, paths, monkeypatch):
    whole = predict_files(checkpoint, paths, progress=False)
    monkeypatch.setattr(predict_module, "_BATCH", 2)
    pd.testing.assert_frame_equal(
        predict_files(checkpoint, paths, progress=False), whole, rtol=1e-4
    )


def test_nothing_to_predict_is_told(checkpoint):
    with pytest.raises(InvalidDataError, match="there is none"):
        predict_files(checkpoint, [], progress=False)


def test_a_model_is_asked_in_evaluation_mode(checkpoint):
    model, _, heads = load_model(checkpoint)
    model.train()
    values = np.random.default_rng(0).integers(0, 255, (6, 32, 32, 3), dtype=np.uint8)
    rows = np.arange(6).reshape(2, 3)
    assert predict(model, rows, values, heads).equals(predict(model, rows, values, heads))
    assert not model.training


def test_rows_of_predictions():
    values = pd.DataFrame([[True, False]], index=pd.Index([7]), columns=["f", "m"])
    known = pd.DataFrame([[True, False]], index=values.index, columns=["f", "m"])
    said = pd.DataFrame([[0.25, 0.75]], index=values.index, columns=["f", "m"])
    rows = prediction_rows(said, Targets(values, known, pd.Series([3], index=values.index)))
    assert rows.astype(object).to_numpy().tolist() == [
        [7, 3, "f", 0.25, True],
        [7, 3, "m", 0.75, pd.NA],
    ]


def test_a_folder_is_no_model(tmp_path):
    with pytest.raises(InvalidDataError, match=r"it is a folder: give a trained model$"):
        load_model(tmp_path)
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "best.pt").touch()
    with pytest.raises(InvalidDataError, match=r"give a trained model, such as .*raw/best\.pt"):
        load_model(tmp_path)


def test_a_class_is_called_as_in_the_table(paths, tmp_path):
    heads = (Head("colour", ("colour=red", "colour=blue"), "exclusive"),)
    state = {
        "config": CONFIG.__dict__,
        "model": new_model(heads, CONFIG, weights=None).state_dict(),
    }
    state["heads"] = [(head.name, list(head.labels), head.kind) for head in heads]
    save(tmp_path / "model.pt", state)
    frame = predict_files(tmp_path / "model.pt", paths, progress=False)
    assert set(frame["colour"]) <= {"red", "blue"}
    assert frame.columns.tolist()[3:] == ["colour=red", "colour=blue"]
