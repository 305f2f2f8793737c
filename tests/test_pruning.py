import pandas as pd
import pytest

from peta_viz.agreement import Flag
from peta_viz.errors import InvalidDataError
from peta_viz.pruning import (
    STRATEGIES,
    ComponentPruning,
    ImagePruning,
    LabelIntersection,
    LabelPruning,
    clean,
    parse_strategy,
    strategy_grid,
)


@pytest.fixture
def drawn_up(make_set):
    """Four images (y 3/4, z 1/4), a pair that disagrees, one that shares nothing, a single."""
    rows = {
        "a": "x y",
        "b": "x y",
        "c": "x y",
        "d": "x z",
        "e": "x y",
        "f": "x",
        "g": "y",
        "h": "z",
    }
    return make_set(rows | {"i": "z"}, components=[0, 0, 0, 0, 1, 1, 2, 2, 3])


def _state(imageset):
    """Write each image as its labels, with a question mark where not known."""
    return {
        image: " ".join(
            label if imageset.labels.loc[image, label] else f"?{label}"
            for label in imageset.labels.columns
            if imageset.labels.loc[image, label] or not imageset.known.loc[image, label]
        )
        for image in imageset.images.index
    }


RAW = {
    "a": "x y",
    "b": "x y",
    "c": "x y",
    "d": "x z",
    "e": "x y",
    "f": "x",
    "g": "y",
    "h": "z",
    "i": "z",
}


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (ComponentPruning(Flag(absolute=0.9)), {"g": None, "h": None}),
        (
            ComponentPruning(Flag(absolute=0.4)),
            {"e": None, "f": None, "g": None, "h": None},
        ),
        (LabelPruning(0.5), {"a": "x y ?z", "b": "x y ?z", "c": "x y ?z", "d": "x ?z"}),
        (
            LabelPruning(0.8),
            {"a": "x ?y ?z", "b": "x ?y ?z", "c": "x ?y ?z", "d": "x ?y ?z"},
        ),
        (LabelPruning(0.5, impute=True), {"d": "x y"}),
        (LabelPruning(0.6, min_size=2), {
            "a": "x y ?z", "b": "x y ?z", "c": "x y ?z", "d": "x ?z",
            "e": "x ?y", "f": "x ?y", "g": "?y ?z", "h": "?y ?z",
        }),
        (LabelIntersection(), {
            "a": "x ?y ?z", "b": "x ?y ?z", "c": "x ?y ?z", "d": "x ?y ?z",
            "e": "x ?y", "f": "x ?y", "g": None, "h": None,
        }),
        (LabelIntersection(3), {
            "a": "x ?y ?z", "b": "x ?y ?z", "c": "x ?y ?z", "d": "x ?y ?z",
        }),
        (ImagePruning(0.5), {"d": None}),
        (ImagePruning(0.8), {"a": None, "b": None, "c": None, "d": None}),
        (ImagePruning(0.6, min_size=2), {"d": None, "e": None, "g": None, "h": None}),
    ],
)  # fmt: skip
def test_every_strategy_on_the_drawn_up_case(drawn_up, strategy, expected):
    cleaned = clean(drawn_up, [strategy]).apply(drawn_up)
    assert _state(cleaned) == {k: v for k, v in (RAW | expected).items() if v is not None}
    assert _state(drawn_up) == RAW  # the raw labels never change


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
    assert list(_state(one)) == list(RAW)
    assert list(_state(other)) == ["e", "f", "g", "h", "i"]
    summary = clean(drawn_up, [LabelPruning(0.5), ImagePruning(0.8)]).summary()
    assert summary.reset_index().to_numpy().tolist() == [
        [1, "label_pruning", 0, 4, 4],
        [2, "image_pruning", 3, 0, 0],
    ]


def test_a_cleaning_survives_parquet_and_replays(drawn_up, tmp_path):
    cleaning = clean(drawn_up, [LabelPruning(), LabelIntersection()])
    cleaning.changes.to_parquet(tmp_path / "c.parquet")
    again = type(cleaning)(pd.read_parquet(tmp_path / "c.parquet"))
    assert _state(again.apply(drawn_up)) == _state(cleaning.apply(drawn_up))


def test_nothing_to_do_is_a_cleaning_too(drawn_up):
    cleaning = clean(drawn_up, [])
    assert len(cleaning.changes) == 0
    assert len(cleaning.summary()) == 0
    assert _state(cleaning.apply(drawn_up)) == RAW


def test_unknown_labels_are_neither_for_nor_against(make_set):
    imageset = make_set({"a": "x", "b": "?x", "c": "x"}, components=[0, 0, 0])
    for strategy in (LabelPruning(0.9), LabelIntersection(), ImagePruning(0.9)):
        assert len(clean(imageset, [strategy]).changes) == 0
    imputed = clean(imageset, [LabelPruning(0.9, impute=True)]).apply(imageset)
    assert _state(imputed) == {"a": "x", "b": "x", "c": "x"}


def test_a_users_own_rule_prunes_but_leaves_singletons_alone(drawn_up):
    def everything(components):
        return components["size"] > 0

    with_singleton = clean(drawn_up, [ComponentPruning(everything)])
    assert list(_state(with_singleton.apply(drawn_up))) == ["i"]
    assert with_singleton.changes["reason"].iloc[0].startswith("is_bad_component_everything")


def test_dropping_everything_is_refused(make_set):
    imageset = make_set({"a": "x", "b": "y"}, components=[0, 0])
    with pytest.raises(InvalidDataError, match="it would drop every image"):
        clean(imageset, [LabelIntersection()])


def test_a_cleaning_of_another_image_set_is_refused(drawn_up, make_set):
    cleaning = clean(drawn_up, [LabelPruning()])
    with pytest.raises(InvalidDataError, match="does not have"):
        cleaning.apply(make_set({"q": "x"}, components=[0]))


def test_strategies_are_read_from_text():
    assert parse_strategy("component_pruning") == ComponentPruning(Flag(percentile=80))
    assert parse_strategy("component_pruning:measure=std,absolute=0.3,over=all") == (
        ComponentPruning(Flag("std", absolute=0.3, over="all"))
    )
    assert parse_strategy("label_pruning:ratio=0.3,impute=yes,min_size=4") == (
        LabelPruning(0.3, impute=True, min_size=4)
    )
    assert [parse_strategy(name).name for name in STRATEGIES] == list(STRATEGIES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pruning", "'pruning' is none of component_pruning, label_pruning"),
        ("label_pruning:share=0.5", "takes ratio=…, impute=…, min_size=…"),
        ("label_pruning:ratio", "'ratio' is not an option"),
        ("label_pruning:ratio=half", "ratio cannot be 'half'"),
        ("label_pruning:impute=perhaps", "impute cannot be 'perhaps'"),
    ],
)
def test_text_that_is_no_strategy_says_what_is(text, message):
    with pytest.raises(InvalidDataError, match=message):
        parse_strategy(text)


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
