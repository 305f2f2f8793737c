"""Reads what corrects an image set: a decision log, a table of decisions, or a cleaning."""

from pathlib import Path
from typing import Protocol

from peta_viz.cleaning import CHANGE_COLUMNS, Cleaning
from peta_viz.curation.decisions import Decisions
from peta_viz.curation.log import DecisionLog
from peta_viz.errors import InvalidDataError
from peta_viz.files import is_file
from peta_viz.imageset import ImageSet
from peta_viz.parquet import read_frame

LOG_FILE = "decisions.sqlite"
_TRAINED = "trained_decisions.parquet"


class Correction(Protocol):
    """Anything that makes another image set of the raw one: a `Cleaning`, or `Decisions`."""

    def apply(self, imageset: ImageSet) -> ImageSet:
        """Return the corrected image set."""


def read_curation(path: str | Path) -> Cleaning | Decisions:
    """Read corrections from a file.

    Parameters
    ----------
    path
        A decision log (``.sqlite``), a table of decisions that `Decisions.write` wrote, or a
        Parquet file of the form of ``cleaning.parquet``.

    Raises
    ------
    InvalidDataError, DecisionLogError
        If there is no such file, or it is something else.

    """
    path = Path(path)
    if path.suffix == ".csv":
        return Decisions.read(path)
    if path.suffix != ".parquet":
        return Decisions.of(DecisionLog(path, make=False).since())
    table = read_frame(path)
    if set(CHANGE_COLUMNS) <= set(table.columns):
        return Cleaning(table)
    if "kind" in table.columns:
        return Decisions.from_table(table, str(path))
    words = "it is neither a table of decisions nor of changes by a cleaning"
    raise InvalidDataError(str(path), [words])


def cleaning_of_run(
    folder: str | Path, cleaned_by: str, *, trained: bool = False
) -> Cleaning | Decisions:
    """Return what makes the cleaned image set of a run: its strategies, or its people.

    Parameters
    ----------
    folder
        The run folder.
    cleaned_by
        ``"strategies"`` (``cleaning.parquet``) or ``"people"`` (``decisions.sqlite``).
    trained
        Of people: not what they have decided by now, but what `keep_trained` kept.

    Raises
    ------
    InvalidDataError
        If it is neither, or nobody has decided anything.

    """
    if cleaned_by == "strategies":
        return Cleaning(read_frame(Path(folder) / "cleaning.parquet"))
    if cleaned_by != "people":
        words = f'expected "strategies" or "people", but got {cleaned_by!r}'
        raise InvalidDataError("cleaned_by", [words])
    decisions = Decisions.read(Path(folder) / _TRAINED) if trained else decisions_of_run(folder)
    if not decisions.ledger().standing():
        words = f"nobody has changed anything yet: there is nothing in {LOG_FILE}"
        raise InvalidDataError("the decisions", [words])
    return decisions


def keep_trained(folder: str | Path, cleaning: Cleaning | Decisions) -> None:
    """Keep what models are trained on, for decisions go on being made."""
    if isinstance(cleaning, Decisions):
        cleaning.write(Path(folder) / _TRAINED)


def curation_of_run(
    folder: str | Path, path: str | Path | None = None
) -> Cleaning | Decisions | None:
    """Return what people decided: of a file, or else of the run folder; None if nothing stands."""
    if path is not None:
        return read_curation(path)
    decisions = decisions_of_run(folder)
    return decisions if decisions.ledger().acts() else None


def decisions_of_run(folder: str | Path) -> Decisions:
    """Return what people decided in a run folder; nothing if there is no log."""
    path = Path(folder) / LOG_FILE
    begun = is_file(path) and path.stat().st_size > 0
    return Decisions.of(DecisionLog(path, make=False).since() if begun else [])
