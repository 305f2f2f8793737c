import pandas as pd
import pytest

from peta_viz.columns import fill_columns
from peta_viz.errors import InvalidDataError


def test_columns_of_words_for_yes_and_no_are_guessed_to_be_labels():
    frame = pd.DataFrame({"file": ["a.png", "b.png"] * 15, "hat": ["Yes", "no"] * 15})
    frame["hue"] = ["red", "blue"] * 15
    frame["bag"] = ["t", None] * 15
    assert fill_columns(frame) == ("file", ["hat", "bag"], ["hue"])
    assert fill_columns(frame, others=["hue", None]) == ("file", ["hat", "bag"], [])
    assert fill_columns(frame, "hue", ["bag"]) == ("hue", ["bag"], ())
    bare = frame[["file", "hue"]].head(3)  # too few to be classes
    assert fill_columns(bare, classes=["hue"]) == ("file", (), ["hue"])
    with pytest.raises(InvalidDataError, match=r"labels=… or classes=…\n.*are 'file', 'hue'$"):
        fill_columns(bare)
    with pytest.raises(InvalidDataError, match="no column looks like image files: name it with"):
        fill_columns(frame[["hat"]])


def test_what_was_decided_is_guessed_to_be_no_label():
    frame = pd.DataFrame({"file": ["a.png", "b.png"] * 15, "hat": ["Yes", "no"] * 15})
    decided = frame.assign(label_error=False, model_mistake=False, verdict=["good", "bad"] * 15)
    assert fill_columns(decided) == ("file", ["hat"], [])
    own = frame.assign(label_error=False, verdict=["good", "bad"] * 15)  # of another table
    assert fill_columns(own) == ("file", ["hat", "label_error"], ["verdict"])
