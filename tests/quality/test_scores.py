from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score

from peta_viz.errors import InvalidDataError
from peta_viz.imageset import Head, ImageSet
from peta_viz.mugs import make_mugs
from peta_viz.quality import scores as scores_module
from peta_viz.quality.scores import EVEN, _nearby, _parts, label_quality
from peta_viz.sample import TRUTH
from tests.quality.conftest import LABELS, image_set, world


def found(quality, wrong):
    return average_precision_score(wrong.ravel(), 1 - quality.scores.to_numpy().ravel())


def test_planted_errors_come_first(planted):
    imageset, wrong, vectors = planted
    quality = label_quality(imageset, vectors)
    assert quality.scores.to_numpy().dtype == np.float32
    assert found(quality, wrong) > 0.95
    worst = quality.worst(int(wrong.sum()))
    assert worst["score"].is_monotonic_increasing
    places = imageset.images.index.get_indexer(pd.Index(worst["image_id"]))
    turned = [
        wrong[place, quality.questions[name].columns].any()
        for place, name in zip(places, worst["label"], strict=True)
    ]
    assert np.mean(turned) > 0.9
    told = zip(places, worst["label"], worst["value"], strict=True)
    assert all(quality.answered(place, name) == value for place, name, value in told)
    assert (worst["suggested"] != worst["value"]).all()


def test_it_is_better_than_a_vote():
    person, labels, vectors = world(per_person=2)
    wrong = np.random.default_rng(0).random(labels.shape) < 0.02
    imageset = image_set(labels ^ wrong, person)
    sizes = imageset.images.groupby("component_id")["path"].transform("size")
    votes = imageset.labels.groupby(imageset.images["component_id"]).transform("sum")
    labels = imageset.labels.to_numpy()
    against = np.where(labels, (sizes.to_numpy()[:, None] - votes), votes) / (sizes.max() - 1)
    vote = average_precision_score(wrong.ravel(), against.ravel())
    assert found(label_quality(imageset, vectors), wrong) > vote + 0.2


def test_scores_are_probabilities():
    asked, happened = [], []
    for seed in range(4):
        person, labels, vectors = world(people=200, per_person=2, seed=seed)
        rng = np.random.default_rng(seed)
        wrong = rng.random(labels.shape) < 0.02
        quality = label_quality(image_set(labels ^ wrong, person), vectors)
        asked.append(1 - quality.scores.to_numpy().ravel())
        happened.append(wrong.ravel())
    asked, happened = np.concatenate(asked), np.concatenate(happened)
    for low, high in ((0.05, 0.35), (0.35, 0.65), (0.65, 1.0)):
        inside = (asked >= low) & (asked < high)
        assert inside.sum() > 20
        assert abs(asked[inside].mean() - happened[inside].mean()) < 0.2


def test_single_images_are_judged_by_their_other_labels():
    """Every image is of somebody else: nothing but the heads can say that a row is impossible."""
    _, labels, _ = world(people=600, per_person=1)
    wrong = np.zeros(labels.shape, dtype=bool)
    wrong[:20, 0] = True  # two genders or none
    quality = label_quality(image_set(labels ^ wrong, np.arange(len(labels))))
    gender = quality.scores.to_numpy()[:, :2].min(axis=1)
    assert gender[:20].max() < gender[20:].min()
    reasons = quality.worst(40)["reason"]
    assert reasons.str.contains("it has several answers").any()
    assert reasons.str.contains("it has no answer here at all").any()


def test_reasons_count_the_near_copies(planted):
    imageset, _, vectors = planted
    worst = label_quality(imageset, vectors).worst(30)
    assert worst["reason"].str.contains("of 3 near-copies have it").any()
    assert worst["reason"].str.contains("all of 3 near-copies are ").any()


def test_two_persons_in_one_component_are_not_wrong_labels():
    person, labels, vectors = world()
    together = person.copy()
    together[person == 1] = 0  # person 1 is taken for person 0
    labels[person == 0] = [1, 0, 1, 0, 0, 1, 1, 1]
    labels[person == 1] = [0, 1, 0, 1, 0, 0, 0, 0]
    quality = label_quality(image_set(labels, together), vectors)
    ours = quality.components.loc[0]
    assert ours["parts"] == 2
    assert ours["different"] > 0.9
    assert ours["wrong_labels"] < 0.5
    parts = quality.images.loc[[f"i{n}" for n in range(8)], "part"]
    assert len(set(parts[:4])) == len(set(parts[4:])) == 1
    others = quality.components.drop(0)
    assert (others["parts"] == 1).all()
    assert others["different"].max() < 0.5


