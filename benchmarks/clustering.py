"""From images to components: time, and how well they fit who is on them.

``python -m benchmarks.clustering --root "PETA dataset" --reid NETWORK.xml --weights FILE``: each
candidate in a process of its own, on the same files. A pair of images is true if both have the same
row of labels, and found if both are in one component.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from benchmarks.machine import in_words
from peta_viz.components import MeltedWarning, cluster
from peta_viz.embedding import embed
from peta_viz.files import write_text
from peta_viz.imageset import ImageSet
from peta_viz.links import connect
from peta_viz.networks import save_mobilenet
from peta_viz.peta import read_peta
from peta_viz.training.model import mobilenet

Components = np.ndarray[Any, np.dtype[np.int64]]


def ours(imageset: ImageSet, options: argparse.Namespace) -> Components:
    """Re-identification vectors, exact search, components above 0.7."""
    vectors = embed(imageset, options.reid, progress=False)
    return _ids(cluster(imageset, vectors=vectors, backend="exact"))


def ours_mobilenet(imageset: ImageSet, options: argparse.Namespace) -> Components:
    """MobileNetV2 at 160×80, made and run, exact search; the threshold is what fits PETA."""
    with tempfile.TemporaryDirectory() as folder:
        network = save_mobilenet(Path(folder) / "mobilenet.xml", options.weights)
        vectors = embed(imageset, network, progress=False)
    return _ids(cluster(imageset, vectors=vectors, backend="exact", threshold=0.87))


def ours_fastdup_features(imageset: ImageSet, _: argparse.Namespace) -> Components:
    """Cluster as `peta-viz run` does without a network: fastdup's features, above 0.96."""
    return _ids(cluster(imageset))


def fastdup(imageset: ImageSet, _: argparse.Namespace) -> Components:
    """Run fastdup as it comes, and take its connected components."""
    import fastdup as package  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        project = package.create(work_dir=folder, input_dir="/")
        project.run(annotations=imageset.images["path"].tolist(), print_summary=False)
        found = pd.read_csv(Path(folder) / "connected_components.csv")
    ids = found.set_index("__id")["component_id"].reindex(range(len(imageset)))
    own = pd.Series(range(len(imageset))) + 10**9
    return ids.fillna(own).to_numpy(dtype=np.int64)


def imagededup(imageset: ImageSet, options: argparse.Namespace) -> Components:
    """Join what imagededup's CNN finds above 0.9 (its default), with MobileNetV2.

    Its own MobileNetV3 is fetched over the network when it is made.
    """
    from imagededup.methods import CNN  # noqa: PLC0415
    from imagededup.utils import CustomModel  # noqa: PLC0415
    from imagededup.utils.models import MobilenetV3  # noqa: PLC0415

    trunk = mobilenet(options.weights)
    trunk.classifier = nn.Identity()
    model = CustomModel("mobilenet_v2", trunk.eval(), MobilenetV3.transform)
    found = CNN(verbose=False, model_config=model)
    with tempfile.TemporaryDirectory() as folder:
        # It takes a folder.
        for number, path in enumerate(imageset.images["path"]):
            (Path(folder) / f"{number}{Path(path).suffix}").symlink_to(path)
        duplicates = found.find_duplicates(image_dir=folder)
    rows = [
        (int(Path(first).stem), int(Path(second).stem))
        for first, others in duplicates.items()
        for second in others
    ]
    return connect(len(imageset), pd.DataFrame(rows, columns=["first", "second"], dtype=np.int64))


CANDIDATES: dict[str, Callable[[ImageSet, argparse.Namespace], Components]] = {
    "ours, --reid": ours,
    "ours, MobileNetV2": ours_mobilenet,
    "ours, fastdup's features": ours_fastdup_features,
    "fastdup, default run": fastdup,
    "imagededup, CNN": imagededup,
}


def _ids(imageset: ImageSet) -> Components:
    return imageset.images["component_id"].to_numpy()


def pair_scores(found: Components, true: Components) -> dict[str, float]:
    """Return precision, recall and F1 over pairs of images.

    >>> pair_scores(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]))["f1"]
    0.4
    """

    def pairs(keys: Any) -> float:
        counts = np.unique(keys, return_counts=True, axis=0)[1].astype(float)
        return float((counts * (counts - 1) / 2).sum())

    both = pairs(np.stack([found, true], axis=1))
    precision, recall = both / max(1, pairs(found)), both / max(1, pairs(true))
    f1 = 2 * precision * recall / max(1e-9, precision + recall)
    return {"precision": precision, "recall": recall, "f1": f1}


def run_one(name: str, options: argparse.Namespace) -> dict[str, float]:
    """Read, cluster, and judge; reading the labels is not timed."""
    imageset = read_peta(options.root)
    if options.images:
        rows = np.sort(np.random.default_rng(0).permutation(len(imageset))[: options.images])
        imageset = imageset.take(rows)
    started = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MeltedWarning)
        found = CANDIDATES[name](imageset, options)
    seconds = time.monotonic() - started
    sizes = np.bincount(np.unique(found, return_inverse=True)[1])
    true = imageset.labels.groupby(list(imageset.labels.columns), sort=False).ngroup().to_numpy()
    facts = {"images": len(imageset), "seconds": seconds, "components": int((sizes > 1).sum())}
    return {**facts, "largest": int(sizes.max()), **pair_scores(found, true)}


def main() -> None:
    """Print a table, and write it beside this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", required=True, help="a PETA release")
    parser.add_argument("--reid", required=True, help="a re-identification network")
    parser.add_argument("--weights", required=True, help="a MobileNetV2 state dict for imagededup")
    parser.add_argument("--images", type=int, default=0, help="so many of the images; 0 means all")
    parser.add_argument("--candidates", nargs="*", default=list(CANDIDATES))
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--out", default="benchmarks/clustering")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(run_one(options.one, options)), flush=True)  # noqa: T201
        return
    columns = ["seconds", "components of 2 and more", "largest", "precision", "recall", "pair F1"]
    lines = [f"| | {' | '.join(columns)} |", f"| --- |{' --: |' * len(columns)}"]
    images = 0
    for name in options.candidates:
        own = [sys.executable, "-m", "benchmarks.clustering", *sys.argv[1:], "--one", name]
        done = subprocess.run(own, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603
        facts = json.loads(done.stdout.splitlines()[-1])
        images = facts["images"]
        numbers = [f"{facts['seconds']:.0f}", f"{facts['components']:,}", f"{facts['largest']:,}"]
        numbers += [f"{facts[key]:.2f}" for key in ("precision", "recall", "f1")]
        lines.append(f"| {name} | {' | '.join(numbers)} |")
        print(lines[-1], flush=True)  # noqa: T201
    text = "\n".join([f"{images:,} images of PETA; {in_words()}", "", *lines]) + "\n"
    write_text(Path(options.out).with_suffix(".md"), text)


if __name__ == "__main__":
    main()
