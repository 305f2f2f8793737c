import pytest

from peta_viz.agreement import Flag
from peta_viz.cleaning import clean
from peta_viz.errors import InvalidDataError
from peta_viz.pruning import (
    STRATEGIES,
    ComponentPruning,
    ImagePruning,
    LabelCorrection,
    LabelIntersection,
    LabelPruning,
    parse_strategy,
)
from peta_viz.quality.scores import label_quality
from tests.conftest import RAW, state_of


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
    assert state_of(cleaned) == {k: v for k, v in (RAW | expected).items() if v is not None}
    assert state_of(drawn_up) == RAW  # the raw labels never change


def test_unknown_labels_are_neither_for_nor_against(make_set):
    imageset = make_set({"a": "x", "b": "?x", "c": "x"}, components=[0, 0, 0])
    for strategy in (LabelPruning(0.9), LabelIntersection(), ImagePruning(0.9)):
        assert len(clean(imageset, [strategy]).changes) == 0
    imputed = clean(imageset, [LabelPruning(0.9, impute=True)]).apply(imageset)
    assert state_of(imputed) == {"a": "x", "b": "x", "c": "x"}


def test_a_users_own_rule_prunes_but_leaves_singletons_alone(drawn_up):
    def everything(components):
        return components["size"] > 0

    with_singleton = clean(drawn_up, [ComponentPruning(everything)])
    assert list(state_of(with_singleton.apply(drawn_up))) == ["i"]
    assert with_singleton.changes["reason"].iloc[0].startswith("is_bad_component_everything")


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


def test_labels_that_are_likely_wrong_are_turned_or_removed(make_set):
    rows = {f"i{n}": "x y" if n // 4 % 2 else "y z" for n in range(80)}
    rows["i5"] = "y"  # its near-copies have x, and everything has x or z
    rows["i9"] = "y ?z"
    imageset = make_set(rows, components=[n // 4 for n in range(80)])
    changed = clean(imageset, [LabelCorrection(0.9)]).changes
    assert changed[["image_id", "label", "before", "after"]].to_numpy().tolist() == [
        ["i5", "x", "no", "yes"]
    ]
    assert changed["reason"].str.contains("1 likely wrong, most of all x").all()
    removed = clean(imageset, [parse_strategy("label_correction:confidence=0.9,remove=yes")])
    assert removed.changes["after"].tolist() == ["unknown"]
    assert clean(imageset, [LabelCorrection(1.0)]).changes.empty
    quality = label_quality(imageset)
    part = imageset.subset(imageset.images.index != "i5")
    assert clean(part, [LabelCorrection(0.9, quality=quality)]).changes.empty
    with pytest.raises(InvalidDataError, match="'quality=x' is not an option"):
        parse_strategy("label_correction:quality=x")
