import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import psutil
import pytest

from peta_viz import pipeline
from peta_viz.curation.acts import Ledger
from peta_viz.curation.case import Case
from peta_viz.curation.log import DecisionLog
from peta_viz.errors import BusyError, DiskError, InvalidDataError, StageError
from peta_viz.evaluation import LEARNED_NOTHING, answers_alike, headline, read_scores
from peta_viz.files import alone
from peta_viz.imageset import ImageSet
from peta_viz.peta import read_peta
from peta_viz.pipeline import STAGES, finished_seconds, known_parameters, run_stages
from peta_viz.report import EXPERIMENT_NOTES_FILE
from peta_viz.sample import RELEASE
from peta_viz.splitting import side_of
from peta_viz.tracking import tracking_uri
from tests.conftest import QUICK, run_cli

TABLES = ["images", "labels", "pairs", "components", "cleaning", "predictions"]


def _tables(folder):
    frames = {name: pd.read_parquet(folder / f"{name}.parquet") for name in TABLES}
    frames["images"] = frames["images"].drop(columns="path")
    for name in ("experiments", "differences", "flips", "training", "truth_scores"):
        frames[name] = pd.read_csv(folder / f"{name}.csv")
    return frames


def _assert_same(one, other):
    for name, frame in _tables(one).items():
        pd.testing.assert_frame_equal(frame, _tables(other)[name], obj=name)


def test_the_run_folder_holds_what_is_promised(run_folder):
    names = {path.name for path in run_folder.iterdir()}
    files = {f"{name}.parquet" for name in TABLES} | {"experiments.csv", "index.html"}
    assert files | {"notebooks", "reports"} <= names
    for stage in STAGES:
        assert (run_folder / "notebooks" / f"{stage.name}.ipynb").is_file()
        assert (run_folder / "reports" / f"{stage.name}.html").is_file()
    imageset = ImageSet.from_parquet(run_folder)
    raw = read_peta(run_folder / "sample" / RELEASE)
    pd.testing.assert_frame_equal(imageset.labels, raw.labels)
    assert imageset.heads == raw.heads
    components = pd.read_parquet(run_folder / "components.parquet")
    assert components["size"].sum() == len(imageset)
    assert {"disagreement", "is_bad_component_std_80"} <= set(components.columns)


def test_the_page_of_decisions_says_what_there_is_not_yet_and_what_to_decide(run_folder):
    page = (run_folder / "reports" / "05_curation.html").read_text()
    for words in (
        "Nobody has decided anything yet",
        "No decision has changed anything yet",
        "No two people have decided about the same contested component",
        "No drawn component was decided blindly yet",
    ):
        assert words in page
    assert page.count('class="pvs-component"') == 6
    assert "data:image/jpeg" in page


def test_models_that_learned_nothing_are_told_of_everywhere(run_folder):
    said = pd.read_parquet(run_folder / "predictions.parquet")
    expected = [LEARNED_NOTHING] if answers_alike(said) else []
    assert json.loads((run_folder / EXPERIMENT_NOTES_FILE).read_text()) == expected
    for page in (run_folder / "reports" / "04_experiments.html", run_folder / "index.html"):
        assert (LEARNED_NOTHING in page.read_text()) is bool(expected)


def test_train_and_validation_share_no_unit(run_folder):
    images = ImageSet.from_parquet(run_folder).images
    for column in ("component_id", "person_id"):
        assert images.groupby(column)["split"].nunique().max() == 1


def test_mlflow_reads_the_run_back(run_folder):
    from mlflow import MlflowClient  # noqa: PLC0415 - it takes seconds to load

    client = MlflowClient(tracking_uri(run_folder))
    (experiment,) = [e for e in client.search_experiments() if e.name == "peta-viz"]
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {"raw/seed-0", "cleaned/seed-0", "run out"}
    training = pd.read_csv(run_folder / "training.csv")
    own = training[training["trained_on"] == "cleaned"]
    points = client.get_metric_history(runs["cleaned/seed-0"].info.run_id, "loss")
    assert [point.value for point in points] == pytest.approx(own["loss"].tolist())
    whole = runs["run out"]
    assert whole.data.params["epochs"] == "2"
    scores = read_scores(run_folder / "experiments.csv")
    mean = headline(scores, "all").loc["mean", "A"]
    assert whole.data.metrics["A/all/mean/macro_f1"] == pytest.approx(mean)
    notebooks = client.list_artifacts(whole.info.run_id, "notebooks")
    assert [f.path for f in notebooks] == [f"notebooks/{stage.name}.ipynb" for stage in STAGES]


