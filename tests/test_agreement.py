from dataclasses import FrozenInstanceError, replace

import numpy as np
import pandas as pd
import pytest

from peta_viz.agreement import (
    MEASURES,
    Flag,
    count_labels,
    flag_components,
    flag_grid,
    measure_components,
    tally_of,
    why_none_flagged,
)
from peta_viz.errors import InvalidDataError


@pytest.fixture
def drawn_up(make_set):
    """Component 0 agrees, 1 has ratios 1 and ⅓, 2 is blind-spotted, 3 is a singleton, 4 bare."""
    rows = {"a": "x y", "b": "x y", "c": "x y", "d": "x", "e": "x", "f": "x", "g": "y"}
    rows |= {"h": "x", "i": "", "j": ""}
    return make_set(rows, components=[0, 0, 1, 1, 1, 2, 2, 3, 4, 4])


def test_counts_and_ratios(drawn_up):
    counts = count_labels(drawn_up)
    assert counts.carried.loc[1].to_dict() == {"x": 3, "y": 1}
    assert counts.ratios.loc[1].tolist() == [1.0, pytest.approx(1 / 3)]
    assert counts.sizes.tolist() == [2, 3, 2, 1, 2]
    assert counts.contested.to_numpy().tolist() == [
        [False, False],
        [False, True],
        [True, True],
        [False, False],
        [False, False],
    ]


def test_measures_by_hand(drawn_up):
    row = measure_components(drawn_up).loc[1]
    # p = 1 and 1/3: mean 2/3, deviations ±1/3; ln p = 0 and −ln 3.
    assert row["disagreement"] == pytest.approx((0 + 2 / 3) / 2)
    assert row["std"] == pytest.approx(1 / 3)
    assert row["variance"] == pytest.approx(1 / 9)
    assert row["geometric_variance"] == pytest.approx(np.exp((np.log(3) / 2) ** 2) - 1)
    assert row["cubic_variance"] == pytest.approx(1 / 27)
    assert row[["size", "contested", "contested_labels"]].tolist() == [3, True, 1]


def test_agreement_singletons_and_bare_components_score_nothing(drawn_up):
    table = measure_components(drawn_up)
    assert not table.loc[[0, 3, 4], list(MEASURES)].to_numpy().any()
    assert not table.loc[[0, 3, 4], "contested"].any()


def test_the_blind_spot_of_the_published_measures(drawn_up):
    row = measure_components(drawn_up).loc[2]
    assert row["disagreement"] == 1.0
    assert row["contested"]
    assert not row[list(MEASURES[1:])].any()


def test_equal_ratios_are_exactly_zero_in_spite_of_rounding(make_set):
    rows = {"a": " ".join(f"l{n}" for n in range(7))} | dict.fromkeys("bcdefghijk", "")
    row = measure_components(make_set(rows, components=[0] * 11)).iloc[0]
    assert row["disagreement"] > 0
    assert row[list(MEASURES[1:])].tolist() == [0.0] * 4


def test_what_is_not_known_does_not_count(make_set):
    imageset = make_set({"a": "x", "b": "?x", "c": "x"}, components=[0, 0, 0])
    assert count_labels(imageset).ratios.loc[0, "x"] == 1.0
    assert measure_components(imageset)["disagreement"].tolist() == [0.0]


def test_measures_do_not_hang_on_numbering_or_order(drawn_up):
    order = np.random.default_rng(0).permutation(len(drawn_up))
    shuffled = type(drawn_up)(
        drawn_up.images.iloc[order].assign(
            component_id=drawn_up.images["component_id"].iloc[order] * 10 + 5
        ),
        drawn_up.labels.iloc[order],
        drawn_up.known.iloc[order],
        drawn_up.heads,
    )
    expected = measure_components(drawn_up).to_numpy()
    np.testing.assert_allclose(
        measure_components(shuffled).to_numpy().astype(float), expected.astype(float)
    )


def test_clustering_comes_first(make_set):
    with pytest.raises(InvalidDataError, match=r"call cluster\(\) first"):
        measure_components(make_set({"a": "x"}))


@pytest.fixture
def table():
    values = [0.0, 0.0, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
    frame = pd.DataFrame({"size": [1, 2, 2, 2, 2, 2, 2, 9], "std": values})
    return frame.assign(contested=frame["std"] > 0)


def test_what_differs_in_its_last_bit_is_equal():
    third, last = 2 / 3, np.nextafter(2 / 3, 1)
    table = pd.DataFrame({"std": [third] * 10 + [last, 0.7], "contested": True, "size": 3})
    flag = Flag("std", percentile=50)
    assert flag.threshold(table) == third
    assert flag(table).tolist() == [False] * 11 + [True]
    assert Flag("std", absolute=0.0)(table.assign(std=1e-9)).all()


def test_percentiles_are_over_contested_components_by_default(table):
    assert Flag("std", percentile=50).threshold(table) == pytest.approx(0.3)
    assert Flag("std", percentile=50)(table).tolist() == [False] * 6 + [True] * 2
    assert Flag("std", percentile=50, over="all").threshold(table) == pytest.approx(0.2)


def test_a_flag_needs_more_than_nothing(table):
    assert not Flag("std", percentile=10, over="all")(table)[:3].any()
    assert not Flag("std", absolute=-1.0)(table)[:3].any()
    assert not Flag("std", percentile=80)(table.assign(contested=False)).any()


def test_it_is_said_why_none_is_flagged_though_some_are_contested(table):
    assert "absolute=0 flags all" in why_none_flagged(table.assign(bad=False), "bad")
    assert why_none_flagged(table.assign(bad=table["contested"]), "bad") == ""
    assert why_none_flagged(table.assign(bad=False, contested=False), "bad") == ""


def test_the_threshold_itself_is_not_bad(table):
    assert Flag("std", absolute=0.4)(table).sum() == 1


def test_columns_are_named_after_measure_and_threshold(table):
    def large(components):
        return components["size"] > 5

    flags = [
        Flag("std", percentile=80),
        Flag("std", absolute=0.3),
        Flag("std", percentile=99.5, over="all"),
    ]
    flagged = flag_components(table, *flags, large)
    assert flagged.columns.tolist()[3:] == [
        "is_bad_component_std_80",
        "is_bad_component_std_abs0.30",
        "is_bad_component_std_99.5_all",
        "is_bad_component_large",
    ]
    assert flagged["is_bad_component_large"].tolist() == [False] * 7 + [True]
    assert "is_bad_component_large" not in table


def test_a_function_that_does_not_say_yes_or_no_is_refused(table):
    with pytest.raises(InvalidDataError, match="expected a boolean series with 8 rows"):
        flag_components(table, lambda components: components["std"])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"percentile": 50, "absolute": 0.5},
        {"percentile": 101},
        {"measure": "mean", "absolute": 0},
    ],
)
def test_flags_that_cannot_be(options):
    with pytest.raises(InvalidDataError):
        Flag(**options)


