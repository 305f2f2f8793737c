"""What is abused: the stages of a run and parts that work alone; and what is in their folders."""

import hashlib
import json
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from abuse.parts import BEGINS, PARTS, VALUE
from peta_viz.pipeline import STAGES

_QUICK = ["--no-track", "--epochs", "2", "--set", "height_px=32", "--set", "width_px=32"]
_PICTURED = ("decoding",)  # parts that read the release
_FINISHED_RUN = "reporting"  # the part that needs one
# What belongs to fastdup and MLflow, and notebooks of which only the finished ones are read.
_OTHERS = ("cache/fastdup/", "mlartifacts/", "ballast")


@dataclass(frozen=True)
class Subject:
    """Something at work in a folder.

    Parameters
    ----------
    name
        What it is called.
    command
        What runs; the folder is where it says ``{run}``, the images where it says ``{release}``.
    begins
        What it says when its work begins.
    ends
        What it says, the one or the other, when the work is done and it goes on after that.
    reads_images
        Does it read the release?
    before
        The subject that leaves what it starts from.

    """

    name: str
    command: tuple[str, ...]
    begins: str
    ends: tuple[str, ...]
    reads_images: bool
    before: str | None

    def given(self, run: Path, release: Path) -> list[str]:
        """Return the command for these folders."""
        return [word.format(run=run, release=release) for word in self.command]


def _subjects() -> Iterator[Subject]:
    command = [sys.executable, "-m", "peta_viz", "run", "{release}", "--out", "{run}"]
    before = None
    for stage in STAGES:
        last = stage is STAGES[-1]  # after which the index page is written
        words = (f"{stage.name} done", f"{stage.name} was done before")
        ends = () if last else words
        yield Subject(stage.name, (*command, *_QUICK), f"{stage.name} …", ends, True, before)
        before = stage.name
    for part in PARTS:
        command = [sys.executable, "-m", "abuse.parts", part, "{run}", "{release}"]
        start = before if part == _FINISHED_RUN else None
        yield Subject(part, tuple(command), BEGINS, (), part in _PICTURED, start)


SUBJECTS = {subject.name: subject for subject in _subjects()}


def contents(folder: Path) -> tuple[dict[str, Any], list[str]]:
    """Read every file that could be taken for whole; return contents, and what is not whole."""
    found, broken = {}, []
    for file in sorted(folder.rglob("*")):
        name = str(file.relative_to(folder))
        if (
            not file.is_file()
            or name.startswith(_OTHERS)
            or ".running." in name
            or file.name[0] == "."
        ):
            continue
        try:
            found[name] = _content(file)
        except Exception as error:  # noqa: BLE001 - whatever a reader would have met
            broken.append(f"{name} is not whole ({error})")
    return found, broken


def differences(found: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    """Name the files that are in both and not the same."""
    both = [name for name in expected if name in found]
    return [
        f"{name} is not as undisturbed" for name in both if not _same(found[name], expected[name])
    ]


def _checkpoint(file: Path) -> Any:
    state = torch.load(file, map_location="cpu", weights_only=True)
    return {"history": state["history"], **state["model"]}


def _json(file: Path) -> None:
    json.loads(file.read_text(encoding="utf-8"))


def _page(file: Path) -> None:
    if not file.read_text(encoding="utf-8").rstrip().endswith("</html>"):
        raise ValueError("its end is missing")


def _database(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database:
        (answer,) = database.execute("PRAGMA integrity_check").fetchone()
    if answer != "ok":
        raise ValueError(answer)


# Those that return nothing hold times, such as when they were made: whole is all they must be.
_READERS: dict[str, Callable[[Path], Any]] = {
    ".parquet": pd.read_parquet,
    ".csv": pd.read_csv,
    ".pt": _checkpoint,
    ".npy": np.load,
    ".json": _json,
    ".ipynb": _json,
    ".html": _page,
    ".sqlite": _database,
    ".db": _database,
}


def _content(file: Path) -> Any:
    if file.name == VALUE:  # another one each time
        return None
    reader = _READERS.get(file.suffix)
    return reader(file) if reader else hashlib.sha256(file.read_bytes()).hexdigest()


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, pd.DataFrame):
        try:
            pd.testing.assert_frame_equal(one, other, check_exact=True)
        except AssertionError:
            return False
        return True
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    return bool(one == other)
