import numpy as np
import pandas as pd
import pytest

from peta_viz.imageset import Head
from peta_viz.training.data import Targets
from peta_viz.training.thresholds import best_thresholds, move_thresholds

HEADS = (Head("sex", ("m", "f"), "exclusive"), Head("rest", ("x", "y")))


@pytest.fixture
def said():
    x = np.linspace(0.01, 0.4, 40)
    frame = pd.DataFrame({"m": 1 - x, "f": x, "x": x, "y": x})
    true = frame > 2
    true["x"] = x > 0.305
    true.loc[0, "x"] = True  # which is not known, and does not count
    known = frame > -1
    known.loc[0, "x"] = False
    return frame, Targets(true, known, pd.Series(1, index=frame.index))


def test_a_label_that_is_rarely_above_one_half_gets_a_lower_threshold(said):
    probabilities, targets = said
    thresholds = best_thresholds(probabilities, targets, HEADS)
    assert thresholds.index.tolist() == ["x", "y"]
    assert 0.3 < thresholds["x"] < 0.31
    assert thresholds["y"] == 0.5


def test_moved_the_threshold_is_one_half_and_the_rest_stays(said):
    probabilities, _ = said
    moved = move_thresholds(probabilities, pd.Series({"x": 0.2}))
    above = probabilities["x"] > 0.2
    assert ((moved["x"] > 0.5) == above).all()
    assert moved["x"].is_monotonic_increasing
    pd.testing.assert_frame_equal(moved[["m", "f", "y"]], probabilities[["m", "f", "y"]])
