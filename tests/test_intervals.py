import numpy as np
import pandas as pd
import pytest

from peta_viz.curation.acts import Entry, Ledger
from peta_viz.curation.case import Case
from peta_viz.curation.decisions import Decisions
from peta_viz.errors import InvalidDataError
from peta_viz.evaluation import (
    difference_words,
    evaluate,
    headline,
    headline_words,
    read_scores,
    slice_words,
)
from peta_viz.imageset import Head
from peta_viz.intervals import compare_experiments, score_experiments
from peta_viz.metrics import METRICS
from peta_viz.training.data import component_targets
from peta_viz.training.predict import prediction_rows

HEADS = [Head("age", ("a", "b"), "exclusive"), Head("rest", ("x", "y"))]


@pytest.fixture
def imageset(make_set):
    """120 components of two images, two components a person; a third of the images from CUHK."""
    rng = np.random.default_rng(0)
    rows = {}
    for component in range(120):
        labels = " ".join([rng.choice(["a", "b"]), *(n for n in "xy" if rng.random() < 0.4)])
        rows |= {f"{component:03d}{copy}": labels for copy in "12"}
    number = np.arange(240)
    return make_set(rows, components=number // 2, heads=HEADS).with_columns(
        person_id=(number // 4).astype(str),
        subset=np.where(number < 80, "CUHK", "VIPeR"),
        width=100,
        height=np.where(number % 4 < 2, 200, 100),
    )


def _said(imageset, skill, seed):
    """Predictions that are right with a probability, alike for a person's components."""
    targets = component_targets(imageset, "majority")
    rng = np.random.default_rng(seed)
    lucky = np.repeat(rng.random(len(targets.values) // 2) < skill, 2)
    truth = targets.values.to_numpy()
    values = np.where(lucky[:, None], truth, ~truth) * 0.8 + 0.1
    return pd.DataFrame(values, targets.values.index, targets.values.columns), targets


def _predictions(imageset, skills, seeds=(0, 1)):
    parts = []
    for number, (name, skill) in enumerate(skills.items()):
        for seed in seeds:
            frame = prediction_rows(*_said(imageset, skill, 100 * number + seed))
            parts.append(
                frame.assign(experiment=name, trained_on="raw", judged_on="raw", seed=seed)
            )
    return pd.concat(parts, ignore_index=True)


def test_values_are_the_mean_of_what_evaluate_says_of_each_seed(imageset):
    scores = score_experiments(_predictions(imageset, {"A": 0.7}), imageset, resamples=10)
    tables = [evaluate(*_said(imageset, 0.7, seed), HEADS) for seed in (0, 1)]
    keys = ["component_size", "head"]
    expected = pd.concat(tables).groupby(keys)[list(METRICS)].mean()
    whole = scores[(scores["image_size"] == "all") & (scores["source"] == "all")]
    whole = whole[(whole["head"] != "mean") & (whole["label"] == "")]
    for row in whole.itertuples():
        wanted = expected.loc[(row.component_size, row.head), row.metric]
        assert row.value == pytest.approx(wanted, abs=1e-12, nan_ok=True)
    spread = [table.set_index(keys).loc[("all", "age"), "macro_f1"] for table in tables]
    chosen = whole[(whole["component_size"] == "all") & (whole["head"] == "age")]
    chosen = chosen[chosen["metric"] == "macro_f1"].iloc[0]
    assert chosen["spread"] == pytest.approx(np.std(spread, ddof=1))
    assert chosen["seeds"] == 2
    mean = scores[(scores["head"] == "mean") & (scores["metric"] == "macro_f1")].iloc[0]
    own = whole[(whole["metric"] == "macro_f1") & (whole["component_size"] == "2 and more")]
    assert mean["value"] == pytest.approx(own["value"].mean())


def test_slices_count_what_they_say(imageset):
    scores = score_experiments(_predictions(imageset, {"A": 0.7}), imageset, resamples=10)
    counts = scores[(scores["head"] == "age") & (scores["metric"] == "accuracy")]
    counts = counts.set_index(["component_size", "image_size", "source"])["components"].to_dict()
    assert counts == {
        ("2 and more", "all", "all"): 120,
        ("all", "all", "all"): 120,
        ("1", "all", "all"): 0,
        ("2-3", "all", "all"): 120,
        ("more than 3", "all", "all"): 0,
        ("2 and more", "at least 75×160", "all"): 60,
        ("2 and more", "smaller", "all"): 60,
        ("2 and more", "all", "CUHK"): 40,
        ("2 and more", "all", "all but CUHK"): 80,
    }


def test_intervals_hold_the_truth_about_as_often_as_they_say(imageset):
    inside = 0
    for trial in range(40):
        frame = prediction_rows(*_said(imageset, 0.75, trial))
        frame = frame.assign(experiment="A", trained_on="raw", judged_on="raw", seed=0)
        scores = score_experiments(frame, imageset, resamples=200)
        chosen = (scores["head"] == "age") & (scores["metric"] == "accuracy")
        row = scores[chosen & (scores["component_size"] == "all")].iloc[0]
        inside += row["low"] <= 0.75 <= row["high"]
    assert 34 <= inside <= 40


def test_intervals_are_of_units_and_not_of_components(imageset):
    """A person's two components are right or wrong together: half as many independent ones."""
    predictions = _predictions(imageset, {"A": 0.7}, seeds=[0])
    apart = imageset.with_columns(person_id=imageset.images["component_id"].astype(str))
    width = {}
    for name, own in (("persons", imageset), ("components", apart)):
        scores = score_experiments(predictions, own)
        chosen = (scores["head"] == "age") & (scores["metric"] == "accuracy")
        row = scores[chosen & (scores["component_size"] == "all")].iloc[0]
        width[name] = row["high"] - row["low"]
    assert width["persons"] / width["components"] == pytest.approx(2**0.5, rel=0.15)


def test_differences_are_in_pairs(imageset):
    same = _predictions(imageset, {"A": 0.7}, seeds=[0])
    twin = pd.concat([same, same.assign(experiment="C")], ignore_index=True)
    found = compare_experiments(twin, imageset, [("C", "A"), ("B", "A")], resamples=50)
    assert set(found["experiment"]) == {"C"}  # there is no B
    assert (found[["difference", "low", "high"]].dropna() == 0).all(axis=None)
    better = compare_experiments(
        _predictions(imageset, {"A": 0.5, "C": 0.9}), imageset, [("C", "A")], resamples=200
    )
    row = better[(better["head"] == "mean") & (better["metric"] == "macro_f1")].iloc[0]
    assert row["low"] > 0.1
    assert row["low"] < row["difference"] < row["high"]


def test_rare_labels_stay_in_every_draw(make_set):
    """One component in thirty carries `b`: drawn with replacement it would often be absent."""
    imageset = make_set(
        {f"{n:02d}": "b" if n == 0 else "a" for n in range(30)},
        components=np.arange(30),
        heads=HEADS[:1],
    )
    targets = component_targets(imageset, "majority")
    said = pd.DataFrame({"a": 0.9, "b": 0.1}, index=targets.values.index)
    frame = prediction_rows(said, targets)
    frame = frame.assign(experiment="A", trained_on="raw", judged_on="raw", seed=0)
    scores = score_experiments(frame, imageset)
    row = scores[(scores["component_size"] == "all") & (scores["metric"] == "macro_f1")].iloc[0]
    assert row["value"] == pytest.approx((58 / 59) / 2)
    assert row["high"] < 0.5


def test_labels_have_scores_of_their_own(imageset):
    scores = score_experiments(_predictions(imageset, {"A": 0.7}), imageset, resamples=10)
    own = scores[(scores["metric"] == "f1") & (scores["component_size"] == "all")]
    assert own["label"].tolist() == ["a", "b", "x", "y"]
    macro = scores[(scores["metric"] == "macro_f1") & (scores["component_size"] == "all")]
    mean = macro.set_index("head")["value"]
    assert own.loc[own["head"] == "rest", "value"].mean() == pytest.approx(mean["rest"])


def test_a_difference_is_over_the_same_components_and_cells(imageset):
    """The same answers on cleaned labels: smaller components, unknown cells, half a head gone."""
    raw = _predictions(imageset, {"A": 0.7}, seeds=[0])
    cleaned = raw.assign(experiment="B")
    first = cleaned["component_id"] < 40
    cleaned.loc[first, "size"] = 1
    cleaned.loc[first & (cleaned["label"] == "x"), "truth"] = pd.NA
    cleaned.loc[cleaned["label"].isin(["a", "b"]) & ~first, "truth"] = pd.NA
    both = pd.concat([raw, cleaned], ignore_index=True)
    found = compare_experiments(both, imageset, [("B", "A")], resamples=10)
    assert (found[["difference", "low", "high"]].dropna() == 0).all(axis=None)
    whole = found[(found["component_size"] == "2 and more") & (found["metric"] == "macro_f1")]
    counts = whole.drop_duplicates("head").set_index("head")["components"]
    assert counts.to_dict() == {"age": 40, "rest": 120, "mean": 120}


def test_scores_come_back_from_a_file(imageset, tmp_path):
    scores = score_experiments(_predictions(imageset, {"A": 0.7}), imageset, resamples=10)
    scores.loc[0, "head"] = "None"
    scores.to_csv(tmp_path / "scores.csv", index=False)
    pd.testing.assert_frame_equal(read_scores(tmp_path / "scores.csv"), scores)


def test_differences_are_over_what_both_judged(imageset):
    predictions = _predictions(imageset, {"A": 0.7, "D, cleaned": 0.7}, seeds=[0])
    gone = (predictions["experiment"] == "D, cleaned") & (predictions["component_id"] < 50)
    found = compare_experiments(predictions[~gone], imageset, [("D, cleaned", "A")], resamples=10)
    assert found.loc[found["component_size"] == "all", "components"].unique().tolist() == [70]


def test_what_a_person_split_off_is_of_the_same_unit(imageset):
    rows = np.flatnonzero(imageset.images["component_id"] == 3)
    split = Case.of(imageset, Ledger(), 3, rows).split([imageset.images.index[rows[0]]])
    curation = Decisions.of([Entry(split, "e", "t", "Ada")])
    curated = curation.apply(imageset)
    predictions = prediction_rows(*_said(imageset, 0.8, 1))
    part = predictions[predictions["component_id"] == 3]
    new = int(curated.images["component_id"].max())
    predictions = pd.concat([predictions, part.assign(component_id=new, size=1)])
    state = {"experiment": "D, curated", "trained_on": "raw", "judged_on": "curated", "seed": 0}
    predictions = predictions.assign(**state)
    with pytest.raises(InvalidDataError, match=f"no component {new}"):
        score_experiments(predictions, imageset, resamples=10)
    scores = score_experiments(predictions, imageset, corrections=[curation], resamples=10)
    assert scores["components"].max() == 121
    cuhk = scores[(scores["source"] == "CUHK") & (scores["head"] == "mean")]
    assert cuhk["components"].max() == 40  # of two and more: the part has one image


def test_the_same_input_gives_the_same_numbers(imageset):
    predictions = _predictions(imageset, {"A": 0.7})
    one, two = (score_experiments(predictions, imageset, resamples=20) for _ in range(2))
    assert one.equals(two)


def test_the_unit_column_is_what_counts(imageset):
    predictions = _predictions(imageset, {"A": 0.7}, seeds=[0])
    one_unit = imageset.with_columns(unit=0)
    scores = score_experiments(predictions, one_unit, resamples=20).dropna(subset="value")
    np.testing.assert_allclose(scores["low"], scores["high"])


def test_mistakes_are_told(imageset):
    predictions = _predictions(imageset, {"A": 0.7, "B": 0.7})
    lacking = predictions[(predictions["experiment"] == "A") | (predictions["seed"] == 0)]
    with pytest.raises(InvalidDataError, match="'B' lacks some of the seeds"):
        score_experiments(lacking, imageset)
    with pytest.raises(InvalidDataError, match="has no component 119"):
        score_experiments(predictions, imageset.subset(imageset.images["component_id"] < 119))


def test_tables_of_words(imageset):
    predictions = _predictions(imageset, {"A": 0.6, "D, cleaned": 0.9})
    scores = score_experiments(predictions, imageset, resamples=20)
    table = headline(scores)
    assert table.index.tolist() == ["age", "rest", "mean"]
    assert table.columns.tolist() == ["A", "D, cleaned", "components"]
    words = headline_words(scores)
    row = scores[(scores["experiment"] == "A") & (scores["head"] == "age")].iloc[0]
    assert words.loc["age", "A"] == f"{row.value:.3f} ({row.low:.3f} to {row.high:.3f})"
    assert headline_words(scores, "1").loc["age", "A"] == "–"
    found = compare_experiments(predictions, imageset, [("D, cleaned", "A")], resamples=20)
    words = difference_words(found)
    assert words.columns.tolist() == ["D, cleaned − A"]
    assert words.loc["mean"].iloc[0].startswith("+0.")
    by_slice = slice_words(scores)
    assert by_slice.loc[("2 and more", "all", "CUHK"), "components"] == 40
    given = set(scores[list(by_slice.index.names)].itertuples(index=False, name=None))
    # There is none of these.
    assert given.difference(by_slice.index) == {("1", "all", "all"), ("more than 3", "all", "all")}
