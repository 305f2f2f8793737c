"""What one would write for the same without peta-viz: a function that pandas calls per component.

`groupby("component_id").apply(…)` is the published style. `plain` says everything in pandas, as one
would write it first; `tuned` takes the numbers out of the frame once and goes on in NumPy.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from peta_viz.agreement import MEASURES
from peta_viz.imageset import ImageSet

RATIO, SMALL = 0.5, 3
Judge = Callable[[pd.DataFrame], "pd.Series[Any]"]


def frame_of(imageset: ImageSet) -> pd.DataFrame:
    """Return one table: 1 and 0, NaN where a label is not known, and `component_id`."""
    cells = np.where(imageset.known, imageset.labels.to_numpy(dtype=np.float32), np.nan)
    frame = pd.DataFrame(cells, imageset.labels.index, imageset.labels.columns)
    return frame.assign(component_id=imageset.images["component_id"])


def plain(group: pd.DataFrame) -> "pd.Series[Any]":
    """Measure one component and say what each strategy would do, in pandas."""
    ratios = group.mean()
    occurring = ratios[ratios > 0]
    centred = occurring - occurring.mean()
    logs = np.log(occurring)
    contested = ratios[(ratios > 0) & (ratios < 1)].index
    rare = occurring[occurring < RATIO].index if len(group) >= SMALL else occurring.index[:0]
    return pd.Series(
        {
            "size": len(group),
            "disagreement": (2 * np.minimum(occurring, 1 - occurring)).mean(),
            "std": np.sqrt((centred**2).mean()),
            "variance": (centred**2).mean(),
            "geometric_variance": np.exp(((logs - logs.mean()) ** 2).mean()) - 1,
            "cubic_variance": (centred.abs() ** 3).mean(),
            "contested": contested.tolist(),
            "shares_none": len(group) > 1 and len(occurring) > 0 and not (ratios == 1).any(),
            "rare": rare.tolist(),
            "images_with_rare": group.index[(group[rare] == 1).any(axis=1)].tolist(),
        }
    )


def tuned(labels: "np.ndarray[Any, Any]") -> Judge:
    """Return the same in NumPy, for columns of these names."""

    def judge(group: pd.DataFrame) -> "pd.Series[Any]":
        cells = group.to_numpy()
        known = (~np.isnan(cells)).sum(axis=0)
        carried = (cells == 1).sum(axis=0)
        occurs = carried > 0
        p = carried[occurs] / known[occurs]
        centred, logs = p - p.mean(), np.log(p)
        split = occurs & (carried < known)
        rare = np.zeros_like(occurs)
        if len(cells) >= SMALL:
            rare[occurs] = p < RATIO
        values = [
            len(cells),
            (2 * np.minimum(p, 1 - p)).mean(),
            p.std(),
            p.var(),
            np.expm1(logs.var()),
            (np.abs(centred) ** 3).mean(),
            labels[split].tolist(),
            len(cells) > 1 and len(p) > 0 and not (p == 1).any(),
            labels[rare].tolist(),
            group.index[(cells[:, rare] == 1).any(axis=1)].tolist() if rare.any() else [],
        ]
        return pd.Series(values, index=_COLUMNS)

    return judge


_COLUMNS = [
    "size",
    *MEASURES,
    "contested",
    "shares_none",
    "rare",
    "images_with_rare",
]


def judge_all(frame: pd.DataFrame, judge: Judge) -> pd.DataFrame:
    """Judge every component, and flag those at every measure and percentile."""
    found = frame.groupby("component_id").apply(judge, include_groups=False)
    ranked = found["contested"].map(len) > 0
    for measure in MEASURES:
        for percentile in (50, 80, 95):
            threshold = np.percentile(found.loc[ranked, measure].astype(float), percentile)
            found[f"is_bad_component_{measure}_{percentile}"] = found[measure] > threshold
    return found
