"""Doubts in the curator: what is said of likely wrong labels, and what decides them."""

import pandas as pd
import pytest

from peta_viz.curation.log import DecisionLog
from peta_viz.errors import InvalidDataError
from peta_viz.widgets import doubts as module
from tests.browser.scenes import doubts_of, image_set, street
from tests.widgets.test_curator import Talk

FIRST, OLD, COAT = 0, 12, 11  # the first component, and two single images
ALONE = [FIRST, OLD, COAT]


@pytest.fixture
def imageset(tmp_path):
    return street(tmp_path / "pictures")


@pytest.fixture
def sit(imageset, tmp_path):
    seats = []

    def seat(queue=ALONE, **options):
        log = DecisionLog(tmp_path / "decisions.sqlite")
        given = {"doubts": doubts_of(imageset), "queue": pd.DataFrame({"component_id": queue})}
        seats.append(Talk(options.pop("imageset", imageset), log, **{**given, **options}))
        return seats[-1]

    yield seat
    for one in seats:
        one.curator.close()


def doubted(state):
    return {label[0]: label[5] for label in state["labels"] if label[5]}


def fix(talk, label=None):
    """Do what the first doubt that is open suggests."""
    state = talk.ask()
    own = {
        name: next(d for d in all_ if d[6])
        for name, all_ in doubted(state).items()
        if any(d[6] for d in all_)
    }
    label = label or next(iter(own))
    rows = [state["images"][place]["row"] for place in own[label][0]]
    return talk.act("fix", label=label, value=own[label][2], rows=rows)


def test_the_likeliest_wrong_come_first_with_their_reasons(sit, imageset):
    state = sit().ask()
    assert [label[0] for label in state["labels"]][:2] == ["hat", "bag"]
    carried = imageset.labels["hat"].iloc[1]
    value, suggested = ("yes", "no") if carried else ("no", "yes")
    assert doubted(state)["hat"] == [
        [[1], value, suggested, 95, 95, "none of 3 near-copies have it", True],
        [[3, 5], value, suggested, 80, 90, "2 of 13 near-copies have it", True],
    ]
    (bag,) = doubted(state)["bag"]
    assert (bag[0], bag[3]) == (list(range(14)), 60)
    assert "coat" not in doubted(state)  # likelier right than wrong
    assert state["doubted"] == 2


def test_a_label_that_no_image_carries_is_shown_too(sit, imageset):
    talk = sit([COAT])
    carried = imageset.labels["coat"].iloc[40]
    (own,) = doubted(talk.ask())["coat"]
    assert own[1:3] == (["yes", "no"] if carried else ["no", "yes"])


def test_what_is_suggested_is_set_and_undone(sit, imageset):
    talk = sit()
    before = doubted(talk.ask())
    state = fix(talk, "hat")
    (entry,) = talk.curator.decisions.entries
    assert (entry.act.kind, entry.act.settles) == ("relabel", False)
    assert state["component"] == FIRST
    curated = talk.curator.decisions.apply(imageset).labels["hat"]
    assert curated.iloc[1] != imageset.labels["hat"].iloc[1]
    first, second = doubted(state)["hat"]
    assert first[1:3] == [before["hat"][0][2]] * 2
    assert [first[6], second[6]] == [False, True]
    assert doubted(talk.act("undo")) == before


def test_the_last_doubt_settles_where_nothing_is_contested(sit):
    talk = sit()
    fix(talk, "hat")
    assert fix(talk, "bag")["progress"]["done"] == 0
    state = fix(talk, "hat")
    assert state["component"] == OLD
    assert state["progress"]["done"] == 1
    state = talk.act("undo")
    assert (state["component"], state["progress"]["done"], state["doubted"]) == (FIRST, 0, 1)


def test_a_single_image_is_done_with_its_doubt(sit, imageset):
    talk = sit([OLD, COAT])
    state = talk.ask()
    # A class in place of another is one doubt.
    assert list(doubted(state)) == ["ageOld"]
    assert doubted(state)["ageOld"][0][5].endswith("; in place of ageYoung")
    state = fix(talk)
    assert state["component"] == COAT
    ages = talk.curator.decisions.apply(imageset).labels.iloc[41]
    assert ages[["ageYoung", "ageOld"]].tolist() == [False, True]
    back = talk.ask("go", place=0)
    assert (back["deciders"], back["doubted"]) == (["Ada"], 0)
    assert talk.act("undo")["doubted"] == 1


def test_a_class_that_is_only_doubted_is_replaced_by_that_of_the_others(sit, imageset):
    labels = imageset.labels.copy()
    labels.loc[labels.index[3], ["ageYoung", "ageOld"]] = [False, True]
    wrong = imageset.with_labels(labels, imageset.known)
    doubts = doubts_of(wrong).head(1)
    doubts = doubts.assign(image_id=labels.index[3], label="ageOld", value="yes", suggested="no")
    talk = sit(imageset=wrong, doubts=doubts)
    (own,) = doubted(talk.ask())["ageYoung"]
    assert own[:3] == [[3], "no", "yes"]
    assert own[5] == "none of 3 near-copies have it; in place of ageOld"
    # The same where a list of answers suggests no other class.
    of_class = doubts.assign(label="age", value="ageOld", suggested="")
    talk = sit(imageset=wrong, doubts=of_class)
    (own,) = doubted(talk.ask())["ageYoung"]
    assert own[:3] == [[3], "no", "yes"]
    fix(talk)
    ages = talk.curator.decisions.apply(wrong).labels.loc[labels.index[3]]
    assert ages[["ageYoung", "ageOld"]].tolist() == [True, False]
    # Where it carries the other class already, what is doubted only goes.
    labels.loc[labels.index[3], "ageYoung"] = True
    talk = sit(imageset=imageset.with_labels(labels, imageset.known), doubts=doubts)
    assert doubted(talk.ask())["ageOld"][0][2] == "no"
    several = doubts.assign(label="age", value="ageYoung, ageOld", suggested="ageYoung")
    talk = sit(imageset=imageset.with_labels(labels, imageset.known), doubts=several)
    assert doubted(talk.ask())["ageOld"][0][2] == "no"


