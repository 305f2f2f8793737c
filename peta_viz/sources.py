"""Where images and labels come from: a PETA release, folders by class, or the user's own table."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pandas as pd

from peta_viz.columns import fill_columns, image_columns, lookalikes
from peta_viz.errors import InvalidDataError, in_a_line, reworded
from peta_viz.files import is_file, is_folder
from peta_viz.images import EXTENSIONS, header_problem
from peta_viz.imageset import ImageSet
from peta_viz.parquet import checked_schema, read_frame, told
from peta_viz.peta import is_release, peta_summary, read_peta
from peta_viz.tables import in_words, meant, read_rows, resolve_paths
from peta_viz.words import counted, first_of

_NAMES = {
    "path": "path_column",
    "labels": "label_columns",
    "classes": "class_columns",
    "person_id": "person_column",
    "subset": "subset_column",
    "root": "images_root",
}
_SEVERAL = 30  # images: of fewer a class may well be there once
_SIDES = {"train", "training", "val", "valid", "validation", "dev", "test", "testing"}


def read_images(
    *,
    root: str | None = None,
    table: str | None = None,
    path_column: str | None = None,
    label_columns: Sequence[str] = (),
    class_columns: Sequence[str] = (),
    person_column: str | None = None,
    subset_column: str | None = None,
    images_root: str | None = None,
    missing: Literal["error", "unknown"] = "error",
) -> tuple[ImageSet, pd.DataFrame]:
    """Read the images of a run and say in a table what was found.

    Parameters
    ----------
    root
        A folder as for `read_folder`; give this or `table`.
    table
        A CSV or Parquet file with one row per image.
    path_column, label_columns, class_columns, person_column, subset_column, missing
        Its columns and what its empty cells mean, as for `ImageSet.from_frame`; the first three
        are guessed by `columns_of` where they are not given.
    images_root
        Folder that the table's relative paths start from; by default the table's own folder.

    Returns
    -------
    imageset : ImageSet
        The images.
    summary : DataFrame
        What the files held: per subset for PETA, per label for a table.

    Raises
    ------
    InvalidDataError
        If there is neither or both, or the data cannot be used as it is.

    """
    _refuse_both(root, table)
    if root is not None:
        imageset = read_folder(root)
        return imageset, peta_summary(root) if is_release(root) else _label_summary(imageset)
    assert table is not None
    with reworded(_in_own_names):
        path_column, label_columns, class_columns = columns_of(
            table, path_column, label_columns, class_columns, (person_column, subset_column)
        )
        imageset = ImageSet.from_frame(
            read_table(Path(table), [path_column, *class_columns, person_column, subset_column]),
            path=path_column,
            labels=label_columns,
            classes=class_columns,
            person_id=person_column,
            subset=subset_column,
            root=images_root or Path(table).parent,
            missing=missing,
        )
    return imageset, _label_summary(imageset)


def _in_own_names(problem: str) -> str:
    """Say what is wrong with a table in the names of the parameters of `read_images`."""
    return re.sub(r"\b(\w+)(?==…)", lambda found: _NAMES.get(found[1], found[1]), problem)


def _label_summary(imageset: ImageSet) -> pd.DataFrame:
    summary = pd.DataFrame({"images": imageset.labels.sum(), "known": imageset.known.sum()})
    return summary.rename_axis("label")


def read_folder(root: str | Path) -> ImageSet:
    """Read a PETA release, or a folder that holds a folder of images per class.

    The latter is the layout of torchvision's ``ImageFolder``: the class of an image is the first
    folder of its path, or the second one where the first ones are called train, val, test or
    alike; these are its `subset` then.

    Raises
    ------
    InvalidDataError
        If it is neither, or cannot be used as it is.

    """
    if is_release(root):
        return read_peta(root)
    frame = _by_class(Path(root))
    return ImageSet.from_frame(
        frame,
        path="path",
        classes=["class"],
        subset="subset" if "subset" in frame else None,
        root=root,
    )


def _by_class(root: Path) -> pd.DataFrame:
    """Return `path`, `class` and perhaps `subset` of images that lie in a folder per class."""
    if not is_folder(root):
        raise InvalidDataError(str(root), ["there is no such file or folder"])
    files = [file.relative_to(root) for file in _images_below(root)]
    sides = {file.parts[0].lower() for file in files if len(file.parts) > 1}
    deep = 1 if sides and sides <= _SIDES else 0
    named = [file for file in files if len(file.parts) > deep + 1]
    outside = sorted(set(files) - set(named))
    if len({file.parts[deep] for file in named}) < 2:  # noqa: PLR2004
        inside = sorted(one.name for one in root.iterdir())
        ways = (
            "nothing in it tells the labels of its images: give a table (CSV or Parquet, one row "
            "per image), a folder with a folder of images per class, or the PETA release (folders "
            "such as VIPeR/archive with images and a Label.txt in it)"
        )
        problems = [
            ways,
            f"it holds {first_of(inside)}" if inside else "it is empty",
        ]
        if "archive" in inside or "Label.txt" in inside:
            problems.append("this looks like one subset of PETA: give the folder above it")
        raise InvalidDataError(f"the folder {root}", problems)
    if outside:
        many = counted(len(outside), "image lies", "images lie")
        words = f"{many} in no folder of a class, such as {outside[0]}: move what has no class away"
        raise InvalidDataError(f"the folder {root}", [words])
    columns = {
        "path": [str(file) for file in named],
        "class": [file.parts[deep] for file in named],
        "subset": [file.parts[0] for file in named],
    }
    return pd.DataFrame(columns, dtype="str").drop(columns=[] if deep else ["subset"])


def _images_below(folder: Path) -> list[Path]:
    return sorted(
        file
        for file in folder.rglob("*")
        if file.suffix.lower() in EXTENSIONS
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )


def check_images(
    *,
    root: str | None = None,
    table: str | None = None,
    path_column: str | None = None,
    label_columns: Sequence[str] = (),
    class_columns: Sequence[str] = (),
    person_column: str | None = None,
    images_root: str | None = None,
    missing: Literal["error", "unknown"] = "error",
) -> None:
    """Refuse what `read_images` would refuse, and a table none of whose images can be read.

    Of a table only the named columns are read, and of images no more than headers, until one is
    found to be an image.

    Parameters
    ----------
    root, table, path_column, label_columns, class_columns, person_column, images_root, missing
        As for `read_images`.

    Raises
    ------
    InvalidDataError
        If the data cannot be used as it is.

    """
    _refuse_both(root, table)
    if root is not None and is_release(root):
        if not peta_summary(root)["images"].sum():
            raise InvalidDataError(root, ["there is no image in it"])
        return
    if root is not None:
        files = [str(Path(root, name)) for name in _by_class(Path(root))["path"]]
        _refuse_if_none_opens(files, "the folder that was given")
        return
    assert table is not None
    path_column, label_columns, class_columns = columns_of(
        table, path_column, label_columns, class_columns, (person_column,)
    )
    file = Path(table)
    texts = [path_column, *class_columns, *([person_column] if person_column else [])]
    named = [*texts, *label_columns]
    there = set(named) <= set(column_names(file))
    read = read_rows(
        read_table(file, texts, columns=list(dict.fromkeys(named)) if there else None),
        path=path_column,
        labels=label_columns,
        classes=class_columns,
        person_id=person_column,
        root=images_root or file.parent,
        missing=missing,
    )
    _refuse_if_none_opens(read.files, "images_root=…, or else where the table is")


def _refuse_if_none_opens(files: Sequence[str], start: str) -> None:
    if all(header_problem(name) for name in files):
        raise _none_can_be_read(files, header_problem(files[0]), start)


def class_notes(imageset: ImageSet) -> list[str]:
    """Say which classes of a head are likely one, written in several ways, and which a slip."""
    notes = [
        f"{head.name}: {', '.join(map(repr, names))} differ in case, blanks or hyphens only: "
        "write them the same in the table if they mean the same"
        for head in imageset.heads
        for names in lookalikes(head.short)
    ]
    for head in imageset.heads if len(imageset) >= _SEVERAL else ():
        counts = imageset.labels[list(head.labels)].sum().to_numpy()
        once = [repr(name) for name, count in zip(head.short, counts, strict=True) if count == 1]
        if head.kind == "exclusive" and 0 < len(once) < len(counts) / 2:
            words = "occurs only once: is it a slip?" if len(once) == 1 else "occur only once each"
            notes.append(f"{head.name}: {first_of(once)} {words}")
    return notes


def refuse_unreadable(imageset: ImageSet, otherwise: str) -> None:
    """Refuse a set none of whose images can be read.

    Parameters
    ----------
    imageset
        The images.
    otherwise
        Where paths start where that was not named, in words.

    Raises
    ------
    InvalidDataError
        With the first one, why, and where paths start.

    """
    problems = imageset.images["problem"]
    if (problems != "").all():
        start = f"root=…, or else {otherwise}"
        raise _none_can_be_read(imageset.images["path"].tolist(), problems.iloc[0], start)


def _none_can_be_read(files: Sequence[str], problem: str, start: str) -> InvalidDataError:
    words = (
        f"none of its {counted(len(files), 'image')} can be read, such as {files[0]} "
        f"({problem}): paths start at {start}"
    )
    return InvalidDataError("the table", [words])


def _refuse_both(root: str | None, table: str | None) -> None:
    if (root is None) == (table is None):
        raise InvalidDataError("the input", ["give either root=… (a folder) or table=… (a file)"])


def columns_of(
    table: str | Path,
    path: str | None = None,
    labels: Sequence[str] = (),
    classes: Sequence[str] = (),
    others: Iterable[str | None] = (),
) -> tuple[str, Sequence[str], Sequence[str]]:
    """Return the columns of a table's file as `fill_columns` does; it is read only to guess.

    Raises
    ------
    InvalidDataError
        As `fill_columns`, or if there is no such table.

    """
    if path is not None and (labels or classes):
        return path, labels, classes
    return fill_columns(read_table(Path(table)), path, labels, classes, others)


def table_paths(table: str, path_column: str | None = None) -> list[str]:
    """Return the paths a table names, or nothing where it cannot be read."""
    try:
        path_column = path_column or next(iter(image_columns(read_table(Path(table)))), "path")
        return in_words(read_table(Path(table), [path_column])[path_column].dropna()).tolist()
    except (InvalidDataError, KeyError):
        return []


class Found(NamedTuple):
    """Image files that were found.

    Parameters
    ----------
    names
        As a table writes them; in a folder, the files.
    paths
        The files.
    components
        What shows the same thing, as a table says.

    """

    names: list[str]
    paths: list[str]
    components: list[Any] | None


def find_images(
    source: str | Path,
    *,
    path_column: str | None = None,
    component_column: str | None = None,
    root: str | Path | None = None,
) -> Found:
    """Name the image files of a folder, with all folders below it, or of a table.

    Parameters
    ----------
    source
        A folder, or a CSV or Parquet file with one row per image.
    path_column, component_column
        The table's columns of files (by default the first that looks like them), and of what shows
        the same thing.
    root
        Folder that the table's relative paths start from; by default the table's own folder.

    Returns
    -------
    Found
        Sorted by name in a folder, in the order of the table otherwise.

    Raises
    ------
    InvalidDataError
        If there is no such source or column, a cell is empty, or a path leads out of `root`.

    """
    source = Path(source)
    if is_folder(source):
        files = list(map(str, _images_below(source)))
        return Found(files, files, None)
    if not is_file(source):
        raise InvalidDataError(str(source), ["there is no such file or folder"])
    frame = read_table(source, [path_column, component_column])
    path_column = path_column or next(iter(image_columns(frame)), "path")
    wanted = [name for name in (path_column, component_column) if name is not None]
    problems = [
        f"there is no column {name!r}{meant(name, frame.columns)}; "
        f"the columns are {', '.join(map(repr, frame.columns))}"
        for name in wanted
        if name not in frame
    ]
    problems = problems or [
        f"column {name!r} is empty in {counted(int(frame[name].isna().sum()), 'row')}"
        for name in wanted
        if frame[name].isna().any()
    ]
    if not problems:
        names = in_words(frame[path_column])
        paths, outside = resolve_paths(names, source.parent if root is None else root)
        problems = [f"{name!r} leads out of the folder of the images" for name in outside]
    if problems:
        raise InvalidDataError(str(source), problems)
    components = frame[component_column].tolist() if component_column else None
    return Found(names.tolist(), paths, components)


def read_table(
    file: Path, text_columns: Sequence[str | None] = (), *, columns: list[str] | None = None
) -> pd.DataFrame:
    """Read a table; in a CSV the named columns are text as it stands, and only "" is empty.

    Parameters
    ----------
    file
        CSV or Parquet.
    text_columns
        What is text in a CSV whatever it looks like.
    columns
        Which columns are read; by default all.

    """
    if _is_parquet(file):
        return read_frame(file, columns=columns)
    types = {column: "str" for column in text_columns if column}
    frame = read_csv(file, dtype=types, keep_default_na=False, na_values=[""], usecols=columns)
    other = next((mark for mark in ";\t|" if mark in str(frame.columns[0])), "")
    if other and len(frame.columns) == 1 and columns is None:
        words = f"it looks separated by {other!r}: save it with commas between its columns"
        raise InvalidDataError(str(file), [words])
    return frame


def column_names(file: Path) -> list[str]:
    """Return the names of a table's columns, without reading its rows.

    Raises
    ------
    InvalidDataError
        If there is no such table.

    """
    if _is_parquet(file):
        with told(file):
            return list(checked_schema(file).names)
    return list(map(str, read_csv(file, nrows=0).columns))


def _is_parquet(file: Path) -> bool:
    if file.suffix.lower() not in (".csv", ".parquet"):
        raise InvalidDataError(
            str(file), ["a table is one of .csv, .parquet: save it as CSV (UTF-8, commas)"]
        )
    return file.suffix.lower() == ".parquet"


def read_csv(file: Path, **options: Any) -> pd.DataFrame:
    """Read a CSV file with pandas' options.

    Raises
    ------
    InvalidDataError
        If there is no such file, or it cannot be read.

    """
    if not is_file(file):
        raise InvalidDataError(str(file), ["there is no such file"])
    try:
        frame: pd.DataFrame = pd.read_csv(file, **options)
    # pandas raises many kinds; each is a reason.
    except Exception as error:
        words = f"it cannot be read ({in_a_line(error)}): is it a CSV file in UTF-8?"
        raise InvalidDataError(str(file), [words]) from error
    return frame