def test_in_a_pair_both_are_doubted():
    person, labels, _ = world(people=300, per_person=2)
    wrong = np.random.default_rng(3).random(labels.shape) < 0.02
    quality = label_quality(image_set(labels ^ wrong, person))
    doubt = 1 - quality.scores.to_numpy().reshape(300, 2, -1)
    apart = (wrong[::2] ^ wrong[1::2]) | (labels[::2] != labels[1::2])
    together = doubt.sum(axis=1)
    assert together[apart].mean() == pytest.approx(1, abs=0.35)
    assert together[~apart].mean() < 0.02
    # Which of the two it is hangs on the rest of the row, and on how often annotators err.
    both = doubt.min(axis=1)[apart]
    assert (both > 0.1).mean() > 0.2


def test_what_is_not_known_is_not_judged_and_has_no_vote(planted):
    imageset, wrong, vectors = planted
    known = np.ones(wrong.shape, dtype=bool)
    known[::3] = False
    partly = image_set(imageset.labels.to_numpy(), imageset.images["component_id"], known)
    quality = label_quality(partly, vectors)
    values = quality.scores.to_numpy()
    assert np.isnan(values[~known]).all()
    assert not np.isnan(values[known]).any()
    assert average_precision_score(wrong[known], 1 - values[known]) > 0.8
    assert not quality.worst(10**6)["image_id"].isin(partly.images.index[::3]).any()


def test_predictions_help(planted):
    imageset, wrong, _ = planted
    alone = image_set(imageset.labels.to_numpy(), np.arange(len(imageset)))
    truth = imageset.labels.to_numpy() ^ wrong
    rng = np.random.default_rng(1)
    said = np.clip(np.where(truth, 0.9, 0.1) + rng.normal(scale=0.1, size=truth.shape), 0, 1)
    predictions = pd.DataFrame(said, alone.images.index, list(LABELS)).iloc[:-10]
    assert found(label_quality(alone, predictions=predictions), wrong) > 0.9
    assert found(label_quality(alone), wrong) < 0.7


def test_it_takes_pairs_of_ids_and_unreadable_images(planted):
    imageset, wrong, vectors = planted
    vectors = vectors.copy()
    vectors[5] = np.nan
    assert found(label_quality(imageset, vectors), wrong) > 0.9
    ids = imageset.images.index
    pairs = pd.DataFrame({"first": ids[:-1], "second": ids[1:], "similarity": 0.9})
    assert found(label_quality(imageset, pairs=pairs), wrong) > 0.8


def test_the_same_again_and_in_blocks(planted, monkeypatch):
    imageset, _, vectors = planted
    once = label_quality(imageset, vectors)
    monkeypatch.setattr(scores_module, "_BLOCK", 7)
    again = label_quality(imageset, vectors)
    np.testing.assert_allclose(once.scores, again.scores, atol=1e-5)
    pd.testing.assert_frame_equal(once.components, again.components, atol=1e-4)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_handful_of_images(count):
    labels = np.zeros((count, len(LABELS)), dtype=bool)
    labels[:, 0] = True
    quality = label_quality(image_set(labels, np.zeros(count, dtype=np.int64)))
    assert quality.scores.shape == labels.shape
    assert (quality.scores.to_numpy() > 0.5).all()
    assert len(quality.worst(5)) == 5


def test_how_many_of_the_first_are_wrong(planted):
    imageset, wrong, vectors = planted
    quality = label_quality(imageset, vectors)
    worst = quality.worst(1000)
    table = quality.expect_wrong(worst).set_index("first")
    assert table.index.tolist() == [100, 500, 1000]
    places = imageset.images.index.get_indexer(pd.Index(worst["image_id"]))
    columns = [quality.questions[name].columns for name in worst["label"]]
    for first in (100, 500):
        pairs = zip(places[:first], columns[:first], strict=True)
        true = sum(wrong[place, own].any() for place, own in pairs)
        assert abs(true - table.loc[first, "wrong"]) < 0.5 * true
        assert table.loc[first, "low"] <= table.loc[first, "wrong"] <= table.loc[first, "high"]