def test_no_connection_beyond_this_machine(traced_run):
    log = (traced_run / "strace.log").read_text()
    assert "AF_UNIX" in log  # the tracing works: kernels talk over local sockets
    assert re.findall(r".*sa_family=AF_INET6?.*", log) == []


def test_finished_stages_are_kept_and_changed_ones_done_again(run_folder, tmp_path):
    folder = tmp_path / "out"
    shutil.copytree(run_folder, folder)
    parameters = json.loads((folder / "stages" / "02_cleaning.json").read_text())["parameters"]
    assert parameters["strategies"] == ["component_pruning"]
    marker = json.loads((folder / "stages" / "01_components.json").read_text())
    assert marker["source"] == "the sample"
    shutil.rmtree(folder / "sample")  # the copy's own sample is drawn again, at another place
    said = run_cli("run", "--out", folder, *QUICK).stderr
    assert "01_components …" in said
    again = run_cli("run", "--out", folder, *QUICK).stderr
    assert again.count("was done before, kept") == 5
    assert "drawing the sample" in said
    assert "taking the sample that is there" in again
    assert "INFO" not in again
    (folder / "experiments.csv").unlink()
    third = run_cli("run", "--out", folder, *QUICK).stderr
    assert third.count("was done before, kept") == 3
    assert "04_experiments done" in third
    _assert_same(folder, run_folder)
    _decide(folder)
    fourth = run_cli("run", "--out", folder, *QUICK).stderr
    assert fourth.count("was done before, kept") == 3
    assert "05_curation done" in fourth
    scores = read_scores(folder / "experiments.csv")
    assert {"D, curated", "C′"} <= set(scores["experiment"])
    page = (folder / "reports" / "05_curation.html").read_text()
    assert "1 of " in page
    assert "Ada" in page
    assert run_cli("run", "--out", folder, *QUICK).stderr.count("was done before, kept") == 5
    people = run_cli("run", "--out", folder, *QUICK, "--set", "cleaned_by=people").stderr
    assert "03_training done" in people
    # No terminal is there: a line per epoch, and nothing of other bars.
    assert re.search(
        r"^cleaned/seed-0 \(model 2 of 2\): epoch 1 of 2, .* images/s, .* left of this model$",
        people,
        re.MULTILINE,
    )
    assert "decoding" not in people


def _decide(folder):
    """Split the first image off a contested component on the test side, and settle the others."""
    imageset = ImageSet.from_parquet(folder)
    test = set(side_of(imageset, "test").images["component_id"])
    components = pd.read_parquet(folder / "components.parquet")
    several = components.index[components["contested"] & (components["size"] > 2)]
    component = next((one for one in several if one in test), None)
    assert component is not None
    log = DecisionLog(folder / "decisions.sqlite")
    rows = np.flatnonzero(imageset.images["component_id"] == component)
    case = Case.of(imageset, Ledger(), component, rows)
    log.write(case.split(case.ids[:1]), "Ada")
    log.write(Case.of(imageset, Ledger(log.since()), component, rows).accept(), "Ada")


def test_killed_in_any_stage_it_carries_on_to_the_same_tables(run_folder, tmp_path):
    folder = tmp_path / "out"
    command = [sys.executable, "-m", "peta_viz", "run", "--out", str(folder), *QUICK]
    for stage in STAGES:
        running = folder / "notebooks" / f"{stage.name}.running.ipynb"
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + 600
        # The second executed cell of the stage has begun.
        while not (running.is_file() and '"status": "completed"' in _text(running)):
            assert process.poll() is None, f"{stage.name} ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.02)
        children = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, signal.SIGKILL)
        for child in children:
            if child.is_running():
                child.kill()
        process.wait()
        assert not (folder / "stages" / f"{stage.name}.json").exists()
    assert "01_components was done before" in run_cli("run", "--out", folder, *QUICK).stderr
    _assert_same(folder, run_folder)
    leftovers = [p for p in folder.rglob("*") if ".partial" in p.name or ".running" in p.name]
    assert [p for p in leftovers if p.suffix == ".ipynb"] == []


