"""Attacks through the doors that users have: files from elsewhere, and servers that we start.

Those on one module alone are beside its other tests; docs/trust.md names all of them.
"""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import torch

import peta_viz
from tests.conftest import run_cli
from tests.test_parquet import Evil

ROOT = Path(peta_viz.__file__).parents[1]


# Files from elsewhere.


def test_arrays_with_objects_are_not_unpickled(make_set, tmp_path):
    made = tmp_path / "made"
    make_set({"a": "x", "b": ""}, components=[0, 0]).to_parquet(tmp_path)
    pairs = pd.DataFrame({"first": ["a"], "second": ["b"], "similarity": [0.9]})
    pairs.to_parquet(tmp_path / "pairs.parquet")
    np.save(tmp_path / "vectors.npy", np.array([Evil(made)], dtype=object))
    done = run_cli("audit", tmp_path, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("peta-viz: ")
    assert "it holds no vectors" in done.stderr
    assert not made.exists()


def test_checkpoints_are_not_unpickled(write_image, tmp_path):
    made, file = tmp_path / "made", tmp_path / "best.pt"
    write_image()
    torch.save({"model": Evil(made), "config": {}, "heads": []}, file)
    done = run_cli("predict", file, tmp_path, check=False)
    assert done.returncode == 1
    assert "not a peta-viz checkpoint" in done.stderr
    assert not made.exists()


# Servers.


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _status(port, path, **headers):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def _listening(process):
    """Where a process and its children listen."""
    found = set()
    for member in [process, *process.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):  # a helper that ended meanwhile
            found |= {
                (one.laddr.ip, one.laddr.port)
                for one in member.net_connections("inet")
                if one.status == psutil.CONN_LISTEN
            }
    return found


@pytest.fixture
def served(tmp_path):
    """Start a server with a home of its own, and wait until it answers."""
    started = []

    def serve(command, port, **environment):
        home = {"HOME": str(tmp_path), "JUPYTER_CONFIG_DIR": str(tmp_path / "config")}
        log = (tmp_path / "server.log").open("wb")
        started.append(
            subprocess.Popen(
                command,
                cwd=tmp_path,
                env={**os.environ, **home, **environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        )
        for _ in range(1_500):  # MLflow takes its time
            assert started[-1].poll() is None, (tmp_path / "server.log").read_text()
            try:
                _status(port, "/")
            except OSError:
                time.sleep(0.2)
            else:
                return psutil.Process(started[-1].pid)
        raise AssertionError((tmp_path / "server.log").read_text())

    yield serve
    for one in started:
        for member in [*psutil.Process(one.pid).children(recursive=True), one]:
            member.kill()
        one.wait()


def test_lab_listens_here_and_wants_its_token(served, tmp_path):
    port = _free_port()
    command = [sys.executable, "-m", "peta_viz", "lab", str(tmp_path), "--no-browser"]
    process = served([*command, f"--port={port}"], port)
    assert {ip for ip, _ in _listening(process)} <= {"127.0.0.1", "::1"}
    assert (("127.0.0.1", port)) in _listening(process)
    assert _status(port, "/api/contents") == 403
    assert _status(port, "/api/kernels", Authorization="token wrong") == 403
    assert _status(port, "/api/status", Host="attacker.example") == 403
    told = re.search(r"token=(\w+)", (tmp_path / "server.log").read_text())
    assert told
    plugin = "lab/api/settings/@jupyterlab/apputils-extension:notification"
    token = {"Authorization": f"token {told[1]}"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/{plugin}", headers=token)
    with urllib.request.urlopen(request) as answer:
        properties = json.load(answer)["schema"]["properties"]
    assert properties["fetchNews"]["default"] == "false"  # by default it asks whether it may
    assert properties["checkForUpdates"]["default"] is False


def test_mlflow_listens_here_and_to_nobody_elses_name(served, tmp_path):
    (line,) = re.findall(r"^mlflow:.*\n\t(.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    port = _free_port()
    words = line.replace("$(BIN)/", f"{Path(sys.executable).parent}/")
    words = words.replace("$(RUN)", str(tmp_path))
    process = served(["bash", "-c", f"exec env {words} --port {port}"], port)
    assert {ip for ip, _ in _listening(process)} == {"127.0.0.1"}
    assert _status(port, "/") == 200
    assert _status(port, "/", Host="attacker.example") == 403
