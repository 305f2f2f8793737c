"""Which components a person looks at."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta

from peta_viz import Head, measure_components
from peta_viz.curation.acts import Act, Entry, Ledger
from peta_viz.curation.queues import (
    done_by,
    draw_components,
    estimate_share,
    fitting,
    influence,
    make_queue,
    members_of,
    second_opinions,
    strata_of,
)
from peta_viz.errors import InvalidDataError


@pytest.fixture
def imageset(make_set):
    rows = {"a": "x", "b": "", "c": "y", "d": "", "e": "x", "f": "x", "g": "x", "h": "y x"}
    found = make_set(rows).with_columns(component_id=[0, 0, 1, 1, 2, 2, 3, 4])
    return found.with_columns(split=["train"] * 2 + ["test"] * 6)


def ledger(*acts, images=lambda component: (f"i{component}",), **more):
    return Ledger(
        [
            Entry(
                Act("accept", component, images(component), settles=True, **more),
                f"e{n}",
                f"t{n:03}",
                person,
            )
            for n, (component, person) in enumerate(acts)
        ]
    )


def test_rare_labels_weigh_more(imageset):
    score = influence(imageset)
    heads = len(imageset.heads)
    size = {label: len(head.labels) for head in imageset.heads for label in head.labels}
    # In training nobody carries x by majority; on test one component (4) carries y.
    assert score.to_dict() == {
        0: 1 / (heads * size["x"]),
        1: 1 / (heads * size["y"]),
        2: 0,
        3: 0,
        4: 0,
    }
    whole = influence(imageset.with_columns(split="test"))
    assert whole[0] == pytest.approx(score[0] / 3)  # 2, 3 and 4 carry x, too


def test_the_queue_begins_with_what_matters_most(imageset):
    components = measure_components(imageset).assign(own=[0.0, 1, 3, 2, 0])
    rows = [("a", "b", 0.9), ("c", "d", 0.8), ("e", "f", 0.95), ("f", "g", 0.7)]
    pairs = pd.DataFrame(rows, columns=["first", "second", "similarity"])
    assert make_queue(imageset, components)["component_id"].tolist() == [0, 1]
    assert make_queue(imageset, components, by="own")["component_id"].tolist() == [2, 3, 1]
    ordered = make_queue(imageset, components, by="similarity", pairs=pairs)
    assert ordered["component_id"].tolist() == [1, 0, 2]
    assert make_queue(imageset, components, sides=["test"])["component_id"].tolist() == [1]
    with pytest.raises(InvalidDataError, match="no order 'fame'; there are influence, flips"):
        make_queue(imageset, components, by="fame")
    with pytest.raises(InvalidDataError, match="no side valid; there are test, train"):
        make_queue(imageset, components, sides=["valid"])
    for by in ("flips", "similarity"):
        with pytest.raises(InvalidDataError, match="give them"):
            make_queue(imageset, components, by=by)


def test_components_are_drawn_by_stratum():
    strata = pd.Series(["rare"] * 3 + ["common"] * 200)
    drawn = draw_components(strata, 23, seed=4)
    assert drawn["component_id"].is_unique
    assert drawn["stratum"].value_counts().to_dict() == {"common": 20, "rare": 3}
    chances = drawn.groupby("stratum")["probability"].first().to_dict()
    assert chances == {"common": 0.1, "rare": 1.0}
    assert (strata[drawn["component_id"]].to_numpy() == drawn["stratum"].to_numpy()).all()
    pd.testing.assert_frame_equal(drawn, draw_components(strata, 23, seed=4))
    assert not drawn.equals(draw_components(strata, 23, seed=5))
    assert len(draw_components(strata, 999)) == 203
    assert drawn["stratum"].tolist() != sorted(drawn["stratum"])


def test_the_share_weighs_the_strata():
    strata = pd.Series(["rare"] * 100 + ["common"] * 900)
    judged = pd.concat(
        [
            pd.Series(True, range(10)),
            pd.Series(False, range(10, 20)),
            pd.Series(False, range(100, 200)),
        ]
    )
    share, low, high = estimate_share(strata, judged)
    assert share == pytest.approx(0.05)
    assert 0 < low < 0.05 < high < 0.12
    few = estimate_share(strata, judged.drop(range(110, 200)))
    assert few[2] > high
    with pytest.raises(InvalidDataError, match="no component of the stratum rare"):
        estimate_share(strata, judged.drop(range(20)))


def test_the_interval_holds_what_is_true():
    rng = np.random.default_rng(0)
    held = 0
    strata = pd.Series(["a"] * 200 + ["b"] * 800)
    true = pd.Series(rng.random(1000) < np.where(strata == "a", 0.4, 0.05))
    for seed in range(60):
        drawn = draw_components(strata, 80, seed=seed)["component_id"]
        _, low, high = estimate_share(strata, true[drawn], draws=2000)
        held += low <= true.mean() <= high
    assert held >= 54


def test_labels_in_no_head_have_their_weight(imageset):
    bare = type(imageset)(imageset.images, imageset.labels, imageset.known, ())
    assert (influence(bare) > 0).tolist() == [True, True, False, False, False]


def test_nothing_cannot_be_drawn_from():
    with pytest.raises(InvalidDataError, match="no component of two images and more"):
        draw_components(pd.Series([], dtype="str"), 5)


def test_what_others_did_comes_again_now_and_then(make_set):
    imageset = make_set({f"i{n}": "x" for n in range(400)}).with_columns(component_id=range(400))
    queue = pd.DataFrame({"component_id": range(400), "score": 1.0})
    done = ledger(*[(n, "Bo") for n in range(300)], (0, "Ada"))
    assert done_by(done.acts(), "Ada") == {0}
    assert len(done_by(done.acts())) == 300

    def again(person, share, ledger=done):
        return second_opinions(imageset, queue, ledger, person, share)["component_id"].tolist()

    assert again("Ada", 0) == [0, *range(300, 400)]
    some = again("Ada", 0.2)
    assert 30 < len(some) - 101 < 90
    assert some == again("Ada", 0.2)
    # Others get the same ones, and none twice.
    assert set(some) - {0} <= set(again("Cy", 0.2))
    assert len(again("Ada", 1)) == 400
    # What was decided of another clustering says nothing of this one.
    other = ledger((3, "Bo"), images=lambda _: ("i3", "i4"))
    assert len(again("Ada", 0, other)) == 400


def test_places_are_dealt_out_evenly():
    def dealt(sizes, count, **options):
        strata = pd.Series(np.repeat(list(sizes), list(sizes.values())))
        drawn = draw_components(strata, count, **options)
        return drawn["stratum"].value_counts().sort_index().to_dict()

    assert dealt({"a": 50, "b": 50, "c": 50}, 30) == {"a": 10, "b": 10, "c": 10}
    assert dealt({"a": 50, "b": 50, "c": 50}, 31) == {"a": 11, "b": 10, "c": 10}
    assert dealt({"a": 2, "b": 50, "c": 5}, 20) == {"a": 2, "b": 13, "c": 5}
    # At least one of each, even if that is more than was asked for.
    assert dealt({"a": 2, "b": 50, "c": 5}, 1) == {"a": 1, "b": 1, "c": 1}
    assert dealt({"a": 2, "b": 50}, 1, least=3) == {"a": 2, "b": 3}
    assert dealt({"a": 2, "b": 5}, 100) == {"a": 2, "b": 5}


def test_drawn_components_are_of_the_whole_stratum():
    strata = pd.Series("a", range(100, 140))
    drawn = [set(draw_components(strata, 10, seed=seed)["component_id"]) for seed in range(30)]
    assert set.union(*drawn) == set(strata.index)
    assert draw_components(strata, 10)["probability"].tolist() == [0.25] * 10
    assert draw_components(strata, 10)["component_id"].dtype == np.int64


def test_a_share_that_is_certain_has_an_interval_all_the_same():
    strata = pd.Series("a", range(50))
    judged = pd.Series(data=True, index=range(50))
    share, low, high = estimate_share(strata, judged)
    assert (share, high) == (1, 1)
    # Jeffreys' interval of 50 of 50, by SciPy.
    assert low == pytest.approx(beta(50.5, 0.5).ppf(0.025), abs=0.003)
    share, low, high = estimate_share(strata, ~judged)
    assert (share, low) == (0, 0)
    assert high == pytest.approx(beta(0.5, 50.5).ppf(0.975), abs=0.003)
    half = pd.Series(np.arange(50) < 20)
    assert estimate_share(strata, half)[1:] == pytest.approx(
        tuple(beta(20.5, 30.5).ppf([0.025, 0.975])), abs=0.005
    )
    assert estimate_share(strata, half) == estimate_share(strata, half)
    assert estimate_share(strata, half) != estimate_share(strata, half, seed=1)


def test_labels_in_no_head_are_one_more_head(make_set):
    rows = {"a": "x y z", "b": "", "c": "x y z", "d": "x y z"}
    imageset = make_set(rows, components=[0, 0, 1, 2], heads=[Head("one", ("x",))])
    # Two heads: x alone, and y with z; each is carried by two others.
    assert influence(imageset)[0] == pytest.approx((1 + 1 / 2 + 1 / 2) / 2 / 2)
    whole = make_set(rows, components=[0, 0, 1, 2])
    assert influence(whole)[0] == pytest.approx(1 / 2)


def test_half_is_no_majority(make_set):
    rows = {"a": "x", "b": "", "c": "x", "d": "", "e": "x", "f": "x", "g": ""}
    imageset = make_set(rows, components=[0, 0, 1, 1, 2, 2, 2])
    # Of component 2 more than half carry x; one is the least that it is divided by.
    assert influence(imageset).tolist() == [1, 1, 1]
    assert influence(imageset.subset(list("abcd"))).tolist() == [1, 1]


def test_flips_come_first_where_most_heads_turned(make_set):
    imageset = make_set({"a": "x", "b": "x"}, components=[3, 8])
    # With the second seed only 8 turned.
    rows = [
        (experiment, seed, component, 2, "x", said if (seed, component) != (1, 3) else 0.1, True)
        for experiment, said in (("A", 0.1), ("B", 0.9), ("C", 0.9))
        for seed in (0, 1)
        for component in (3, 8)
    ]
    columns = ["experiment", "seed", "component_id", "size", "label", "probability", "truth"]
    predictions = pd.DataFrame(rows, columns=columns).astype({"truth": "boolean"})
    components = measure_components(imageset)
    queue = make_queue(imageset, components, by="flips", predictions=predictions)
    assert queue.to_numpy().tolist() == [[8, 2], [3, 1]]
    assert queue.dtypes.astype(str).to_dict() == {"component_id": "int64", "score": "float64"}


def test_what_scores_nothing_is_left_out(imageset):
    components = measure_components(imageset).assign(odd=[False, True, False, True, False])
    assert make_queue(imageset, components, by="odd")["component_id"].tolist() == [1, 3]
    with pytest.raises(InvalidDataError, match="there are influence, flips, similarity, size"):
        make_queue(imageset, components, by="x")
    for needs_split in (make_queue, strata_of):
        bare = imageset.with_columns(split=None)
        bare = type(imageset)(
            bare.images.drop(columns="split"), bare.labels, bare.known, bare.heads
        )
        with pytest.raises(InvalidDataError, match="not split yet"):
            needs_split(bare, components, sides=["test"])


def test_strata_are_of_the_sides_that_were_asked_for(imageset):
    components = measure_components(imageset)
    found = strata_of(imageset, components, sides=["test"])
    assert found.to_dict() == {1: "all but CUHK, contested", 2: "all but CUHK, agreed"}
    assert found.name == "stratum"
    assert strata_of(imageset, components).index.tolist() == [0, 1, 2]


def test_what_is_reopened_is_not_done():
    def entry(number, kind, component, *, settles=False, person="Ada"):
        act = Act(kind, component, ("a",), settles=settles)
        return Entry(act, f"e{number}", f"t{number}", person)

    entries = [
        entry(0, "accept", 1, settles=True),
        entry(1, "accept", 2, settles=True),
        entry(2, "accept", 3, settles=True),
        entry(3, "relabel", 1),
        entry(4, "note", 2),
        entry(5, "relabel", 3, settles=True),
        entry(6, "split", 4),
        entry(7, "accept", 5, settles=True, person="Bo"),
    ]
    assert done_by(entries) == {2, 3, 5}
    assert done_by(entries, "Ada") == {2, 3}
    assert done_by(entries, "Bo") == {5}


def test_only_acts_on_components_as_they_are_fit(imageset):
    members = members_of(imageset)
    assert members == {
        0: frozenset("ab"),
        1: frozenset("cd"),
        2: frozenset("ef"),
        3: frozenset("g"),
        4: frozenset("h"),
    }
    acts = ledger((0, "Ada"), (1, "Ada"), (9, "Ada"), images=lambda _: ("b", "a")).acts()
    assert [entry.act.component_id for entry in fitting(acts, members)] == [0]
