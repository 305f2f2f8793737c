"""Messages that a front end may send: any content, any state, any buffers."""

import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import ipywidgets
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from abuse.fuzz.judging import Target
from abuse.fuzz.targets.drawing import anything, mostly, numbers, texts
from abuse.fuzz.targets.small import COUNT, HEADS, LABELS, small_pairs, small_predictions, small_set
from peta_viz.errors import PetaVizError
from peta_viz.widgets.confusion import ConfusionMatrix
from peta_viz.widgets.curator import Curator
from peta_viz.widgets.gallery import Gallery
from peta_viz.widgets.matrices import ORDERS

Message = tuple[str, Any]
_OURS = re.compile(r"^\w+(Error|Exception|Interrupt|Iteration): ")
_FEW = 40  # cases after which a widget is made anew
_COLOURS, _ANSWERS = st.sampled_from(HEADS[0].labels), st.sampled_from(["yes", "no"])
_ROWS = mostly(st.integers(0, COUNT - 1), st.integers(-1, COUNT) | numbers, of=20)
_WORDS = st.sampled_from(
    ["A", "B", "colour", "worn", "", "contested", "size", "path", "s", "A right, B wrong",
     "size > 2 and hat", "hat == 1", "blur.abs()", "@pd", "index.str.len() > 1", "`a b`", "red",
     "components", "images", "pairs", "image_id", "__import__('os')", "1/0", "hat & blur"]
)  # fmt: skip


class RefusedError(PetaVizError):
    """The widget answered that it would not."""


