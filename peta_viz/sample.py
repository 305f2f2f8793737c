"""The generated sample: drawn pedestrians in the PETA layout, with planted label errors.

Everything here is generated and planted, and called so. The planted errors are listed in
``truth.csv`` beside the release; nothing that is under test reads it.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from peta_viz.drawing import Person, draw, near_copy
from peta_viz.files import alone, atomic, write_text

RELEASE = "PETA dataset"
TRUTH = "truth.csv"
_MARK = ".complete-"
STREET, CAMPUS = "SampleStreet", "SampleCampus"

_AGE_DISPUTES = {"Less30": "Less45", "Less45": "Less30", "Larger60": "Less60", "Less15": "Less30"}
_COLOUR_DISPUTES = {
    "Black": "Grey",
    "Grey": "Black",
    "Blue": "Purple",
    "Purple": "Blue",
    "Brown": "Red",
    "Red": "Orange",
    "Orange": "Yellow",
    "Yellow": "Orange",
    "White": "Grey",
    "Green": "Grey",
}
_SLIPS = [
    ("hairLong", "hairShort"),
    ("hairShort", "hairLong"),
    ("personalMale", "personalFemale"),
    ("personalFemale", "personalMale"),
    ("carryingNothing", "carryingOther"),
    ("carryingBackpack", "carryingNothing"),
    ("upperBodyLongSleeve", "upperBodyShortSleeve"),
    ("upperBodyShortSleeve", "upperBodyLongSleeve"),
]


@dataclass(frozen=True)
class _Shot:
    """One image with the labels it shows, the labels an annotator gave it, and whose row it is."""

    subset: str
    key: str
    name: str
    image: Image.Image
    shown: list[str]
    given: list[str]
    kind: str


def make_sample(folder: str | Path, *, seed: int = 0) -> Path:
    """Write about 400 drawn pedestrians in the PETA layout, with planted label errors.

    ``SampleStreet`` is labelled person by person (one row for all images of an id; some persons
    walk by twice and were labelled twice), ``SampleCampus`` image by image, as CUHK is. There are
    near-copies, singletons, look-alikes that are different persons, and annotators' errors of
    three kinds: one image of a person labelled otherwise (``slip``), two annotators who disagree
    about age (``age``), a colour named differently (``colour``). One label row has no image and
    one repeats a label, as in the real release.

    Parameters
    ----------
    folder
        Where to write: ``PETA dataset/`` (give this to `read_peta`) and ``truth.csv``. A sample
        that is there with the same seed is kept.
    seed
        The same seed gives the same files.

    Returns
    -------
    Path
        ``<folder>/PETA dataset``.

    """
    folder = Path(folder)
    draw_once(folder, _MARK, seed, _draw_all)
    return folder / RELEASE


def is_drawn(folder: str | Path, *, seed: int = 0) -> bool:
    """Tell whether the sample is there, whole, so that `make_sample` keeps it."""
    return (Path(folder) / f"{_MARK}{seed}").is_file()


def draw_once(
    folder: Path, mark: str, seed: int, draw_all: Callable[[Path, np.random.Generator], None]
) -> None:
    """Draw a sample unless this seed's mark says that it is there; another seed's mark goes."""
    done = folder / f"{mark}{seed}"
    if done.is_file():
        return
    with alone(folder, "drawing", wait=True):
        if not done.is_file():
            for other in folder.glob(f"{mark}*"):
                other.unlink()
            draw_all(folder, np.random.default_rng(seed))
            write_text(done, "")


def _draw_all(folder: Path, rng: np.random.Generator) -> None:
    shots = list(_shots(rng))
    for subset in (STREET, CAMPUS):
        place = folder / RELEASE / subset
        shutil.rmtree(place, ignore_errors=True)  # another seed's, or half of one
        _write_subset(place / "archive", [shot for shot in shots if shot.subset == subset])
    with atomic(folder / TRUTH) as partial:
        _truth(shots).to_csv(partial, index=False)


def score_cleaning(changes: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Compare what a cleaning touched with the planted errors.

    Parameters
    ----------
    changes
        `Cleaning.changes`.
    truth
        ``truth.csv`` of the sample: the planted cells.

    Returns
    -------
    DataFrame
        One row per level, ``images`` and ``cells`` (image and label; only label changes count):
        `planted`, `touched`, `hit`, `precision` and `recall` (NaN where nothing was touched).

    """
    cells = changes[changes["label"] != ""]
    planted_cells = pd.MultiIndex.from_frame(truth[["image_id", "label"]])
    levels = {
        "images": (pd.Index(truth["image_id"].unique()), pd.Index(changes["image_id"].unique())),
        "cells": (planted_cells, pd.MultiIndex.from_frame(cells[["image_id", "label"]]).unique()),
    }
    rows = []
    for level, (planted, touched) in levels.items():
        hit = len(planted.intersection(touched))
        precision = hit / len(touched) if len(touched) else np.nan
        rows.append((level, len(planted), len(touched), hit, precision, hit / len(planted)))
    columns = ["level", "planted", "touched", "hit", "precision", "recall"]
    return pd.DataFrame(rows, columns=columns).set_index("level")


