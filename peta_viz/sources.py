"""Where the images of a run come from: a PETA release, the user's own table, or the sample."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from peta_viz.errors import InvalidDataError, in_a_line
from peta_viz.files import is_file, is_folder
from peta_viz.images import EXTENSIONS, header_problem
from peta_viz.imageset import ImageSet
from peta_viz.parquet import checked_schema, read_frame, told
from peta_viz.peta import peta_summary, read_peta
from peta_viz.tables import in_words, is_yes_no, meant, read_rows, resolve_paths
from peta_viz.words import counted


def read_images(
    *,
    root: str | None = None,
    table: str | None = None,
    path_column: str = "path",
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
        Folder of a PETA release; give this or `table`.
    table
        A CSV or Parquet file with one row per image.
    path_column, label_columns, class_columns, person_column, subset_column, missing
        Its columns and what its empty cells mean; see `ImageSet.from_frame`.
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
        return read_peta(root), peta_summary(root)
    assert table is not None
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
    summary = pd.DataFrame({"images": imageset.labels.sum(), "known": imageset.known.sum()})
    return imageset, summary.rename_axis("label")


def check_images(
    *,
    root: str | None = None,
    table: str | None = None,
    path_column: str = "path",
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
    if root is not None:
        if not peta_summary(root)["images"].sum():
            raise InvalidDataError(root, ["there is no image in it"])
        return
    assert table is not None
    file = Path(table)
    texts = [path_column, *class_columns, *([person_column] if person_column else [])]
    named = [*texts, *label_columns]
    there = set(named) <= set(_column_names(file)) and (label_columns or class_columns)
    read = read_rows(
        # Which columns look like the ones that are missing, only the whole table tells.
        read_table(file, texts, columns=list(dict.fromkeys(named)) if there else None),
        path=path_column,
        labels=label_columns,
        classes=class_columns,
        person_id=person_column,
        root=images_root or file.parent,
        missing=missing,
    )
    if all(header_problem(name) for name in read.files):
        raise _none_can_be_read(read.files, header_problem(read.files[0]))


def refuse_unreadable(imageset: ImageSet) -> None:
    """Refuse a set none of whose images can be read.

    Raises
    ------
    InvalidDataError
        With the first one, why, and where paths start.

    """
    problems = imageset.images["problem"]
    if (problems != "").all():
        raise _none_can_be_read(imageset.images["path"].tolist(), problems.iloc[0])


def _none_can_be_read(files: Sequence[str], problem: str) -> InvalidDataError:
    words = (
        f"none of its {counted(len(files), 'image')} can be read, such as {files[0]} "
        f"({problem}): paths start at images_root=…, or else where the table is"
    )
    return InvalidDataError("the table", [words])


def _refuse_both(root: str | None, table: str | None) -> None:
    if (root is None) == (table is None):
        raise InvalidDataError("the input", ["give either root=… (PETA) or table=… (your own)"])


def guess_columns(frame: pd.DataFrame) -> tuple[str, list[str], list[str]]:
    """Guess what the columns of a table are.

    Returns
    -------
    path : str
        The first column most of whose texts end like image files.
    labels : list of str
        Columns of yes and no, as `ImageSet.from_frame` takes them.
    classes : list of str
        Other columns of text with 2 to 50 values, each of them ten times on average.

    Raises
    ------
    InvalidDataError
        If no column looks like image files, or none like labels.

    """
    frame = frame.loc[:, ~frame.columns.duplicated()]
    texts = [n for n in frame.columns if not pd.api.types.is_numeric_dtype(frame[n])]
    given = {n: in_words(frame[n].dropna()) for n in texts}
    files = [n for n in texts if given[n].str.lower().str.endswith(tuple(EXTENSIONS)).mean() > 0.5]  # noqa: PLR2004
    labels = [n for n in frame.columns if frame[n].notna().any() and is_yes_no(frame[n].dropna())]
    classes = [
        n
        for n in texts
        if n not in {*files, *labels} and 2 <= given[n].nunique() <= min(50, len(frame) / 10)  # noqa: PLR2004
    ]
    problems = []
    if not files:
        problems.append("no column looks like image files: name it with path=…")
    if not labels and not classes:
        problems.append("no column looks like labels: name them with labels=… or classes=…")
    if problems:
        columns = ", ".join(map(repr, frame.columns))
        raise InvalidDataError("the table", [*problems, f"the columns are {columns}"])
    return files[0], labels, classes


def table_paths(table: str, path_column: str) -> list[str]:
    """Return the paths a table names, or nothing where it cannot be read."""
    try:
        return in_words(read_table(Path(table), [path_column])[path_column].dropna()).tolist()
    except (InvalidDataError, KeyError):
        return []


def find_images(
    source: str | Path,
    *,
    path_column: str = "path",
    component_column: str | None = None,
    root: str | Path | None = None,
) -> tuple[list[str], list[Any] | None]:
    """Name the image files of a folder, with all folders below it, or of a table.

    Parameters
    ----------
    source
        A folder, or a CSV or Parquet file with one row per image.
    path_column, component_column
        The table's columns of files, and of what shows the same thing.
    root
        Folder that the table's relative paths start from; by default the table's own folder.

    Returns
    -------
    paths : list of str
        Files, sorted by name in a folder, in the order of the table otherwise.
    components : list or None
        The column of that name.

    Raises
    ------
    InvalidDataError
        If there is no such source or column, a cell is empty, or a path leads out of `root`.

    """
    source = Path(source)
    if is_folder(source):
        files = sorted(f for f in source.rglob("*") if f.suffix.lower() in EXTENSIONS)
        return list(map(str, files)), None
    frame = read_table(source, [path_column, component_column])
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
    return paths, frame[component_column].tolist() if component_column else None


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


def _column_names(file: Path) -> list[str]:
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
