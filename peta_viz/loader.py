"""One lazy image: from a path, a URL, an array, a picture or a callable; decoded when looked at."""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFont

from peta_viz.errors import UnreadableImageError
from peta_viz.fetching import fetch, is_url
from peta_viz.images import (
    Pixels,
    check_pixels,
    encode_jpeg,
    fit,
    flatten,
    jpeg_uri,
    open_rgb,
    open_thumbnail,
    read_size,
    reason_of,
    upright_size,
)
from peta_viz.markup import templates

Picturable: TypeAlias = str | Path | bytes | BinaryIO | np.ndarray[Any, Any] | Image.Image

_REPR_PX = 256
_LONGEST_LABEL = 80
_LONGEST_REASON = 300
_DARK = 128
_BEYOND = 0.5
_FORMS = "a path, a URL, an array, a PIL image, or a callable that returns one of these"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_LOGIN = re.compile(r"://[^/?#\s]*@")


class ImageLoader:
    """An image that is read and decoded each time it is looked at, and never before.

    It keeps no pixels of its own, so a column of 100,000 is cheap; its pickle holds the path, URL
    or name of a function, and only for arrays and pictures their pixels.

    Parameters
    ----------
    source
        A path; a URL (http(s), or anything fsspec knows), downloaded once; an array of shape
        ``(H, W)``, ``(H, W, 1)``, ``(H, W, 3)`` or ``(H, W, 4)``, uint8, bool, or float from 0 to
        1 (a little beyond is clipped, NaN is black); a PIL image; the bytes of an image file or a
        binary file object; or a callable without arguments that returns any of these.
    name
        The text shown with it; by default the path, the URL or what the source is.
    timeout_s
        Seconds that a download may take.
    cache
        Folder of downloads; by default in the user's cache folder.

    Notes
    -----
    All but `name`, `repr` and `draw_regions` raise `UnreadableImageError` with the reason where
    there is no image, whatever the source is and whatever a callable raises; `problem` returns it.

    Examples
    --------
    >>> loader = ImageLoader(np.zeros((4, 6), np.uint8), name="black")
    >>> loader.size, loader.image.shape, loader.problem
    ((6, 4), (4, 6, 3), '')
    >>> ImageLoader("gone.png").problem
    'the file does not exist'

    """

    __slots__ = ("_cache", "_name", "_source", "_timeout_s")

    def __init__(
        self,
        source: Picturable | Callable[[], Picturable] | Any,
        *,
        name: str | None = None,
        timeout_s: float = 10.0,
        cache: str | Path | None = None,
    ) -> None:
        self._source = source
        self._name = name
        self._timeout_s = timeout_s
        self._cache = cache

    def __repr__(self) -> str:
        return f"ImageLoader({self.name!r})"

    @property
    def name(self) -> str:
        """The text shown with the image, without what cannot be printed and without passwords."""
        return printable(_name_of(self._source) if self._name is None else self._name)

    @property
    def is_remote(self) -> bool:
        """Whether looking at it may download it."""
        if isinstance(self._source, _Regions):
            return self._source.base.is_remote
        return isinstance(self._source, str) and is_url(self._source)

    @property
    def image(self) -> Pixels:
        """The pixels: uint8, shape ``(H, W, 3)``, RGB, upright."""
        return np.asarray(self._look())

    @property
    def size(self) -> tuple[int, int]:
        """Upright ``(width, height)`` in pixels; for files read from the header alone."""
        with self._reasons():
            source = self._resolve()
            if isinstance(source, _Regions):
                return source.base.size
            if isinstance(source, np.ndarray):
                _check_shape(self.name, source)
                return source.shape[1], source.shape[0]
            if isinstance(source, Image.Image):
                return upright_size(source)
            return read_size(self._file(source), name=self.name)

    @property
    def problem(self) -> str:
        """Why there is no image, or an empty text; decodes it to see."""
        try:
            self._look()
        except UnreadableImageError as error:
            return error.reason
        return ""

    def thumbnail(self, px: int) -> Image.Image:
        """Return the picture in RGB, at most `px` high and four times that wide."""
        return self._look(px)

    def jpeg(self, px: int) -> bytes:
        """Return the thumbnail as a JPEG file."""
        return encode_jpeg(self.thumbnail(px))

    def picture(self, px: int) -> dict[str, Any]:
        """Return what ``image.html.j2`` shows: `uri` with its size, or the `reason` without one."""
        shown = {"name": self.name, "uri": "", "width": 0, "height": 0, "reason": ""}
        try:
            thumbnail = self.thumbnail(px)
        except UnreadableImageError as error:
            return shown | {"reason": printable(error.reason)}
        uri = jpeg_uri(encode_jpeg(thumbnail))
        return shown | {"uri": uri, "width": thumbnail.width, "height": thumbnail.height}

    def draw_regions(
        self,
        boxes: Iterable[Sequence[float]],
        labels: Sequence[str] | None = (),
        color: str = "#e53935",
    ) -> "ImageLoader":
        """Return a new lazy image with boxes drawn on it; this one stays as it is.

        Parameters
        ----------
        boxes
            ``(left, top, width, height)`` in pixels of the upright image, N of them; an array of
            shape ``(N, 4)`` will do. What lies outside the image is not seen.
        labels
            A text per box, or none at all.
        color
            A CSS colour, such as ``"red"`` or ``"#e53935"``.

        Raises
        ------
        ValueError
            If a box is not four finite numbers, if there are not as many labels as boxes, or if
            the colour is unknown.

        """
        ImageColor.getrgb(color)
        labels = labels or ()
        kept = tuple(tuple(float(number) for number in box) for box in boxes)
        for box in kept:
            if len(box) != 4 or not all(map(math.isfinite, box)):  # noqa: PLR2004
                raise ValueError(f"expected boxes of left, top, width, height, but got {box}")
        if len(labels) not in (0, len(kept)):
            raise ValueError(f"expected a label for each of {len(kept)} boxes, got {len(labels)}")
        return ImageLoader(_Regions(self, kept, tuple(map(str, labels)), color), name=self._name)

    def _repr_html_(self) -> str:
        template = templates().get_template("image.html.j2")
        return template.render(picture=self.picture(_REPR_PX), px=_REPR_PX)

    def _look(self, px: int | None = None) -> Image.Image:
        if px is not None and px < 1:
            raise ValueError(f"expected a height of at least 1 pixel, but got {px}")
        with self._reasons():
            source = self._resolve()
            if isinstance(source, _Regions):
                whole = source.draw(px)
            elif isinstance(source, np.ndarray):
                whole = flatten(_from_array(self.name, source))
            elif isinstance(source, Image.Image):
                check_pixels(self.name, *source.size)
                whole = flatten(source)
            elif px is not None:
                return open_thumbnail(self._file(source), px, name=self.name)
            else:
                return open_rgb(self._file(source), name=self.name)
            return whole if px is None else fit(whole, px)

    def _resolve(self) -> Any:
        """Call what is to be called and download what is to be downloaded."""
        source = self._source
        if callable(source):
            try:
                source = source()
            except UnreadableImageError:
                raise
            except Exception as error:
                words = f"{type(error).__name__}: {error}"[:_LONGEST_REASON]
                raise UnreadableImageError(self.name, f"the callable raised {words}") from error
        if isinstance(source, str) and is_url(source):
            return fetch(source, timeout_s=self._timeout_s, cache=self._cache)
        return source

    def _file(self, source: Any) -> Any:
        if isinstance(source, str | Path | bytes) or hasattr(source, "read"):
            return source
        missing = source is None or (isinstance(source, float) and math.isnan(source))
        wrong = f"expected {_FORMS}, but got {type(source).__name__}"
        raise UnreadableImageError(self.name, "no image is given" if missing else wrong)

    @contextmanager
    def _reasons(self) -> Iterator[None]:
        try:
            yield
        except UnreadableImageError as error:
            raise UnreadableImageError(self.name, error.reason) from error
        except Exception as error:
            raise UnreadableImageError(self.name, reason_of(error)) from error


