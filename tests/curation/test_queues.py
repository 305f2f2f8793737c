"""Which components a person looks at."""

import numpy as np
import pandas as pd
import pytest

from peta_viz import measure_components
from peta_viz.curation.acts import Act, Entry, Ledger
from peta_viz.curation.queues import (
    done_by,
    draw_components,
    estimate_share,
    influence,
    make_queue,
    second_opinions,
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
