"""What is wrong with an installation, in words, and how to mend it.

Parts that can crash are tried in processes of their own, which are given up after two minutes.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from itertools import takewhile
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement

from peta_viz.words import counted

State = Literal["good", "absent", "broken"]

DISK_BYTES = 2 * 10**9
MEMORY_BYTES = 4 * 10**9
_PATIENCE_S = 120
_EXTRAS = {
    "train": "training and experiments",
    "reid": "vectors of a re-identification network (--reid)",
    "track": "curves of trainings in MLflow (--track)",
    "ray": "many machines (--engine ray)",
}
_TEST_COMMANDS = {"chromium": "chromium", "node": "nodejs", "strace": "strace"}
_LAB_EXTENSIONS = {
    "anywidget": "anywidget",
    "@jupyter-widgets/jupyterlab-manager": "jupyterlab_widgets",
}

_PIP = f"{sys.executable} -m pip install"
_OURS = "peta_viz.errors.MissingPartError: "

_TORCH = """
import torch, torchvision
torchvision.ops.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
place = "on a GPU" if torch.cuda.is_available() else f"on {torch.get_num_threads()} threads, no GPU"
print(f"torch {torch.__version__}, torchvision {torchvision.__version__}, {place}")
"""
_FASTDUP = """
import sys, tempfile
import numpy as np, pandas as pd
from peta_viz import ImageSet, cluster
from peta_viz.drawing import Person, draw
with tempfile.TemporaryDirectory() as folder:
    rng = np.random.default_rng(0)
    pictures = [draw(Person.random(rng)) for _ in range(3)]
    paths = [f"{folder}/{n}.png" for n in range(4)]
    for path, picture in zip(paths, [*pictures, pictures[2]]):
        picture.save(path)
    frame = pd.DataFrame({"path": paths, "x": [True] * 4})
    found = cluster(ImageSet.from_frame(frame, path="path", labels=["x"])).images["component_id"]
    if found.tolist() != [0, 1, 2, 2]:
        sys.exit(f"it does not find the two of four images that are alike: {found.tolist()}")
