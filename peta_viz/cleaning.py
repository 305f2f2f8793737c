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
    UNKNOWN,
    YES,
    ComponentPruning,
    ImagePruning,
    LabelCorrection,
    LabelIntersection,
    LabelPruning,
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
        out = (self.changes["label"] == "").to_numpy()
        images = imageset.images.index.get_indexer(pd.Index(self.changes["image_id"]))
        cells = self.changes[~out]
        rows, columns = images[~out], imageset.labels.columns.get_indexer(pd.Index(cells["label"]))
        if (images < 0).any() or (columns < 0).any():
            raise InvalidDataError(
                "the cleaning", ["it names images or labels that this image set does not have"]
            )
        # Of several acts on one cell the last one stands.
        last = ~pd.Series(rows * imageset.labels.shape[1] + columns).duplicated(keep="last")
        rows, columns, after = rows[last], columns[last], cells["after"].to_numpy()[last]
        kept = np.ones(len(imageset), dtype=bool)
        kept[images[out]] = False
        states = np.select([after == "yes", after == "unknown"], [YES, UNKNOWN], 0)
        return _changed(imageset, rows, columns, states, kept)

    def summary(self) -> pd.DataFrame:
        """Count what each step did.

        Returns
        -------
        DataFrame
            One row per step: `strategy`, `images_out`, `images_relabelled`, `labels_changed`.

        """
        out = self.changes["label"] == ""
        by = [self.changes["step"], self.changes["strategy"]]
        kept = self.changes[~out].groupby(["step", "strategy"])
        return (
            pd.DataFrame(
                {
                    "images_out": out.groupby(by).sum(),
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
    changes = [no_changes()]
    current = imageset
    for step, strategy in enumerate(strategies, start=1):
        verdict = strategy(current)
        if verdict.dropped.all():
            raise InvalidDataError(strategy.name, ["it would drop every image: use a milder rule"])
        changes.append(changes_of(step, strategy.name, current, verdict))
        if step < len(strategies):
            current = carried_out(current, verdict)
    return Cleaning(pd.concat(changes, ignore_index=True))


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


def no_changes() -> pd.DataFrame:
    """Return `Cleaning.changes` of nothing."""
    table = pd.DataFrame({column: [] for column in CHANGE_COLUMNS}, dtype="str")
    return table.astype({"step": "int64"})


def changes_of(step: int, name: str, before: ImageSet, verdict: Verdict) -> pd.DataFrame:
    """Return the rows of `Cleaning.changes` that one strategy adds."""
    out, rows, columns = np.flatnonzero(verdict.dropped), verdict.rows, verdict.columns
    images = np.concatenate([out, rows])
    touched = np.flatnonzero(np.bincount(images, minlength=len(before)))
    place = np.searchsorted(touched, images)
    ids = before.images.index[touched].astype("str").array
    labels = before.labels.columns.astype("str").array
    labels, known = labels.insert(len(labels), ""), before.known.to_numpy(bool)[rows, columns]
    carried = before.labels.to_numpy(bool)[rows, columns]
    old = np.where(known, carried, np.int64(UNKNOWN))
    reason, reasons = pd.factorize(verdict.reasons[touched])
    words = pd.array(["no", "yes", "unknown", "in", "out"], dtype="str")
    return pd.DataFrame(
        {
            "step": np.full(len(images), step, dtype=np.int64),
            "strategy": pd.array([name], dtype="str").take(np.zeros(len(images), dtype=np.int64)),
            "image_id": ids.take(place),
            "label": labels.take(np.append(np.full(len(out), len(labels) - 1), columns)),
            "before": words.take(np.append(np.full(len(out), 3), old)),
            "after": words.take(np.append(np.full(len(out), 4), verdict.after)),
            "reason": pd.array(reasons, dtype="str").take(reason[place]),
        }
    )


def carried_out(imageset: ImageSet, verdict: Verdict) -> ImageSet:
    """Return the image set as a strategy wants it; at least one image stays."""
    return _changed(imageset, verdict.rows, verdict.columns, verdict.after, ~verdict.dropped)


def _changed(imageset: ImageSet, rows: Any, columns: Any, states: Any, kept: Any) -> ImageSet:
    if len(rows):
        labels = imageset.labels.to_numpy(copy=True)
        known = imageset.known.to_numpy(copy=True)
        labels[rows, columns] = states == YES
        known[rows, columns] = states != UNKNOWN
        imageset = imageset.with_cells(labels, known)
    return imageset if kept.all() else imageset.subset(kept)