def _shots(rng: np.random.Generator) -> Iterator[_Shot]:
    counter = iter(range(1, 10_000))
    for _ in range(14):  # one id, one annotator: consistent
        yield from _street(Person.random(rng), [next(counter)], rng)
    for number in range(12):  # walks by twice, labelled twice
        kind = ["", "age", "colour"][number % 3]
        yield from _street(Person.random(rng), [next(counter), next(counter)], rng, kind)
    for _ in range(10):  # a look-alike at the same place
        person = Person.random(rng)
        yield from _street(person, [next(counter)], rng, copies=(1, 3))
        yield from _street(person.look_alike(), [next(counter)], rng, copies=(1, 3))
    for number in range(30):  # labelled image by image
        kind = ["", "slip", "slip", "age", "colour"][number % 5]
        yield from _campus(Person.random(rng), counter, rng, kind)
    for number in range(110):  # seen once
        person = Person.random(rng)
        if number % 3:
            yield from _campus(person, counter, rng, copies=(1, 2))
        else:
            yield from _street(person, [next(counter)], rng, copies=(1, 2))


def _street(
    person: Person,
    ids: Sequence[int],
    rng: np.random.Generator,
    kind: str = "",
    copies: tuple[int, int] = (2, 6),
) -> Iterator[_Shot]:
    picture, shown = draw(person), person.labels()
    for row, number in enumerate(ids):
        wrong = row > 0 and kind
        given = _mistaken(shown, kind, rng) if wrong else shown
        for copy in range(int(rng.integers(*copies))):
            name = f"{number:04d}_{copy + 1}.jpg"
            image = near_copy(picture, rng)
            yield _Shot(STREET, f"{number:04d}", name, image, shown, given, kind if wrong else "")


def _campus(
    person: Person,
    counter: Iterator[int],
    rng: np.random.Generator,
    kind: str = "",
    copies: tuple[int, int] = (3, 7),
) -> Iterator[_Shot]:
    picture, shown = draw(person), person.labels()
    count = int(rng.integers(*copies))
    wrong = {"": 0, "slip": 1}.get(kind, max(1, count // 3))
    mistaken = _mistaken(shown, kind, rng)
    for copy in range(count):
        is_wrong = copy < wrong
        name = f"{next(counter):04d}.png"
        given = mistaken if is_wrong else shown
        image = near_copy(picture, rng)
        yield _Shot(CAMPUS, name, name, image, shown, given, kind if is_wrong else "")


def _mistaken(shown: list[str], kind: str, rng: np.random.Generator) -> list[str]:
    """Return the labels with one mistake of a kind that annotators make."""
    if kind == "age":
        swaps = [(f"personal{a}", f"personal{b}") for a, b in _AGE_DISPUTES.items()]
    elif kind == "colour":
        part = str(rng.choice(["upperBody", "lowerBody"]))
        swaps = [(part + a, part + b) for a, b in _COLOUR_DISPUTES.items()]
    elif kind == "slip":
        swaps = [_SLIPS[number] for number in rng.permutation(len(_SLIPS))]
    else:
        return shown
    old, new = next(swap for swap in swaps if swap[0] in shown)
    return [new if label == old else label for label in shown]


def _write_subset(archive: Path, shots: Sequence[_Shot]) -> None:
    rows: dict[str, list[str]] = {}
    archive.mkdir(parents=True, exist_ok=True)
    for shot in shots:
        with atomic(archive / shot.name) as partial:
            shot.image.save(partial, quality=92)
        rows[shot.key] = shot.given
    if archive.parent.name == STREET:
        first = next(iter(rows))
        rows[first] = [*rows[first], rows[first][0]]  # repeats a label
        rows["9999"] = ["personalMale"]  # has no image
    lines = [" ".join([key, *labels]) for key, labels in rows.items()]
    write_text(archive / "Label.txt", "\n".join(lines) + "\n")


def _truth(shots: Sequence[_Shot]) -> pd.DataFrame:
    rows = [
        (f"{shot.subset}/{shot.name}", label, label in shot.given, label in shot.shown, shot.kind)
        for shot in shots
        for label in sorted(set(shot.given) ^ set(shot.shown))
    ]
    return pd.DataFrame(rows, columns=["image_id", "label", "given", "shown", "kind"])
