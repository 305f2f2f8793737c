import io
import os
import re
import sqlite3
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from peta_viz.errors import InvalidDataError, MissingPartError
from peta_viz.tracking import (
    DATABASE,
    CnvrgLines,
    OnlyLines,
    Tracker,
    tracking_uri,
    training_hooks,
    without_cnvrg,
)
from peta_viz.training.config import TrainConfig
from peta_viz.training.loop import Epoch

CONFIG = TrainConfig(weights=None, epochs=2)
TABLE = pd.DataFrame(
    {
        "component_size": ["all", "all", "1"],
        "head": ["gender", "a <b>: 'c'", "gender"],
        "macro_f1": [0.5, np.nan, 0.1],
    }
)
LINE = re.compile(r"cnvrg_(tag_[^\s:]+: \S.*|linechart_[^\s:]+( group: '[^'\n]+')? value: \S+)")


def _epoch(number, name="raw/seed-0", stamp="s"):
    return Epoch(name, stamp, number, 2, 1 / number, 100.0, 0.4, number == 1, None, None, (), TABLE)


def _scores():
    return pd.DataFrame(
        {
            "experiment": ["A", "C′", "A"],
            "component_size": ["2 and more"] * 3,
            "image_size": ["all"] * 3,
            "source": ["all"] * 3,
            "head": ["gender", "mean", "age"],
            "metric": ["macro_f1"] * 3,
            "value": [0.5, 0.25, np.nan],
        }
    )


def _client(folder):
    from mlflow import MlflowClient  # noqa: PLC0415 - after telemetry was switched off

    return MlflowClient(tracking_uri(folder))


def _runs(folder):
    client = _client(folder)
    (experiment,) = [e for e in client.search_experiments() if e.name == "peta-viz"]
    return client, client.search_runs([experiment.experiment_id])


@pytest.fixture(scope="module")
def tracked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tracked")
    hook = Tracker(folder).hook(CONFIG)
    hook(_epoch(1))
    # As after an interruption: another process goes on.
    Tracker(folder).hook(CONFIG)(_epoch(2))
    Tracker(folder).hook(replace(CONFIG, epochs=3))(_epoch(1, stamp="other"))
    Tracker(folder).hook(CONFIG)  # a training with nothing left to do
    file = folder / "reports" / "a.html"
    file.parent.mkdir()
    file.write_text("hello")
    Tracker(folder).record("run out", {"root": "x" * 9000, "a:b": None}, _scores(), [file])
    return folder


def test_mlflow_reads_a_training_back(tracked):
    client, runs = _runs(tracked)
    trainings = [run for run in runs if run.info.run_name == "raw/seed-0"]
    assert len(trainings) == 2  # the one that was carried on, and one with other settings
    (run,) = [run for run in trainings if run.data.params["epochs"] == "2"]
    assert run.data.params["learning_rate"] == "0.001"
    loss = client.get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.value) for point in loss] == [(1, 1.0), (2, 0.5)]
    assert run.data.metrics["macro_f1/gender"] == 0.5
    assert run.info.status == "FINISHED"


def test_mlflow_reads_the_whole_run_back(tracked):
    client, runs = _runs(tracked)
    (run,) = [run for run in runs if run.info.run_name == "run out"]
    assert run.data.params["a_b"] == "None"
    assert run.data.metrics["A/2 and more/gender/macro_f1"] == 0.5
    assert run.data.metrics["C prime/2 and more/mean/macro_f1"] == 0.25
    assert [f.path for f in client.list_artifacts(run.info.run_id, "reports")] == ["reports/a.html"]
    assert (tracked / "mlartifacts").is_dir()


def test_odd_names_of_heads_are_no_paths(tmp_path):
    odd = TABLE.assign(component_size="all", head=["hair/", "..", "a//b"], macro_f1=0.25)
    epoch = replace(_epoch(1), table=odd)
    Tracker(tmp_path).hook(CONFIG)(epoch)
    (run,) = _runs(tmp_path)[1]
    names = {name for name, value in run.data.metrics.items() if value == 0.25}
    assert names == {"macro_f1/hair_", "macro_f1/__", "macro_f1/a__b"}


def test_a_path_that_is_no_address_is_told(tmp_path):
    with pytest.raises(InvalidDataError, match="run with --no-track"):
        Tracker(tmp_path / "a?b")


@pytest.mark.usefixtures("tracked")
def test_mlflow_is_told_to_keep_to_itself():
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert os.environ["DO_NOT_TRACK"] == "true"


