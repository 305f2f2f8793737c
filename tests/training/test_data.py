import numpy as np
import pytest

from peta_viz.imageset import Head
from peta_viz.training.data import Groups, component_targets, readable


@pytest.fixture
def imageset(make_set):
    rows = {"a": "m x", "b": "m", "c": "f", "d": "m x", "e": "f ?x", "f": "m ?x"}
    heads = [Head("gender", ("f", "m"), "exclusive"), Head("rest", ("x",))]
    return make_set(rows, components=[0, 0, 0, 5, 2, 2], heads=heads)


@pytest.mark.parametrize(
    ("rule", "values", "known", "classes"),
    [
        ("union", ["f m x", "f m", "m x"], ["f m x", "f m", "f m x"], [-1, -1, 1]),
        ("majority", ["m", "", "m x"], ["f m x", "", "f m x"], [1, -1, 1]),
        ("strict", ["", "", "m x"], ["", "", "f m x"], [-1, -1, 1]),
    ],
)
def test_targets_by_hand(imageset, rule, values, known, classes):
    targets = component_targets(imageset, rule)
    assert targets.values.index.tolist() == [0, 2, 5]
    assert targets.sizes.tolist() == [3, 2, 1]
    words = lambda frame: [" ".join(frame.columns[row]) for row in frame.to_numpy()]  # noqa: E731
    assert words(targets.values & targets.known) == values
    assert words(targets.known) == known
    assert targets.classes(imageset.heads[0]).tolist() == classes


def test_a_class_counts_when_another_class_is_unknown_and_not_carried(make_set):
    heads = [Head("gender", ("f", "m"), "exclusive")]
    targets = component_targets(make_set({"a": "m ?f"}, components=[0], heads=heads), "majority")
    assert targets.classes(heads[0]).tolist() == [1]


def test_groups_take_images_of_their_component_only(imageset):
    groups = Groups.of(imageset, np.array([10, 11, 12, 13, 14, 15]))
    members = [{10, 11, 12}, {14, 15}, {13}]
    for rng in (None, np.random.default_rng(0)):
        drawn = groups.draw(3, rng)
        assert [set(row) for row in drawn.tolist()] == members
    assert len(set(groups.draw(2, np.random.default_rng(1))[0])) == 2


def test_the_choice_for_judging_is_fixed_and_spread():
    groups = Groups(np.zeros(9, dtype=np.int64), np.arange(9))
    assert groups.draw(3).tolist() == [[0, 3, 6]]
    assert groups.draw(3).tolist() == groups.draw(3).tolist()
    rng = np.random.default_rng(0)
    assert {row for _ in range(50) for row in groups.draw(3, rng)[0]} == set(range(9))


def test_unreadable_images_are_left_out(imageset):
    assert len(readable(imageset.with_columns(problem=["", "bad", "", "", "", ""]))) == 5