import fastdup
print(f"fastdup {fastdup.__version__}, groups images")
"""
_OPENVINO = """
from peta_viz.embedding import import_openvino
openvino = import_openvino()
openvino.Core().available_devices
print("OpenVINO", openvino.__version__.split("-")[0])
"""
_KERNEL = """
from jupyter_client.kernelspec import KernelSpecManager
print(KernelSpecManager().get_kernel_spec("python3").argv[0])
"""


@dataclass(frozen=True)
class Finding:
    """What was found of one part.

    Parameters
    ----------
    part
        Its name.
    state
        ``"good"``; ``"absent"``: not there, and only some things need it; ``"broken"``.
    words
        What there is, or what is wrong.
    remedy
        What to do, where it is not good.

    """

    part: str
    state: State
    words: str
    remedy: str = ""


def examine(folder: str | Path = ".") -> Iterator[Finding]:
    """Try every part of the installation, one after the other.

    Parameters
    ----------
    folder
        Where run folders will be.

    Yields
    ------
    Finding
        As soon as it is known.

    """
    yield _system()
    yield from _packages()
    yield _trial(
        "fastdup",
        _FASTDUP,
        f"install it anew ({_PIP} --force-reinstall --no-deps fastdup); without it, give "
        "--reid NETWORK and --backend exact",
    )
    if _is_installed("torch"):
        yield _trial(
            "torch and torchvision",
            _TORCH,
            "they must be a pair from one index: install both anew with "
            f"{_PIP} --force-reinstall --no-deps, in the versions that you have",
        )
    if _is_installed("openvino"):
        yield _trial("OpenVINO", _OPENVINO, f"{_PIP} --force-reinstall --no-deps openvino")
    yield _kernel()
    yield _widgets()
    yield _memory()
    yield from _folder(Path(folder).absolute())
    for command, package in _TEST_COMMANDS.items():
        yield _test_command(command, package)


def _system() -> Finding:
    words = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    if platform.system() != "Linux":
        return Finding("system", "broken", words, "fastdup is used and tested on Linux only")
    return Finding("system", "good", words)


def _packages() -> Iterator[Finding]:
    """Compare what is installed with what the package says it needs."""
    needed = [Requirement(text) for text in requires("peta-viz") or []]
    own = [one for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    problems = _lacking(own)
    if problems:
        missing = " ".join(f"'{one.name}{one.specifier}'" for one in own if _problem(one))
        yield Finding("packages", "broken", "; ".join(problems), f"{_PIP} {missing}")
    else:
        yield Finding("packages", "good", f"{len(own)} of {len(own)} there, in versions that fit")
    for extra, use in _EXTRAS.items():
        ours = [one for one in needed if one.marker and one.marker.evaluate({"extra": extra})]
        ours = [one for one in ours if one not in own]
        if not ours:
            continue
        problems = _lacking(ours)
        part, remedy = f"extra {extra}", f"{_PIP} 'peta-viz[{extra}]'"
        if not problems:
            names = ", ".join(f"{one.name} {version(one.name)}" for one in ours)
            yield Finding(part, "good", names)
        elif any(_is_installed(one.name) for one in ours):
            yield Finding(part, "broken", "; ".join(problems), remedy)
        else:
            yield Finding(part, "absent", f"not installed; only for {use}", remedy)


def _lacking(requirements: list[Requirement]) -> list[str]:
    return [problem for one in requirements if (problem := _problem(one))]


def _problem(requirement: Requirement) -> str:
    try:
        found = version(requirement.name)
    except PackageNotFoundError:
        return f"{requirement.name} is not installed"
    if requirement.specifier.contains(found, prereleases=True):
        return ""
    return f"{requirement.name} is {found}, but {requirement.specifier} is needed"


def _is_installed(name: str) -> bool:
    return not _problem(Requirement(name))


def _trial(part: str, code: str, remedy: str) -> Finding:
    """Run code in a process of its own; what it prints last is what was found."""
    try:
        done = subprocess.run(  # noqa: S603 - the code is ours
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        words = f"no answer within {_PATIENCE_S} seconds"
        return Finding(part, "broken", words, "if the machine is busy, try again when it is not")
    said = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    words = said[-1] if said else f"it ended with status {done.returncode}"
    if done.returncode == 0:
        return Finding(part, "good", words)
    return Finding(part, "broken", words.removeprefix(_OURS) + _origin(said), remedy)


def _origin(traceback: list[str]) -> str:
    """Name the file in which the first error of a traceback was raised."""
    first = takewhile(lambda line: not re.match(r"[\w.]+(Error|Exception)\b", line), traceback)
    files = [found[1] for line in first if (found := re.match(r' +File "([^"]+)"', line))]
    return f" (in {files[-1]})" if files and files[-1] != "<string>" else ""


def _kernel() -> Finding:
    """Find the interpreter that notebooks of a run would be executed by."""
    command = f"{sys.executable} -m ipykernel install --sys-prefix --name python3"
    remedy = f"make this environment's own: {command}"
    found = _trial("kernel", _KERNEL, remedy)
    if found.state == "broken":
        return found
    # Jupyter puts its own interpreter in the place of a bare name.
    named = Path(found.words)
    if len(named.parts) == 1 or named.absolute() == Path(sys.executable).absolute():
        return Finding("kernel", "good", "python3 is this environment's")
    words = f"the Jupyter kernel python3 is another Python, {found.words}"
    return Finding("kernel", "broken", words, remedy)


def _widgets() -> Finding:
    """Look for the front ends that JupyterLab needs to show the widgets."""
    from jupyter_core.paths import jupyter_path  # noqa: PLC0415

    folders = [Path(folder) for folder in jupyter_path("labextensions")]
    lacking = [
        package
        for name, package in _LAB_EXTENSIONS.items()
        if not any((folder / name / "package.json").is_file() for folder in folders)
    ]
    if not lacking:
        return Finding("widgets in JupyterLab", "good", "their front ends are installed")
    words = f"JupyterLab would not show them, for want of {' and '.join(lacking)}"
    remedy = f"in the environment of JupyterLab: pip install --force-reinstall {' '.join(lacking)}"
    return Finding("widgets in JupyterLab", "broken", words, remedy)


def _memory() -> Finding:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    words = f"{total / 1e9:.0f} GB, {counted(len(os.sched_getaffinity(0)), 'CPU')}"
    if total < MEMORY_BYTES:
        return Finding("memory", "broken", words, f"have {MEMORY_BYTES / 1e9:.0f} GB or more")
    return Finding("memory", "good", words)


def _folder(folder: Path) -> Iterator[Finding]:
    """Try what a run does in its folder: it writes files, and locks an SQLite file."""
    there = next(one for one in (folder, *folder.parents) if one.is_dir())
    try:
        with tempfile.TemporaryDirectory(dir=there, prefix=".peta-viz-") as own:
            _try_log(Path(own))
    except Exception as error:  # noqa: BLE001 - any is the finding
        words = f"it cannot be written to as a run does ({str(error).splitlines()[0]})"
        yield Finding(f"folder {folder}", "broken", words, "choose another --out, on a local disk")
        return
    yield Finding(f"folder {folder}", "good", "can be written to, and holds a decision log")
    for name, place in {"disk": there, "temporary files": Path(tempfile.gettempdir())}.items():
        free = shutil.disk_usage(place).free
        words = f"{free / 1e9:.1f} GB free at {place}"
        if free < DISK_BYTES:
            remedy = f"make room for {DISK_BYTES / 1e9:.0f} GB: PETA with three seeds takes 1.3 GB"
            yield Finding(name, "broken", words, remedy)
        else:
            yield Finding(name, "good", words)


def _try_log(folder: Path) -> None:
    from peta_viz.curation.acts import Act  # noqa: PLC0415 - slow, and pandas may not be there
    from peta_viz.curation.log import DecisionLog  # noqa: PLC0415

    DecisionLog(folder / "decisions.sqlite").write(Act("note", component_id=0), "doctor")


def _test_command(command: str, package: str) -> Finding:
    found = shutil.which(command)
    if found:
        return Finding(command, "good", found)
    words = "not installed; only the tests (make test) and screenshots need it"
    return Finding(command, "absent", words, f"apt-get install {package}")
