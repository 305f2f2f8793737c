"""How fast vectors are made: ours, the bound, and what people use today.

``python -m benchmarks.vectors --root "PETA dataset" --reid NETWORK.xml --weights FILE``: the same
files for all, in turn, several rounds. The bound is what both cores could do if decoding and the
network shared them without any loss: 1 / (1 / decoding alone + 1 / network alone). The ceiling is
what the network alone could do if all of its products were as quick as those of large matrices. The
most memory that ours takes is looked at in a process of its own for each number of images.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import openvino
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from benchmarks.machine import in_words
from benchmarks.memory import peak_above
from peta_viz import embedding
from peta_viz.components import _call_fastdup, _import_fastdup
from peta_viz.files import write_text
from peta_viz.images import load_batch
from peta_viz.peta import read_peta
from peta_viz.training.model import mobilenet

BATCH = 16
OURS, BOUND = "ours: decoding and the network", "bound"
CEILING = "ceiling: the network's products at the rate of large matrices"
DECODING, NETWORK = "decoding alone", "the network alone, constant input"


class Files(Dataset[Any]):
    """Decoded files, as one would write it today."""

    def __init__(self, paths: list[str], size: tuple[int, int]) -> None:
        self.paths, self.size = paths, size

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> torch.Tensor:
        with Image.open(self.paths[number]) as picture:
            pixels = np.asarray(picture.convert("RGB").resize(self.size))
        return torch.from_numpy(pixels).permute(2, 0, 1) / 255


def peers(paths: list[str], weights: str | None) -> dict[str, Callable[[], None]]:
    """Return what people use today, by name."""

    def fastdup() -> None:
        with tempfile.TemporaryDirectory() as folder:
            _call_fastdup(_import_fastdup(), Path(folder) / "run", annotations=paths)

    model = mobilenet(weights).eval()

    def torch_loop() -> None:
        with torch.inference_mode():
            for view in DataLoader(Files(paths, (224, 224)), 16, num_workers=2):
                model.features(view).mean((2, 3))

    return {
        "fastdup's own run": fastdup,
        "torch: MobileNetV2 at 224×224, DataLoader of 2 workers": torch_loop,
    }


def ways(paths: list[str], reid: str) -> dict[str, Callable[[], None]]:
    """Return ours, its parts, and a plain loop, by name; each does all of the files."""
    batch = BATCH
    network = embedding.load_network(Path(reid), batch)
    height, width = (int(network.input(0).shape[axis]) for axis in (2, 3))

    def ours() -> None:
        embedding.infer(network, paths, batch)

    def decoding() -> None:
        parts = [paths[start : start + batch] for start in range(0, len(paths), batch)]
        with ThreadPoolExecutor(2) as pool:
            for _ in pool.map(lambda own: load_batch(own, (width, height)), parts):
                pass

    def constant() -> None:
        at_once = network.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        requests = [network.create_infer_request() for _ in range(at_once)]
        pixels = np.zeros((batch, 3, height, width), dtype=np.float32)
        for number in range(0, len(paths), batch):
            request = requests[number // batch % at_once]
            request.wait()
            request.start_async({0: pixels})
        for request in requests:
            request.wait()

    def one_by_one() -> None:
        single = embedding.load_network(Path(reid), 1)
        for path in paths:
            with Image.open(path) as picture:
                pixels = np.asarray(picture.convert("RGB").resize((width, height)))
            single({0: pixels[None, ..., ::-1].transpose(0, 3, 1, 2).astype(np.float32)})

    return {
        OURS: ours,
        DECODING: decoding,
        NETWORK: constant,
        "a plain loop: the same network, image by image": one_by_one,
    }


def products(reid: str) -> float:
    """Return how many multiplications and additions the network needs for one image."""
    count = 0.0
    for operation in openvino.Core().read_model(reid).get_ops():
        kind = operation.get_type_name()
        if kind in ("Convolution", "GroupConvolution"):
            weights = [size.get_length() for size in operation.input(1).get_partial_shape()]
            made = [size.get_length() for size in operation.output(0).get_partial_shape()]
            count += 2.0 * np.prod(made[1:]) * np.prod(weights[1 if kind == "Convolution" else 2 :])
    return count


def matrix_rate() -> float:
    """Return how many multiplications and additions torch makes of large matrices in a second."""
    one, other = torch.rand(2, 2048, 2048)
    rates = []
    for _ in range(5):
        started = time.perf_counter()
        one @ other
        rates.append(2 * 2048**3 / (time.perf_counter() - started))
    return max(rates)


def measure(
    found: dict[str, Callable[[], None]], images: int, rounds: int, needed: float
) -> dict[str, Any]:
    """Return images per second of each way, by round, and bound and ceiling of each round."""
    found[OURS]()  # warm
    speeds: dict[str, list[float]] = {name: [] for name in [*found, BOUND, CEILING]}
    for number in range(rounds):
        names = list(found)
        for name in [*names[number % len(names) :], *names[: number % len(names)]]:
            started = time.perf_counter()
            found[name]()
            speeds[name].append(images / (time.perf_counter() - started))
        speeds[CEILING].append(matrix_rate() / needed)
        speeds[BOUND].append(1 / (1 / speeds[DECODING][-1] + 1 / speeds[NETWORK][-1]))
    return speeds


def main() -> None:
    """Print a table, and write it beside this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", required=True, help="a PETA release")
    parser.add_argument("--reid", required=True, help="a re-identification network")
    parser.add_argument("--weights", help="a MobileNetV2 state dict for the torch loop")
    parser.add_argument("--images", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", default="benchmarks/vectors")
    parser.add_argument("--peak", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    paths = read_peta(options.root).images["path"]
    paths = paths.sample(options.images, random_state=0).tolist()
    if options.peak:
        network = embedding.load_network(Path(options.reid), BATCH)
        embedding.infer(network, paths[:BATCH], BATCH)
        print(peak_above(lambda: embedding.infer(network, paths, BATCH)), flush=True)  # noqa: T201
        return
    found = {**ways(paths, options.reid), **peers(paths, options.weights)}
    speeds = measure(found, len(paths), options.rounds, products(options.reid))
    lines = ["| | images/s, median (least to most) | ours / this, median |", "| --- | --: | --: |"]
    for name, own in speeds.items():
        ratio = median(a / b for a, b in zip(speeds[OURS], own, strict=True))
        words = f"{median(own):.0f} ({min(own):.0f} to {max(own):.0f})"
        lines.append(f"| {name} | {words} | {ratio:.2f} |")
    lines += ["", "| images | peak above the loaded network, MiB |", "| --: | --: |"]
    for count in (len(paths) // 4, len(paths)):
        own = [sys.executable, "-m", "benchmarks.vectors", "--root", options.root, "--reid"]
        own += [options.reid, "--images", str(count), "--peak"]
        done = subprocess.run(own, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603
        lines.append(f"| {count:,} | {int(done.stdout) / 2**20:.0f} |")
    settings = f"{len(paths):,} images of PETA, {options.rounds} rounds; {in_words()}"
    text = "\n".join([settings, "", *lines]) + "\n"
    print(text)  # noqa: T201 - what it is for
    write_text(Path(options.out).with_suffix(".md"), text)


if __name__ == "__main__":
    main()
