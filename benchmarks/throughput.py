"""How fast training goes: from the cache, of a constant tensor, and from a plain DataLoader.

``python -m benchmarks.throughput --root "PETA dataset"``: the same model, optimiser, loss and
number of groups in turn, several rounds, so that a machine whose speed drifts is fair to all.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2
from tqdm import tqdm

from benchmarks.machine import in_words
from peta_viz.imageset import ImageSet
from peta_viz.peta import read_peta
from peta_viz.sample import make_sample
from peta_viz.training import loop
from peta_viz.training.config import TrainConfig
from peta_viz.training.data import Rows
from peta_viz.training.losses import HeadTruth, total_loss
from peta_viz.training.model import GroupNet
from peta_viz.training.pixels import PixelStore


class Files(Dataset[Any]):
    """What one would write today: groups of files, decoded, scaled and flipped when asked for."""

    def __init__(self, paths: list[str], groups: Rows, size: tuple[int, int]) -> None:
        self.paths, self.groups = paths, groups
        self.transform = v2.Compose([v2.Resize(size), v2.RandomHorizontalFlip()])

    def __len__(self) -> int:
        return len(self.groups)

    def __getitem__(self, number: int) -> torch.Tensor:
        pictures = []
        for row in self.groups[number]:
            with Image.open(self.paths[row]) as picture:
                pictures.append(np.asarray(self.transform(picture.convert("RGB"))))
        return torch.from_numpy(np.stack(pictures))


def measure(imageset: ImageSet, config: TrainConfig, steps: int, rounds: int, cache: str) -> Any:
    """Return images per second of each way, by round."""
    imageset = imageset.with_columns(component_id=np.arange(len(imageset)) // 3)
    pixels = PixelStore.of(imageset, config.height_px, config.width_px, cache=cache)
    side = loop.Side.of(imageset, pixels, config)
    truths = [HeadTruth.of(side.targets, head, config) for head in imageset.heads]
    torch.manual_seed(0)
    model = GroupNet(imageset.heads, images_per_group=config.images_per_group, stem=config.stem)
    model = model.to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(model.parameters(), weight_decay=config.weight_decay)
    count = steps * config.batch_size
    if count > len(side.targets.values):
        raise SystemExit(f"{count} groups are needed, and there are {len(side.targets.values)}")
    few = loop.Side(side.targets, _first(side.groups, count))
    drawn = few.groups.draw(config.images_per_group, np.random.default_rng(0))
    images = len(drawn) * config.images_per_group

    def epoch_from_cache() -> None:
        with tqdm(disable=True) as bar:
            loop._train_epoch(model, optimiser, few, truths, config, pixels.values, 0, bar)  # noqa: SLF001

    def step(view: torch.Tensor, batch: torch.Tensor) -> None:
        loss = total_loss(truths, model(view), batch, config)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        loss.item()

    def constant_tensor() -> None:
        model.train()
        view = torch.from_numpy(pixels.values[drawn[: config.batch_size]])
        batch = torch.arange(config.batch_size)
        for _ in range(steps):
            step(view, batch)

    def data_loader(workers: int) -> None:
        model.train()
        files = Files(imageset.images["path"].tolist(), drawn, (config.height_px, config.width_px))
        loader = DataLoader(files, config.batch_size, num_workers=workers)
        for number, view in enumerate(loader):
            first = number * config.batch_size
            step(view, torch.arange(first, first + len(view)))

    ways = {
        "ours, from the cache": epoch_from_cache,
        "a constant tensor": constant_tensor,
        "DataLoader on the files": lambda: data_loader(0),
        "DataLoader on the files, 2 workers": lambda: data_loader(2),
    }
    constant_tensor()  # warm
    found: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        for name in _turned(list(ways), number):
            started = time.perf_counter()
            ways[name]()
            found[name].append(images / (time.perf_counter() - started))
    return found


def _first(groups: Any, count: int) -> Any:
    chosen = groups.component < count
    return type(groups)(groups.component[chosen], groups.rows[chosen])


def _turned(names: list[str], by: int) -> Iterator[str]:
    for place in range(len(names)):
        yield names[(place + by) % len(names)]


def main() -> None:
    """Print a table, and write it beside this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", help="a PETA release; the generated sample by default")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--height-px", type=int, default=128)
    parser.add_argument("--width-px", type=int, default=64)
    parser.add_argument("--cache", default="runs/cache")
    options = parser.parse_args()
    root = options.root or str(make_sample("data/sample"))
    size = {"height_px": options.height_px, "width_px": options.width_px}
    config = TrainConfig(**size, stem="grouped", class_weights="none", weights=None)
    found = measure(read_peta(root), config, options.steps, options.rounds, options.cache)
    ours = found["ours, from the cache"]
    lines = ["| | images/s, median (least to most) | ours / this, median |", "| --- | --: | --: |"]
    for name, speeds in found.items():
        ratio = median(a / b for a, b in zip(ours, speeds, strict=True))
        words = f"{median(speeds):.0f} ({min(speeds):.0f} to {max(speeds):.0f})"
        lines.append(f"| {name} | {words} | {ratio:.2f} |")
    settings = (
        f"{options.rounds} rounds of {options.steps} steps of {config.batch_size} groups of "
        f"{config.images_per_group} images, {config.height_px}×{config.width_px}, "
        f"images of {Path(root).name}; {in_words()}"
    )
    print("\n".join([settings, "", *lines]))  # noqa: T201 - what it is for
    print(json.dumps(found), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
