"""What a training predicted of its validation side, kept every few epochs and of the best one."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from peta_viz.confusion import class_matrix, judged, label_table
from peta_viz.evaluation import mean_macro_f1
from peta_viz.files import atomic, write_text
from peta_viz.imageset import ImageSet
from peta_viz.markup import page
from peta_viz.parquet import read_frame
from peta_viz.training.loop import Epoch
from peta_viz.training.predict import prediction_rows

_NAME = "validation"
_PICTURE_BYTES = 1_000_000
_CELLS = {"tp": ("yes", "yes"), "fp": ("no", "yes"), "fn": ("yes", "no"), "tn": ("no", "no")}


@dataclass(frozen=True, eq=False)
class EpochReports:
    """A hook that writes ``epoch-005/`` and ``best/``.

    Each holds ``predictions.parquet``, ``metrics.parquet``, ``confusion.parquet``, and once that is
    due ``index.html`` with the same as tables, and matrices whose cells open their images.

    Parameters
    ----------
    folder
        Where to.
    imageset
        The images of the validation side.
    every
        How many epochs lie between two; the last one and the best are always written.

    """

    folder: Path
    imageset: ImageSet
    every: int = 5

    def __call__(self, epoch: Epoch) -> None:
        """Write what is due after this epoch."""
        last = epoch.number == epoch.epochs
        due = self.folder / f"epoch-{epoch.number:03d}"
        if epoch.best:
            self._write_tables(self.folder / "best", epoch)
        if last or epoch.number % self.every == 0:
            self._write_tables(due, epoch)
            self._write_page(due, epoch.name)
        if last:  # pages take longer than small epochs, and most best ones are soon surpassed
            self._write_page(self.folder / "best", epoch.name)

    def _write_tables(self, folder: Path, epoch: Epoch) -> None:
        predictions = prediction_rows(epoch.probabilities, epoch.targets)
        predictions.insert(0, "experiment", _NAME)
        metrics = epoch.table.copy()
        metrics.insert(0, "epoch", epoch.number)
        matrices = confusion_rows(predictions, self.imageset)
        shutil.rmtree(folder, ignore_errors=True)
        tables = {"predictions": predictions, "metrics": metrics, "confusion": matrices}
        for name, table in tables.items():
            with atomic(folder / f"{name}.parquet") as partial:
                table.to_parquet(partial, index=False)

    def _write_page(self, folder: Path, name: str) -> None:
        # Widgets are not for those who only train.
        from peta_viz.widgets.matrices import Matrices, Question  # noqa: PLC0415
        from peta_viz.widgets.matrix_stills import show_confusion  # noqa: PLC0415

        metrics = read_frame(folder / "metrics.parquet")
        matrices = Matrices(self.imageset, read_frame(folder / "predictions.parquet"))
        question = Question(experiment=_NAME, head=self.imageset.heads[0].name)
        still = show_confusion(self.imageset, matrices, question, byte_budget=_PICTURE_BYTES)
        words = (
            f"Mean macro F1 over heads {mean_macro_f1(metrics):.3f}, on the validation side. "
            "Thresholds that were tuned were tuned on these very components."
        )
        title = f"{name}, epoch {metrics['epoch'].iloc[0]}"
        write_text(folder / "index.html", page(title, words, metrics.round(3), still))


def confusion_rows(predictions: pd.DataFrame, imageset: ImageSet) -> pd.DataFrame:
    """Lay out every confusion matrix as rows, over components of every size.

    Returns
    -------
    DataFrame
        `head`, `label` (of a multiple head; else empty), `true`, `predicted` (class names, or
        ``"yes"`` and ``"no"``) and `components` (int64).

    """
    (one,) = judged(predictions).values()
    rows = []
    for head in imageset.heads:
        if head.kind == "exclusive":
            matrix = class_matrix(one, head)
            rows += [
                (head.name, "", true, predicted, matrix.loc[true, predicted])
                for true in head.labels
                for predicted in head.labels
            ]
        else:
            table = label_table(one, head)
            rows += [
                (head.name, label, *answers, table.loc[label, cell])
                for label in head.labels
                for cell, answers in _CELLS.items()
            ]
    columns = ["head", "label", "true", "predicted", "components"]
    texts = dict.fromkeys(columns[:-1], "str")
    return pd.DataFrame(rows, columns=columns).astype({**texts, "components": "int64"})
