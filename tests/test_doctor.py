import json
import os
import sys

import pytest

from peta_viz import doctor
from peta_viz.doctor import examine
from tests.conftest import run_cli


def metadata(folder, name, version, *lines):
    own = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    own.mkdir()
    text = "\n".join(["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *lines])
    (own / "METADATA").write_text(text + "\n")


def test_here_all_is_well(tmp_path):
    done = run_cli("doctor", tmp_path)
    lines = done.stdout.splitlines()
    assert lines[-1] == "all is well"
    for part in ("fastdup", "torch and torchvision", "OpenVINO", "kernel", "disk", "chromium"):
        assert any(line.startswith(f"✓ {part}: ") for line in lines), part
    assert list(tmp_path.iterdir()) == []


def test_what_is_broken_is_an_exit_status_with_a_remedy():
    done = run_cli("doctor", "/proc/runs", check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "1 to mend"
    lines = done.stdout.splitlines()
    (at,) = [number for number, line in enumerate(lines) if line.startswith("✗")]
    assert lines[at].startswith("✗ folder /proc/runs: it cannot be written to as a run does (")
    assert "choose another --out" in lines[at + 1]


def test_an_old_package_and_a_missing_one(tmp_path, monkeypatch):
    metadata(tmp_path, "pandas", "1.5.0")
    needs = ["Requires-Dist: pandas>=3", "Requires-Dist: no-such-thing>=2"]
    extras = ['Requires-Dist: nor-this>=1; extra == "ray"']
    extras += ['Requires-Dist: pandas>=4; extra == "reid"']
    metadata(tmp_path, "peta-viz", "0.1.0", *needs, *extras)
    monkeypatch.syspath_prepend(tmp_path)
    found = {one.part: one for one in doctor._packages()}
    assert found["packages"].state == "broken"
    words = "pandas is 1.5.0, but >=3 is needed; no-such-thing is not installed"
    assert found["packages"].words == words
    assert found["packages"].remedy.endswith("-m pip install 'pandas>=3' 'no-such-thing>=2'")
    assert found["extra ray"].state == "absent"
    assert found["extra ray"].remedy.endswith("-m pip install 'peta-viz[ray]'")
    assert found["extra reid"].state == "broken"
    assert "extra train" not in found  # this one has none


@pytest.mark.parametrize(
    ("module", "reason", "part", "remedy"),
    [
        (
            "torchvision",
            "RuntimeError('operator torchvision::nms does not exist')",
            "torch and torchvision",
            "a pair from one index",
        ),
        ("fastdup", "ImportError('the licence has expired')", "fastdup", "--backend exact"),
        ("openvino", "ImportError('libopenvino.so is not there')", "OpenVINO", "pip install"),
    ],
)
def test_a_part_that_does_not_load(tmp_path, monkeypatch, module, reason, part, remedy):
    (tmp_path / f"{module}.py").write_text(f"raise {reason}\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    finding = next(one for one in examine(tmp_path) if one.part == part)
    assert finding.state == "broken"
    assert reason.split("'")[1] in finding.words
    assert str(tmp_path / f"{module}.py") in finding.words
    assert remedy in finding.remedy


def test_a_part_that_crashes_or_hangs(monkeypatch):
    crashed = doctor._trial("it", "import os; os.abort()", "mend it")
    assert (crashed.state, crashed.words) == ("broken", "it ended with status -6")
    monkeypatch.setattr(doctor, "_PATIENCE_S", 0.2)
    hung = doctor._trial("it", "import time; time.sleep(60)", "mend it")
    assert (hung.state, hung.words) == ("broken", "no answer within 0.2 seconds")
    assert "busy" in hung.remedy


@pytest.mark.parametrize(
    ("program", "state"),
    [("python", "good"), (sys.executable, "good"), ("/opt/other/bin/python", "broken")],
)
def test_whose_kernel_runs_the_notebooks(tmp_path, monkeypatch, program, state):
    spec = {"argv": [program, "-m", "ipykernel_launcher", "-f", "{connection_file}"]}
    spec |= {"display_name": "Python 3", "language": "python"}
    folder = tmp_path / "kernels" / "python3"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    finding = doctor._kernel()
    assert finding.state == state
    assert (f"another Python, {program}" in finding.words) == (state == "broken")


def test_widgets_without_a_front_end(tmp_path, monkeypatch):
    assert doctor._widgets().state == "good"
    monkeypatch.setattr("jupyter_core.paths.ENV_JUPYTER_PATH", [str(tmp_path)])
    monkeypatch.setattr("jupyter_core.paths.SYSTEM_JUPYTER_PATH", [])
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    finding = doctor._widgets()
    assert finding.state == "broken"
    assert "anywidget and jupyterlab_widgets" in finding.words


def test_too_little_room_and_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "DISK_BYTES", 10**18)
    monkeypatch.setattr(doctor, "MEMORY_BYTES", 10**18)
    found = {one.part: one for one in [doctor._memory(), *doctor._folder(tmp_path / "new" / "run")]}
    states = {part: one.state for part, one in found.items()}
    assert states.pop(f"folder {tmp_path / 'new' / 'run'}") == "good"
    assert states == {"memory": "broken", "disk": "broken", "temporary files": "broken"}


def test_commands_that_only_tests_need(monkeypatch):
    monkeypatch.setenv("PATH", "")
    finding = doctor._test_command("chromium", "chromium")
    assert (finding.state, finding.remedy) == ("absent", "apt-get install chromium")


def test_a_machine_may_have_one_cpu(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert doctor._memory().words.endswith(" GB, 1 CPU")
