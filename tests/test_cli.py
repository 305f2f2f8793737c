import re

import pytest
from typer.testing import CliRunner

from peta_viz.cli import app
from tests.conftest import run_cli


@pytest.mark.parametrize("command", ["run", "sample", "lab"])
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


def test_sample_prints_where_it_is(tmp_path):
    done = run_cli("sample", tmp_path)
    assert done.stdout.strip() == str(tmp_path / "PETA dataset")
    assert (tmp_path / "truth.csv").is_file()


def test_version():
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", run_cli("--version").stdout)
