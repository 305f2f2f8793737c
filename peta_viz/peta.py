"""Reads the PETA release: ``<root>/<subset>/archive/`` with images and a ``Label.txt``."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from peta_viz.errors import InvalidDataError
from peta_viz.files import is_file, is_folder
from peta_viz.images import EXTENSIONS, inspect_headers
from peta_viz.imageset import Head, HeadKind, ImageSet
from peta_viz.words import first_of

COLOURS = [
    "Black",
    "Blue",
    "Brown",
    "Green",
    "Grey",
    "Orange",
    "Pink",
    "Purple",
    "Red",
    "White",
    "Yellow",
]
AGES = ["personalLess15", "personalLess30", "personalLess45", "personalLess60", "personalLarger60"]

# One line per head: its name, its kind, and its labels (a name that ends in * is a prefix).
PETA_HEADS: tuple[tuple[str, HeadKind, Sequence[str]], ...] = (
    ("gender", "exclusive", ["personalFemale", "personalMale"]),
    ("age", "exclusive", AGES),
    ("accessory", "multiple", ["accessory*"]),
    ("carrying", "multiple", ["carrying*"]),
    ("hair_length", "exclusive", ["hairLong", "hairShort", "hairBald"]),
    (
        "sleeve",
        "exclusive",
        ["upperBodyLongSleeve", "upperBodyShortSleeve", "upperBodyNoSleeve"],
    ),
    (
        "style",
        "multiple",
        ["lowerBodyCasual", "lowerBodyFormal", "upperBodyCasual", "upperBodyFormal"],
    ),
    ("upper_colour", "multiple", [f"upperBody{colour}" for colour in COLOURS]),
    ("lower_colour", "multiple", [f"lowerBody{colour}" for colour in COLOURS]),
    ("hair_colour", "multiple", [f"hair{colour}" for colour in COLOURS]),
    ("footwear_colour", "multiple", [f"footwear{colour}" for colour in COLOURS]),
    ("other", "multiple", ["*"]),
)


def read_peta(root: str | Path, *, subsets: Sequence[str] | None = None) -> ImageSet:
    """Read the PETA release, or part of it.

    A row of ``Label.txt`` is ``KEY label label …``. KEY is a file name (CUHK) or the person's id,
    the part of the file name before the first ``_``; both styles are told apart row by row.
    Person ids are unique only inside a subset, so `person_id` is ``<subset>/<KEY>``. All labels of
    the release are kept, the four too rare for its authors included; the heads are `PETA_HEADS`,
    as far as their labels occur.

    Parameters
    ----------
    root
        The folder with the subsets' folders, or its parent.
    subsets
        Which of them; all by default.

    Returns
    -------
    ImageSet
        Sorted by `image_id`, which is ``<subset>/<file name>``.

    Raises
    ------
    InvalidDataError
        If `root` is not a PETA release, or a ``Label.txt`` is missing or broken; the message
        names file and line.

    """
    found = _scan(root, subsets)
    images = pd.DataFrame(
        [
            (f"{part.name}/{file.name}", str(file), part.name, f"{part.name}/{key}")
            for part in found
            for file, key in zip(part.files, part.keys, strict=True)
        ],
        columns=["image_id", "path", "subset", "person_id"],
    ).set_index("image_id")
    images.index = images.index.astype("str")
    images = images.join(inspect_headers(images["path"]))
    names = sorted({label for part in found for row in part.rows.values() for label in row})
    carried = [part.rows.get(key, []) for part in found for key in part.keys]
    values = _label_matrix(carried, names)
    answered = np.repeat(
        np.array([key in part.rows for part in found for key in part.keys])[:, None],
        len(names),
        axis=1,
    )
    return ImageSet(
        images=images,
        labels=pd.DataFrame(values, index=images.index, columns=names),
        known=pd.DataFrame(answered, index=images.index, columns=names),
        heads=peta_heads(names),
    )


def peta_summary(root: str | Path, *, subsets: Sequence[str] | None = None) -> pd.DataFrame:
    """Count what the files of a PETA release hold, its oddities included.

    Parameters
    ----------
    root, subsets
        As for `read_peta`.

    Returns
    -------
    DataFrame
        One row per subset: `images`, `label_rows`, `persons` (rows with images), `most_images` of
        one row, `images_without_row`, `rows_without_image` and `repeated_labels` (counts), and
        `named` (which these are, in words).

    """
    rows = []
    for part in _scan(root, subsets):
        keys = pd.Series(part.keys, dtype="str")
        seen = set(part.keys)
        empty = sorted(set(part.rows) - seen)
        orphans = [f.name for f, k in zip(part.files, part.keys, strict=True) if k not in part.rows]
        repeated = [f"{key} repeats {', '.join(names)}" for key, names in part.repeated.items()]
        rows.append(
            {
                "subset": part.name,
                "images": len(part.files),
                "label_rows": len(part.rows),
                "persons": len(seen & set(part.rows)),
                "most_images": int(keys.value_counts().max()) if len(keys) else 0,
                "images_without_row": len(orphans),
                "rows_without_image": len(empty),
                "repeated_labels": len(repeated),
                "named": "; ".join(
                    [
                        *_named("no row for", orphans),
                        *_named("no image for", empty),
                        *_named("", repeated),
                    ]
                ),
            }
        )
    return pd.DataFrame(rows).set_index("subset")


def peta_heads(names: Sequence[str]) -> tuple[Head, ...]:
    """Group label names by `PETA_HEADS`; a head without enough labels leaves them to the last."""
    left = dict.fromkeys(names)
    heads = []
    for name, kind, patterns in PETA_HEADS:
        labels = [label for pattern in patterns for label in _matching(pattern, left)]
        if len(labels) >= (2 if kind == "exclusive" else 1):
            heads.append(Head(name, tuple(labels), kind))
            for label in labels:
                del left[label]
    return tuple(heads)


@dataclass(frozen=True)
class _Part:
    """One subset as its files tell it: image files, the key of each, and the label rows."""

    name: str
    files: list[Path]
    keys: list[str]
    rows: dict[str, list[str]]
    repeated: dict[str, list[str]]


def _scan(root: str | Path, subsets: Sequence[str] | None) -> list[_Part]:
    folder = _release_folder(Path(root))
    names = sorted(p.name for p in folder.iterdir() if (p / "archive").is_dir())
    absent = [name for name in subsets or () if name not in names]
    if absent:
        raise InvalidDataError(
            str(folder),
            [f"there is no subset {name!r}, only {', '.join(names)}" for name in absent],
        )
    parts, problems = [], []
    for name in subsets or names:
        archive = folder / name / "archive"
        rows, repeated, bad = _read_label_file(archive / "Label.txt")
        problems += bad
        files = sorted(
            file
            for file in archive.iterdir()
            if file.suffix.lower() in EXTENSIONS and not file.name.startswith(".")
        )
        keys = [_key_of(file, rows) for file in files]
        parts.append(_Part(name, files, keys, rows, repeated))
    if problems:
        raise InvalidDataError(f"the PETA release in {folder}", problems)
    return parts


def is_release(root: str | Path) -> bool:
    """Tell whether a folder, or ``PETA dataset`` in it, holds subsets of the PETA release."""
    return _found_release(Path(root)) is not None


def _found_release(root: Path) -> Path | None:
    for folder in (root, root / "PETA dataset"):
        if is_folder(folder) and any((p / "archive").is_dir() for p in folder.iterdir()):
            return folder
    return None


def _release_folder(root: Path) -> Path:
    found = _found_release(root)
    if found is not None:
        return found
    expected = "expected folders such as VIPeR/archive with images and a Label.txt in it"
    came = "the folder does not exist"
    if is_folder(root):
        inside = sorted(p.name for p in root.iterdir())[:5]
        came = f"found {', '.join(inside)}" if inside else "the folder is empty"
        if "archive" in inside or "Label.txt" in inside:
            came += "; this looks like one subset: give the folder above it"
    raise InvalidDataError(f"{root} is not the PETA release and", [f"{expected}, but {came}"])


def _read_label_file(
    file: Path,
) -> tuple[dict[str, list[str]], dict[str, list[str]], list[str]]:
    if not is_file(file):
        return {}, {}, [f"{file}: it is missing; expected one row 'KEY label label …' per person"]
    rows: dict[str, list[str]] = {}
    repeated: dict[str, list[str]] = {}
    problems = []
    text = file.read_bytes().decode("utf-8-sig", errors="replace")
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        key, labels = words[0], words[1:]
        problem = _row_problem(key, labels, rows)
        if problem:
            problems.append(f"{file}, line {number}: {problem}; expected 'KEY label label …'")
            continue
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            repeated[key] = twice
        rows[key] = labels
    return rows, repeated, problems


def _row_problem(key: str, labels: list[str], rows: dict[str, list[str]]) -> str:
    if "�" in key or any("�" in label for label in labels):
        return "it is not UTF-8 text"
    if not labels:
        return f"the key {key!r} has no label"
    if key in rows:
        return f"the key {key!r} has a row already"
    odd = [label for label in labels if not label.isidentifier()]
    return f"{odd[0]!r} is not a label name" if odd else ""


def _key_of(file: Path, rows: dict[str, list[str]]) -> str:
    return file.name if file.name in rows else file.stem.split("_")[0]


def _label_matrix(
    carried: Sequence[Sequence[str]], names: Sequence[str]
) -> "np.ndarray[tuple[int, int], np.dtype[np.bool_]]":
    number = {name: column for column, name in enumerate(names)}
    values = np.zeros((len(carried), len(names)), dtype=bool)
    rows = np.repeat(np.arange(len(carried)), [len(labels) for labels in carried])
    columns = np.array([number[label] for labels in carried for label in labels], dtype=int)
    values[rows, columns] = True
    return values


def _matching(pattern: str, names: Iterable[str]) -> list[str]:
    if pattern.endswith("*"):
        return [name for name in names if name.startswith(pattern[:-1])]
    return [name for name in names if name == pattern]


def _named(what: str, items: Sequence[str]) -> list[str]:
    return [f"{what} {first_of(items, 6)}".strip()] if items else []
