import io
import sys

import pytest
from ipykernel.iostream import OutStream

from peta_viz.progress import AS_LINES, EPOCH_LINE, bar_fits, epoch_line


class _Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_is_for_terminals_and_notebooks(monkeypatch):
    for name in AS_LINES:
        monkeypatch.delenv(name, raising=False)
    for stream, fits in (
        (io.StringIO(), False),
        (_Terminal(), True),
        (OutStream.__new__(OutStream), True),
    ):
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setattr(OutStream, "isatty", lambda _: False)
        assert bar_fits() is fits
        with monkeypatch.context() as told:
            for name, value in AS_LINES.items():
                told.setenv(name, value)
            assert not bar_fits()


@pytest.mark.parametrize(
    ("epoch", "line"),
    [
        (3, "raw: epoch 3 of 9, loss 0.250, 1,200 images/s, 01:05 left"),
        (9, "raw: epoch 9 of 9, loss 0.250, 1,200 images/s, done"),
    ],
)
def test_a_line_says_how_far_it_is(epoch, line):
    said = epoch_line("raw", epoch, 9, loss=0.25, images_per_s=1200.4, left_s=65)
    assert said == line
    assert EPOCH_LINE.match(said)


def test_a_line_of_one_of_several_models_says_which_and_that_its_time_is_its_own():
    said = epoch_line("raw", 3, 9, loss=0.25, images_per_s=9, left_s=65, part="model 1 of 2")
    assert said.startswith("raw (model 1 of 2): epoch 3 of 9")
    assert said.endswith("01:05 left of this model")
    assert EPOCH_LINE.match(said)
