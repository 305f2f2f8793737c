"""What may stand where a file is expected: links, pipes, devices, folders, odd names, nothing."""

import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from PIL import Image

from abuse.fuzz.judging import Target
from abuse.fuzz.targets.drawing import texts
from peta_viz.curation.decisions import Decisions
from peta_viz.curation.log import DecisionLog
from peta_viz.curation.reading import curation_of_run, decisions_of_run, read_curation
from peta_viz.fetching import fetch, is_url
from peta_viz.files import content_of
from peta_viz.images import load_batch, problems_of, read_rgb
from peta_viz.imageset import ImageSet
from peta_viz.loader import ImageLoader
from peta_viz.peta import read_peta
from peta_viz.quality.audit import read_source
from peta_viz.quality.reading import read_worst
from peta_viz.report import read_notes
from peta_viz.sources import find_images, read_images, table_paths
from peta_viz.training.checkpoints import load_model

_SUFFIXES = ("", ".png", ".csv", ".parquet", ".sqlite", ".pt", ".json")
_WAYS: dict[str, Callable[[Any], Any]] = {
    "pixels": read_rgb,
    "loader": lambda path: ImageLoader(path).problem,
    "problems": lambda path: problems_of([str(path)])[0],
    "batch": lambda path: load_batch([str(path)], (4, 4)),
    "release": read_peta,
    "table": lambda path: read_images(table=str(path), label_columns=["a"]),
    "paths": lambda path: table_paths(str(path), "path"),
    "folder": find_images,
    "source": read_source,
    "run folder": ImageSet.from_parquet,
    "worst": read_worst,
    "notes": read_notes,
    "run's decisions": decisions_of_run,
    "run's curation": curation_of_run,
    "curation": read_curation,
    "decisions": Decisions.read,
    "log": lambda path: DecisionLog(path).since(),
    "log there": lambda path: DecisionLog(path, make=False).since(),
    "checkpoint": load_model,
    "content": lambda path: content_of([str(path)]),
    "frame": lambda path: _frame(str(path)),
    "url": lambda path: fetch(f"file://{path}") if is_url(f"file://{path}") else None,
}


def place(folder: Path) -> Target:
    """Read, in every way there is, from every kind of place; as it is, and inside a folder."""
    there = {
        f"{kind}{suffix}": made
        for suffix in _SUFFIXES
        for kind, made in _places(folder / f"some{suffix or '-plain'}", suffix).items()
    }
    odd = texts | st.sampled_from(
        ["a\0b", "x" * 300, "x/" * 3_000, "~root/a", "\udcff", "\n", "-", "."]
    )
    named = st.sampled_from(sorted(there)).map(there.__getitem__)
    cases = st.tuples(
        st.sampled_from(sorted(_WAYS)), named | odd.map(lambda name: f"{folder}/odd/{name}")
    )
    (folder / "odd").mkdir()

    def run(case: tuple[str, str]) -> Sequence[str]:
        way, path = case
        found = _WAYS[way](path)
        return [found] if isinstance(found, str) and found else []

    return Target(cases, run)


def _places(folder: Path, suffix: str) -> dict[str, str]:
    folder.mkdir()
    whole = folder / f"whole{suffix}"
    if suffix == ".png":
        Image.new("RGB", (4, 8)).save(whole)
    else:
        whole.write_bytes(b"path,a\n1.png,1\n")
    made = {
        name: folder / f"{name}{suffix}" for name in ("folder", "pipe", "socket", "empty", "dark")
    }
    made["folder"].mkdir()
    os.mkfifo(made["pipe"])
    server = socket.socket(socket.AF_UNIX)
    here = Path.cwd()
    os.chdir(folder)  # the name of a socket may not be long
    server.bind(made["socket"].name)
    os.chdir(here)
    server.close()
    made["empty"].touch()
    made["dark"].write_bytes(b"path,a\n")
    made["dark"].chmod(0)
    aims = {
        "whole": whole,
        "nothing": folder / "gone",
        "itself": folder / f"to-itself{suffix}",
        "pipe": made["pipe"],
        "zero": Path("/dev/zero"),
        "null": Path("/dev/null"),
        "full": Path("/dev/full"),
        "above": Path(".."),
        "memory": Path("/proc/self/mem"),
    }
    for name, aim in aims.items():
        made[f"to-{name}"] = folder / f"to-{name}{suffix}"
        made[f"to-{name}"].symlink_to(aim)
    # What a run folder and a release look for inside is a place, too.
    for name in ("pipe", "to-zero", "to-itself", "folder"):
        made[f"inside-{name}"] = inside = folder / f"inside-{name}"
        (inside / "VIPeR" / "archive").mkdir(parents=True)
        for file in (
            "images.parquet",
            "labels.parquet",
            "decisions.sqlite",
            "notes.json",
            "worst_labels.csv",
            "a.png",
            "VIPeR/archive/Label.txt",
            "VIPeR/archive/a.png",
        ):
            (inside / file).symlink_to(made[name])
    return {name: str(path) for name, path in made.items()} | {
        "device": "/dev/zero",
        "tty": "/dev/tty",
    }


def _frame(path: str) -> str:
    import pandas as pd  # noqa: PLC0415

    table = pd.DataFrame({"path": pd.Series([path], dtype=object), "a": [True]})
    return str(ImageSet.from_frame(table, path="path", labels=["a"]).images["problem"].iloc[0])