@pytest.mark.parametrize(
    ("what", "content"),
    [
        ("mark", {"mark": "good"}),
        ("mark", {"mark": "unsure"}),
        ("accept", {}),
        ("relabel", {"label": "coat", "value": "unknown"}),
        ("drop", {"rows": [40]}),
    ],
)
def test_any_decision_about_it_settles_a_single_image(sit, what, content):
    talk = sit([COAT])
    assert talk.act(what, **content)["progress"]["done"] == 1
    state = talk.ask("go", place=0)
    assert state["doubted"] == 0
    assert [one[6] for one in doubted(state)["coat"]] == [False]
    assert talk.act("undo")["doubted"] == 1


def test_another_label_of_a_single_image_does_not_settle_it(sit):
    talk = sit([COAT])
    state = talk.act("relabel", label="hat", value="unknown")
    assert (state["progress"]["done"], state["doubted"]) == (0, 1)


def test_one_head_is_not_all_that_is_doubted(sit):
    talk = sit()
    state = talk.act("accept", head="clothes")
    assert (state["component"], state["progress"]["done"]) == (FIRST, 0)
    assert state["doubted"] == 1
    assert talk.act("accept")["component"] == OLD


def test_what_others_settled_is_not_doubted(sit):
    sit([COAT], person="Bo").act("mark", mark="good")
    assert sit([COAT]).ask()["doubted"] == 0


def test_a_doubt_goes_with_what_it_came_from(sit):
    """Of two that differ both are doubted, and of what is split off nothing."""
    labels = [[True, False, False, True, False], [True, False, True, True, False]]
    pair = image_set(["a.png", "b.png"], [0, 0], pd.DataFrame(labels).to_numpy())
    doubts = pd.DataFrame(
        [("i0", "hat", "yes", 0.3), ("i1", "hat", "no", 0.4)],
        columns=["image_id", "label", "suggested", "score"],
    )
    talk = sit([0], imageset=pair, doubts=doubts)
    assert [one[6] for one in doubted(talk.ask())["hat"]] == [True, True]
    assert talk.act("split", rows=[1])["doubted"] == 0
    talk.act("undo")
    fix(talk)
    state = talk.ask("go", place=0)
    assert [one[6] for one in doubted(state)["hat"]] == [False, False]
    assert state["deciders"] == ["Ada"]


def test_a_still_says_what_is_doubted(sit, imageset):
    html = sit().curator.still().html
    carried = imageset.labels["hat"].iloc[1]
    likely = "no" if carried else "yes"
    assert f"hat: 95% likely wrong, rather {likely}, in i1: none of 3 near-copies have it" in html
    assert f"hat: 90% likely wrong, rather {likely}, in i5, i3: 2 of 13 near-copies have it" in html
    assert " in i0, i1, i2 and 11 more: its other labels" in html
    assert "likely wrong, rather" not in sit(blind=True).curator.still().html


def test_blind_is_without_doubts(sit):
    blind = sit([COAT], blind=True)
    state = blind.ask()
    assert (state["doubted"], doubted(state)) == (0, {})
    assert blind.act("relabel", label="coat", value="unknown")["progress"]["done"] == 0


def test_a_few_are_shown_and_the_next_come_when_these_are_decided(sit, monkeypatch):
    monkeypatch.setattr(module, "FEW", 1)
    talk = sit()
    state = talk.ask()
    assert list(doubted(state)) == ["hat"]
    assert state["doubted"] == 2
    fix(talk)
    assert list(doubted(fix(talk))) == ["hat", "bag"]


def test_what_is_no_list_of_doubts_is_refused(sit, imageset):
    doubts = doubts_of(imageset)
    for wrong, words in [
        (doubts.drop(columns="score"), "no column score"),
        (doubts.replace({"image_id": {"i1": "x"}}), "2 images are not there, such as 'x'"),
        (doubts.replace({"label": {"hat": "mood"}}), "3 labels are not there, such as 'mood'"),
        (
            doubts.replace({"suggested": {"yes": "perhaps"}}),
            "neither yes nor no, such as 'perhaps'",
        ),
        (doubts.replace({"suggested": {"ageOld": "hat"}}), "'hat' is no class of 'age'"),
    ]:
        with pytest.raises(InvalidDataError, match=words):
            sit(doubts=wrong)


def test_what_is_not_so_any_more_is_not_doubted(sit, imageset):
    doubts = doubts_of(imageset)
    assert sit([COAT], doubts=doubts.assign(suggested=doubts["value"])).ask()["doubted"] == 0
    assert sit([COAT], doubts=doubts.head(0)).ask()["doubted"] == 0