@dataclass(frozen=True, slots=True)
class _Regions:
    """Boxes to be drawn on an image once it is looked at."""

    base: ImageLoader
    boxes: tuple[tuple[float, ...], ...]
    labels: tuple[str, ...]
    color: str

    def draw(self, px: int | None) -> Image.Image:
        """Draw with lines and letters wide enough to be seen at a height of `px`."""
        picture = self.base._look()  # noqa: SLF001 - the same room
        shrink = 1.0 if px is None else max(1.0, picture.height / px, picture.width / px / 4)
        unit = shrink * max(1.0, max(picture.size) / shrink / 200)
        pen = ImageDraw.Draw(picture)
        for place, box in enumerate(self.boxes):
            left, top, right, bottom = _corners(box, picture.size)
            pen.rectangle((left, top, right, bottom), outline=self.color, width=round(unit))
            if self.labels:
                _write(picture, (left, top), self.labels[place], self.color, round(9 * unit))
        return picture


def printable(text: Any) -> str:
    """Return a text that can be written as UTF-8: without control characters and half pairs."""
    whole = str(text).encode("utf-8", "replace").decode()
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", whole)


def _name_of(source: Any) -> str:
    if isinstance(source, _Regions):
        return source.base.name
    if isinstance(source, np.ndarray):
        return f"array {source.shape}"
    if isinstance(source, str | Path):
        return _LOGIN.sub("://", str(source)) if is_url(str(source)) else str(source)
    if isinstance(source, Image.Image):
        return "picture"
    return str(getattr(source, "__qualname__", type(source).__name__))


