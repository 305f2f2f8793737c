"""Parts of peta-viz at work alone: ``python -m abuse.parts PART FOLDER RELEASE``.

Each says when it begins, and what it keeps as soon as that is acknowledged.
"""

import hashlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from abuse.victim import KEPT, OURS
from peta_viz.curation.acts import Act, Cell, Change
from peta_viz.curation.log import DecisionLog
from peta_viz.errors import PetaVizError
from peta_viz.files import atomic, disk_told, write_text

BEGINS = "at work"
VALUE = "value.txt"
_LOG = "decisions.sqlite"
_WRITES, _ACTS, _IMAGES = 300, 150, 48


def writing(folder: Path, _release: Path) -> None:
    """Replace a file again and again."""
    file = folder / VALUE
    first = numbered(file) + 1 if file.exists() else 1
    _begin()
    for number in range(first, first + _WRITES):
        body = f"{number}\n" * 20_000
        write_text(file, f"{body}{_digest(body)}")
        _keep(number)


def numbered(file: Path) -> int:
    """Return which of its contents the file has; raises ValueError if it is not whole."""
    body, _, digest = file.read_text(encoding="utf-8").rpartition("\n")
    if _digest(f"{body}\n") != digest:
        raise ValueError("it is half of one content")
    return int(body.partition("\n")[0])


def deciding(folder: Path, _release: Path) -> None:
    """Write acts into a decision log, and take back every fifth."""
    _begin()
    log = DecisionLog(folder / _LOG)
    for number in range(_ACTS):
        cell = Cell(f"image {number}", "label", "x")
        act = Act("relabel", number, (cell.image_id,), (Change(cell, "no", "yes"),))
        _keep(log.write(act, "Ada").id)
        taken = None if number % 5 else log.undo("Ada")
        if taken:
            _keep(taken.id)


def decoding(folder: Path, release: Path) -> None:
    """Decode images into the file that trainings read."""
    from peta_viz.peta import read_peta  # noqa: PLC0415 - others need not wait for it
    from peta_viz.training.data import readable  # noqa: PLC0415
    from peta_viz.training.pixels import PixelStore  # noqa: PLC0415

    imageset = readable(read_peta(release))
    _begin()
    PixelStore.of(imageset, 256, 128, cache=folder / "cache", progress=False)


def training(folder: Path, _release: Path) -> None:
    """Train a model to tell bright images from dark ones."""
    from peta_viz.imageset import Head, ImageSet  # noqa: PLC0415
    from peta_viz.training.config import TrainConfig  # noqa: PLC0415
    from peta_viz.training.loop import train  # noqa: PLC0415
    from peta_viz.training.pixels import PixelStore  # noqa: PLC0415

    rng = np.random.default_rng(0)
    bright = np.arange(_IMAGES) % 3 == 0
    ids = pd.Index([f"{number:02d}" for number in range(_IMAGES)], name="image_id")
    images = pd.DataFrame(
        {
            **dict.fromkeys(("path", "person_id"), ids),
            "subset": "",
            **dict.fromkeys(("width", "height"), 32),
            "component_id": np.arange(_IMAGES),
            "split": np.where(np.arange(_IMAGES) % 2, "validation", "train"),
        },
        index=ids,
    )
    labels = pd.DataFrame({"x": bright}, index=ids)
    imageset = ImageSet(images, labels, labels | True, (Head("rest", ("x",)),))
    values = rng.integers(0, 60, (_IMAGES, 32, 32, 3), dtype=np.uint8)
    values += (bright * 180).astype(np.uint8)[:, None, None, None]
    config = TrainConfig(
        epochs=4, height_px=32, width_px=32, batch_size=8, learning_rate=3e-3, weights=None
    )
    _begin()
    history = train(
        imageset,
        config,
        folder / "model",
        pixels=PixelStore(values, ids, "bright and dark"),
        progress=False,
    )
    with atomic(folder / "history.csv") as partial:
        history.to_csv(partial, index=False)


def tracking(folder: Path, _release: Path) -> None:
    """Log a run to MLflow's file, from nothing."""
    from peta_viz.tracking import Tracker  # noqa: PLC0415

    columns = ["image_size", "source", "metric", "experiment", "component_size", "head", "value"]
    scores = pd.DataFrame([("all", "all", "macro_f1", "A", "all", "mean", 0.5)], columns=columns)
    _begin()
    _keep(Tracker(folder).record("run", {"epochs": 2}, scores, []))


def drawing(folder: Path, _release: Path) -> None:
    """Draw the sample."""
    from peta_viz.sample import make_sample  # noqa: PLC0415

    _begin()
    make_sample(folder)


def reporting(folder: Path, _release: Path) -> None:
    """Write the pages of a finished run anew."""
    from peta_viz.pipeline import STAGES  # noqa: PLC0415
    from peta_viz.report import notebook_to_html, write_index  # noqa: PLC0415

    _begin()
    for stage in STAGES:
        name = stage.name
        page = folder / "reports" / f"{name}.html"
        notebook_to_html(folder / "notebooks" / f"{name}.ipynb", page, title=stage.title)
    write_index(folder, parameters={}, seconds={})


PARTS: dict[str, Callable[[Path, Path], None]] = {
    part.__name__: part
    for part in (writing, deciding, decoding, training, tracking, drawing, reporting)
}


def broken_promises(part: str, folder: Path, kept: Sequence[Sequence[str]]) -> list[str]:
    """Tell what is not there of that which one or several processes acknowledged."""
    if part == "writing" and any(kept):
        number, least = numbered(folder / VALUE), min(int(own[-1]) for own in kept if own)
        return [] if number >= least else [f"{number} is there, and {least} was kept"]
    if part == "deciding" and any(kept):
        entries = DecisionLog(folder / _LOG, make=False).since()
        times = [entry.at for entry in entries]
        lost = {name for own in kept for name in own} - {entry.id for entry in entries}
        backwards = [] if times == sorted(set(times)) else ["time runs backwards in the log"]
        return [*(f"act {name} is lost" for name in sorted(lost)), *backwards]
    return []


def _begin() -> None:
    print(BEGINS, flush=True)  # noqa: T201 - what it is for


def _keep(what: object) -> None:
    print(f"{KEPT}{what}", flush=True)  # noqa: T201


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def main() -> None:
    """Do one part, and tell errors as the command does."""
    part, folder, release = sys.argv[1:]
    try:
        with disk_told(folder):
            PARTS[part](Path(folder), Path(release))
    except PetaVizError as error:
        print(f"{OURS}{error}", file=sys.stderr)  # noqa: T201
        sys.exit(1)


if __name__ == "__main__":
    main()
