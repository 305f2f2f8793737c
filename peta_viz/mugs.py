"""The generated table: drawn mugs of a shop and a CSV file, with planted label errors.

For the tutorial, and to try what takes a table. Everything here is generated and planted, and
called so; nothing that is under test reads ``truth.csv``.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from peta_viz.drawing import PALETTE, near_copy, scene
from peta_viz.files import atomic
from peta_viz.sample import TRUTH, draw_once

TABLE = "mugs.csv"
SIZE = (64, 64)
_SCALE = 4  # drawn larger and shrunk, for smooth edges
_COLOURS = ["Black", "Blue", "Green", "Red", "White", "Yellow"]
_CONFUSED = {"Black": "Blue", "Blue": "Black", "Green": "Yellow", "Red": "Yellow"}
_CONFUSED |= {"White": "Yellow", "Yellow": "White"}
_PATTERNS = ["plain", "striped", "dotted"]
_MUGS = 90


@dataclass(frozen=True)
class _Mug:
    colour: str
    pattern: str
    has_handle: bool
    has_saucer: bool
    scene: int

    @classmethod
    def random(cls, rng: np.random.Generator) -> "_Mug":
        return cls(
            colour=str(rng.choice(_COLOURS)),
            pattern=str(rng.choice(_PATTERNS, p=[0.5, 0.3, 0.2])),
            has_handle=bool(rng.random() < 0.7),  # noqa: PLR2004
            has_saucer=bool(rng.random() < 0.3),  # noqa: PLR2004
            scene=int(rng.integers(2**31)),
        )

    def row(self) -> dict[str, Any]:
        return {
            "colour": self.colour.lower(),
            "pattern": self.pattern,
            "has_handle": self.has_handle,
            "has_saucer": self.has_saucer,
        }


def make_mugs(folder: str | Path, *, seed: int = 0) -> Path:
    """Write about 270 drawn photos of 90 mugs and a table of their labels, with planted errors.

    Of every mug there are one to five photos. In a fifth of the mugs with three photos and more,
    one photo has a wrong colour, pattern or handle. Some cells are empty, and one file is cut off,
    as happens.

    Parameters
    ----------
    folder
        Where to write: ``mugs.csv``, ``photos/`` and ``truth.csv`` (the planted errors). A sample
        that is there with the same seed is kept.
    seed
        The same seed gives the same files.

    Returns
    -------
    Path
        ``<folder>/mugs.csv``, with the columns `file`, `product`, `colour`, `pattern` (class
        names), `has_handle` and `has_saucer` (True, False or empty).

    """
    folder = Path(folder)
    draw_once(folder, ".complete-mugs-", seed, _draw_all)
    return folder / TABLE


def _draw_all(folder: Path, rng: np.random.Generator) -> None:
    (folder / "photos").mkdir(exist_ok=True)
    rows: list[dict[str, Any]] = []
    truth = []
    for number in range(_MUGS):
        mug = _Mug.random(rng)
        picture = _draw(mug)
        photos = int(rng.choice([1, 2, 3, 4, 5], p=[0.2, 0.2, 0.25, 0.2, 0.15]))
        for photo in range(photos):
            name = f"photos/{number:03d}-{photo}.jpg"
            row: dict[str, Any] = {"file": name, "product": f"mug {number}", **mug.row()}
            if photo == 0 and photos > 2 and rng.random() < 0.2:  # noqa: PLR2004
                column = str(rng.choice(["colour", "pattern", "has_handle"]))
                truth.append((name, column, row[column]))
                row[column] = _mistaken(row[column], rng)
            elif rng.random() < 0.05:  # noqa: PLR2004
                row[str(rng.choice(["has_handle", "has_saucer"]))] = None
            rows.append(row)
            with atomic(folder / name) as partial:
                near_copy(picture, rng).save(partial, "JPEG", quality=92)
    _cut_off(folder / rows[-1]["file"])
    with atomic(folder / TABLE) as partial:
        pd.DataFrame(rows).to_csv(partial, index=False)
    with atomic(folder / TRUTH) as partial:
        pd.DataFrame(truth, columns=["file", "column", "shown"]).to_csv(partial, index=False)


def _mistaken(value: Any, rng: np.random.Generator) -> Any:
    if isinstance(value, bool):
        return not value
    if value in _PATTERNS:
        return str(rng.choice([pattern for pattern in _PATTERNS if pattern != value]))
    return _CONFUSED[value.capitalize()].lower()


def _cut_off(file: Path) -> None:
    content = file.read_bytes()
    with atomic(file) as partial:
        partial.write_bytes(content[: len(content) // 2])


def _draw(mug: _Mug) -> Image.Image:
    """Draw a mug on a table, RGB, `SIZE` pixels."""
    side = SIZE[0] * _SCALE
    image = scene(mug.scene, side, side)
    pen = ImageDraw.Draw(image)
    colour = PALETTE[mug.colour]
    mark = PALETTE["White" if mug.colour in ("Black", "Blue", "Red", "Green") else "Purple"]

    def box(left: float, top: float, right: float, bottom: float) -> list[float]:
        return [left * side, top * side, right * side, bottom * side]

    if mug.has_saucer:
        pen.ellipse(box(0.12, 0.80, 0.88, 0.95), fill=PALETTE["White"], outline=PALETTE["Grey"])
    if mug.has_handle:
        pen.ellipse(box(0.6, 0.38, 0.9, 0.72), outline=colour, width=round(0.06 * side))
    pen.rounded_rectangle(box(0.26, 0.22, 0.7, 0.88), radius=0.05 * side, fill=colour)
    if mug.pattern == "striped":
        for top in (0.38, 0.54, 0.70):
            pen.rectangle(box(0.26, top, 0.7, top + 0.06), fill=mark)
    if mug.pattern == "dotted":
        for left in (0.32, 0.45, 0.58):
            for top in (0.4, 0.56, 0.72):
                pen.ellipse(box(left, top, left + 0.07, top + 0.07), fill=mark)
    pen.ellipse(box(0.26, 0.17, 0.7, 0.28), fill=PALETTE["Brown"], outline=colour, width=_SCALE)
    return image.resize(SIZE, Image.Resampling.LANCZOS)