def _check_shape(name: str, array: np.ndarray[Any, Any]) -> None:
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):  # noqa: PLR2004
        wanted = "expected an array of shape (H, W), (H, W, 3) or (H, W, 4)"
        raise UnreadableImageError(name, f"{wanted}, but got {array.shape}")
    check_pixels(name, array.shape[1], array.shape[0])


def _from_array(name: str, array: np.ndarray[Any, Any]) -> Any:
    _check_shape(name, array)
    values = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array  # noqa: PLR2004
    if values.dtype.kind == "f":
        values = np.nan_to_num(values, nan=0.0)
        low, high = float(values.min()), float(values.max())
        if low < -_BEYOND or high > 1 + _BEYOND:
            raise UnreadableImageError(
                name, f"expected floats from 0 to 1, but they go from {low:g} to {high:g}"
            )
        values = (values.clip(0, 1) * 255).round()
    elif values.dtype.kind == "b":
        values = values * np.uint8(255)
    elif values.dtype != np.uint8:
        raise UnreadableImageError(name, f"expected uint8, bool or float, but got {values.dtype}")
    pillow: Any = Image  # Pillow 10 leaves this function without types
    return pillow.fromarray(values.astype(np.uint8))


def _corners(box: tuple[float, ...], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom in whole pixels, at most a picture's size outside of it."""
    ends = []
    for start, length, limit in zip(box[:2], box[2:], size, strict=True):
        first, last = sorted((start, start + length))
        ends.append([round(min(max(end, -limit), 2 * limit)) for end in (first, last)])
    (left, right), (top, bottom) = ends
    return left, top, max(left, right - 1), max(top, bottom - 1)


def _write(
    picture: Image.Image, corner: tuple[int, int], label: str, color: str, height_px: int
) -> None:
    """Write a label above a box, or into it where there is no room above."""
    import matplotlib as mpl  # noqa: PLC0415 - only for its font, which has more than Latin letters

    path = Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    fonts: Any = ImageFont  # Pillow 10 leaves this function without types
    font = fonts.truetype(str(path), height_px)
    text, pen = printable(label)[:_LONGEST_LABEL], ImageDraw.Draw(picture)
    left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    x = max(0, min(corner[0], picture.width - math.ceil(right)))
    y = max(0, corner[1] - math.ceil(bottom))
    red, green, blue = ImageColor.getrgb(color)[:3]
    ink = "white" if 0.3 * red + 0.6 * green + 0.1 * blue < _DARK else "black"
    pen.rectangle((x + left, y + top, x + right, y + bottom), fill=color)
    pen.text((x, y), text, fill=ink, font=font)


# Whoever has image loaders has the accessor that shows them; it needs the class above.
import peta_viz.frames  # noqa: E402, F401
