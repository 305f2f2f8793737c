"""Figures for reports; each function returns a matplotlib figure and shows nothing."""

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from peta_viz.agreement import MEASURES, LabelCounts
from peta_viz.evaluation import FEW, choose

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDE = 30  # sizes that an even axis has room for
_GOOD, _BAD = "#4c78a8", "#b3261e"


def plot_sizes(components: pd.DataFrame) -> Figure:
    """Draw how many components have how many images; `components` needs the column `size`."""
    figure, axes = _axes(width=7)
    sizes = components["size"].to_numpy()
    edges = np.unique(np.geomspace(1, max(sizes.max(), 2) + 1, 24).round()) - 0.5
    axes.hist(sizes, bins=edges.tolist(), color=_GOOD)
    axes.set(yscale="log", xlabel="images in the component", ylabel="components")
    axes.set_xscale("log" if sizes.max() > _WIDE else "linear")
    return figure


def plot_measures(components: pd.DataFrame) -> Figure:
    """Draw the distribution of every measure over contested components."""
    contested = components[components["contested"]]
    figure, all_axes = plt.subplots(
        1, len(MEASURES), figsize=(3 * len(MEASURES), 2.6), layout="constrained"
    )
    for axes, measure in zip(all_axes, MEASURES, strict=True):
        axes.hist(contested[measure], bins=25, color=_GOOD)
        axes.set(xlabel=measure)
    all_axes[0].set(ylabel="contested components")
    return _closed(figure)


def plot_contested(counts: LabelCounts, most: int = 25) -> Figure:
    """Draw in how many components each label is contested, the most contested first."""
    contested = counts.contested.sum().sort_values(ascending=False).head(most)
    contested = contested[contested > 0][::-1]
    figure, axes = _axes(width=7, height=1 + 0.22 * max(len(contested), 4))
    axes.barh(_plain(contested.index), contested.to_numpy(), color=_BAD)
    axes.set(xlabel="components in which the label is contested")
    return figure


def plot_ratios(counts: LabelCounts) -> Figure:
    """Draw the label ratios of components of two and more images: 1 is agreement.

    Every label that occurs in a component counts once; the axis of counts is logarithmic, because
    most labels are carried by all.
    """
    ratios = counts.ratios.to_numpy()[(counts.sizes > 1).to_numpy()]
    figure, axes = _axes(width=7)
    axes.hist(ratios[ratios > 0], bins=np.linspace(0, 1, 21).tolist(), color=_GOOD)
    axes.set(yscale="log", xlabel="label ratio in the component", ylabel="labels of components")
    return figure


def plot_history(history: pd.DataFrame) -> Figure:
    """Draw loss and validation F1 per epoch; `history` is what `train_models` returns."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
    for (state, seed), rows in history.groupby(["trained_on", "seed"], sort=False):
        name = f"{state}, seed {seed}"
        left.plot(rows["epoch"], rows["loss"], label=name)
        right.plot(rows["epoch"], rows["validation_f1"], label=name)
    left.set(xlabel="epoch", ylabel="training loss")
    right.set(xlabel="epoch", ylabel="mean macro F1 on validation")
    right.legend(title="trained on")
    return _closed(figure)


def plot_experiments(scores: pd.DataFrame) -> Figure:
    """Draw macro F1 per head and experiment over components of two and more, with intervals.

    `scores` is what `score_experiments` returns.
    """
    chosen = _without_few(choose(scores))
    heads = list(chosen["head"].unique())
    experiments = list(chosen["experiment"].unique())
    figure, axes = _axes(width=9, height=3.4)
    width = 0.8 / len(experiments)
    for number, experiment in enumerate(experiments):
        own = chosen[chosen["experiment"] == experiment].set_index("head").reindex(heads)
        offset = (number - (len(experiments) - 1) / 2) * width
        place = np.arange(len(heads)) + offset
        axes.bar(place, own["value"], width, label=str(experiment))
        axes.vlines(place, own["low"], own["high"], color="black", linewidth=1)
    axes.set_xticks(np.arange(len(heads)), _plain(heads), rotation=30, ha="right")
    axes.set(ylabel="macro F1", ylim=(0, 1))
    axes.legend(title="experiment")
    return figure


def _without_few(scores: pd.DataFrame) -> pd.DataFrame:
    """Leave out the intervals of few components, which are not worth telling."""
    return scores.assign(
        **{name: scores[name].where(scores["components"] >= FEW) for name in ("low", "high")}
    )


def plot_differences(differences: pd.DataFrame) -> Figure:
    """Draw paired differences of macro F1 with intervals, one panel per pair of experiments.

    `differences` is what `compare_experiments` returns.
    """
    chosen = _without_few(choose(differences))
    pairs = list(chosen.groupby(["experiment", "against"], sort=False))
    figure, panels = plt.subplots(
        1,
        len(pairs),
        figsize=(3.2 * len(pairs), 1 + 0.25 * chosen["head"].nunique()),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for axes, ((one, other), own) in zip(panels[0], pairs, strict=True):
        rows = own[::-1]
        place = np.arange(len(rows))
        axes.axvline(0, color="grey", linewidth=0.8)
        axes.hlines(place, rows["low"], rows["high"], color=_GOOD)
        axes.plot(rows["difference"], place, "o", color=_GOOD)
        axes.set_yticks(place, _plain(list(rows["head"])))
        axes.set(title=f"{one} − {other}", xlabel="macro F1")
    return _closed(figure)


def _axes(width: float, height: float = 3.0) -> tuple[Figure, Axes]:
    figure, axes = plt.subplots(figsize=(width, height), layout="constrained")
    return _closed(figure), axes


def _closed(figure: Figure) -> Figure:
    plt.close(figure)  # or the notebook would show it a second time
    return figure


def _plain(names: "Sequence[str] | pd.Index[str]") -> list[str]:
    """Keep matplotlib from reading a label's dollar signs as mathematics."""
    return [str(name).replace("$", r"\$") for name in names]
