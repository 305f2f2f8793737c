"""The curator without a page: what it answers, what it stores, and where it comes back."""

import io
import json
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from peta_viz.agreement import Flag, flag_components, measure_components
from peta_viz.curation.log import DecisionLog
from peta_viz.errors import DecisionLogError, InvalidDataError
from peta_viz.widgets.curator import Curator, who_am_i
from tests.browser.scenes import pairs_of, street

CONTESTED = [0, 1]


class Talk:
    """A curator whose answers are caught instead of sent."""

    def __init__(self, imageset, log, **options):
        self.curator = Curator(imageset, log, **{"person": "Ada", **options})
        self.sent = []
        self.curator.send = lambda content, buffers=None: self.sent.append((content, buffers))

    def ask(self, kind="case", **content):
        self.curator._handle_custom_msg({"id": "7", "kind": kind, **content}, [])
        answer, buffers = self.sent.pop()
        assert not self.sent
        assert answer.pop("id") == "7"
        json.dumps(answer)
        return answer if not buffers else (answer, buffers)

    def act(self, what, **content):
        return self.ask("act", what=what, component=self.curator.current, **content)


@pytest.fixture
def imageset(tmp_path):
    return street(tmp_path / "pictures")


@pytest.fixture
def log(tmp_path):
    return DecisionLog(tmp_path / "decisions.sqlite")


@pytest.fixture
def sit(imageset, log):
    """Seat somebody; all seats are cleared at the end."""
    seats = []

    def seat(**options):
        seats.append(Talk(options.pop("imageset", imageset), options.pop("log", log), **options))
        return seats[-1]

    yield seat
    for one in seats:
        one.curator.close()


@pytest.fixture
def talk(sit):
    return sit()


def test_it_begins_with_what_matters_most(talk):
    state = talk.ask()
    assert state["total"] == 2
    assert state["component"] in CONTESTED
    assert state["progress"]["left"] == 2
    names = [label[0] for label in state["labels"] if label[1]]
    assert names == [{0: "hat", 1: "bag"}[state["component"]]]
    assert (state["undo"], state["redo"], state["said"], state["refused"]) == (None, None, "", "")


def test_one_key_settles_a_component(talk, imageset, log):
    first = talk.curator.current
    state = talk.act("accept")
    assert state["component"] != first
    assert state["said"].startswith(f"component {first}: settled (")
    assert state["progress"] | {"seconds": 0} == {
        "done": 1,
        "left": 1,
        "changed": 1,
        "seconds": 0,
        "others": [],
        "foreign": 0,
    }
    curated = talk.curator.decisions.apply(imageset)
    own = curated.labels[curated.images["component_id"] == first]
    assert (own.nunique() == 1).all()
    (entry,) = log.since()
    assert (entry.person, entry.act.queue, entry.act.blind) == ("Ada", "", False)
    assert entry.act.seconds > 0


def test_to_the_end_and_back(talk):
    talk.act("accept")
    state = talk.act("mark", mark="unsure")
    assert state["component"] is None
    assert state["progress"]["done"] == 2
    assert talk.curator.current is None
    refused = talk.act("accept")
    assert "not on top any more" in refused["refused"]
    back = talk.ask("go", place=1)
    assert back["marks"]["unsure"] == "all"
    assert (back["deciders"], back["touched"]) == (["Ada"], [])


def test_undo_leads_to_where_it_was(talk):
    first = talk.curator.current
    talk.act("accept")
    state = talk.act("undo")
    assert state["component"] == first
    assert state["progress"]["done"] == 0
    assert state["redo"][1].startswith(f"component {first}: settled")
    assert "nothing to take back" in talk.act("undo")["refused"]
    assert talk.act("redo")["progress"]["done"] == 1


def test_what_is_only_a_remark_does_not_lead_on(talk):
    first = talk.curator.current
    state = talk.act("mark", mark="label error")
    assert (state["component"], state["deciders"], state["touched"]) == (first, [], ["Ada"])
    assert talk.act("note", text="<b>why?</b>")["note"] == "<b>why?</b>"
    state = talk.ask()
    row = state["images"][0]["row"]
    groups = [image["group"] for image in talk.act("split", rows=[row])["images"]]
    assert groups == [1] + [0] * (len(state["images"]) - 1)
    assert talk.curator.current == first


