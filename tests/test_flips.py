import pandas as pd
import pytest
from scipy.stats import binomtest

from peta_viz.errors import InvalidDataError
from peta_viz.flips import LOST, WON, count_flips, flips
from peta_viz.imageset import Head

HEAD = Head("gender", ("f", "m"), "exclusive")


def _predictions(answers, sizes=None, seed=0):
    """One row per component: which of A, B and C are right, such as ``"a.C"``; ``?`` is gone."""
    rows = []
    for component, text in enumerate(answers):
        for name, mark in zip("ABC", text, strict=True):
            if mark == "?":
                continue
            right = mark != "."
            size = 2 if sizes is None else sizes[component]
            for label, truth in (("f", True), ("m", False)):
                said = 0.9 if truth == right else 0.1
                rows.append((name, seed, component, size, label, said, truth))
    columns = ["experiment", "seed", "component_id", "size", "label", "probability", "truth"]
    return pd.DataFrame(rows, columns=columns).astype({"truth": "boolean"})


def test_who_turned():
    found = flips(_predictions([".BC", "A..", "ABC", "...", ".B.", "A.C", "A?.", ".?C"]), [HEAD])
    assert found[["component_id", "flip"]].to_numpy().tolist() == [[0, WON], [1, LOST]]
    assert found["head"].tolist() == ["gender"] * 2
    nobody = flips(_predictions(["ABC"]), [HEAD])
    assert len(nobody) == 0
    assert nobody.dtypes.astype(str)["component_id"] == "int64"


def test_counts_and_mcnemar():
    answers = [".BC"] * 9 + ["A.."] * 2 + ["ABC"] * 5 + [".?C"]
    table = count_flips(_predictions(answers), [HEAD]).iloc[0]
    assert [table[name] for name in ("components", WON, LOST, "only_a", "only_c")] == [
        17,
        9,
        2,
        2,
        10,
    ]
    assert table["p"] == pytest.approx(binomtest(2, 12).pvalue)
    assert count_flips(_predictions(["ABC"]), [HEAD])["p"].tolist() == [1.0]


def test_singletons_are_left_out_and_seeds_told_apart():
    one = _predictions([".BC", "A.."], sizes=[1, 2])
    both = pd.concat([one, _predictions([".BC", ".BC"], seed=1)])
    table = count_flips(both, [HEAD])
    assert table["seed"].tolist() == [0, 1]
    assert table[WON].tolist() == [0, 2]
    assert table[LOST].tolist() == [1, 0]
    assert table["components"].tolist() == [1, 2]


def test_without_all_three_there_is_nothing_to_compare():
    predictions = _predictions(["ABC"])
    with pytest.raises(InvalidDataError, match="there is no experiment B"):
        flips(predictions[predictions["experiment"] != "B"], [HEAD])
