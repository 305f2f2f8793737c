import pytest

from peta_viz.errors import InvalidDataError
from peta_viz.training.config import TrainConfig, epochs_for


def test_all_mistakes_are_told_together():
    with pytest.raises(InvalidDataError) as caught:
        TrainConfig(epochs=0, height_px=8, learning_rate=0, targets="all")
    assert len(caught.value.problems) == 4


def test_small_data_gets_more_epochs():
    assert [epochs_for(n) for n in (0, 100, 1500, 5000, 10**6)] == [40, 40, 20, 6, 6]