def test_the_part_split_off_has_a_letter_of_its_own(talk):
    rows = [image["row"] for image in talk.ask()["images"]]
    state = talk.act("split", rows=rows[2:3])
    assert [image["group"] for image in state["images"]] == [0, 0, 1] + [0] * (len(rows) - 3)


def test_any_label_of_chosen_images(talk, imageset):
    rows = [image["row"] for image in talk.ask()["images"]]
    talk.act("relabel", label="coat", value="yes", rows=rows[:1])
    talk.act("relabel", label="ageOld", value="yes", rows=rows[1:2])
    labels = talk.curator.decisions.apply(imageset).labels.iloc[rows]
    assert labels["coat"].iloc[0]
    assert labels.iloc[1][["ageYoung", "ageOld"]].tolist() == [False, True]
    assert talk.ask("label", label="coat")["label"][3][0] == "y"


def test_a_place_before_the_first_is_the_first(talk):
    for kind in ("go", "next"):
        assert talk.ask(kind, place=-100)["place"] == 0


def test_half_a_pair_in_a_note_is_replaced_and_stored(talk):
    assert "refused" in talk.act("note", text="a\ud800b")
    assert talk.ask()["note"] == "a?b"


@pytest.mark.parametrize(
    "content",
    [
        {"what": "relabel"},
        {"what": "relabel", "label": "hat", "value": None},
        {"what": "mark", "mark": ["good"]},
        {"what": "note"},
        {"what": "note", "text": 3},
        {"what": "drop", "rows": 3},
        {"what": "drop", "rows": [True]},
        {"what": "drop", "rows": [{}]},
        {"what": "accept", "head": {}},
        {"what": "undo", "expected": []},
    ],
)
def test_what_is_missing_or_of_another_type_is_named(talk, log, content):
    said = talk.act(**content)["error"]
    assert not said.startswith(("KeyError", "TypeError", "IndexError", "AttributeError"))
    assert log.since() == []


def test_what_cannot_be_done_is_told_and_not_stored(talk, log):
    for content, words in [
        ({"what": "drop", "rows": []}, "choose the images to drop"),
        ({"what": "copy", "rows": []}, "choose the one image"),
        ({"what": "split", "rows": []}, "choose the images"),
        ({"what": "note", "text": ""}, "as it was"),
    ]:
        assert words in talk.act(**content)["refused"]
    for content in [
        {"what": "shout"},
        {"what": "relabel", "label": "mood", "value": "yes"},
        {"what": "relabel", "label": "hat", "value": "perhaps"},
        {"what": "mark", "mark": "pretty"},
        {"what": "drop", "rows": [9999]},
    ]:
        assert "error" in talk.act(**content)
    assert "unknown kind" in talk.ask("shout")["error"]
    assert "whole number" in talk.ask("go", place="far")["error"]
    assert log.since() == []


def test_an_act_on_a_component_that_is_gone_is_refused(talk, log):
    stale = talk.curator.current
    talk.act("accept")
    assert "not on top" in talk.ask("act", what="accept", component=stale)["refused"]
    assert len(log.since()) == 1


def test_somebody_comes_back_to_where_they_were(sit):
    one = sit(name="mine")
    place = one.ask("go", place=1)["component"]
    again = sit(name="mine")
    assert again.curator.current == place
    assert sit(name="mine", person="Bo").ask()["place"] == 0
    one.act("accept")
    assert sit(name="other").ask()["component"] != place


def test_others_are_seen_but_not_blindly(sit):
    bo = sit(person="Bo")
    bo.act("accept")
    state = sit().ask()
    assert state["progress"]["others"] == [["Bo", 1]]
    assert state["deciders"] == ["Bo"]
    blind = sit(blind=True, name="blind").ask()
    assert blind["progress"]["others"] == []
    assert blind["deciders"] == []
    assert blind["facts"] == []


def test_blind_is_without_what_was_decided_otherwise(sit):
    queue = pd.DataFrame({"component_id": CONTESTED, "probability": 0.5})
    first = sit(queue=queue)
    first.act("accept")  # by Ada, who saw everything
    sit(person="Bo", queue=queue).act("mark", mark="bad")
    blind = sit(blind=True, name="blind", queue=queue)
    state = blind.ask()
    assert (state["component"], state["progress"]["done"]) == (0, 0)
    assert [label[0] for label in state["labels"] if label[2]] == ["hat"]  # as it is raw
    assert state["marks"]["bad"] == ""
    assert {image["id"] for image in state["images"]} == {""}
    state = blind.act("accept")
    assert "hat" in state["said"]
    assert state["component"] == 1
    assert blind.ask("go", place=0)["deciders"] == ["Ada"]


