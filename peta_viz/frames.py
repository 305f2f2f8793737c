"""The `viz` accessor of pandas: frames whose columns of images are shown as pictures.

Importing `ImageLoader` registers it; pandas itself is not changed.
"""

from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd

from peta_viz.errors import InvalidDataError
from peta_viz.fetching import is_url
from peta_viz.loader import ImageLoader, printable
from peta_viz.markup import Still, templates

_MOST_PICTURES = 9
_LONGEST_TEXT = 500


@pd.api.extensions.register_dataframe_accessor("viz")
class FrameViz:
    """What ``frame.viz`` offers.

    Parameters
    ----------
    frame
        Any frame; it is not changed.

    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    def load(self, column: str, *, root: str | Path | None = None) -> "pd.Series[Any]":
        """Make image loaders of a column of paths or URLs; nothing is opened.

        Parameters
        ----------
        column
            The name of the column.
        root
            The folder, or URL of a folder, that relative paths start from.

        Returns
        -------
        Series
            `ImageLoader` objects with the frame's index and the column's name. A missing path
            gives a loader whose problem says so.

        Raises
        ------
        InvalidDataError
            If there is no such column.

        """
        _check_columns(self._frame, [column])
        return _load(self._frame[column], root)

    def render(
        self, *, rows: int = 20, px: int = 64, images: str | Sequence[str] | None = None
    ) -> Still:
        """Show the first rows as a table, images as pictures.

        A cell that holds an `ImageLoader` becomes a picture, one that holds a list of them a grid
        of at most nine; what cannot be read becomes a box that says why. Anything else is text,
        shortened to 500 characters. Only images of the rows shown are decoded.

        Parameters
        ----------
        rows
            How many rows to show.
        px
            The greatest height of a picture in pixels.
        images
            Columns of paths, URLs or arrays to show as images, too.

        Returns
        -------
        Still
            HTML that needs nothing else and says how many rows it leaves out.

        Raises
        ------
        InvalidDataError
            If a column of `images` is missing.
        ValueError
            If `rows` is negative or `px` is less than 1.

        """
        if rows < 0 or px < 1:
            raise ValueError(f"expected rows of 0 or more and px of 1 or more, got {rows} and {px}")
        named = [images] if isinstance(images, str) else list(images or ())
        _check_columns(self._frame, named)
        shown = self._frame.head(rows)
        cells = [
            [_cell(value, as_image=name in named) for name, value in zip(shown, line, strict=True)]
            for line in shown.itertuples(index=False, name=None)
        ]
        _decode([cell for line in cells for cell in line], px)
        html = (
            templates()
            .get_template("frame.html.j2")
            .render(
                header=[_index_name(shown.index), *map(_text, shown.columns)],
                rows=list(zip(map(_text, shown.index), cells, strict=True)),
                left_out=len(self._frame) - len(shown),
                px=px,
            )
        )
        return Still(html)


@pd.api.extensions.register_series_accessor("viz")
class SeriesViz:
    """What ``series.viz`` offers: the same for one column.

    Parameters
    ----------
    series
        Any series; it is not changed.

    """

    def __init__(self, series: "pd.Series[Any]") -> None:
        self._series = series

    def load(self, *, root: str | Path | None = None) -> "pd.Series[Any]":
        """Make image loaders of paths or URLs, as `FrameViz.load`."""
        return _load(self._series, root)

    def render(self, *, rows: int = 20, px: int = 64) -> Still:
        """Show the first rows, as `FrameViz.render`."""
        return FrameViz(self._series.to_frame()).render(rows=rows, px=px)


def _load(paths: "pd.Series[Any]", root: str | Path | None) -> "pd.Series[Any]":
    loaders = [p if isinstance(p, ImageLoader) else ImageLoader(_join(root, p)) for p in paths]
    return pd.Series(loaders, index=paths.index, name=paths.name, dtype=object)


def _join(root: str | Path | None, path: Any) -> Any:
    if root is None or not isinstance(path, str | Path) or is_url(str(path)):
        return path
    if isinstance(root, str) and is_url(root):
        return f"{root.rstrip('/')}/{path}"
    return str(Path(root) / path)


def _check_columns(frame: pd.DataFrame, wanted: Iterable[str]) -> None:
    has = ", ".join(map(str, frame.columns))
    problems = [
        f"it has no column {name!r}; it has {has}" for name in wanted if name not in frame.columns
    ]
    if problems:
        raise InvalidDataError("the frame", problems)


def _cell(value: Any, *, as_image: bool) -> dict[str, Any]:
    """Say what a cell shows: its text, or loaders of which `_decode` makes pictures."""
    many = isinstance(value, list | tuple)
    if not as_image and not any(isinstance(v, ImageLoader) for v in (value if many else [value])):
        return {"text": _text(value), "pictures": None}
    loaders = [
        v if isinstance(v, ImageLoader) else ImageLoader(v)
        for v in (value[:_MOST_PICTURES] if many else [value])
    ]
    more = len(value) - len(loaders) if many else 0
    return {"pictures": loaders, "grid": many, "more": more}


def _decode(cells: Collection[dict[str, Any]], px: int) -> None:
    """Turn the loaders of cells into pictures; URLs at the same time, so that waits do not add."""
    loaders = [loader for cell in cells for loader in cell["pictures"] or ()]
    with ThreadPoolExecutor(8) as pool:
        waiting = {
            id(loader): pool.submit(loader.picture, px) for loader in loaders if loader.is_remote
        }
        for cell in cells:
            if cell["pictures"] is not None:
                cell["pictures"] = [
                    waiting[id(loader)].result() if id(loader) in waiting else loader.picture(px)
                    for loader in cell["pictures"]
                ]


def _index_name(index: pd.Index) -> str:
    return " / ".join(printable(name) for name in index.names if name is not None)


def _text(value: Any) -> str:
    if isinstance(value, tuple):  # a row or column of several levels
        return " / ".join(map(_text, value))
    text = printable(f"{value:.6g}" if isinstance(value, float) else value)
    return text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "…"
