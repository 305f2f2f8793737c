import re
import signal
import subprocess
import sys

import pandas as pd
import pytest
from typer.testing import CliRunner

from peta_viz.cli import app, read_assignments
from peta_viz.errors import InvalidDataError
from peta_viz.sample import RELEASE
from tests.conftest import run_cli


@pytest.mark.parametrize("command", ["run", "predict", "audit", "sample", "network", "lab"])
def test_every_option_has_help(command):
    text = (
        CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"}).output
    )
    options = re.findall(r"^[│ *]+(--[a-z-]+).*$", text, re.MULTILINE)
    assert len(options) >= 2
    for line in re.findall(r"^[│ *]+--[a-z-]+.*$", text, re.MULTILINE):
        assert len(re.findall(r"[A-Za-z]{2,}", line)) >= 4, line


def test_an_error_of_ours_is_a_message_and_no_traceback(tmp_path):
    done = run_cli("run", "--out", tmp_path, "--set", "nonsense=1", check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("  - known are")
    assert "no notebook has a parameter 'nonsense'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_cannot_be_written_is_a_message_and_no_traceback():
    done = run_cli("sample", "/sys/peta-viz", check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("peta-viz: /sys/peta-viz: you may not write there")
    assert "Traceback" not in done.stderr


@pytest.fixture
def shoes(write_image):
    """Write a table of four images."""
    for n in range(4):
        write_image(f"{n}.png", seed=n)
    frame = pd.DataFrame({"file": [f"{n}.png" for n in range(4)], "worn": ["yes", "no"] * 2})
    frame["hue"] = ["red", "blue"] * 2
    return frame


GOOD = ["--path-column", "file", "--label-columns", "worn", "--class-columns", "hue"]


@pytest.mark.parametrize(
    ("changed", "options", "words"),
    [
        (
            {"file": list("abcd"), "worn": list("abcd")},
            [],
            [
                "no column looks like image files: name it with --path-column",
                "no column looks like labels: name them with --label-columns or --class-columns",
                "the columns are 'file', 'worn', 'hue'",
            ],
        ),
        (
            {},
            [*GOOD[:4], "--class-columns", "hues"],
            ["--class-columns: there is no column 'hues' (did you mean 'hue'?)"],
        ),
        ({}, [*GOOD, "--person-column", "who"], ["--person-column: there is no column 'who'"]),
        (
            {},
            [*GOOD[:2], "--label-columns", "hue"],
            ["'red' in row 1 below the header and 3 more", "--class-columns"],
        ),
        (
            {"file": "0.png"},
            GOOD,
            ["column 'file', of image files, must be unique, but 1 value repeats"],
        ),
        ({"worn": ["yes", "no", None, "no"]}, GOOD, ["1 empty cell:", "--missing unknown"]),
        ({"file": list("abcd")}, GOOD, ["none of its 4 images can be read", "--images-root"]),
    ],
)
def test_mistakes_in_a_table_are_told_before_any_work(shoes, tmp_path, changed, options, words):
    own = shoes.assign(**changed)
    own.to_csv(tmp_path / "shoes.csv", index=False)
    own.to_parquet(tmp_path / "shoes.parquet")
    for file in ("shoes.csv", "shoes.parquet"):
        line = ["run", str(tmp_path / file), "--out", str(tmp_path / "out"), *options]
        error = CliRunner().invoke(app, line).exception
        assert isinstance(error, InvalidDataError)
        for part in words:
            assert part in str(error)
        assert "=…" not in str(error)
        assert "missing=" not in str(error)
    assert not (tmp_path / "out").exists()


def test_columns_of_a_run_are_guessed_and_told(shoes, tmp_path, monkeypatch):
    shoes.assign(who="me").to_csv(tmp_path / "shoes.csv", index=False)
    given = {}
    run_stages = lambda out, parameters, **_: given.update(parameters, out=out)  # noqa: E731
    monkeypatch.setattr("peta_viz.pipeline.run_stages", run_stages)
    done = CliRunner().invoke(app, ["run", str(tmp_path / "shoes.csv"), "--person-column", "hue"])
    assert "if one is no label, leave it out of: --label-columns worn\n" in done.output
    assert "not taken for labels: 'who'; name what is one\n" in done.output
    assert (given["root"], given["table"]) == (None, str(tmp_path / "shoes.csv"))
    assert (given["path_column"], given["label_columns"]) == ("file", ["worn"])
    assert given["class_columns"] == []
    named = ["--label-columns", "worn", "--class-columns", "hue"]
    done = CliRunner().invoke(app, ["run", str(tmp_path / "shoes.csv"), *named])
    assert "guessed" not in done.output
    assert (given["path_column"], given["class_columns"]) == ("file", ["hue"])


def test_a_table_or_release_that_is_none_is_told_before_any_work(shoes, tmp_path):
    shoes.to_csv(tmp_path / "shoes.csv", index=False, sep=";")
    (tmp_path / "empty" / "VIPeR" / "archive").mkdir(parents=True)
    (tmp_path / "empty" / "VIPeR" / "archive" / "Label.txt").touch()
    for source, words in (
        ([tmp_path / "shoes.csv", *GOOD], "it looks separated by ';'"),
        ([tmp_path / "gone.csv", *GOOD], "there is no such file"),
        ([tmp_path / "gone"], "a table is one of .csv, .parquet"),
        ([tmp_path], "nothing in it tells the labels of its images: give a table"),
        ([tmp_path / "empty"], "there is no image in it"),
    ):
        done = CliRunner().invoke(app, ["run", "--out", str(tmp_path / "out"), *map(str, source)])
        assert isinstance(done.exception, InvalidDataError)
        assert words in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_an_audit_tells_mistakes_in_the_names_of_its_options(shoes, tmp_path):
    shoes[["hue"]].to_csv(tmp_path / "shoes.csv", index=False)
    error = CliRunner().invoke(app, ["audit", str(tmp_path / "shoes.csv")]).exception
    assert "no column looks like image files: name it with --path-column" in str(error)
    assert "name them with --label-columns or --class-columns" in str(error)


@pytest.mark.parametrize("command", [["run"], ["audit", "own.csv"]])
def test_a_file_is_no_folder_to_write_into(command, tmp_path):
    (tmp_path / "file").write_text("mine")
    done = run_cli(*command, "--out", tmp_path / "file", check=False)
    assert done.returncode == 1
    assert f"{tmp_path / 'file'} is a file: name a folder" in done.stderr
    assert (tmp_path / "file").read_text() == "mine"


def test_an_interrupted_run_says_how_it_goes_on(tmp_path):
    command = [sys.executable, "-m", "peta_viz", "run", "--out", str(tmp_path / "out")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    said = []
    for line in process.stderr:
        said.append(line)
        if "01_components" in line:
            process.send_signal(signal.SIGINT)
            break
    said.append(process.communicate(timeout=600)[1])
    assert process.returncode != 0
    assert "interrupted: the same command carries on from here" in "".join(said)


def test_sample_prints_where_it_is(tmp_path):
    done = run_cli("sample", tmp_path)
    assert done.stdout.strip() == str(tmp_path / "PETA dataset")
    assert (tmp_path / "truth.csv").is_file()


def test_version():
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", run_cli("--version").stdout)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_predict_writes_a_row_per_image(run_folder, tmp_path, suffix):
    checkpoint = run_folder / "models" / "raw" / "seed-0" / "best.pt"
    images = run_folder / "sample" / RELEASE / "SampleCampus"
    out = tmp_path / f"said{suffix}"
    done = run_cli("predict", checkpoint, images, "--out", out)
    frame = pd.read_csv(out) if suffix == ".csv" else pd.read_parquet(out)
    assert f"{len(frame)} images predicted, 0 could not be decoded" in done.stdout
    assert set(frame["gender"]) <= {"personalFemale", "personalMale"}
    assert frame["personalMale"].between(0, 1).all()


@pytest.mark.parametrize(("spread", "is_told"), [(0.0, True), (0.5, False)])
def test_predict_says_where_a_model_answers_all_alike(spread, is_told, tmp_path, monkeypatch):
    for name in "ab":
        (tmp_path / f"{name}.png").touch()
    said = pd.DataFrame({"path": ["a", "b"], "problem": "", "x": [0.25, 0.25 + spread]})
    said = said.astype({"x": "float32"})
    monkeypatch.setattr("peta_viz.training.predict.predict_files", lambda *_, **__: said)
    arguments = ["predict", "best.pt", str(tmp_path), "--out", str(tmp_path / "out.csv")]
    done = CliRunner().invoke(app, arguments)
    assert "2 images predicted, 0 could not be decoded" in done.output
    assert ("answers all images alike" in done.output) is is_told


def test_predict_says_what_is_wrong(tmp_path):
    (tmp_path / "model.pt").write_text("hello")
    (tmp_path / "a.png").write_text("hello")
    done = run_cli("predict", tmp_path / "model.pt", tmp_path, "--out", "a.txt", check=False)
    assert "expected a .csv or .parquet file, but got a.txt" in done.stderr
    done = run_cli("predict", tmp_path / "model.pt", tmp_path, check=False)
    assert "it is not a peta-viz checkpoint" in done.stderr


def test_seeds_are_numbers(tmp_path):
    done = run_cli("run", "--out", tmp_path, "--seeds", "0,one", check=False)
    assert "expected such as 0,1,2, but got '0,one'" in done.stderr


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a=1", 1),
        ("a=[1, 'b']", [1, "b"]),
        ("a=many", "many"),
        ("a=", ""),
        ("a==", "="),
        ("a={[]: 1}", "{[]: 1}"),
        ("a=" + "(" * 500, "(" * 500),
        ("a=" + "-" * 20_000 + "1", "-" * 20_000 + "1"),
        ("a=" + "9" * 5_000, "9" * 5_000),
    ],
)
def test_an_assignment_is_a_literal_or_text(text, value):
    assert read_assignments([text]) == {"a": value}


@pytest.mark.parametrize("seeds", ["9" * 5_000, "1.5", "", "-1", "\u00b2"])
def test_seeds_that_are_none_are_told_in_few_words(seeds, tmp_path):
    done = CliRunner().invoke(app, ["run", "--out", str(tmp_path / "out"), "--seeds", seeds])
    assert isinstance(done.exception, InvalidDataError)
    assert len(str(done.exception)) < 300


def test_a_value_that_does_not_fit_is_refused_before_any_work(tmp_path):
    line = ["run", str(tmp_path), "--out", str(tmp_path / "out"), "--set", "epochs=many"]
    done = CliRunner().invoke(app, line)
    assert "epochs must be a whole number from 1 to 1000000, or None, but is 'many'" in str(
        done.exception
    )
    assert not (tmp_path / "out" / "notebooks").exists()
