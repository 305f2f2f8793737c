import ast

import pytest

from peta_viz.errors import InvalidDataError
from peta_viz.parameters import PARAMETERS, check_parameters
from peta_viz.pipeline import STAGES, known_parameters


def test_every_parameter_of_every_notebook_has_a_rule_that_its_default_keeps():
    declared = {}
    for stage in STAGES:
        for name, source in known_parameters(stage.name).items():
            declared[name] = ast.literal_eval(source)
            check_parameters({name: declared[name]})
    assert set(declared) == set(PARAMETERS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("threshold", float("nan")),
        ("threshold", "0.7"),
        ("neighbours", -1),
        ("neighbours", 10**30),
        ("height_px", "many"),
        ("height_px", 10**9),
        ("batch_size", 16.0),
        ("epochs", 0),
        ("learning_rate", float("inf")),
        ("seed", -1),
        ("seed", True),
        ("seeds", []),
        ("seeds", 0),
        ("seeds", [0, "1"]),
        ("label_columns", "a"),
        ("flag_percentiles", [101]),
        ("flag_measures", ["odd"]),
        ("sides", "train"),
        ("track", "yes"),
        ("second_opinion", 2),
        ("root", "a\0b"),
        ("weights", 1),
        ("strategies", "component_pruning"),
        ("strategies", ["odd"]),
        ("strategies", [1]),
        ("strategies", ["component_pruning:percentile=nan"]),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_name(name, value):
    with pytest.raises(InvalidDataError, match=name):
        check_parameters({name: value})


def test_all_problems_are_told_at_once():
    with pytest.raises(InvalidDataError) as caught:
        check_parameters({"epochs": "x", "seed": -1, "strategies": ["odd", "odder"]})
    assert len(caught.value.problems) == 4