def test_what_is_settled_blindly_is_settled_whole(sit, imageset):
    """What was decided otherwise, and is hidden, does not mix with it cell by cell."""
    queue = pd.DataFrame({"component_id": CONTESTED, "probability": 0.5})
    seen = sit(queue=queue)
    rows = [image["row"] for image in seen.ask()["images"]]
    seen.act("relabel", label="hat", value="yes")
    seen.act("relabel", label="bag", value="yes", rows=rows[:2])
    seen.act("drop", rows=rows[3:4])
    blind = sit(blind=True, name="blind", queue=queue)
    shown = blind.ask()
    assert [image["kept"] for image in shown["images"]] == [True] * len(rows)
    model = next(i for i, row in enumerate(rows) if not imageset.labels["hat"].iloc[row])
    blind.act("copy", rows=[rows[model]])
    curated = seen.curator.decisions.apply(imageset)
    own = curated.images["component_id"] == 0
    assert own.sum() == len(rows)
    assert not curated.labels.loc[own, "hat"].any()
    raw = imageset.labels.iloc[rows]
    assert curated.labels.loc[own, "bag"].tolist() == raw["bag"].tolist()
    blind.act("undo")
    before = seen.curator.decisions.apply(imageset)
    assert before.labels.loc[before.images["component_id"] == 0, "hat"].all()


def test_blind_undo_leaves_alone_what_is_hidden(sit):
    queue = pd.DataFrame({"component_id": CONTESTED, "probability": 0.5})
    sit(queue=queue).act("accept")
    blind = sit(blind=True, name="blind", queue=queue)
    assert blind.ask()["undo"] is None
    assert "nothing to take back" in blind.act("undo")["refused"]
    blind.act("accept")
    assert "took back: component 0" in blind.act("undo")["said"]
    assert blind.ask()["undo"] is None


def test_a_verdict_is_about_all_images(talk):
    first = talk.curator.current
    rows = [image["row"] for image in talk.ask()["images"]]
    talk.act("mark", mark="label error", rows=rows[:1])
    assert talk.ask()["marks"]["label error"] == "some"
    talk.act("mark", mark="good", rows=rows[:1])
    assert talk.ask("go", place=0)["component"] == first
    assert talk.ask()["marks"]["good"] == "all"


def test_what_is_contested_again_is_open_again(talk):
    rows = [image["row"] for image in talk.ask()["images"]]
    talk.act("accept")
    assert talk.ask("go", place=0)["progress"]["done"] == 1
    label = next(name for name, disputed, *_ in talk.ask()["labels"] if disputed)
    state = talk.act("relabel", label=label, value="unknown", rows=rows[:1])
    assert state["progress"]["done"] == 1  # nothing is contested
    states = next(found[3] for found in talk.ask()["labels"] if found[0] == label)
    value = "yes" if states[1] == "n" else "no"
    state = talk.act("relabel", label=label, value=value, rows=rows[:1])
    assert state["progress"]["done"] == 0
    state = talk.act("relabel", label=label, value=value)
    assert state["progress"]["done"] == 0  # not said to be through with yet
    assert talk.act("accept")["progress"]["done"] == 1


def test_a_queue_may_be_empty(sit):
    state = sit(queue=pd.DataFrame({"component_id": []})).ask()
    assert (state["component"], state["total"], state["progress"]["left"]) == (None, 0, 0)


def test_what_is_not_settled_stays_open(talk):
    first = talk.curator.current
    talk.act("mark", mark="label error")
    talk.act("note", text="look again")
    talk.act("relabel", label="coat", value="unknown", rows=[talk.ask()["images"][0]["row"]])
    second = talk.ask("go", place=1)
    assert second["progress"]["done"] == 0
    assert second["progress"]["changed"] == 1
    state = talk.act("mark", mark="good")
    assert state["component"] is None
    assert state["progress"]["left"] == 1
    assert talk.ask("next", place=0)["component"] == first