class _Ear(logging.Handler):
    """Hears what ipywidgets logs of exceptions that nobody caught."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            self.heard.append(record.exc_info[1])


class _Line:
    """What is between a widget and its front end: takes messages there, keeps what comes back."""

    def __init__(self, widgets: Sequence[Any]) -> None:
        self.said: list[dict[str, Any]] = []
        self.widgets = widgets
        self.ear = _Ear()
        for widget in widgets:
            widget.log.addHandler(self.ear)
            widget.log.propagate = False
            widget.send = lambda content, *_, **__: self.said.append(content)

    def tell(self, place: int, message: Message) -> None:
        widget = self.widgets[place % len(self.widgets)]
        kind, content = message
        key = "content" if kind == "custom" else "state"
        self.said.clear()
        self.ear.heard.clear()
        data = {"method": kind, key: content}
        widget._handle_msg({"content": {"data": data}, "buffers": [memoryview(b"x")]})  # noqa: SLF001
        if self.ear.heard:
            raise self.ear.heard[0]
        json.dumps(self.said, allow_nan=False, ensure_ascii=False).encode("utf8", "surrogateescape")
        for widget in self.widgets:
            state = {name: value for name, value in widget.get_state().items() if name[:2] != "_e"}
            json.dumps(state, allow_nan=False, ensure_ascii=False, default=_as_text).encode(
                "utf8", "surrogateescape"
            )

    def refusals(self) -> list[str]:
        return [str(one["error"]) for one in self.said if one.get("error")]


def _as_text(value: Any) -> str:
    assert isinstance(value, ipywidgets.Widget), f"{value!r} is no JSON"
    return "a widget"


def gallery(folder: Path) -> Target:
    """Talk to a gallery with pairs and predictions."""
    imageset = small_set(folder)
    pairs, predictions = small_pairs(imageset), small_predictions(imageset)

    def make() -> Any:
        return Gallery(imageset, pairs=pairs, predictions=predictions, threshold=0.5)

    requests: dict[str, Mapping[str, SearchStrategy[Any]]] = {
        "thumbnails": {"rows": st.lists(_ROWS, max_size=5)},
        "rows": {"first": _ROWS, "count": _ROWS, "most": _ROWS, "room": _ROWS},
        "image": {"row": _ROWS},
        "select": {
            "how": st.sampled_from(["none", "all", "only", "add", "toggle", "odd"]),
            "row": _ROWS,
            "first": _ROWS,
            "last": _ROWS,
        },
        "find": {"row": _ROWS, "step": _ROWS},
        "place": {"row": _ROWS},
        "ping": {},
    }
    return Target(_cases(make(), requests), _Talk(lambda: [make()], {"kind": "ping"}))


def curator(folder: Path) -> Target:
    """Talk to a curator with pairs, predictions and a log of its own, sometimes blind."""
    imageset = small_set(folder)
    pairs, predictions = small_pairs(imageset), small_predictions(imageset)
    made = 0

    def make() -> Any:
        nonlocal made
        made += 1
        return Curator(
            imageset,
            folder / f"{made % 20}.sqlite",
            pairs=pairs,
            predictions=predictions,
            person="Ada",
            blind=made % 3 == 0,
        )

    acts = [
        "accept",
        "copy",
        "relabel",
        "fix",
        "split",
        "drop",
        "mark",
        "note",
        "undo",
        "redo",
        "odd",
    ]
    requests: dict[str, Mapping[str, SearchStrategy[Any]]] = {
        "thumbnails": {"rows": st.lists(_ROWS, max_size=5)},
        "image": {"row": _ROWS},
        "act": {
            "what": st.sampled_from(acts),
            "component": mostly(st.integers(0, 4), st.integers(-1, 6) | numbers, of=12),
            "rows": st.lists(_ROWS, max_size=3),
            "head": mostly(
                st.sampled_from(["colour", "worn"]), st.sampled_from(["", "alone"]) | texts
            ),
            "label": mostly(st.sampled_from(LABELS), texts, of=12),
            "value": st.sampled_from(["yes", "no", "unknown", "odd"]),
            "mark": st.sampled_from(["good", "bad", "unsure", "label error", "odd"]),
            "text": texts,
            "expected": texts,
        },
        "go": {"place": _ROWS},
        "next": {"place": _ROWS},
        "label": {"label": mostly(st.sampled_from(LABELS), texts, of=12)},
        "export": {},
        "case": {},
    }
    return Target(_cases(make(), requests), _Talk(lambda: [make()], {"kind": "case"}))


def matrix(folder: Path) -> Target:
    """Talk to confusion matrices, and to the gallery beside them."""
    imageset = small_set(folder)
    predictions = small_predictions(imageset)

    def make() -> list[Any]:
        whole = ConfusionMatrix(imageset, predictions, component_size="all")
        return [whole.grid, whole.grid, whole.gallery, whole]

    single, several = (
        {"label": st.just(""), "true": _COLOURS, "predicted": _COLOURS},
        {"label": st.sampled_from(["hat", "coat"]), "true": _ANSWERS, "predicted": _ANSWERS},
    )
    cells = st.fixed_dictionaries(single) | st.fixed_dictionaries(several)
    nearly = st.fixed_dictionaries(
        {
            "label": mostly(st.sampled_from(["", "hat", "coat"]), texts),
            "true": mostly(st.sampled_from(["yes", "no", "red", "blue"]), anything),
            "predicted": mostly(st.sampled_from(["yes", "no", "red", "green"]), anything),
        }
    )
    odd = nearly | st.dictionaries(st.sampled_from(["label", "true", "more"]), anything)
    cell = mostly(cells, odd, of=5)
    states = {
        "cell": cell,
        "head": st.sampled_from([head.name for head in HEADS]),
        "experiment": st.sampled_from(["A", "B"]),
        "against": st.sampled_from(["", "B"]),
        "order": st.sampled_from(ORDERS),
    }
    state = st.one_of(
        *(st.fixed_dictionaries({name: given}) for name, given in states.items()),
        st.fixed_dictionaries({"cell": cell}),
    )
    one = _cases(make()[0], {}, state)
    return Target(one, _Talk(make, None))


def _cases(
    widget: Any,
    requests: Mapping[str, Mapping[str, SearchStrategy[Any]]],
    likely: SearchStrategy[Any] | None = None,
) -> SearchStrategy[list[tuple[int, Message]]]:
    """Draw a few messages, most of which look like ones of our front end."""
    fields = [
        st.fixed_dictionaries(
            {"kind": st.just(kind)},
            optional={**{name: one | anything for name, one in given.items()}, "id": anything},
        )
        for kind, given in requests.items()
    ]
    whole = [
        st.fixed_dictionaries({"kind": st.just(kind), "id": st.integers(), **given})
        for kind, given in requests.items()
    ]
    content = mostly(st.one_of(*whole), st.one_of(*fields, anything)) if whole else anything
    keys = [name for name in sorted(widget.keys) if name not in _LIBRARY]
    entries = {name: mostly(_fitting(getattr(widget, name)), anything, of=12) for name in keys}
    state = st.lists(st.sampled_from(keys), min_size=1, max_size=2).flatmap(
        lambda names: st.fixed_dictionaries({name: entries[name] for name in names})
    )
    state = mostly(state if likely is None else mostly(likely, state, of=3), _ODD_STATE, of=12)
    custom = st.tuples(st.just("custom"), content)
    update = st.tuples(st.just("update"), state)
    message = mostly(custom, update, of=3) if requests else mostly(update, custom)
    return st.lists(st.tuples(st.integers(0, 3), message), min_size=1, max_size=4)


def _fitting(value: Any) -> SearchStrategy[Any]:
    """Draw values of the kind that a trait has."""
    if isinstance(value, bool):
        return st.booleans()
    if isinstance(value, int | float):
        return mostly(st.integers(0, 20), numbers, of=4)
    if isinstance(value, str):
        return mostly(st.just(value) | _WORDS, texts, of=4)
    if isinstance(value, Mapping):
        return st.just(dict(value)) | st.dictionaries(_WORDS, anything, max_size=2)
    return st.lists(_ROWS | _WORDS, max_size=3) if isinstance(value, list | tuple) else anything


_ODD_STATE = st.dictionaries(texts, anything, max_size=3) | anything


# Of ipywidgets, which looks other widgets up by what is sent here.
_LIBRARY = frozenset({"layout", "tabbable", "tooltip", "children", "box_style", "_esm", "_css"})


class _Talk:
    """Takes messages to widgets, and sees that they still answer afterwards."""

    def __init__(self, make: Callable[[], list[Any]], question: Any) -> None:
        self._make, self._question = make, question
        self._line: _Line | None = None
        self._count = 0

    def __call__(self, case: list[tuple[int, Message]]) -> Sequence[str]:
        if self._line is None or self._count % _FEW == 0:
            self._close()
            self._line = _Line(self._make())
        self._count += 1
        line = self._line
        refused = []
        try:
            for place, message in case:
                line.tell(place, message)
                refused += line.refusals()
            if self._question is not None:
                line.tell(0, ("custom", self._question))
                assert line.said, "there is no answer any more"
                assert not line.refusals(), line.refusals()
        except BaseException:
            self._count = 0  # the next case finds a whole one
            raise
        inside = [text for text in refused if _OURS.match(text)]
        assert not inside, inside
        if refused:
            raise RefusedError(f"the widget answered: {refused[0]}")
        return ()

    def _close(self) -> None:
        if self._line is not None:
            for widget in dict.fromkeys(self._line.widgets):
                widget.close()
