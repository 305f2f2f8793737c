"""Cleaning: what strategies did to an image set, act by act, with the reasons."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from peta_viz.agreement import MEASURES, Flag, component_ids
from peta_viz.errors import InvalidDataError
from peta_viz.imageset import ImageSet
from peta_viz.pruning import (
    STRATEGIES,
    ComponentPruning,
    ImagePruning,
    LabelCorrection,
    LabelIntersection,
    LabelPruning,
    Mask,
    Strategy,
    Verdict,
)

if TYPE_CHECKING:
    from peta_viz.quality.scores import LabelQuality

CHANGE_COLUMNS = ["step", "strategy", "image_id", "label", "before", "after", "reason"]


@dataclass(frozen=True, eq=False)
class Cleaning:
    """What strategies did, kept beside the raw labels, which never change.

    Parameters
    ----------
    changes
        One row per act, in the order of the steps: `step` (from 1), `strategy`, `image_id`,
        `label` (empty where the image was dropped), `before` and `after` (``"yes"``, ``"no"``,
        ``"unknown"``; for an image ``"in"`` and ``"out"``), and `reason`.

    """

    changes: pd.DataFrame

    def apply(self, imageset: ImageSet) -> ImageSet:
        """Return the cleaned image set: images out, labels changed.

        Raises
        ------
        InvalidDataError
            If the cleaning names images or labels that `imageset` does not have, or all are out.

        """
        out = self.changes["label"] == ""
        cells = self.changes[~out].drop_duplicates(["image_id", "label"], keep="last")
        rows = imageset.images.index.get_indexer(pd.Index(cells["image_id"]))
        columns = imageset.labels.columns.get_indexer(pd.Index(cells["label"]))
        gone = self.changes.loc[out, "image_id"]
        if (rows < 0).any() or (columns < 0).any() or not gone.isin(imageset.images.index).all():
            raise InvalidDataError(
                "the cleaning", ["it names images or labels that this image set does not have"]
            )
        labels = imageset.labels.to_numpy(copy=True)
        known = imageset.known.to_numpy(copy=True)
        labels[rows, columns] = cells["after"] == "yes"
        known[rows, columns] = cells["after"] != "unknown"
        return imageset.with_cells(labels, known).subset(~imageset.images.index.isin(gone))

    def summary(self) -> pd.DataFrame:
        """Count what each step did.

        Returns
        -------
        DataFrame
            One row per step: `strategy`, `images_out`, `images_relabelled`, `labels_changed`.

        """
        out = self.changes["label"] == ""
        steps = self.changes.groupby(["step", "strategy"])
        kept = self.changes[~out].groupby(["step", "strategy"])
        return (
            pd.DataFrame(
                {
                    "images_out": steps["label"].agg(lambda labels: (labels == "").sum()),
                    "images_relabelled": kept["image_id"].nunique(),
                    "labels_changed": kept.size(),
                }
            )
            .fillna(0)
            .astype(int)
            .reset_index("strategy")
        )


def clean(imageset: ImageSet, strategies: Sequence[Strategy]) -> Cleaning:
    """Apply strategies in order, each to what the ones before left.

    Parameters
    ----------
    imageset
        Images with `component_id`; not changed.
    strategies
        What to do.

    Returns
    -------
    Cleaning
        Every act with its reason.

    Raises
    ------
    InvalidDataError
        If there is no `component_id` yet, or a step drops every image.

    """
    changes = [pd.DataFrame({column: [] for column in CHANGE_COLUMNS}, dtype="str")]
    current = imageset
    for step, strategy in enumerate(strategies, start=1):
        verdict = strategy(current)
        if verdict.dropped.all():
            raise InvalidDataError(strategy.name, ["it would drop every image: use a milder rule"])
        changes.append(_changes(step, strategy.name, current, verdict))
        current = current.with_cells(verdict.labels, verdict.known).subset(~verdict.dropped)
    table = pd.concat(changes, ignore_index=True)
    return Cleaning(table.astype({"step": "int64"}))


def strategy_grid(imageset: ImageSet, quality: "LabelQuality | None" = None) -> pd.DataFrame:
    """Try every strategy at three thresholds, each on the raw labels.

    Parameters
    ----------
    imageset
        Images with `component_id`.
    quality
        For `LabelCorrection`, which is left out without it.

    Returns
    -------
    DataFrame
        One row per trial: `strategy`, `threshold` (in words), `components` touched, `images_out`,
        `images_relabelled`, `labels_changed`.

    """
    trials: list[tuple[str, Strategy]] = [
        (f"{measure} above its {percentile}th percentile", pruning)
        for measure in MEASURES
        for percentile in (50, 80, 95)
        for pruning in [ComponentPruning(Flag(measure, percentile=percentile))]
    ]
    for ratio in (0.3, 0.5, 0.7):
        trials += [
            (f"ratio below {ratio}", LabelPruning(ratio)),
            (f"ratio below {ratio}, imputed", LabelPruning(ratio, impute=True)),
            (f"ratio below {ratio}", ImagePruning(ratio)),
        ]
    trials += [(f"components of {size} and more", LabelIntersection(size)) for size in (2, 3, 5)]
    if quality is not None:
        trials += [
            (f"wrong with at least {confidence}", LabelCorrection(confidence, quality=quality))
            for confidence in (0.5, 0.9, 0.99)
        ]
    rows = [
        {"strategy": strategy.name, "threshold": words, **_touched(imageset, strategy)}
        for words, strategy in trials
    ]
    order = {name: number for number, name in enumerate(STRATEGIES)}
    frame = pd.DataFrame(rows)
    return frame.sort_values(
        "strategy", key=lambda names: names.map(order), kind="stable", ignore_index=True
    )


def _touched(imageset: ImageSet, strategy: Strategy) -> dict[str, int]:
    try:
        changes = clean(imageset, [strategy]).changes
    except InvalidDataError:  # it would drop everything, which is worth a row too
        ids = component_ids(imageset)
        return {
            "components": len(np.unique(ids)),
            "images_out": len(ids),
            "images_relabelled": 0,
            "labels_changed": 0,
        }
    out = changes["label"] == ""
    touched = imageset.images["component_id"].reindex(changes["image_id"].unique())
    return {
        "components": int(touched.nunique()),
        "images_out": int(out.sum()),
        "images_relabelled": int(changes.loc[~out, "image_id"].nunique()),
        "labels_changed": int((~out).sum()),
    }


def _changes(step: int, name: str, before: ImageSet, verdict: Verdict) -> pd.DataFrame:
    ids, columns = before.images.index.to_numpy(), before.labels.columns.to_numpy()
    out = np.flatnonzero(verdict.dropped)
    old = _state(before.labels.to_numpy(), before.known.to_numpy())
    new = _state(verdict.labels, verdict.known)
    rows, cells = np.nonzero((old != new) & ~verdict.dropped[:, None])
    words = np.array(["no", "yes", "unknown"], dtype=object)
    return pd.DataFrame(
        {
            "step": step,
            "strategy": name,
            "image_id": np.concatenate([ids[out], ids[rows]]),
            "label": np.concatenate([np.full(len(out), "", dtype=object), columns[cells]]),
            "before": np.concatenate(
                [np.full(len(out), "in", dtype=object), words[old[rows, cells]]]
            ),
            "after": np.concatenate(
                [np.full(len(out), "out", dtype=object), words[new[rows, cells]]]
            ),
            "reason": np.concatenate([verdict.reasons[out], verdict.reasons[rows]]),
        }
    ).astype(dict.fromkeys(CHANGE_COLUMNS[1:], "str"))


def _state(labels: Mask, known: Mask) -> "np.ndarray[Any, np.dtype[np.int8]]":
    """Code each cell: 0 no, 1 yes, 2 unknown."""
    return np.where(known, labels.astype(np.int8), np.int8(2))
