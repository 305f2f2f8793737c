"""The scores of a run: from what its first stage left in the folder."""

from pathlib import Path

import numpy as np
import pandas as pd

from peta_viz.embedding import Vectors
from peta_viz.errors import InvalidDataError
from peta_viz.files import atomic, is_file
from peta_viz.imageset import ImageSet
from peta_viz.parquet import read_frame
from peta_viz.quality.scores import LabelQuality, label_quality
from peta_viz.sources import read_csv

VECTORS_FILE = "vectors.npy"
WORST_FILE = "worst_labels.csv"
WORST_PAGE = "worst_labels.html"
LABEL_NOTES_FILE = "label_notes.json"


def keep_vectors(folder: str | Path, vectors: Vectors | None) -> None:
    """Keep the vectors of a run, rows as in its image set; without any, none are left there."""
    file = Path(folder) / VECTORS_FILE
    if vectors is None:
        file.unlink(missing_ok=True)
        return
    with atomic(file) as partial:
        np.save(partial, vectors)


def quality_of_run(folder: str | Path) -> LabelQuality:
    """Score the labels of a run, by its components, its similar pairs, and vectors if it has any.

    Raises
    ------
    InvalidDataError
        If the folder holds no run, or the files in it do not fit each other.

    """
    folder = Path(folder)
    imageset = ImageSet.from_parquet(folder)
    pairs = read_frame(folder / "pairs.parquet")
    return label_quality(imageset, _vectors(folder / VECTORS_FILE), pairs=pairs)


def _vectors(file: Path) -> Vectors | None:
    if not is_file(file):
        return None
    try:
        return np.load(file, allow_pickle=False)  # type: ignore[no-any-return]
    except (ValueError, OSError) as error:
        raise InvalidDataError(str(file), [f"it holds no vectors ({error})"]) from error


def read_worst(folder: str | Path) -> pd.DataFrame | None:
    """Read the list of likely wrong labels of a run, as `LabelQuality.worst` returned it.

    Returns
    -------
    DataFrame or None
        None if there is no list.

    """
    file = Path(folder) / WORST_FILE
    if not is_file(file):
        return None
    words = dict.fromkeys(["image_id", "head", "label", "value", "suggested", "reason"], "str")
    # What is called NA, or 007, is called so.
    return read_csv(file, dtype=words, keep_default_na=False)
