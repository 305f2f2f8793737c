"""The curator: one component at a time, decided with keys or buttons, stored at the click."""

import getpass
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import traitlets

from peta_viz.curation.case import NothingToDoError
from peta_viz.curation.decisions import Decisions
from peta_viz.curation.export import write_corrected
from peta_viz.curation.log import DecisionLog
from peta_viz.curation.queues import make_queue
from peta_viz.errors import (
    DecisionLogError,
    InvalidDataError,
    RequestError,
    UnreadableImageError,
)
from peta_viz.imageset import ImageSet
from peta_viz.links import Links
from peta_viz.markup import Still, templates
from peta_viz.stills import show_components
from peta_viz.widgets.answering import LARGE_PX, Answering, Reply, integer, wanted_rows
from peta_viz.widgets.catalogue import Catalogue
from peta_viz.widgets.desk import Desk
from peta_viz.widgets.modules import css, javascript

_STILL_ROWS = 6
_STILL_BYTES = 600_000


class Curator(Answering):
    """Decide about labels, one component at a time.

    Every click and key is written to the decision log before the next component is shown; the
    labels of `imageset` never change. Shown again, in another kernel or by another notebook, it
    goes on where the person was.

    Parameters
    ----------
    imageset
        The raw images, with `component_id`.
    log
        A `DecisionLog`, or the path of one; it is made if there is none.
    components
        As for `Gallery`.
    queue
        Which components, in which order: rows with `component_id`, as `make_queue` or
        `draw_components` return, or a frame of your own. By default what `make_queue` returns.
    person
        Who decides; by default the user of this machine or hub.
    name
        Of the queue; by it the place is kept, and acts say which queue they belong to.
    blind
        For judging experiments: hide predictions, doubts, flags, scores, sources and other people's
        decisions.
    pairs
        As for `Gallery`: they bring the suggestion which images to split off.
    predictions
        As `run_experiments` returns: probabilities are shown beside the labels.
    doubts
        As `LabelQuality.worst` returns, or `read_worst` of its file: labels that are likelier wrong
        than right are shown with what they should be and why, also those that are not contested,
        until they are decided.
    picture_px, height_px
        Usual height of a picture (few are shown larger, many smaller), and of the part that
        scrolls.

    Raises
    ------
    InvalidDataError
        If the queue or the doubts name what is not there, or the log is of another data set.
    DecisionLogError
        If the log cannot be opened.

    """

    _esm = javascript("curator.js")
    _css = css("gallery.css", "curator.css")

    picture_px = traitlets.Int(260, min=48, max=800).tag(sync=True)
    height_px = traitlets.Int(560, min=200).tag(sync=True)
    _facts = traitlets.Dict().tag(sync=True)
    _version = traitlets.Int().tag(sync=True)

    def __init__(
        self,
        imageset: ImageSet,
        log: DecisionLog | str | Path,
        components: pd.DataFrame | None = None,
        *,
        queue: pd.DataFrame | None = None,
        person: str = "",
        name: str = "",
        blind: bool = False,
        pairs: pd.DataFrame | None = None,
        predictions: pd.DataFrame | None = None,
        doubts: pd.DataFrame | None = None,
        **options: Any,
    ) -> None:
        unknown = [f"there is no option {name!r}" for name in options if not self.has_trait(name)]
        if unknown:
            raise InvalidDataError("the curator", unknown)
        if "component_id" not in imageset.images.columns:
            raise InvalidDataError(
                "the image set", ["it has no component_id yet: cluster it first"]
            )
        links = None if pairs is None else Links.of(imageset.images.index, pairs)
        catalogue = Catalogue.of(imageset, components, links=links)
        if queue is None:
            queue = make_queue(imageset, catalogue.components)
        self._desk = Desk(
            catalogue,
            log if isinstance(log, DecisionLog) else DecisionLog(log),
            person or who_am_i(),
            queue,
            name=name,
            blind=blind,
            predictions=predictions,
            doubts=doubts,
        )
        self._lock = threading.RLock()
        super().__init__(**options)
        self._facts = self._desk.facts()

    @property
    def decisions(self) -> Decisions:
        """All decisions of the log, by everybody."""
        return Decisions.of(self._desk.log.since())

    @property
    def current(self) -> int | None:
        """The id of the component that is shown, or None at the end of the queue."""
        return self._desk.component

    def still(self, *, byte_budget: int = 4_000_000, most: int = 12) -> Still:
        """Return what was decided so far, and what comes next, as HTML that needs no kernel.

        Parameters
        ----------
        byte_budget
            Pictures stop where the HTML would grow larger; it says what it leaves out.
        most
            How many components are shown, the first of the queue that are not settled.

        """
        with self._lock:
            coming = self._desk.coming()
        summary = self.decisions.summary()
        columns = [column for column in summary.columns if summary[column].any()]
        html = (
            templates()
            .get_template("curation.html.j2")
            .render(
                progress=self._desk.progress(),
                total=len(self._desk.order),
                columns=columns,
                rows=[(person, row[columns].tolist()) for person, row in summary.iterrows()],
            )
        )
        return Still(html + self._pictures_of(coming, most, byte_budget) if coming else html)

    def _pictures_of(self, coming: list[int], most: int, byte_budget: int) -> str:
        catalogue = self._desk.catalogue
        first = catalogue.components.loc[coming[:most]]
        ids = catalogue.imageset.images["component_id"]
        return show_components(
            catalogue.imageset.take(np.flatnonzero(ids.isin(first.index))),
            # Flags and scores would lead the eye of whoever is to decide blindly.
            first[[]] if self._desk.blind else first,
            most_components=most,
            left_out=len(coming) - len(first),
            notes={number: self._desk.doubts_in_words(number) for number in first.index},
            byte_budget=byte_budget,
            title="Not decided yet, with the raw labels; decide in JupyterLab",
        ).html

    def _small_still(self) -> Still:
        return self.still(byte_budget=_STILL_BYTES, most=_STILL_ROWS)

    def _path(self, row: int) -> str:
        return str(self._desk.catalogue.imageset.images["path"].iloc[row])

    def _reply(self, content: Mapping[str, Any]) -> Reply:
        kind = content.get("kind")
        if kind == "thumbnails":
            known = range(len(self._desk.catalogue))
            rows = [row for row in wanted_rows(content) if row in known]
            return self._pictures(rows, self.picture_px, within_s=0.1)
        if kind == "image":
            return self._reply_image(integer(content.get("row"), "row"))
        with self._lock:
            return self._reply_case(str(kind), content)

    def _reply_image(self, row: int) -> Reply:
        if row not in range(len(self._desk.catalogue)):
            raise RequestError(f"there is no row {row}")
        try:
            return {}, [self._jpeg(row, LARGE_PX)]
        except UnreadableImageError as error:
            return {"problem": error.reason}, []

    def _reply_case(self, kind: str, content: Mapping[str, Any]) -> Reply:
        said = refused = ""
        desk = self._desk
        try:
            if kind == "act":
                said = desk.do(str(content.get("what")), content)
            elif kind == "go":
                desk.go(integer(content.get("place"), "place"))
            elif kind == "next":
                desk.go(desk.next_open(integer(content.get("place"), "place")))
            elif kind == "label":
                return {"label": desk.states(str(content.get("label")))}, []
            elif kind == "export":
                said = self._export()
            elif kind != "case":
                raise RequestError(f"unknown kind {kind!r}")
            desk.refresh()
        except (NothingToDoError, DecisionLogError) as error:
            refused = str(error)
        if kind == "act" and not refused:
            self._version += 1
        reply = {**desk.describe(), "said": said, "refused": refused, "version": self._version}
        return reply, []

    def _export(self) -> str:
        folder = self._desk.log.path.parent
        labels, changes = write_corrected(self._desk.catalogue.imageset, self.decisions, folder)
        return f"written: {labels.name} and {changes.name}, beside the log, in {folder}"


def who_am_i() -> str:
    """Return the name of the user of this hub, or of this machine."""
    try:
        return os.environ.get("JUPYTERHUB_USER") or getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        return "somebody"