def test_what_does_not_fit_is_said(planted):
    imageset, _, vectors = planted
    with pytest.raises(InvalidDataError, match=r"vectors must have the shape \(600, features\)"):
        label_quality(imageset, vectors[:-1])
    with pytest.raises(InvalidDataError, match="1 unknown label, such as cat"):
        label_quality(imageset, predictions=pd.DataFrame({"cat": [0.5]}, index=["i0"]))
    with pytest.raises(InvalidDataError, match="from 0 to 1"):
        label_quality(imageset, predictions=pd.DataFrame({"hat": [1.5]}, index=["i0"]))


def test_summaries_are_of_the_scores(planted):
    imageset, _, vectors = planted
    known = np.random.default_rng(2).random(imageset.labels.shape) < 0.95
    person = imageset.images["component_id"].to_numpy()
    partly = image_set(imageset.labels.to_numpy(), 1000 - person, known)
    quality = label_quality(partly, vectors)
    scores = quality.scores.to_numpy(dtype=np.float64)
    wrong, sound = np.nansum(1 - scores, axis=1), np.nanprod(scores, axis=1)
    np.testing.assert_allclose(quality.images["wrong_labels"], wrong, atol=1e-4)
    np.testing.assert_allclose(quality.images["score"], sound, rtol=1e-3, atol=1e-6)
    components = quality.components
    assert components.index.tolist() == sorted(1000 - np.arange(150))
    assert components.index.name == "component_id"
    assert (components["size"] == 4).all()
    for component in (1000, 900, 851):
        own = person == 1000 - component
        assert components.loc[component, "wrong_labels"] == pytest.approx(wrong[own].sum(), 1e-3)
        assert components.loc[component, "score"] == pytest.approx(
            sound[own].prod(), rel=1e-2, abs=1e-6
        )
        assert components.loc[component, "parts"] == quality.images["part"][own].max() + 1
    pairs = quality.pairs
    assert len(pairs) == 150 * 6
    assert (person[pairs["first"]] == person[pairs["second"]]).all()
    # A component hangs together by its likeliest links, and is as different as the weakest of them.
    least = components["different"]
    assert (least >= 0).all()
    assert (1 - least <= pairs.groupby(1000 - person[pairs["first"]])["same"].max() + 1e-6).all()


def test_near_copies_are_likelier_the_same_than_not(planted):
    imageset, _, vectors = planted
    quality = label_quality(imageset, vectors)
    copies = quality.copies_of(0)
    chances = quality.copies.toarray()[0, copies]
    assert set(copies) <= {1, 2, 3}
    assert (np.diff(chances) <= 0).all()
    assert chances.min() > 0.5
    pairs = quality.pairs.assign(same=np.float32(0.5))
    pairs.loc[(pairs["first"] == 0) & (pairs["second"] == 2), "same"] = np.float32(0.51)
    assert replace(quality, pairs=pairs).copies_of(0).tolist() == [2]


def test_parts_are_numbered_by_size():
    component = np.array([5, 5, 5, 2, 2, 5, 5])
    part = np.array([0, 1, 1, 2, 3, 4, 1])
    # Equal ones in their own order.
    assert _parts(component, part).tolist() == [1, 0, 0, 0, 1, 2, 0]


def test_looks_of_others_count_by_a_power_of_their_similarity():
    labels = np.array([[True], [False], [True], [False]])
    pairs = pd.DataFrame({"first": [0, 1], "second": [1, 2], "similarity": [0.5, 1.0]})
    found = _nearby(labels, np.ones((4, 1), dtype=bool), pairs)
    assert found.dtype == np.float32
    share = 0.5
    little = 1e-3
    assert found[1, 0] == pytest.approx((1 + 0.5**4 + little * share) / (1 + 0.5**4 + little))
    assert found[0, 0] == pytest.approx(little * share / (0.5**4 + little), abs=1e-6)
    assert found[3, 0] == pytest.approx(share)  # nothing looks like it
    assert _nearby(labels, labels, pairs.iloc[:0]).shape == (4, 0)
    # What is not known says nothing, and what is less similar than nothing neither.
    known = np.array([[True], [True], [False], [True]])
    found = _nearby(labels & known, known, pairs)
    assert found[1, 0] == pytest.approx((0.5**4 + little / 3) / (0.5**4 + little))
    against = pairs.assign(similarity=-1.0)
    assert _nearby(labels, known | True, against).ravel() == pytest.approx([0.5] * 4)


