import pandas as pd
import pytest

from peta_viz.agreement import Flag
from peta_viz.cleaning import clean, strategy_grid
from peta_viz.errors import InvalidDataError
from peta_viz.pruning import ComponentPruning, ImagePruning, LabelIntersection, LabelPruning
from peta_viz.quality.scores import label_quality
from tests.conftest import RAW, state_of


def test_every_act_has_its_reason(drawn_up):
    changes = clean(drawn_up, [LabelPruning(0.5), ComponentPruning(Flag(absolute=0.9))]).changes
    acts = changes[["step", "strategy", "image_id", "label", "before", "after"]]
    assert acts.to_numpy().tolist() == [
        [1, "label_pruning", "a", "z", "no", "unknown"],
        [1, "label_pruning", "b", "z", "no", "unknown"],
        [1, "label_pruning", "c", "z", "no", "unknown"],
        [1, "label_pruning", "d", "z", "yes", "unknown"],
        [2, "component_pruning", "g", "", "in", "out"],
        [2, "component_pruning", "h", "", "in", "out"],
    ]  # fmt: skip
    assert changes["reason"].iloc[0] == "fewer than 50% of the component's images carry it"
    assert changes["reason"].iloc[4] == (
        "is_bad_component_disagreement_abs0.90: disagreement is 1.00"
    )
    image = clean(drawn_up, [ImagePruning()]).changes
    assert image["reason"].tolist() == ["z is carried by fewer than 50% of its component"]


def test_strategies_compose_in_order(drawn_up):
    # Once z is not known, y is contested no more than x; pruned the other way round, d is gone.
    one = clean(drawn_up, [LabelPruning(0.8), ImagePruning(0.8)]).apply(drawn_up)
    other = clean(drawn_up, [ImagePruning(0.8), LabelPruning(0.8)]).apply(drawn_up)
    assert list(state_of(one)) == list(RAW)
    assert list(state_of(other)) == ["e", "f", "g", "h", "i"]
    summary = clean(drawn_up, [LabelPruning(0.5), ImagePruning(0.8)]).summary()
    assert summary.reset_index().to_numpy().tolist() == [
        [1, "label_pruning", 0, 4, 4],
        [2, "image_pruning", 3, 0, 0],
    ]


def test_a_cleaning_survives_parquet_and_replays(drawn_up, tmp_path):
    cleaning = clean(drawn_up, [LabelPruning(), LabelIntersection()])
    cleaning.changes.to_parquet(tmp_path / "c.parquet")
    again = type(cleaning)(pd.read_parquet(tmp_path / "c.parquet"))
    assert state_of(again.apply(drawn_up)) == state_of(cleaning.apply(drawn_up))


def test_nothing_to_do_is_a_cleaning_too(drawn_up):
    cleaning = clean(drawn_up, [])
    assert len(cleaning.changes) == 0
    assert len(cleaning.summary()) == 0
    assert state_of(cleaning.apply(drawn_up)) == RAW


def test_dropping_everything_is_refused(make_set):
    imageset = make_set({"a": "x", "b": "y"}, components=[0, 0])
    with pytest.raises(InvalidDataError, match="it would drop every image"):
        clean(imageset, [LabelIntersection()])


def test_a_cleaning_of_another_image_set_is_refused(drawn_up, make_set):
    cleaning = clean(drawn_up, [LabelPruning()])
    with pytest.raises(InvalidDataError, match="does not have"):
        cleaning.apply(make_set({"q": "x"}, components=[0]))


def test_the_grid_tries_every_strategy_at_three_thresholds(drawn_up):
    grid = strategy_grid(drawn_up)
    assert grid.groupby("strategy").size().to_dict() == {
        "component_pruning": 15,
        "label_pruning": 6,
        "label_intersection": 3,
        "image_pruning": 3,
    }
    row = grid[(grid["strategy"] == "image_pruning")].iloc[1]
    assert row.tolist() == ["image_pruning", "ratio below 0.5", 1, 1, 0, 0]


def test_imputing_does_not_answer_what_nobody_answered(make_set):
    imageset = make_set({"a": "x ?y", "b": "x ?y", "c": "?y"}, components=[0, 0, 0])
    cleaned = clean(imageset, [LabelPruning(0.5, impute=True)]).apply(imageset)
    assert state_of(cleaned) == {"a": "x ?y", "b": "x ?y", "c": "x ?y"}


def test_the_grid_tries_correction_where_there_are_scores(drawn_up):
    plain, scored = strategy_grid(drawn_up), strategy_grid(drawn_up, label_quality(drawn_up))
    assert "label_correction" not in set(plain["strategy"])
    rows = scored[scored["strategy"] == "label_correction"]
    assert rows["threshold"].tolist() == [f"wrong with at least {p}" for p in (0.5, 0.9, 0.99)]
    assert rows["labels_changed"].is_monotonic_decreasing
