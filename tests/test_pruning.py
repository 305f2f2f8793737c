from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from peta_viz.agreement import Flag, measure_components
from peta_viz.cleaning import clean
from peta_viz.errors import InvalidDataError
from peta_viz.imageset import Head
from peta_viz.pruning import (
    NO,
    STRATEGIES,
    UNKNOWN,
    YES,
    ComponentPruning,
    ImagePruning,
    LabelCorrection,
    LabelIntersection,
    LabelPruning,
    Verdict,
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
        (
            "pruning",
            r"did you mean 'label_pruning'\?\); there are component_pruning, label_pr",
        ),
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


def test_a_verdict_is_told_from_the_state_afterwards(make_set):
    imageset = make_set({"a": "x ?y", "b": "x y", "c": "y", "d": "x"})
    labels = np.array([[0, 1], [1, 0], [1, 1], [0, 0]], dtype=bool)
    known = np.array([[1, 0], [0, 1], [1, 1], [1, 1]], dtype=bool)
    dropped = np.array([False, False, False, True])
    verdict = Verdict.of(imageset, dropped=dropped, labels=labels, known=known, reasons="so")
    cells = list(zip(verdict.rows, verdict.columns, verdict.after, strict=True))
    # y of a stays unknown, whatever is written there; d is out.
    assert cells == [(0, 0, NO), (1, 0, UNKNOWN), (1, 1, NO), (2, 0, YES)]
    assert verdict.after.dtype == np.int8
    assert verdict.dropped.tolist() == dropped.tolist()
    assert verdict.reasons.tolist() == ["so"] * 4
    alone = Verdict.of(imageset, known=known, reasons="so")
    assert (alone.rows.tolist(), alone.after.tolist()) == ([1], [UNKNOWN])
    alone = Verdict.of(imageset, labels=labels, reasons="so")
    # What is answered keeps its answer; nothing was answered of y of a.
    assert alone.rows.tolist() == [0, 1, 2, 3]
    none = Verdict.of(imageset, reasons=np.array(list("abcd")))
    assert (len(none.rows), none.dropped.any(), none.reasons.tolist()) == (0, False, list("abcd"))


def test_reasons_say_what_was_measured(drawn_up):
    def reasons(strategy):
        changes = clean(drawn_up, [strategy]).changes
        return changes.drop_duplicates("image_id").set_index("image_id")["reason"].to_dict()

    measures = measure_components(drawn_up)
    pruned = reasons(ComponentPruning(Flag("std", absolute=0.1)))
    for image, component in (("a", 0), ("e", 1)):
        value = f"{measures.loc[component, 'std']:.2f}"
        assert pruned[image] == f"is_bad_component_std_abs0.10: std is {value}"
    assert "g" not in pruned  # std is blind to it

    def own(components):
        return components["disagreement"] == 1

    assert reasons(ComponentPruning(own)) == dict.fromkeys(
        "gh", "is_bad_component_own: disagreement is 1.00"
    )
    assert set(reasons(LabelPruning(0.5)).values()) == {
        "fewer than 50% of the component's images carry it"
    }
    assert set(reasons(LabelPruning(0.5, impute=True)).values()) == {
        "all get what at least 50% of the component's images carry"
    }
    shared = reasons(LabelIntersection())
    assert shared["a"] == "not all images of the component carry it"
    assert shared["g"] == "its component shares no label"
    assert reasons(ImagePruning(0.8)) == {
        **dict.fromkeys("abc", "y is carried by fewer than 80% of its component"),
        "d": "z is carried by fewer than 80% of its component",
    }


def test_what_is_imputed_leaves_the_others_alone(drawn_up):
    verdict = LabelPruning(0.5, impute=True)(drawn_up)
    assert not verdict.dropped.any()
    assert verdict.after.tolist() == [YES, NO]
    assert verdict.rows.tolist() == [3, 3]


@pytest.mark.parametrize("rule", [LabelPruning, ImagePruning])
def test_components_of_the_least_size_are_judged(drawn_up, rule):
    assert clean(drawn_up, [rule(0.9, min_size=4)]).changes["image_id"].iloc[0] == "a"
    assert clean(drawn_up, [rule(0.9, min_size=5)]).changes.empty


def test_yes_and_no_are_read_as_people_write_them():
    for text, value in (("yes", True), ("True", True), ("NO", False), ("false", False)):
        assert parse_strategy(f"label_pruning:impute={text}").impute is value
    assert parse_strategy("label_pruning:min_size=5").min_size == 5
    assert parse_strategy("label_pruning:,ratio=0.25,").ratio == 0.25
    with pytest.raises(InvalidDataError, match=r"min_size cannot be '2\.5'"):
        parse_strategy("label_pruning:min_size=2.5")
    assert parse_strategy("component_pruning:percentile=0").flag.percentile == 0
    assert parse_strategy("component_pruning:absolute=0").flag == Flag(absolute=0)


def test_a_score_at_the_limit_is_wrong_enough(make_set):
    imageset = make_set({"a": "x", "b": "y", "c": "x ?y"})
    quality = label_quality(imageset.with_columns(component_id=[0, 1, 2]))
    scores = quality.scores.copy()
    scores[:] = np.float32(1.0)
    scores.loc["a"] = [np.float32(0.125), np.float32(0.0625)]
    scores.loc["b"] = [np.float32(0.5), np.float32(0.126)]
    scores.loc["c"] = [np.nan, np.float32(0.0)]
    judged = replace(quality, scores=scores.iloc[::-1])
    verdict = LabelCorrection(0.875, quality=judged)(imageset)
    assert verdict.rows.tolist() == [0, 0]
    assert verdict.after.tolist() == [NO, YES]
    assert verdict.reasons.tolist() == ["2 likely wrong, most of all y (94%)", "", ""]
    removed = LabelCorrection(0.875, remove=True, quality=judged)(imageset)
    assert removed.after.tolist() == [UNKNOWN, UNKNOWN]


def test_a_class_that_is_corrected_is_one_class_afterwards(make_set):
    rows = {"a": "x", "b": "x", "c": "x y", "d": "", "e": "x", "f": "x z", "g": "x ?y"}
    heads = (Head("colour", ("x", "y"), "exclusive"), Head("rest", ("z",)))
    imageset = make_set(rows, heads=heads).with_columns(component_id=list(range(7)))
    quality = label_quality(imageset)
    scores = quality.scores.astype("float32")
    scores[:] = 1.0
    scores.loc["a", ["x", "y"]] = [0.05, 0.2]  # x is wrong, y likely: not wrong enough by itself
    scores.loc["b", ["x", "y"]] = [0.05, 0.6]  # x is wrong, and what is right is not told
    scores.loc["c", ["x", "y"]] = [0.7, 0.05]  # of two classes one is wrong
    scores.loc["d", ["x", "y"]] = [0.9, 0.05]  # of none y is likely
    scores.loc["e", ["x", "y"]] = [0.2, 0.05]  # y for x, which is not wrong enough by itself
    scores.loc["f", ["x", "y", "z"]] = [0.2, 0.3, 0.05]  # the class is doubted, z is wrong
    scores.loc["g", ["x", "y"]] = [0.05, np.nan]
    judged = replace(quality, scores=scores)
    after = clean(imageset, [LabelCorrection(0.9, quality=judged)]).apply(imageset)
    assert after.labels[["x", "y"]].to_numpy().astype(int).tolist() == [
        *([0, 1], [0, 0], [1, 0], [0, 1], [0, 1], [1, 0], [0, 0]),
    ]
    assert after.known[["x", "y"]].all(axis=1).tolist() == [True, False, *[True] * 4, False]
    assert not after.known.loc[["b", "g"], ["x", "y"]].to_numpy().any()
    assert not after.labels.loc["f", "z"]
    reasons = clean(imageset, [LabelCorrection(0.9, quality=judged)]).changes
    assert reasons.loc[reasons["image_id"] == "a", "reason"].str.startswith("1 likely wrong").all()


def test_without_options_a_strategy_is_as_published():
    usual = {
        "label_pruning": LabelPruning(0.5, impute=False, min_size=3),
        "label_intersection": LabelIntersection(2),
        "image_pruning": ImagePruning(0.5, min_size=3),
        "label_correction": LabelCorrection(0.9, remove=False),
    }
    for name, strategy in usual.items():
        assert parse_strategy(name) == strategy
        assert {strategy: name}[parse_strategy(name)] == name


def test_strategies_and_verdicts_are_not_written_into(drawn_up):
    quality = label_quality(drawn_up)
    strategies = [parse_strategy(name) for name in STRATEGIES]
    for one in (*strategies, LabelPruning()(drawn_up)):
        with pytest.raises(FrozenInstanceError):
            one.ratio = one.rows = 0.1
    assert repr(LabelCorrection(0.8, quality=quality)) == (
        "LabelCorrection(confidence=0.8, remove=False)"
    )
    verdict = LabelPruning()(drawn_up)
    assert verdict != replace(verdict)


def test_of_what_goes_no_label_is_said_to_change(drawn_up):
    verdict = LabelIntersection()(drawn_up)
    assert verdict.dropped.tolist() == [False] * 6 + [True] * 2 + [False]
    assert set(verdict.rows) == set(range(6))