def test_the_list_has_each_answer_that_is_known_once(planted):
    imageset, _, vectors = planted
    known = np.ones(imageset.labels.shape, dtype=bool)
    known[10:] = False
    partly = image_set(imageset.labels.to_numpy(), imageset.images["component_id"], known)
    quality = label_quality(partly, vectors)
    quality = replace(quality, pairs=quality.pairs.head(0))  # no near-copy outweighs any
    whole = quality.worst(10**6)
    assert whole["p_wrong"].to_numpy() == pytest.approx(1 - whole["score"].to_numpy())
    bound = whole["p_wrong"].iloc[7]
    assert quality.worst(10**6, least=bound).equals(whole[whole["p_wrong"] >= bound])
    assert quality.worst(3, least=bound).equals(whole.head(3))
    assert len(whole) == 50  # gender, colour and three things of ten images
    assert not whole.duplicated(["image_id", "label"]).any()
    assert whole["score"].is_monotonic_increasing
    for count in (0, 1, 49, 50):
        pd.testing.assert_frame_equal(quality.worst(count), whole.head(count), check_dtype=False)
    heads = {"gender": "gender", "colour": "colour", **dict.fromkeys(LABELS[5:], "things")}
    assert whole["head"].tolist() == whole["label"].map(heads).tolist()
    own = partly.images["component_id"].reindex(whole["image_id"]).to_numpy()
    assert whole["component_id"].tolist() == own.tolist()


def test_a_margin_is_drawn_round_what_is_expected(planted):
    imageset, _, vectors = planted
    quality = label_quality(imageset, vectors)
    listed = pd.DataFrame({"score": np.repeat([0.2, 0.5], [100, 50])})
    table = quality.expect_wrong(listed)
    assert table["first"].tolist() == [100, 150]
    assert table["wrong"].tolist() == pytest.approx([80, 105])
    margins = 1.96 * np.sqrt([100 * 0.16, 100 * 0.16 + 50 * 0.25])
    assert (table["high"] - table["wrong"]).tolist() == pytest.approx(margins)
    assert (table["wrong"] - table["low"]).tolist() == pytest.approx(margins)
    assert quality.expect_wrong(listed.head(100))["first"].tolist() == [100]
    long = pd.DataFrame({"score": np.full(10_001, 0.5)})
    steps = [100, 500, 1_000, 5_000, 10_000, 10_001]
    assert quality.expect_wrong(long)["first"].tolist() == steps
    assert quality.expect_wrong(long)["wrong"].tolist() == [step / 2 for step in steps]
    few = quality.expect_wrong(pd.DataFrame({"score": [0.1, 0.95]})).iloc[0]
    assert few[["first", "low"]].tolist() == [2, pytest.approx(0.95 - 1.96 * np.sqrt(0.1375))]
    sure = quality.expect_wrong(pd.DataFrame({"score": [0.5]})).iloc[0]
    assert sure[["low", "high"]].tolist() == [0, 1]


def test_near_copies_of_a_wrong_image_are_not_listed(planted):
    imageset, wrong, vectors = planted
    quality = label_quality(imageset, vectors)
    listed = quality.worst(10**6, least=0.1)
    assert len(listed) > 20
    # Three against one: the one is listed, and the three are not.
    assert not listed["reason"].str.startswith("2 of 3").any()
    scores = quality.scores.to_numpy().copy()
    scores[wrong] = 0.4
    others = (quality.copies @ wrong).astype(bool) & ~wrong
    scores[others] = 0.6
    frame = pd.DataFrame(scores, quality.scores.index, quality.scores.columns)
    again = replace(quality, scores=frame).worst(10**6, least=0.3)
    rows = imageset.images.index.get_indexer(pd.Index(again["image_id"]))
    assert set(rows) == set(np.flatnonzero(wrong.any(axis=1)))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_one_wrong_photo_of_a_mug_does_not_make_the_others_doubtful(seed, tmp_path):
    table = pd.read_csv(make_mugs(tmp_path, seed=seed))
    truth = pd.read_csv(tmp_path / TRUTH)
    mugs = ImageSet.from_frame(
        table,
        path="file",
        labels=["has_handle", "has_saucer"],
        classes=["colour", "pattern"],
        image_id="file",
        root=tmp_path,
        person_id="product",
        missing="unknown",
    )
    mugs = mugs.with_columns(component_id=pd.factorize(mugs.images["person_id"])[0])
    listed = label_quality(mugs).worst(10**6)
    planted = set(zip(truth["file"], truth["column"], strict=True))
    wrong = [cell in planted for cell in zip(listed["image_id"], listed["label"], strict=True)]
    first = listed.assign(wrong=wrong)
    assert (~first["wrong"] & (first["score"] < EVEN)).sum() <= 2  # in threes, one may outvote
    found = first[first["wrong"]].drop_duplicates("image_id")
    assert (found["score"] < EVEN).mean() >= 0.9


