"""Confusion matrices that can be clicked, beside a gallery of what is in the cell."""

from dataclasses import replace
from typing import Any

import anywidget
import ipywidgets
import pandas as pd
import traitlets

from peta_viz.errors import InvalidDataError
from peta_viz.evaluation import HEADLINE, IMAGE_SIZES, SIZES
from peta_viz.imageset import ImageSet
from peta_viz.markup import Still
from peta_viz.widgets.answering import Text
from peta_viz.widgets.display import WithStill
from peta_viz.widgets.gallery import Gallery
from peta_viz.widgets.matrices import ORDERS, Cell, CellNotes, Matrices, Question, payload
from peta_viz.widgets.matrix_stills import show_confusion
from peta_viz.widgets.modules import css, javascript
from peta_viz.widgets.refusing import Refusing
from peta_viz.words import counted

_ASKED = ("experiment", "against", "head", "rates", "component_size", "image_size", "order")


class _Grid(Refusing, anywidget.AnyWidget):
    """The matrices themselves; `ConfusionMatrix` says what stands in them."""

    _esm = javascript("matrix.js")
    _css = css("gallery.css", "matrix.css")

    experiment = Text().tag(sync=True)
    against = Text().tag(sync=True)
    head = Text().tag(sync=True)
    rates = traitlets.Bool().tag(sync=True)
    component_size = traitlets.Enum(tuple(SIZES), HEADLINE).tag(sync=True)
    image_size = traitlets.Enum(IMAGE_SIZES, "all").tag(sync=True)
    order = traitlets.Enum(ORDERS, "as given").tag(sync=True)
    cell = traitlets.Dict().tag(sync=True)
    _choices = traitlets.Dict().tag(sync=True)
    _still_id = Text().tag(sync=True)
    _matrices: "traitlets.List[Any]" = traitlets.List().tag(sync=True)


class ConfusionMatrix(WithStill, Refusing, ipywidgets.HBox):
    """See what was taken for what, and the images behind each number.

    Parameters
    ----------
    imageset
        The images, with the heads and the `component_id` of the predictions.
    predictions
        As `peta_viz.run_experiments` returns.
    components
        Rows of the components for the gallery; measured here by default.
    options
        Any of the traits below.

    Attributes
    ----------
    experiment, against
        Whose predictions; with `against`, the difference of the two over the components that both
        judged.
    head
        Exclusive heads have one matrix of their classes, multiple ones a 2×2 per label.
    rates
        Shares of the true class instead of counts.
    component_size, image_size
        Which components are counted; names of `peta_viz.evaluation.SIZES` and `IMAGE_SIZES`.
    order
        Of the labels of a multiple head: ``"as given"``, ``"F1"`` or ``"support"``, smallest first.
    cell
        The cell that was clicked: dict with `label`, `true` and `predicted`; empty if none.
    gallery
        The `Gallery` beside it: ``gallery.current`` are the images of the cell.

    Raises
    ------
    InvalidDataError
        If the predictions do not fit the image set, or an option names what is not there.

    """

    experiment = traitlets.Unicode()
    against = traitlets.Unicode()
    head = traitlets.Unicode()
    rates = traitlets.Bool()
    component_size = traitlets.Enum(tuple(SIZES), HEADLINE)
    image_size = traitlets.Enum(IMAGE_SIZES, "all")
    order = traitlets.Enum(ORDERS, "as given")
    cell = traitlets.Dict()

    def __init__(
        self,
        imageset: ImageSet,
        predictions: pd.DataFrame,
        components: pd.DataFrame | None = None,
        **options: Any,
    ) -> None:
        unknown = [f"there is no option {name!r}" for name in options if not self.has_trait(name)]
        if unknown:
            raise InvalidDataError("the confusion matrix", unknown)
        self._counted: Matrices = Matrices(imageset, predictions)
        self._imageset = imageset
        options.setdefault("experiment", next(iter(self._counted.judged)))
        options.setdefault("head", next(iter(self._counted.heads)))
        asked = {name: options[name] for name in _ASKED if name in options}
        self._counted.matrices(Question(**asked))
        self.gallery = Gallery(imageset, components, predictions=predictions, height_px=520)
        grid = _Grid(
            _choices={
                "experiments": list(self._counted.judged),
                "heads": list(self._counted.heads),
                "component_sizes": list(SIZES),
                "image_sizes": list(IMAGE_SIZES),
                "orders": list(ORDERS),
                "exclusive": [
                    h.name for h in self._counted.heads.values() if h.kind == "exclusive"
                ],
            }
        )
        grid.layout = ipywidgets.Layout(flex="1 1 420px", min_width="320px")
        self.gallery.layout = ipywidgets.Layout(flex="1.4 1 520px", min_width="360px")
        super().__init__(
            [grid, self.gallery],
            layout=ipywidgets.Layout(flex_flow="row wrap", grid_gap="8px"),
            **options,
        )
        self.grid = grid
        grid._still_id = self._still_id  # noqa: SLF001 - the two are one widget
        for name in (*_ASKED, "cell"):
            traitlets.link((self, name), (grid, name))
        self.observe(self._ask, names=list(_ASKED))
        self.observe(self._open, names=["cell"])
        self._ask(None)

    def close(self) -> None:
        """Take the matrices and the gallery down."""
        for part in self.children:
            part.close()
        super().close()

    @traitlets.validate("experiment", "against", "head", "cell")
    def _known(self, proposal: Any) -> Any:
        """Refuse what is not there, before anything of it is shown."""
        name, value = proposal["trait"].name, proposal["value"]
        try:
            if name != "cell":
                self._counted.check(replace(self.question(), **{name: value}))
            elif value:
                self._counted.check(self.question(), Cell(**value))
        except (InvalidDataError, TypeError) as error:
            raise traitlets.TraitError(str(error)) from error
        return value

    def question(self) -> Question:
        """Return what is shown."""
        return Question(**{name: getattr(self, name) for name in _ASKED})

    def still(self, *, byte_budget: int = 4_000_000) -> Still:
        """Return the matrices of all heads as HTML whose cells open their images."""
        return show_confusion(
            self._imageset, self._counted, self.question(), byte_budget=byte_budget
        )

    def _ask(self, _: Any) -> None:
        if self.against == self.experiment:
            self.against = ""  # and that asks again
            return
        question = self.question()
        matrices = self._counted.matrices(question)
        self.grid._matrices = payload(  # noqa: SLF001 - the two are one widget
            matrices, rates=self.rates, difference=bool(self.against)
        )
        # A cell means something else under another head; under the same one it stays open.
        names = {(matrix.label, name) for matrix in matrices for name in matrix.names}
        if self.cell and (self.cell["label"], self.cell["true"]) not in names:
            self.cell = {}
        self._open(None)

    def _open(self, _: Any) -> None:
        question = self.question()
        if not self.cell:
            ids = self._counted.components(question)
            self.gallery.show(ids, title="All that are counted. Click a cell to see what is in it.")
            return
        cell = Cell(**self.cell)
        ids = self._counted.inside(question, cell)
        notes = CellNotes(self._counted, question, cell, ids)
        self.gallery.show(ids, notes=notes, title=_title(question, cell, len(ids)))

    def _small_still(self) -> Still:
        return self.still(byte_budget=1_500_000)


def _title(question: Question, cell: Cell, count: int) -> str:
    who = question.experiment
    if question.against:
        who = f"in {question.experiment} or in {question.against}, not in both"
    about = f"{cell.label}: " if cell.label else ""
    of = counted(count, "component")
    return f"{about}true {cell.true}, predicted {cell.predicted} ({who}): {of}"
