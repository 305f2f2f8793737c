"""Figures for reports; each function returns a matplotlib figure and shows nothing."""

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from peta_viz.agreement import MEASURES, LabelCounts

if TYPE_CHECKING:
    from collections.abc import Sequence

_GOOD, _BAD = "#4c78a8", "#b3261e"


def plot_sizes(components: pd.DataFrame) -> Figure:
    """Draw how many components have how many images; `components` needs the column `size`."""
    figure, axes = _axes(width=7)
    sizes = components["size"].to_numpy()
    edges = np.unique(np.geomspace(1, max(sizes.max(), 2) + 1, 24).round()) - 0.5
    axes.hist(sizes, bins=edges.tolist(), color=_GOOD)
    axes.set(xscale="log", yscale="log", xlabel="images in the component", ylabel="components")
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
    for state, rows in history.groupby("trained_on", sort=False):
        left.plot(rows["epoch"], rows["loss"], label=str(state))
        right.plot(rows["epoch"], rows["validation_f1"], label=str(state))
    left.set(xlabel="epoch", ylabel="training loss")
    right.set(xlabel="epoch", ylabel="mean macro F1 on validation")
    right.legend(title="trained on")
    return _closed(figure)


def plot_experiments(table: pd.DataFrame) -> Figure:
    """Draw macro F1 per head and experiment; `table` is what `headline` returns."""
    table = table.drop(columns="components")
    figure, axes = _axes(width=9, height=3.4)
    width = 0.8 / len(table.columns)
    place = np.arange(len(table))
    for number, experiment in enumerate(table.columns):
        offset = (number - (len(table.columns) - 1) / 2) * width
        axes.bar(place + offset, table[experiment], width, label=str(experiment))
    axes.set_xticks(place, _plain(table.index), rotation=30, ha="right")
    axes.set(ylabel="macro F1", ylim=(0, 1))
    axes.legend(title="experiment")
    return figure


def _axes(width: float, height: float = 3.0) -> tuple[Figure, Axes]:
    figure, axes = plt.subplots(figsize=(width, height), layout="constrained")
    return _closed(figure), axes


def _closed(figure: Figure) -> Figure:
    plt.close(figure)  # or the notebook would show it a second time
    return figure


def _plain(names: "Sequence[str] | pd.Index[str]") -> list[str]:
    """Keep matplotlib from reading a label's dollar signs as mathematics."""
    return [str(name).replace("$", r"\$") for name in names]