def test_without_mlflow_the_message_names_the_way(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(MissingPartError, match=r"pip install 'peta-viz\[track\]'"):
        Tracker(tmp_path)


def test_cnvrg_lines_are_as_its_agent_reads_them(tmp_path, capsys):
    hooks = training_hooks(tmp_path, CONFIG, cnvrg=True)
    (hook,) = hooks(CONFIG)
    hook(_epoch(1))
    CnvrgLines().scores(_scores())
    lines = capsys.readouterr().out.splitlines()
    assert all(LINE.fullmatch(line) for line in lines), lines
    assert "cnvrg_tag_epochs: 2" in lines
    assert "cnvrg_linechart_loss group: 'raw/seed-0' value: 1" in lines
    assert "cnvrg_linechart_macro_f1/gender group: 'raw/seed-0' value: 0.5" in lines
    assert "cnvrg_tag_C′_mean_macro_f1: 0.2500" in lines
    assert not any("nan" in line for line in lines)


def test_text_cannot_break_out_of_a_cnvrg_line():
    stream = io.StringIO()
    lines = CnvrgLines(stream)
    lines.tag("a b: c", "x\ncnvrg_tag_evil: 1")
    lines.point("f1: x", 0.5, "it's\nme")
    assert stream.getvalue().splitlines() == [
        "cnvrg_tag_a_b_c: x cnvrg_tag_evil: 1",
        "cnvrg_linechart_f1_x group: 'it’s me' value: 0.5",
    ]
    assert all(LINE.fullmatch(line) for line in stream.getvalue().splitlines())


def test_only_cnvrg_lines_are_passed_on():
    stream = io.StringIO()
    only = OnlyLines(stream)
    only.write("hello\ncnvrg_tag_a: 1\n")
    only.write("cnvrg_x\ncnvrg_linechart_b value: 2\n")
    only.flush()
    assert stream.getvalue() == "cnvrg_tag_a: 1\ncnvrg_linechart_b value: 2\n"
    assert without_cnvrg("hello\ncnvrg_tag_a: 1\ncnvrg_x\n") == "hello\ncnvrg_x\n"


def test_nothing_is_loaded_unless_asked_for():
    code = "import sys, peta_viz.tracking; print('mlflow' in sys.modules, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_mlflow_says_nothing_of_its_tables(tmp_path):
    code = "import sys; from peta_viz.tracking import Tracker; Tracker(sys.argv[1])"
    line = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    assert (tmp_path / "mlflow.db").is_file()
    assert "INFO" not in done.stdout + done.stderr


@pytest.mark.parametrize("moved", [1, 2])
def test_a_folder_that_was_moved_writes_nothing_where_it_was(tmp_path, moved):
    place = tmp_path / "0"
    Tracker(place).record("run", {}, _scores(), [])
    for number in range(1, moved + 1):
        place = place.rename(tmp_path / str(number))
        file = place / "index.html"
        file.write_text("page")
        run = Tracker(place).record("run", {}, _scores(), [file])
    assert [path.name for path in tmp_path.iterdir()] == [str(moved)]
    assert next((place / "mlartifacts").rglob("index.html")).read_text() == "page"
    assert _client(place).get_run(run).info.artifact_uri.startswith(place.as_uri())
    assert (
        len(_client(place).search_experiments(filter_string="name LIKE 'peta-viz%'")) == moved + 1
    )


def test_a_file_that_mlflow_made_half_of_never_has_the_name(tmp_path, monkeypatch):
    import mlflow  # noqa: PLC0415

    class Killed(BaseException):
        pass

    def search(_client):
        assert not (tmp_path / DATABASE).exists()
        raise Killed

    monkeypatch.setattr(mlflow.MlflowClient, "search_experiments", search)
    with pytest.raises(Killed):
        Tracker(tmp_path)
    monkeypatch.undo()
    Tracker(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [DATABASE]


def test_what_is_no_file_of_mlflow_is_told(tmp_path):
    (tmp_path / DATABASE).write_bytes(b"something else, and long enough to be no SQLite file")
    with pytest.raises(InvalidDataError, match=r"MLflow cannot use it .*use --no-track"):
        Tracker(tmp_path)


def test_a_file_that_cannot_be_written_any_more_is_told(tmp_path):
    tracker = Tracker(tmp_path)
    columns = ["image_size", "source", "metric", "experiment", "component_size", "head", "value"]
    scores = pd.DataFrame(columns=columns)
    with sqlite3.connect(tmp_path / DATABASE) as database:
        database.execute("DROP TABLE runs")
    with pytest.raises(InvalidDataError, match="MLflow cannot use it"):
        tracker.record("run", {}, scores, [])
    with pytest.raises(InvalidDataError, match="MLflow cannot use it"):
        tracker.hook(CONFIG)(_epoch(1))