def test_what_somebody_just_changed_is_looked_at_again(sit, log):
    ada, bo = sit(), sit(person="Bo")
    ada.ask()
    bo.act("mark", mark="label error")
    refused = ada.act("accept")
    assert "somebody has just changed this component" in refused["refused"]
    assert refused["marks"]["label error"] == "all"
    assert len(log.since()) == 1
    assert ada.act("accept")["refused"] == ""


def test_undo_takes_back_what_it_says(sit):
    one, two = sit(name="one"), sit(name="two")
    offered = one.act("mark", mark="label error")["undo"]
    two.ask()
    two.act("mark", mark="model mistake")
    assert "something else by now" in one.act("undo", expected=offered[0])["refused"]
    state = one.ask()
    assert "model mistake" in state["undo"][1]
    assert one.act("undo", expected=state["undo"][0])["refused"] == ""


def test_acts_about_another_clustering_are_said_to_be(sit, imageset):
    sit().act("accept")
    components = imageset.images["component_id"].where(lambda ids: ids != 0, 500)
    other = sit(imageset=imageset.with_columns(component_id=components)).ask()
    assert other["progress"]["foreign"] == 1
    assert other["progress"]["done"] == 0


def test_a_place_that_cannot_be_kept_is_no_act_refused(talk, log, monkeypatch):
    def full(*_):
        raise DecisionLogError(log.path, "the disk is full")

    monkeypatch.setattr(talk.curator._desk.log, "keep_place", full)
    state = talk.ask("go", place=1)
    assert (state["refused"], state["place"]) == ("", 1)
    state = talk.act("accept")
    assert state["refused"] == ""
    assert state["said"]
    assert len(log.since()) == 1


