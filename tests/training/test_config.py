import pandas as pd
import pytest

from peta_viz.errors import InvalidDataError
from peta_viz.training.config import TrainConfig, epochs_for, size_for


def test_all_mistakes_are_told_together():
    with pytest.raises(InvalidDataError) as caught:
        TrainConfig(epochs=0, height_px=8, learning_rate=0, targets="all", images_per_group=6)
    assert len(caught.value.problems) == 5
    assert "images_per_group must be a whole number from 1 to 5, but is 6" in str(caught.value)
    with pytest.raises(InvalidDataError, match="stem must be grouped or shared, but is 'wide'"):
        TrainConfig(stem="wide")


def test_small_data_gets_more_epochs():
    assert [epochs_for(n) for n in (0, 100, 1500, 5000, 10**6)] == [40, 40, 20, 6, 6]


def test_the_size_is_of_the_shape_of_the_images():
    def size(*shapes):
        return size_for(pd.DataFrame(shapes, columns=["width", "height"]))

    assert size((80, 160), (75, 160), (500, 20), (0, 0)) == (96, 48)
    assert size((64, 64)) == (64, 64)
    assert size((4000, 3000)) == (64, 80)
    assert size((0, 0)) == (64, 64)
    assert size((1, 1000)) == (144, 32)
    assert size((1000, 1)) == (32, 144)