def test_where_hardly_any_image_has_a_near_copy_it_is_said(planted):
    imageset, _, vectors = planted
    assert label_quality(imageset, vectors).cautions == []
    alone = label_quality(image_set(imageset.labels.to_numpy(), np.arange(len(imageset))))
    (caution,) = alone.cautions
    assert caution.startswith(f"0 of {len(imageset)} images have a near-copy: these probabilities")


def test_where_components_join_different_things_that_is_said_of_the_near_copies(planted):
    imageset, _, vectors = planted
    quality = label_quality(imageset, vectors)
    doubted = replace(quality, pairs=quality.pairs.assign(same=0.1))
    caution = doubted.cautions[0]
    sizes = imageset.images["component_id"].value_counts()
    assert caution.startswith(f"0 of {len(imageset)} images have a near-copy that likely shows")
    assert f"though {sizes[sizes > 1].sum():,} are in components of two and more" in caution
    assert "Raise the threshold" in caution
    assert "re-identification" not in caution


def test_the_context_is_told_where_no_copy_is():
    _, labels, _ = world(people=300, per_person=1)
    quality = label_quality(image_set(labels, np.arange(300)))
    line = quality.worst(10**6).query("head == 'things'").iloc[0]
    likely = quality.expected.loc[line["image_id"], line["label"]]
    assert line["reason"] == f"its other labels and looks make it {likely:.0%} likely"


def test_where_several_contradict_the_others_it_is_asked_whether_they_show_the_same():
    person, labels, _ = world(people=30, per_person=10)

    def asked(labels, component):
        words = label_quality(image_set(labels, component)).cautions
        return [one for one in words if "contradict the others" in one]

    # Ten each: two are less than a quarter.
    for count, is_asked in ((0, False), (2, False), (3, True), (7, True), (8, False)):
        turned = labels.copy()
        turned[40 : 40 + count, 5] ^= True
        found = asked(turned, person + 5)
        assert len(found) == is_asked
        assert not found or found[0].startswith("In 1 component, such as 9, 2 images or more")
    person, labels, _ = world(people=30, per_person=4)
    for count, is_asked in ((1, False), (2, True), (3, False)):
        turned = labels.copy()
        turned[16 : 16 + count, 5] ^= True
        quality = label_quality(image_set(turned, person + 5))
        assert quality.contradicting.tolist() == [9] * is_asked
    # A few among many are errors.
    turned = np.repeat(labels[:1], len(labels), axis=0)
    turned[:20, 5] ^= True
    assert not asked(turned, np.zeros(len(labels), dtype=np.int64))


def test_the_expectation_is_that_of_the_context_which_doubts_more(planted):
    imageset, _, vectors = planted
    alone = image_set(imageset.labels.to_numpy(), np.arange(len(imageset)))
    quality = label_quality(alone, vectors)
    carried = imageset.labels.to_numpy()
    scores, expected = quality.scores.to_numpy(), quality.expected.to_numpy()
    doubted = scores < EVEN
    assert doubted.any()
    # What is likely wrong is not expected: no reason speaks against its doubt.
    assert (np.where(carried, expected, 1 - expected)[doubted] < 0.5).all()


def test_what_is_predicted_of_some_is_taken_for_the_mean_elsewhere(planted):
    imageset, wrong, _ = planted
    alone = image_set(imageset.labels.to_numpy(), np.arange(len(imageset)))
    truth = (imageset.labels.to_numpy() ^ wrong).astype(float)
    said = pd.DataFrame(truth, alone.images.index, list(LABELS))
    whole = label_quality(alone, predictions=said)
    gone = said.copy()
    gone.iloc[:30] = np.nan
    filled = gone.fillna(gone.mean())
    found = [label_quality(alone, predictions=one).scores for one in (gone, filled)]
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)
    assert not np.allclose(found[0], whole.scores, atol=1e-2)


