import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from peta_viz import plots
from peta_viz.agreement import count_labels, measure_components


@pytest.fixture
def imageset(make_set):
    return make_set({"a": "x $y$", "b": "x", "c": "x"}, components=[0, 0, 1])


def test_figures_are_returned_and_not_shown(imageset, tmp_path):
    components = measure_components(imageset)
    history = pd.DataFrame(
        {
            "trained_on": "raw",
            "seed": 0,
            "epoch": [1, 2],
            "loss": [2, 1],
            "validation_f1": [0, 1],
        }
    )
    place = {
        "components": 30,
        "component_size": "2 and more",
        "image_size": "all",
        "source": "all",
        "metric": "macro_f1",
        "head": "$gender",
    }
    scores = pd.DataFrame(
        {"experiment": ["A", "B"], "value": [0.5, 0.6], "low": 0.4, "high": 0.7, **place}
    )
    differences = pd.DataFrame(
        {"experiment": ["C"], "against": "A", "difference": 0.1, "low": 0, "high": 0.2, **place}
    )
    figures = [
        plots.plot_sizes(components),
        plots.plot_measures(components),
        plots.plot_contested(count_labels(imageset)),
        plots.plot_history(history),
        plots.plot_experiments(scores),
        plots.plot_ratios(count_labels(imageset)),
        plots.plot_differences(differences),
    ]
    assert not plt.get_fignums()
    for number, figure in enumerate(figures):
        figure.savefig(tmp_path / f"{number}.png")
    assert [text.get_text() for text in figures[2].axes[0].get_yticklabels()] == [r"\$y\$"]
    assert [bar.get_width() for bar in figures[2].axes[0].patches] == [1]
    assert [bar.get_height() for bar in figures[4].axes[0].patches] == [0.5, 0.6]
    assert figures[6].axes[0].get_title() == "C − A"
    assert [text.get_text() for text in figures[6].axes[0].get_yticklabels()] == [r"\$gender"]
    ratios = {round(bar.get_x(), 2): bar.get_height() for bar in figures[5].axes[0].patches}
    assert {place: count for place, count in ratios.items() if count} == {0.5: 1, 0.95: 1}


@pytest.mark.parametrize(("components", "intervals"), [(9, 0), (10, 1)])
def test_few_components_have_no_interval(components, intervals):
    place = {"component_size": "2 and more", "image_size": "all", "source": "all", "head": "a"}
    place |= {"metric": "macro_f1", "label": "", "components": components, "low": 0.1, "high": 0.3}
    scores = pd.DataFrame({"experiment": ["A"], "value": 0.2, **place})
    differences = pd.DataFrame({"experiment": ["C"], "against": "A", "difference": 0.2, **place})
    for figure in (plots.plot_experiments(scores), plots.plot_differences(differences)):
        (lines,) = figure.axes[0].collections
        shown = [path for path in lines.get_paths() if not np.isnan(path.vertices).any()]
        assert len(shown) == intervals