def test_stopped_right_after_the_act_was_written_one_comes_back_to_the_next(sit, log, monkeypatch):
    talk = sit()
    talk.ask("go", place=0)
    first, write = talk.curator.current, log.write

    def killed(*given, **named):
        write(*given, **named)
        raise KeyboardInterrupt

    monkeypatch.setattr(log, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        talk.act("accept")
    monkeypatch.undo()
    assert [entry.act.component_id for entry in log.since()] == [first]
    after = sit().curator
    assert after.current is not None
    assert after.current != first


def test_who_was_at_the_end_comes_back_to_the_end(talk, sit):
    talk.act("accept")
    assert talk.act("accept")["component"] is None
    assert sit().curator.current is None


def test_all_images_out_can_still_be_marked(talk):
    first = talk.curator.current
    rows = [image["row"] for image in talk.ask()["images"]]
    assert talk.act("drop", rows=rows)["component"] != first
    talk.ask("go", place=0)
    assert talk.act("mark", mark="bad")["said"].endswith("marked bad")


def test_what_another_notebook_decides_comes_in(sit):
    one, two = sit(), sit(person="Bo")
    two.act("accept")
    assert one.ask()["progress"]["others"] == [["Bo", 1]]


def test_predictions_are_shown_unless_it_is_blind(sit):
    rows = [
        {"component_id": 0, "label": "hat", "trained_on": state, "judged_on": on, "probability": p}
        for state, on, p in [
            ("raw", "raw", 0.2),
            ("raw", "raw", 0.4),
            ("cleaned", "raw", 0.9),
            ("raw", "cleaned", 1.0),
        ]
    ]
    queue = pd.DataFrame({"component_id": [0], "probability": [0.25]})
    predictions = pd.DataFrame(rows)
    state = sit(queue=queue, predictions=predictions).ask()
    assert state["labels"][0][4] == [["raw", 0.3], ["cleaned", 0.9]]
    blind = sit(queue=queue, predictions=predictions, blind=True, name="b")
    assert blind.ask()["labels"][0][4] == []
    blind.act("accept")
    (entry,) = blind.curator.decisions.entries
    assert (entry.act.blind, entry.act.probability) == (True, 0.25)


def test_the_weakest_link_suggests(sit, imageset):
    state = sit(pairs=pairs_of(imageset), queue=pd.DataFrame({"component_id": [0]})).ask()
    suggested = [image["suggested"] for image in state["images"]]
    assert 0 < sum(suggested) < len(suggested)


def test_pictures_of_what_is_shown_and_comes_next(talk):
    state = talk.ask()
    rows = [image["row"] for image in state["images"]]
    answer, buffers = talk.ask("thumbnails", rows=[*rows[:2], 10_000])
    assert answer["rows"] == rows[:2]
    assert all(buffer.startswith(b"\xff\xd8") for buffer in buffers)
    assert state["coming"]
    assert not set(state["coming"]) & set(rows)


def test_one_picture_large(talk, imageset):
    _, (buffer,) = talk.ask("image", row=0)
    with Image.open(io.BytesIO(buffer)) as picture:
        assert picture.size == (24, 48)  # never larger than the file's
    Path(imageset.images["path"].iloc[1]).write_bytes(b"")
    assert talk.ask("image", row=1)["problem"]
    assert "no row 777" in talk.ask("image", row=777)["error"]


def test_a_log_that_goes_away_is_told(talk, log):
    log.path.rename(log.path.with_suffix(".away"))
    state = talk.act("accept")
    assert "not there" in state["refused"]
    assert state["said"] == ""
    assert state["progress"]["done"] == 0


def test_a_log_of_another_data_set_is_refused(sit, imageset):
    sit().act("accept")
    other = imageset.subset(imageset.images["component_id"] > 1)
    queue = pd.DataFrame({"component_id": [2]})
    with pytest.raises(InvalidDataError, match="are they of another data set"):
        sit(imageset=other, queue=queue)


def test_what_makes_no_queue_is_refused(sit, imageset):
    for queue, words in [
        (pd.DataFrame({"component_id": ["x"]}), "such as 'x'"),
        (pd.DataFrame({"component_id": [0, 0]}), "more than once"),
        (pd.DataFrame({"component_id": [0, 777]}), "such as 777"),
        (pd.DataFrame({"id": [0]}), "no column component_id"),
    ]:
        with pytest.raises(InvalidDataError, match=words):
            sit(queue=queue)
    with pytest.raises(InvalidDataError, match="no option 'colour'"):
        sit(colour=3)
    bare = imageset.images.drop(columns="component_id")
    with pytest.raises(InvalidDataError, match="cluster it first"):
        sit(imageset=type(imageset)(bare, imageset.labels, imageset.known, imageset.heads))


def test_corrected_labels_are_written_beside_the_log(talk, imageset, log):
    talk.act("accept")
    assert "corrected_labels.csv" in talk.ask("export")["said"]
    table = pd.read_csv(log.path.with_name("corrected_labels.csv"), index_col="image_id")
    curated = talk.curator.decisions.apply(imageset)
    for label in imageset.labels:
        wanted = curated.labels[label].astype("float64").where(curated.known[label])
        pd.testing.assert_series_equal(table[label].astype("float64"), wanted, check_names=False)
    changes = pd.read_csv(log.path.with_name("label_changes.csv"))
    assert (changes["raw"] != changes["now"]).all()
    assert set(changes["person"]) == {"Ada"}


def test_a_report_says_what_was_decided(sit):
    talk = sit(person="<b>Ada</b>")
    talk.act("accept")
    html = talk.curator.still().html
    assert "1 of 2 components decided" in html
    assert "&lt;b&gt;Ada&lt;/b&gt;" in html
    assert "<b>Ada" not in html


def test_a_report_shows_what_is_not_decided_yet(sit):
    talk = sit()
    before = talk.curator.still().html
    assert before.count("component 0<") == before.count("component 1<") == 1
    assert "<img" in before
    assert "more components" not in before
    first = talk.curator.still(most=1).html
    assert "component 1<" not in first
    assert "1 more component is not shown" in first
    assert "<img" in talk.curator._repr_mimebundle_()[0]["text/html"]
    talk.act("accept")
    after = talk.curator.still().html
    assert "component 0<" not in after
    assert "component 1<" in after
    talk.act("accept")
    assert "<img" not in talk.curator.still().html


@pytest.mark.parametrize("blind", [True, False])
def test_a_report_of_a_blind_queue_has_neither_scores_nor_flags(sit, imageset, blind):
    components = flag_components(measure_components(imageset), Flag("disagreement", absolute=0.01))
    html = sit(components=components, blind=blind).curator.still().html
    assert "component 0<" in html
    assert ("disagreement" in html) is ('pvs-flag">' in html) is not blind


def test_who_am_i(monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_USER", "ada@hub")
    assert who_am_i() == "ada@hub"
    monkeypatch.delenv("JUPYTERHUB_USER")
    monkeypatch.setenv("LOGNAME", "ada")
    assert who_am_i() == "ada"
