"""What widgets with pictures have in common: they answer their front end's requests."""

from collections.abc import Mapping, Sequence
from typing import Any

import anywidget
import traitlets

from peta_viz.errors import RequestError
from peta_viz.loader import ImageLoader
from peta_viz.widgets.display import WithStill
from peta_viz.widgets.refusing import Refusing, words_of
from peta_viz.widgets.thumbnails import Thumbnails

MOST = 400  # rows in one request
LARGE_PX = 1_200  # of an enlarged picture
Reply = tuple[dict[str, Any], list[bytes]]


class Answering(WithStill, Refusing, anywidget.AnyWidget):
    """A widget whose front end asks for things by number, pictures of rows among them.

    A subclass says in `_reply` what it answers, and in `_path` where the image of a row lies.
    """

    _thumbnails: Thumbnails | None = None  # until it is known that there will be a widget

    def __init__(self, **options: Any) -> None:
        self._thumbnails = Thumbnails(self._jpeg)
        self._own_layout = "layout" not in options
        super().__init__(**options)
        self.on_msg(self._answer)

    def close(self) -> None:
        """Take the widget down, its threads and the widget of its layout with it."""
        if self._thumbnails is not None:
            self._thumbnails.close()
        if self.comm is not None and self._own_layout:
            self.layout.close()
        super().close()

    def _path(self, row: int) -> str:
        raise NotImplementedError

    def _reply(self, content: Mapping[str, Any]) -> Reply:
        raise NotImplementedError

    def _jpeg(self, row: int, height_px: int) -> bytes:
        return ImageLoader(self._path(row)).jpeg(height_px)

    def _answer(self, _: Any, content: Any, __: Sequence[Any]) -> None:
        """Answer a request of the front end; a failure goes back with the request's number."""
        if not isinstance(content, Mapping):
            return
        try:
            reply, buffers = self._reply(content)
        except Exception as error:  # noqa: BLE001 - an exception here would be shown nowhere
            reply, buffers = {"error": words_of(error)}, []
        number = content.get("id")
        # Of anything else it is not certain that it can be sent back.
        self.send({**reply, "id": number if isinstance(number, int | str) else None}, buffers)

    def _pictures(self, rows: Sequence[int], height_px: int, *, within_s: float) -> Reply:
        """Return the pictures that are there soon, and name those that are not."""
        assert self._thumbnails is not None
        answer = self._thumbnails.ask(rows, height_px, within_s=within_s)
        problems = [[row, reason] for row, reason in answer.problems.items()]
        reply = {"rows": list(answer.pictures), "problems": problems, "later": answer.later}
        return {**reply, "px": height_px}, list(answer.pictures.values())


class Text(traitlets.Unicode):  # type: ignore[type-arg]
    """A text that a widget shares with its front end; what UTF-8 cannot hold is replaced."""

    def validate(self, obj: Any, value: Any) -> Any:
        """Return the text as it can be sent."""
        return _sendable(super().validate(obj, value))


def _sendable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def integers(content: Mapping[str, Any], *names: str) -> dict[str, int]:
    """Return entries of a request that must be whole numbers."""
    return {name: integer(content.get(name), name) for name in names}


def integer(value: Any, name: str) -> int:
    """Return a whole number, or raise a RequestError."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise RequestError(f"expected a whole number as {name!r}, but got {type(value).__name__}")
    return value


def a_text(content: Mapping[str, Any], name: str, otherwise: str | None = None) -> str:
    """Return an entry of a request that must be text; what UTF-8 cannot hold is replaced."""
    value = content.get(name, otherwise)
    if not isinstance(value, str):
        raise RequestError(f"expected text as {name!r}, but got {type(value).__name__}")
    return _sendable(value)


def wanted_rows(content: Mapping[str, Any]) -> list[int]:
    """Return the rows that a request asks pictures of, not too many at once."""
    return all_rows(content)[:MOST]


def all_rows(content: Mapping[str, Any]) -> list[int]:
    """Return the rows that a request names."""
    wanted = content.get("rows")
    if not isinstance(wanted, list):
        raise RequestError(f"expected a list of rows, but got {type(wanted).__name__}")
    return [integer(row, "row") for row in wanted]