def test_the_grid_has_every_measure_at_every_percentile(drawn_up):
    grid = flag_grid(measure_components(drawn_up), percentiles=(0, 50, 99))
    assert len(grid) == 15
    row = grid[(grid["measure"] == "disagreement") & (grid["percentile"] == 50)].iloc[0]
    assert row["threshold"] == pytest.approx(2 / 3)
    assert row[["components", "images"]].tolist() == [1, 2]


def test_components_may_be_measured_in_blocks(drawn_up, monkeypatch):
    whole = measure_components(drawn_up)
    for size in (1, 2, 3):
        monkeypatch.setattr("peta_viz.agreement._AT_ONCE", size)
        pd.testing.assert_frame_equal(measure_components(drawn_up), whole)


def test_a_label_known_of_no_image_has_no_ratio(make_set):
    counts = count_labels(make_set({"a": "?x y", "b": "?x", "c": "x"}, components=[0, 0, 1]))
    assert counts.ratios["x"].isna().tolist() == [True, False]
    assert counts.ratios["y"].tolist() == [0.5, 0.0]
    assert counts.ratios.index.name == "component_id"


@pytest.mark.parametrize("percentile", [0, 100])
def test_percentiles_go_from_0_to_100(table, percentile):
    expected = table["std"].max() if percentile else 0.1
    assert Flag("std", percentile=percentile).threshold(table) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"percentile": -1}, ["percentile must be from 0 to 100, but is -1"]),
        ({"percentile": 5, "over": "some"}, ["over must be 'contested' or 'all', not 'some'"]),
        (
            {"measure": "mean"},
            [
                f"measure must be one of {', '.join(MEASURES)}, not 'mean'",
                "give either percentile=… or absolute=…",
            ],
        ),
    ],
)
def test_all_that_is_wrong_with_a_flag_is_told(options, words):
    with pytest.raises(InvalidDataError) as caught:
        Flag(**options)
    assert list(caught.value.problems) == words


def test_names_of_flags_are_exact():
    assert Flag("std", absolute=0.305).name == "is_bad_component_std_abs0.305"
    assert Flag("std", absolute=0).name == "is_bad_component_std_abs0.00"
    assert Flag("std", percentile=0).name == "is_bad_component_std_0"


def test_an_absolute_threshold_hangs_on_no_other_component(table):
    assert Flag("std", absolute=0.25).threshold(table) == 0.25
    assert Flag("std", absolute=0.25)(table).tolist() == [False] * 5 + [True] * 3
    # Of none there is no percentile, and nothing is above it.
    assert Flag("std", percentile=0).threshold(table.head(3)) == np.inf
    assert Flag("std", percentile=0, over="all").threshold(table.head(3)) == 0


@pytest.mark.parametrize(
    "answer",
    [
        lambda components: (components["std"] > 0).to_numpy(),
        lambda components: (components["std"] > 0).head(3),
        lambda components: (components["std"] > 0).astype(int),
    ],
)
def test_an_answer_of_another_form_is_refused(table, answer):
    with pytest.raises(InvalidDataError, match="expected a boolean series with 8 rows, but got"):
        flag_components(table, answer)


def test_a_rule_without_a_name_is_called_by_its_type(table):
    class Large:
        def __call__(self, components):
            return components["size"] > 5

    assert "is_bad_component_Large" in flag_components(table, Large())


def test_the_usual_grid_is_of_all_measures(drawn_up):
    components = measure_components(drawn_up)
    grid = flag_grid(components)
    assert grid["measure"].unique().tolist() == list(MEASURES)
    assert grid["percentile"].unique().tolist() == [50, 80, 95]
    few = flag_grid(components, ["std"], iter([0]))
    # Component 1 alone is above the least of the contested ones.
    assert few.to_numpy().tolist() == [["std", 0, 0.0, 1, 3]]


def test_what_was_counted_is_not_written_into(drawn_up):
    tally = tally_of(drawn_up)
    for one in (count_labels(drawn_up), tally, tally.groups):
        with pytest.raises(FrozenInstanceError):
            one.sizes = one.labels = None
        assert one != replace(one)  # tables have no one answer to whether they are equal
