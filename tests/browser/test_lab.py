"""The first notebook in real JupyterLab, as `peta-viz lab` opens it."""

import os
import re
import signal
import socket
import subprocess
import sys

import pytest


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def lab(tmp_path):
    environment = dict(os.environ)
    for name in ("CONFIG", "DATA", "RUNTIME"):
        environment[f"JUPYTER_{name}_DIR"] = str(tmp_path / name)
    environment["IPYTHONDIR"] = str(tmp_path / "ipython")
    environment["JUPYTERLAB_SETTINGS_DIR"] = str(tmp_path / "settings")
    environment["JUPYTERLAB_WORKSPACES_DIR"] = str(tmp_path / "workspaces")
    command = [sys.executable, "-m", "peta_viz", "lab", str(tmp_path / "work"), "--no-browser"]
    command += ["--port", str(_free_port())]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )
    said = ""
    for line in process.stderr:
        said += line
        found = re.search(r"http://127\.0\.0\.1:\d+/lab/?\S*\?token=\w+", line)
        if found:
            break
    else:
        pytest.fail(said)
    yield found.group(0), tmp_path / "work"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_the_first_notebook_runs_and_shows_its_components(page, lab):
    url, work = lab
    base, _, token = url.partition("?")
    page.goto(f"{base.split('/lab')[0]}/lab/tree/notebooks/01_components.ipynb?{token}&reset")
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    idle = ".jp-NotebookPanel-toolbar .jp-Notebook-ExecutionIndicator[data-status='idle']"
    page.wait_for_selector(idle, timeout=60_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    # Lab follows the running cell to the end, and leaves out of the page what is far above.
    page.wait_for_selector("text=0 of 413 images", timeout=90_000)
    assert page.locator(".jp-OutputArea-output img").count() >= 12
    page.wait_for_function(f'() => document.querySelector("{idle}") !== null', timeout=60_000)
    assert page.locator("[data-mime-type='application/vnd.jupyter.error']").count() == 0
    assert (work / "runs" / "lab" / "images.parquet").is_file()
