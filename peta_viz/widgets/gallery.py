"""The gallery: one widget, whatever the number of images."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pandas as pd
import traitlets

from peta_viz.confusion import judged, right
from peta_viz.errors import InvalidDataError, PetaVizError, RequestError, UnreadableImageError
from peta_viz.imageset import ImageSet, refuse_other
from peta_viz.links import Links
from peta_viz.markup import Still
from peta_viz.stills import show_components, show_images
from peta_viz.widgets.answering import (
    LARGE_PX,
    MOST,
    Answering,
    Reply,
    Text,
    integers,
    wanted_rows,
)
from peta_viz.widgets.catalogue import Catalogue
from peta_viz.widgets.filters import LABEL_STATES, Filters, image_mask
from peta_viz.widgets.modules import css, javascript
from peta_viz.widgets.rows import shown_rows
from peta_viz.widgets.shelf import VIEWS, Shelf

_FILTERS = tuple(field.name for field in fields(Filters))
_STRIP = 60


class Gallery(Answering):
    """Look at components and images, narrow them down, and pick some.

    Parameters
    ----------
    imageset
        The images; without `component_id` only the grid of images is offered.
    components
        Rows as `measure_components` and `flag_components` return, with any columns of your own;
        measured here by default.
    pairs
        Similar pairs (`first`, `second`, `similarity`), as `find_pairs` returns: they bring the
        threshold slider, the view of pairs, and each component's weakest link.
    threshold
        The similarity at which the components were made; read off the pairs by default.
    predictions
        Predictions of experiments as `run_experiments` returns: filter by right and wrong.
    notes
        Texts by `component_id`, shown beside the component.
    thumb_px, height_px
        Height of the thumbnails, and of the gallery.
    options
        Any of the traits below.

    Attributes
    ----------
    view
        ``"components"``, ``"images"`` or ``"pairs"``.
    sort_by, descending
        A column, and which way; an empty text is the order of the image set.
    label, label_state, head, flag, min_size, max_size, subset, result, query
        The filters; see `peta_viz.widgets.filters.Filters`.
    still_rows
        How many components a report shows.
    current, selected
        DataFrame: the rows of `imageset.images` that are shown, in that order, and those that the
        person selected. Observe them, link them one way, or read them in the next cell. They are
        copies, made when they are looked at; once observed, with every change.
    selected_ids
        tuple: the `image_id` of what is selected; set it, or link it both ways.

    Raises
    ------
    InvalidDataError
        If an option names a label, head, flag, column or result that is not there.

    Notes
    -----
    It shows and selects; it changes neither images nor labels.

    """

    _esm = javascript("gallery.js")
    _css = css("gallery.css")

    view = traitlets.Enum(VIEWS, "components").tag(sync=True)
    sort_by = Text().tag(sync=True)
    descending = traitlets.Bool(default_value=True).tag(sync=True)
    label = Text().tag(sync=True)
    label_state = traitlets.Enum(LABEL_STATES, "carried").tag(sync=True)
    head = Text().tag(sync=True)
    flag = Text().tag(sync=True)
    min_size = traitlets.Int(0, min=0).tag(sync=True)
    max_size = traitlets.Int(0, min=0).tag(sync=True)
    subset = Text().tag(sync=True)
    result = Text().tag(sync=True)
    query = Text().tag(sync=True)
    threshold = traitlets.Float(0.0, min=0.0, max=1.0).tag(sync=True)
    thumb_px = traitlets.Int(112, min=24, max=512).tag(sync=True)
    height_px = traitlets.Int(640, min=200).tag(sync=True)
    title = Text().tag(sync=True)
    still_rows = traitlets.Int(6, min=1)
    current = traitlets.Instance(pd.DataFrame, read_only=True)
    selected = traitlets.Instance(pd.DataFrame, read_only=True)
    selected_ids = traitlets.Tuple()

    _watched: frozenset[Any] = frozenset()  # names of traits, or `traitlets.All`
    _facts = traitlets.Dict().tag(sync=True)
    _total = traitlets.Int().tag(sync=True)
    _version = traitlets.Int().tag(sync=True)
    _marks = traitlets.Int().tag(sync=True)
    _selected_count = traitlets.Int().tag(sync=True)
    _status = Text().tag(sync=True)
    _problem = Text().tag(sync=True)

    def __init__(
        self,
        imageset: ImageSet,
        components: pd.DataFrame | None = None,
        *,
        pairs: pd.DataFrame | None = None,
        threshold: float | None = None,
        predictions: pd.DataFrame | None = None,
        notes: Mapping[Any, str] | None = None,
        **options: Any,
    ) -> None:
        refuse_other(imageset)
        self._sent: set[tuple[int, int]] = set()
        self._good_query = ""
        links = None if pairs is None else Links.of(imageset.images.index, pairs)
        experiments = {} if predictions is None else judged(predictions)
        results = {name: right(one, imageset.heads) for name, one in experiments.items()}
        catalogue = Catalogue.of(imageset, components, links=links, results=results)
        self._shelf = Shelf(catalogue, threshold)
        self._notes = _texts(notes)
        self._shelf.restrict(None, self._notes)
        self._lock = threading.RLock()
        options = _completed(catalogue, options)
        self._check(options)
        super().__init__(threshold=self._shelf.made_at, **options)
        self._facts = self._shelf.facts()
        hear = super().observe  # not the one below: these are not for others
        hear(self._rearrange, names=[*_FILTERS, "view", "sort_by", "descending"])
        hear(self._regroup, names=["threshold"])
        hear(self._pick, names=["selected_ids"])
        self._arrange()

    def observe(
        self,
        handler: Any,
        names: Any = traitlets.All,
        type: Any = "change",  # noqa: A002 - traitlets calls it so
    ) -> None:
        """Call a function with every change of some traits, as of any widget."""
        self._watched = self._watched.union(
            [names] if names is traitlets.All or isinstance(names, str) else names
        )
        super().observe(handler, names, type)

    def show(
        self,
        component_ids: Iterable[Any] | None = None,
        *,
        notes: Mapping[Any, str] | None = None,
        title: str = "",
    ) -> None:
        """Show only some components; without any argument all of them again, as at first.

        Parameters
        ----------
        component_ids
            Which; the filters hold in addition.
        notes
            Texts by `component_id`, shown beside the component; by default those given at first.
        title
            What is shown, in words.

        """
        with self._lock, self.hold_sync():
            self._shelf.restrict(component_ids, self._notes if notes is None else _texts(notes))
            self.title = title
            self._arrange()

    def select(self, image_ids: Iterable[str]) -> None:
        """Select these images and no others."""
        with self._lock:
            self._shelf.chosen = self._shelf.base.ids.isin(list(image_ids))
            self._mark()

    def still(self, *, byte_budget: int = 4_000_000, most: int = 12) -> Still:
        """Return the first of what is shown as HTML that needs neither kernel nor network.

        Parameters
        ----------
        byte_budget
            Pictures stop where the HTML would grow larger; it says what it leaves out.
        most
            How many components are shown, or rows of ten images.

        """
        with self._lock:
            shelf, catalogue = self._shelf, self._shelf.shown
            view, title, px = self.view, self.title, self.thumb_px
            by_component = view == "components"
            total = shelf.count() if not by_component else len(shelf.order)
            codes = shelf.order[:most] if by_component else shelf.order[:0]
            rows = catalogue.all_members(codes) if by_component else shelf.images[: 10 * most]
            notes = {catalogue.components.index[code]: shelf.note(code) for code in codes}
        # Outside the lock: reading pictures must not hold up the filters.
        if not len(rows) and not by_component:
            return Still("<p>There is no image to show.</p>")
        some: dict[str, Any] = {"thumb_px": px, "byte_budget": byte_budget, "title": title}
        first = catalogue.imageset.take(rows) if len(rows) else catalogue.imageset
        if not by_component:
            return show_images(first, [""] * len(rows), left_out=total - len(rows), **some)
        return show_components(
            first,
            catalogue.components.iloc[codes],
            most_components=most,
            left_out=total - len(codes),
            notes=notes,
            **some,
        )

    def _small_still(self) -> Still:
        return self.still(byte_budget=100_000 * self.still_rows, most=self.still_rows)

    def _path(self, row: int) -> str:
        return str(self._shelf.base.imageset.images["path"].iloc[row])

    def _check(self, options: Mapping[str, Any]) -> None:
        """Refuse options that fit nothing, before there is a widget."""
        filters = {name: value for name, value in options.items() if name in _FILTERS}
        image_mask(self._shelf.base, Filters(**filters))
        problems = [f"there is no option {n!r}" for n in options if not self.has_trait(n)]
        sort_by = options["sort_by"]
        if sort_by and sort_by not in self._shelf.base.columns:
            problems.append(f"there is no column {sort_by!r} to sort by")
        if problems:
            raise InvalidDataError("the gallery", problems)

    def _regroup(self, change: Any) -> None:
        with self._lock, self.hold_sync():
            self._shelf.regroup(change["new"])
            self._facts = self._shelf.facts()
            # What was true of the components as they were made says nothing of these.
            self.flag = self.flag if self.flag in self._facts["flags"] else ""
            self.result = self.result if self.result in self._facts["results"] else ""
            self._arrange()
            self._mark()

    def _rearrange(self, change: Any) -> None:
        with self._lock, self.hold_sync():
            self._arrange(change["name"])

    def _arrange(self, changed: str = "") -> None:
        """Filter and order anew; a query that cannot be understood is set aside, and said to be.

        Where other components are on display than before, no place of theirs can stay as it was:
        if nothing else can be understood either, all of them are shown.
        """
        filters = Filters(**{name: getattr(self, name) for name in _FILTERS})
        problem = self._try(filters, self.sort_by)
        kept = replace(filters, query=self._good_query)
        if (
            problem
            and (changed == "query" or self._try(kept, self.sort_by))
            and (changed or self._try(Filters(), ""))
        ):
            self._problem = problem
            return
        if not problem:
            self._good_query = filters.query
        self._problem = problem
        self._renew("current")
        self._total = len(self._shelf.order)
        self._version += 1
        self._status = self._shelf.words()

    def _try(self, filters: Filters, sort_by: str) -> str:
        """Arrange what is on display; returns what was wrong, and then nothing was changed."""
        try:
            self._shelf.arrange(self.view, filters, sort_by, descending=self.descending)
        except PetaVizError as error:
            return str(error)
        return ""

    def _renew(self, name: str) -> None:
        """Forget a trait that the shelf tells; make it anew at once if somebody observes it."""
        old = self._trait_values.pop(name, traitlets.Undefined)
        if not self._watched.isdisjoint((name, traitlets.All)):
            change = {"name": name, "old": old, "new": getattr(self, name), "owner": self}
            self.notify_change(traitlets.Bunch(change, type="change"))

    @traitlets.default("current")
    def _told_current(self) -> pd.DataFrame:
        with self._lock:
            return self._shelf.frame(self._shelf.images)

    @traitlets.default("selected")
    def _told_selected(self) -> pd.DataFrame:
        with self._lock:
            return self._shelf.frame(np.flatnonzero(self._shelf.chosen))

    @traitlets.default("selected_ids")
    def _told_ids(self) -> tuple[str, ...]:
        with self._lock:
            return tuple(self._shelf.base.ids[self._shelf.chosen])

    def _pick(self, change: Any) -> None:
        if not self._is_selected(change["new"]):
            self.select(change["new"])

    def _is_selected(self, image_ids: Iterable[str]) -> bool:
        """Tell whether just these images are selected, in whatever order they are given."""
        chosen = self._shelf.base.ids.isin(list(image_ids))
        return bool((chosen == self._shelf.chosen).all())

    @traitlets.validate("selected_ids")
    def _there(self, proposal: Any) -> Any:
        given, ids = list(proposal["value"]), self._shelf.base.ids
        there = set(ids[ids.isin(given)])
        unknown = [one for one in given if one not in there]
        if unknown:
            raise traitlets.TraitError(f"there is no image {unknown[0]!r}")
        self.selected_ids  # noqa: B018 - what is not known cannot be seen to change
        return proposal["value"]

    @traitlets.validate("threshold")
    def _number(self, proposal: Any) -> float:
        if np.isnan(proposal["value"]):
            raise traitlets.TraitError("expected a threshold from 0 to 1, but got NaN")
        return float(proposal["value"])

    def _mark(self) -> None:
        self._renew("selected")
        ids = self._trait_values.get("selected_ids")
        if ids is None or not self._is_selected(ids):
            self._renew("selected_ids")
        self._selected_count = int(self._shelf.chosen.sum())
        self._marks += 1

    def _reply(self, content: Mapping[str, Any]) -> Reply:
        kind = content.get("kind")
        if kind == "thumbnails":
            rows = [self._shelf.checked(row) for row in wanted_rows(content)]
            return self._pictures(rows, self.thumb_px, within_s=0.1)
        if kind == "rows":
            room = ["room"] if "room" in content else []
            return self._reply_rows(**integers(content, "first", "count", "most", *room))
        if kind == "image":
            return self._reply_image(**integers(content, "row"))
        with self._lock:
            return self._reply_state(str(kind), content), []

    def _reply_state(self, kind: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """Answer what is only about places and selection."""
        if kind == "select":
            places = [name for name in ("row", "first", "last") if name in content]
            self._shelf.select(str(content.get("how")), **integers(content, *places))
            self._mark()
            return {"selected": self._selected_count}
        if kind == "find":
            return {"row": self._shelf.neighbour(**integers(content, "row", "step"))}
        if kind == "place":
            return {"item": self._shelf.place(**integers(content, "row"))}
        if kind == "ping":
            return {}
        raise RequestError(f"unknown kind {kind!r}")

    def _reply_rows(self, first: int, count: int, most: int, room: int | None = None) -> Reply:
        """Describe rows, and send the pictures that fit into `room` pixels of each along."""
        if first < 0 or count < 0:
            raise RequestError(f"expected first and count from 0, but got {first} and {count}")
        with self._lock:
            described = self._shelf.describe(
                first, min(count, MOST), most=max(1, min(most, MOST)), sort_by=self.sort_by
            )
            reply = {"first": first, "version": self._version, "rows": described}
        if room is None:
            return reply, []
        shown = [row for entry in described for row in shown_rows(entry, self.thumb_px, room)]
        # What was sent before is most likely still there; if not, it is asked for.
        new = [row for row in dict.fromkeys(shown) if (row, self.thumb_px) not in self._sent]
        # Outside the lock: decoding must not hold up the filters.
        pictures, buffers = self._pictures(new[:MOST], self.thumb_px, within_s=0.06)
        return {**reply, "pictures": pictures}, buffers

    def _pictures(self, rows: Sequence[int], height_px: int, *, within_s: float) -> Reply:
        reply, buffers = super()._pictures(rows, height_px, within_s=within_s)
        self._sent.update((row, height_px) for row in reply["rows"])
        return reply, buffers

    def _reply_image(self, row: int) -> Reply:
        with self._lock:
            details = self._shelf.details(row, most=_STRIP)
        # Outside the lock: somebody's server may take its time.
        try:
            return {"details": details}, [self._jpeg(row, LARGE_PX)]
        except UnreadableImageError as error:
            return {"details": details, "problem": error.reason}, []


def _completed(catalogue: Catalogue, options: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in the view and the order that fit what there is."""
    view = options.get("view", "components" if catalogue.grouped else "images")
    worst_first = view == "components" and "disagreement" in catalogue.components
    return {"view": view, "sort_by": "disagreement" if worst_first else "", **options}


def _texts(notes: Mapping[Any, str] | None) -> Mapping[Any, str]:
    """Keep notes from changing where they could; others may write each when it is asked for."""
    return dict(notes or {}) if notes is None or isinstance(notes, dict) else notes