def of_one_class(shape, component_id):
    """Return an image set whose only head is the shape: a number below five."""
    names = [f"shape={name}" for name in "abcde"]
    index = pd.Index([f"i{n}" for n in range(len(shape))], name="image_id", dtype="str")
    images = pd.DataFrame(
        {"path": index, "subset": "", "person_id": index, "width": 8, "height": 8}, index=index
    ).assign(problem="", component_id=component_id)
    labels = pd.DataFrame(np.eye(5, dtype=bool)[shape], index, names)
    known = pd.DataFrame(np.ones(labels.shape, dtype=bool), index, names)
    return ImageSet(images, labels, known, (Head("shape", tuple(names), "exclusive"),))


def test_of_a_single_class_the_odd_one_out_is_wrong_and_no_other_thing():
    rng = np.random.default_rng(0)
    thing = np.repeat(np.arange(40), 3)
    shape = rng.integers(0, 5, 40)[thing]
    wrong = np.array([19, 36, 57, 67])
    shape[wrong] = (shape[wrong] + 1) % 5
    quality = label_quality(of_one_class(shape, thing))
    worst = quality.worst(4)
    assert set(worst["image_id"]) == {f"i{n}" for n in wrong}
    assert (worst["score"] < 0.5).all()
    assert (quality.components["different"] < 0.5).all()


@pytest.mark.parametrize("things", [40, 150])
def test_of_a_single_class_several_against_several_are_two_things(things):
    thing = np.repeat(np.arange(things), 5)
    shape = np.random.default_rng(0).integers(0, 5, things)[thing]
    # Two photos of thing 3, and one of thing 7, are said to be of another class.
    shape[15:17] = (shape[17] + 1) % 5
    shape[35] = (shape[36] + 1) % 5
    quality = label_quality(of_one_class(shape, thing))
    different = quality.components["different"]
    assert different.index[different > 0.5].tolist() == [3]
    assert quality.images["part"].iloc[15:20].tolist() == [1, 1, 0, 0, 0]
    worst = quality.worst(9, least=0.5)
    assert worst["image_id"].tolist() == ["i35"]


def test_what_differs_nearly_everywhere_may_be_no_label(planted):
    imageset, _, _ = planted
    labels = imageset.labels.to_numpy(copy=True)
    by_whom = np.arange(len(labels)) % 2 == 0  # as a column of annotators would
    labels[:, :2] = np.stack([by_whom, ~by_whom], axis=1)
    components = imageset.images["component_id"]
    (caution,) = label_quality(image_set(labels, components)).cautions
    assert caution.startswith("In 150 of 150 components the images differ in 'gender': is it")
    # Three components more, of two images, one, and two.
    kept = np.isin(np.arange(len(labels)), [0, 1, 4, 8, 9]) | (components >= 3).to_numpy()
    (caution,) = label_quality(image_set(labels[kept], components.to_numpy()[kept])).cautions
    assert caution.startswith("In 149 of 149 components the images differ in 'gender': is it")
    labels = imageset.labels.to_numpy(copy=True)
    labels[:, 6] = by_whom
    (caution,) = label_quality(image_set(labels, components)).cautions
    assert "differ in 'bag'" in caution
    few = (components < 9).to_numpy()
    cautions = label_quality(image_set(labels[few], components[few])).cautions
    assert not any("is it a label" in caution for caution in cautions)


def test_two_of_six_that_say_otherwise_are_not_surely_wrong():
    person, labels, _ = world(people=60, per_person=3, seed=1)
    wrong = np.arange(0, 120, 15)  # one of three
    labels[wrong, 6] ^= True
    component = person.copy()
    # Two people who look alike to the network, and differ in one colour.
    labels[171:174] = labels[174:177]
    labels[171:173, 2:5] = np.roll(labels[171:173, 2:5], 1, axis=1)
    component[174:177] = component[171]
    keep = np.arange(180) != 173
    quality = label_quality(image_set(labels[keep], component[keep]))
    assert quality.contradicting.tolist() == [57]
    worst = quality.worst(20, least=0.1)
    planted = set(quality.scores.index[wrong])
    assert set(worst["image_id"].head(len(wrong))) == planted
    joined = worst[worst["component_id"] == 57]
    assert not (joined["p_wrong"] > 0.5).any()
