"""Fixtures: tiny generated images, the sample, one traced run of the pipeline, and real PETA."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from peta_viz.imageset import Head, ImageSet
from peta_viz.sample import make_sample

RAW = {
    "a": "x y",
    "b": "x y",
    "c": "x y",
    "d": "x z",
    "e": "x y",
    "f": "x",
    "g": "y",
    "h": "z",
    "i": "z",
}
QUICK = ["--epochs", "2", "--set", "height_px=32", "--set", "width_px=32"]


def run_cli(*arguments, trace=None, check=True):
    """Run the command as a user does, in its own process; with `trace`, log its connections."""
    command = [sys.executable, "-m", "peta_viz", *map(str, arguments)]
    if trace:
        options = ["-f", "--seccomp-bpf", "-e", "trace=connect,sendto", "-o", str(trace)]
        command = ["strace", *options, *command]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert not check or done.returncode == 0, done.stderr[-3000:]
    return done


@pytest.fixture
def write_image(tmp_path):
    """Write a seeded picture and return its path."""

    def write(name="a.png", seed=0, size=(24, 48), **options):
        rng = np.random.default_rng(seed)
        coarse = rng.integers(0, 255, (6, 4, 3), dtype=np.uint8)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
        picture.save(path, **options)
        return path

    return write


@pytest.fixture
def make_set():
    """Build an image set from label rows such as {"a": "x y"}; `?x` is a label not known."""

    def make(rows, components=None, heads=None, labels=None, **columns):
        names = labels or sorted({w.strip("?") for text in rows.values() for w in text.split()})
        index = pd.Index(list(rows), name="image_id", dtype="str")
        words = [text.split() for text in rows.values()]
        values = pd.DataFrame([[n in w for n in names] for w in words], index, names, dtype=bool)
        known = pd.DataFrame(
            [[f"?{n}" not in w for n in names] for w in words], index, names, dtype=bool
        )
        images = pd.DataFrame(
            {"path": index, "subset": "", "person_id": index, "width": 8, "height": 8}, index=index
        ).assign(problem="", **columns)
        if components is not None:
            images["component_id"] = components
        heads = [Head("labels", tuple(names))] if heads is None else heads
        return ImageSet(images, values, known, tuple(heads))

    return make


@pytest.fixture
def drawn_up(make_set):
    """Four images (y 3/4, z 1/4), a pair that disagrees, one that shares nothing, a single."""
    rows = {
        "a": "x y",
        "b": "x y",
        "c": "x y",
        "d": "x z",
        "e": "x y",
        "f": "x",
        "g": "y",
        "h": "z",
    }
    return make_set(rows | {"i": "z"}, components=[0, 0, 0, 0, 1, 1, 2, 2, 3])


def state_of(imageset):
    """Write each image as its labels, with a question mark where not known."""
    return {
        image: " ".join(
            label if imageset.labels.loc[image, label] else f"?{label}"
            for label in imageset.labels.columns
            if imageset.labels.loc[image, label] or not imageset.known.loc[image, label]
        )
        for image in imageset.images.index
    }


@pytest.fixture(scope="session")
def sample_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    make_sample(folder)
    return folder


@pytest.fixture(scope="session")
def traced_run(tmp_path_factory):
    """One run of the whole line on the sample, its connections logged."""
    folder = tmp_path_factory.mktemp("run")
    run_cli("run", "--out", folder / "out", *QUICK, trace=folder / "strace.log")
    return folder


@pytest.fixture(scope="session")
def run_folder(traced_run):
    return traced_run / "out"


@pytest.fixture(scope="session")
def peta_root():
    root = os.environ.get("PETA_ROOT")
    if not root:
        pytest.skip("PETA_ROOT does not name the folder of a PETA release")
    return Path(root)


@pytest.fixture(scope="session")
def peta_reid(peta_root):
    """PETA_REID, or the network that lies in weights/ two folders above the release."""
    named = os.environ.get("PETA_REID")
    found = [Path(named)] if named else sorted((peta_root.parents[1] / "weights").glob("*.xml"))
    if not found:
        pytest.skip("PETA_REID does not name a re-identification network")
    return found[0]