def _text(path):
    try:
        return path.read_text()
    except FileNotFoundError:  # renamed at this moment
        return ""


def test_an_unknown_parameter_is_refused_before_any_work(tmp_path):
    with pytest.raises(InvalidDataError, match="'treshold'; did you mean 'threshold'") as caught:
        run_stages(tmp_path, {"treshold": 0.7, "root": "x"})
    assert "known are" in str(caught.value)
    assert not (tmp_path / "notebooks").exists()


def test_a_failing_cell_is_shown_with_its_reason(tmp_path):
    said = []
    with pytest.raises(StageError) as caught:
        run_stages(tmp_path, {"root": str(tmp_path / "nowhere")}, say=said.append)
    message = str(caught.value)
    assert "01_components failed in this cell:" in message
    assert "imageset, summary = read_images(" in message
    assert "there is no such file or folder" in message
    assert (tmp_path / "notebooks" / "01_components.running.ipynb").is_file()
    assert list((tmp_path / "stages").iterdir()) == []
    with pytest.raises(StageError):  # and not that another run is at work
        run_stages(tmp_path, {"root": str(tmp_path / "nowhere")}, say=said.append)
    assert said == ["01_components …"] * 2


def test_a_kernel_that_does_not_answer_is_told(tmp_path, monkeypatch):
    kernel = tmp_path / "kernels" / "python3" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    silent = [sys.executable, "-c", "import time; time.sleep(600)", "{connection_file}"]
    kernel.write_text(json.dumps({"argv": silent, "display_name": "mute", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setattr("peta_viz.pipeline._KERNEL_START_S", 1)
    with pytest.raises(StageError, match="01_components did not begin"):
        run_stages(tmp_path / "run", {"root": str(tmp_path / "nowhere")}, say=lambda _: None)


def test_two_runs_in_one_folder_are_refused(tmp_path):
    with alone(tmp_path, "run"), pytest.raises(BusyError, match="another run"):
        run_stages(tmp_path, {"root": "x"})


def test_every_option_of_the_command_is_a_parameter_of_a_notebook():
    known = {name for stage in STAGES for name in known_parameters(stage.name)}
    assert {"root", "table", "reid", "threshold", "strategies", "weights", "truth", "out"} <= known


def test_an_own_table_with_hostile_text(tmp_path, write_image):
    evil = "<script>alert('x')</script>"
    rows = []
    for group in range(12):
        for copy in range(3):
            name = f"bilder/{group} {evil.replace('/', '')} ünï 'q' {copy}.png"
            write_image(name, seed=group, size=(48 + copy, 96))
            odd = group % 4 == 0 and copy == 0
            kind = "other" if odd else f"{evil} {group % 2}"
            rows.append({"file": name, "art": kind, evil: int(group % 3 == 0)})
    broken = tmp_path / rows[-1]["file"]
    broken.write_bytes(broken.read_bytes()[:80])
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    said = run_cli(
        *("run", tmp_path / "t.csv", "--out", tmp_path / "out"),
        *("--path-column", "file", "--label-columns", evil, "--class-columns", "art"),
        *("--clean", "label_pruning:ratio=0.5", "--clean", "component_pruning", *QUICK),
    )
    assert said.stdout.startswith("report: ")
    pages = [tmp_path / "out" / "index.html", *(tmp_path / "out" / "reports").iterdir()]
    assert len(pages) == 6
    for page in pages:
        assert "<script>alert" not in page.read_text()
    assert "&lt;script&gt;alert" in pages[0].read_text()
    images = ImageSet.from_parquet(tmp_path / "out").images
    assert images["problem"].ne("").sum() == 1
    assert "<b>1</b>image could not be decoded" in pages[0].read_text()
    changes = pd.read_parquet(tmp_path / "out" / "cleaning.parquet")
    assert set(changes.loc[changes["strategy"] == "label_pruning", "label"]) == {"art=other"}


def test_a_melting_threshold_is_said_on_the_page_and_in_the_terminal(tmp_path, sample_folder):
    done = run_cli(
        *("run", sample_folder / RELEASE, "--out", tmp_path, "--threshold", "0.9"),
        *QUICK,
    )
    assert "warning: the largest component holds" in done.stderr
    assert "try threshold=" in (tmp_path / "index.html").read_text()


def test_a_stage_knows_the_files_it_read(tmp_path, write_image):
    table, network = tmp_path / "t.csv", tmp_path / "net.xml"
    write_image("0.png")
    table.write_text("path,cat\n0.png,1\n")
    network.write_text("<net/>")
    network.with_suffix(".bin").write_bytes(b"1")
    parameters = {"table": str(table), "path_column": "path", "reid": str(network)}

    def stamp():
        return pipeline._stamp(STAGES[0], parameters, "")

    stamps = [stamp(), stamp()]
    write_image("0.png", seed=1, size=(30, 30))
    stamps.append(stamp())
    network.with_suffix(".bin").write_bytes(b"22")
    stamps.append(stamp())
    (tmp_path / "unrelated").write_text("")
    stamps.append(stamp())
    assert [stamps.index(value) for value in stamps] == [0, 0, 2, 3, 3]


def test_a_stage_whose_images_vanish_meanwhile_is_not_done(tmp_path, sample_folder, monkeypatch):
    root = tmp_path / RELEASE
    shutil.copytree(sample_folder / RELEASE, root)
    image = next(root.rglob("*.jpg"))

    def vanish(*_arguments, **_options):
        image.rename(image.with_suffix(".away"))

    monkeypatch.setattr(pipeline.papermill, "execute_notebook", vanish)
    with pytest.raises(StageError, match=rf"01_components stopped: .*{image.name}"):
        run_stages(tmp_path / "out", {"root": str(root)}, say=lambda _: None)
    assert list((tmp_path / "out" / "stages").iterdir()) == []


def test_a_full_disk_is_told(tmp_path, sample_folder, monkeypatch):
    def fail(*_arguments, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pipeline.papermill, "execute_notebook", fail)
    with pytest.raises(DiskError, match="out: the disk is full: make room"):
        run_stages(tmp_path / "out", {"root": str(sample_folder / RELEASE)}, say=lambda _: None)


def test_notebooks_that_no_run_made_are_not_replaced(tmp_path):
    notebook = tmp_path / "notebooks" / "02_cleaning.ipynb"
    notebook.parent.mkdir()
    notebook.write_text("mine")
    with pytest.raises(InvalidDataError, match="choose another --out"):
        run_stages(tmp_path, {"root": "x"})
    assert notebook.read_text() == "mine"


def test_the_run_of_another_table_is_not_replaced(tmp_path, monkeypatch):
    def begun(*_):
        raise StageError("it began")

    monkeypatch.setattr(pipeline, "_run_stage", begun)
    tables = [tmp_path / name for name in ("a.csv", "b.csv")]
    for table in tables:
        table.write_text("path,hat\n")
    out = tmp_path / "out"
    marker = out / "stages" / f"{STAGES[0].name}.json"
    marker.parent.mkdir(parents=True)

    def begin(before, **now):
        marker.write_text(json.dumps(before))
        with pytest.raises((InvalidDataError, StageError)) as told:
            run_stages(out, now, fresh=now.pop("fresh", False), say=lambda _: None)
        return str(told.value)

    a, b = ({"table": str(table)} for table in tables)
    of_a, of_sample = {"source": str(tables[0])}, {"source": "the sample"}
    refused = f"it holds the run of {tables[0]}: choose another --out, or --fresh to start over"
    assert refused in begin(of_a, **b)
    assert refused in begin(of_a, root=str(tmp_path), truth=str(tables[0]))
    assert "it holds the run of the sample" in begin(of_sample, **b)
    for before, now in (
        (of_a, a),
        (of_a, {**b, "fresh": True}),
        ({"source": str(tmp_path / "gone.csv")}, b),
        (of_sample, {**b, "truth": str(tables[0])}),
        ({}, b),
        ({"source": 1}, b),
        ([1], b),
    ):
        assert begin(before, **now) == "it began"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[1, 2]", "1", '{"stamp": "s"}', '{"stamp": "s", "seconds": "x"}', "[" * 5_000],
)
def test_a_marker_that_no_stage_wrote_is_none(tmp_path, text):
    stage = STAGES[-1]
    marker = tmp_path / "stages" / f"{stage.name}.json"
    marker.parent.mkdir()
    marker.write_text(text)
    assert finished_seconds(tmp_path, stage, "s") is None
    marker.write_text('{"stamp": "s", "seconds": 1.5}')
    assert finished_seconds(tmp_path, stage, "s") == 1.5
