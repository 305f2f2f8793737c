import gc
import io
import json
import math
import re
import threading
import time

import ipywidgets
import numpy as np
import pandas as pd
import pytest
import traitlets
from PIL import Image

from peta_viz import Gallery
from peta_viz.agreement import Flag, flag_components, measure_components
from peta_viz.errors import InvalidDataError
from peta_viz.imageset import Head, ImageSet
from tests.widgets.conftest import EVIL, predict


class Talk:
    """A gallery whose answers are caught instead of sent."""

    def __init__(self, imageset, *args, **options):
        self.gallery = Gallery(imageset, *args, **options)
        self.sent = []
        self.gallery.send = lambda content, buffers=None: self.sent.append((content, buffers))

    def ask(self, kind, **content):
        self.gallery._handle_custom_msg({"id": "7", "kind": kind, **content}, [])
        answer, buffers = self.sent.pop()
        assert not self.sent
        assert answer.pop("id") == "7"
        json.dumps(answer)
        return answer, buffers

    def state(self):
        """Return everything that a message may not change unasked."""
        gallery = self.gallery
        traits = {name: gallery.trait_values()[name] for name in gallery.trait_names(sync=True)}
        return (
            {name: value for name, value in traits.items() if name not in ("layout", "comm")},
            gallery.current.index.tolist(),
            gallery.selected.index.tolist(),
            gallery._shelf.chosen.tolist(),
        )


@pytest.fixture
def talk(pictured, chain):
    components = flag_components(measure_components(pictured), Flag(absolute=0.1))
    predictions = predict(pictured.with_labels(pictured.labels, pictured.known), 1)
    talk = Talk(
        pictured,
        components,
        pairs=chain,
        predictions=predictions,
        notes={20: "twenty"},
        thumb_px=32,
    )
    yield talk
    talk.gallery.close()


@pytest.fixture
def gallery(talk):
    return talk.gallery


def shown(gallery):
    return "".join(gallery.current.index)


def chosen(gallery):
    return "".join(gallery.selected.index)


def test_it_starts_with_the_worst_component(gallery):
    assert shown(gallery) == "abcdefg"
    assert (gallery.view, gallery.sort_by, gallery.descending) == (
        "components",
        "disagreement",
        True,
    )
    assert chosen(gallery) == ""
    assert gallery._total == 4
    assert gallery._status == "2 components of two and more · 2 singletons · 7 images"


def test_current_and_selected_are_frames_of_the_images(gallery, pictured):
    gallery.subset = "s"
    gallery.view = "images"
    pd.testing.assert_frame_equal(gallery.current, pictured.images.loc[list("abf")])
    gallery.select(["f", "a", "nobody"])
    pd.testing.assert_frame_equal(gallery.selected, pictured.images.loc[["a", "f"]])


def test_they_can_be_observed(gallery):
    heard = []
    gallery.observe(lambda change: heard.append((change["name"], len(change["new"]))), "current")
    gallery.observe(lambda change: heard.append((change["name"], len(change["new"]))), "selected")
    gallery.label = "z"
    gallery.select(["d"])
    gallery.select([])
    assert heard == [("current", 3), ("selected", 1), ("selected", 0)]


def test_they_can_be_linked_to_any_control(gallery):
    count, words, choice = ipywidgets.IntText(), ipywidgets.Text(), ipywidgets.Text()
    traitlets.dlink((gallery, "current"), (count, "value"), len)
    traitlets.dlink((gallery, "selected"), (words, "value"), lambda frame: " ".join(frame.index))
    traitlets.link((choice, "value"), (gallery, "query"))
    choice.value = "blur > 1.5"
    assert (count.value, shown(gallery)) == (6, "abcdef")
    gallery.select(["g", "e"])
    assert words.value == "e g"
    gallery.query = ""
    assert choice.value == ""


@pytest.mark.parametrize(
    ("traits", "expected"),
    [
        ({"label": "z"}, "deg"),
        ({"label": "y", "label_state": "unknown"}, "f"),
        ({"head": "first"}, "abc"),
        ({"flag": "contested"}, "abc"),
        ({"min_size": 2, "max_size": 2}, "de"),
        ({"subset": "s", "view": "images", "sort_by": "blur"}, "fab"),
        ({"sort_by": "size", "descending": False}, "fgdeabc"),
        ({"query": "blur == 2"}, "de"),
        ({"view": "pairs", "min_size": 3}, "cdba"),
    ],
)
def test_each_trait_changes_what_is_shown(gallery, traits, expected, pictured, chain):
    version = gallery._version
    for name, value in traits.items():
        setattr(gallery, name, value)
    assert shown(gallery) == expected
    assert gallery._version > version
    at_once = Gallery(pictured, pairs=chain, **traits)
    assert shown(at_once) == expected
    at_once.close()


def test_results_of_experiments(gallery, pictured):
    offered = gallery._facts["results"]
    assert offered[:2] == ["A right", "A wrong"]
    seen = set()
    for answer in offered[:2]:
        gallery.result = answer
        assert not seen & set(shown(gallery))
        seen |= set(shown(gallery))
    assert seen
    assert seen <= set(pictured.images.index)


def test_what_cannot_be_understood_changes_nothing_but_says_so(gallery):
    gallery.label = "z"
    version = gallery._version
    for name, value, words in [
        ("query", f"`{EVIL}` > 1", "cannot be"),
        ("query", "szie > 1", "did you mean size"),
        ("label", "zz", "there is no label 'zz'"),
        ("sort_by", "sizze", "did you mean size"),
        ("subset", "nowhere", "there is no subset"),
    ]:
        before = getattr(gallery, name)
        setattr(gallery, name, value)
        assert words in gallery._problem
        assert (shown(gallery), gallery._version) == ("deg", version)
        setattr(gallery, name, before)
        assert gallery._problem == ""
        version = gallery._version


def test_a_wrong_query_is_set_aside_and_the_rest_goes_on(gallery):
    gallery.query = "size > 1"
    before = shown(gallery)
    gallery.query = "szie > 1"
    gallery.view = "images"
    assert gallery._shelf.view == "images"
    assert set(shown(gallery)) == set(before)  # by the query that was good
    assert "did you mean size" in gallery._problem
    gallery.label = "z"
    assert "did you mean size" in gallery._problem
    with_label = shown(gallery)
    gallery.query = "size > 1"
    assert gallery._problem == ""
    assert shown(gallery) == with_label


def test_selected_ids_are_linked_both_ways(gallery):
    ids = gallery.current.index[:2].tolist()
    gallery.selected_ids = tuple(ids)
    assert gallery.selected.index.tolist() == sorted(ids)
    assert gallery._selected_count == 2
    other = ipywidgets.TagsInput(allow_duplicates=False)
    traitlets.link((gallery, "selected_ids"), (other, "value"), (list, tuple))
    gallery.select(ids[:1])
    assert other.value == ids[:1]
    other.value = ids
    assert gallery.selected.index.tolist() == sorted(ids)
    with pytest.raises(traitlets.TraitError, match="there is no image 'no such image'"):
        gallery.selected_ids = ("no such image",)
    assert gallery.selected.index.tolist() == sorted(ids)


@pytest.mark.parametrize("name", ["current", "selected"])
def test_frames_are_read_only_but_can_be_linked_one_way(gallery, name):
    with pytest.raises(traitlets.TraitError, match="read-only"):
        setattr(gallery, name, gallery.current.head(1))
    count = ipywidgets.IntText()
    traitlets.dlink((gallery, name), (count, "value"), len)
    gallery.label = "z"
    gallery.select(gallery.current.index[:2])
    assert count.value == len(getattr(gallery, name))


def test_a_threshold_is_a_number(talk):
    with pytest.raises(traitlets.TraitError, match="from 0 to 1, but got NaN"):
        talk.gallery.threshold = math.nan


def test_an_image_has_its_place_on_display(talk):
    gallery = talk.gallery
    for view in ("components", "images"):
        gallery.view = view
        for row in gallery._shelf.images.tolist():
            item = talk.ask("place", row=row)[0]["item"]
            assert row in gallery._shelf._between(item, item).tolist()
    gallery.query = "size > 99"
    assert talk.ask("place", row=0)[0] == {"item": -1}
    gallery.query, gallery.view = "", "pairs"
    assert talk.ask("place", row=0)[0] == {"item": -1}
    assert talk.ask("ping")[0] == {}


def test_a_slow_picture_holds_up_nothing_else(talk, monkeypatch):
    started, go_on = threading.Event(), threading.Event()

    def slow(*_):
        started.set()
        assert go_on.wait(10)
        return b"jpeg"

    monkeypatch.setattr(talk.gallery, "_jpeg", slow)
    asking = threading.Thread(target=lambda: talk.gallery._reply({"kind": "image", "row": 0}))
    asking.start()
    assert started.wait(10)
    changing = threading.Thread(target=lambda: setattr(talk.gallery, "view", "images"))
    changing.start()
    changing.join(5)
    assert talk.gallery._shelf.view == "images"
    go_on.set()
    asking.join(5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"label": "X"}, "there is no label 'X'"),
        ({"head": "frist"}, "did you mean first"),
        ({"flag": "contestd"}, "did you mean contested"),
        ({"subset": "nowhere"}, "there is no subset"),
        ({"result": "A right"}, "there is no result"),
        ({"query": "szie > 3"}, "did you mean size"),
        ({"sort_by": "sizze"}, "no column 'sizze' to sort by"),
        ({"colour": "red"}, "there is no option 'colour'"),
    ],
)
def test_wrong_options_are_refused(small, options, words):
    with pytest.raises(InvalidDataError, match=words):
        Gallery(small, **options)


@pytest.mark.parametrize("options", [{"view": "grid"}, {"thumb_px": 5}, {"threshold": 1.5}])
def test_values_out_of_range_are_refused(small, options):
    with pytest.raises(traitlets.TraitError):
        Gallery(small, **options)


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_a_gallery_that_could_not_be_made_is_no_trouble_later(small):
    for bad in ({"pairs": pd.DataFrame()}, {"label": "X"}, {"components": 3}):
        with pytest.raises(Exception):  # noqa: B017 - whatever it is
            Gallery(small, **bad)
        gc.collect()


def test_images_without_components(make_set):
    gallery = Gallery(make_set({"b": "x", "a": "y"}))
    assert (gallery.view, gallery.sort_by, shown(gallery)) == ("images", "", "ba")
    assert gallery._facts["grouped"] is False
    assert gallery._facts["subsets"] == []
    gallery.close()


def test_nothing_of_the_image_set_is_changed(pictured, chain):
    before = [frame.copy() for frame in (pictured.images, pictured.labels, pictured.known)]
    gallery = Gallery(pictured, pairs=chain)
    gallery.threshold = 0.85
    gallery.query = "blur > 1"
    gallery.select(["a"])
    gallery.close()
    for frame, then in zip((pictured.images, pictured.labels, pictured.known), before, strict=True):
        pd.testing.assert_frame_equal(frame, then)


def test_the_threshold_moves_and_comes_back(gallery):
    made_at, facts, status = gallery.threshold, dict(gallery._facts), gallery._status
    gallery.flag = "is_bad_component_disagreement_abs0.10"
    gallery.result = "A wrong"
    gallery.select(["c"])
    gallery.threshold = 0.85
    assert (gallery.flag, gallery.result) == ("", "")
    assert "merged from several" in gallery._status
    assert gallery._facts["results"] == []
    assert (
        gallery.selected["component_id"].tolist()
        == gallery.current.loc[["c"], "component_id"].tolist()
    )
    gallery.threshold = made_at
    assert (gallery._facts, gallery._status) == (facts, status)
    assert gallery.selected["component_id"].tolist() == [10]


def test_only_some_components(gallery):
    gallery.show([20, 40], notes={20: "two"}, title="Some")
    assert (shown(gallery), gallery.title, gallery._total) == ("deg", "Some", 2)
    gallery.show(pd.Index([10]))
    assert shown(gallery) == "abc"
    gallery.show([])
    assert (shown(gallery), gallery._total) == ("", 0)
    gallery.show(notes=pd.Series({10: "ten"}))
    assert gallery._shelf.note(0) == "ten"
    gallery.show()
    assert (shown(gallery), gallery.title) == ("abcdefg", "")
    assert gallery._shelf.note(1) == "twenty"


def test_rows(talk):
    answer, buffers = talk.ask("rows", first=1, count=2, most=1)
    assert (answer["first"], answer["version"], buffers) == (1, talk.gallery._version, [])
    assert [row["id"] for row in answer["rows"]] == ["20", "30"]
    assert [row["note"] for row in answer["rows"]] == ["twenty", ""]
    assert [len(row["images"]) for row in answer["rows"]] == [1, 1]
    assert talk.ask("rows", first=99, count=5, most=5)[0]["rows"] == []
    assert talk.ask("rows", first=10**30, count=10**30, most=10**30)[0]["rows"] == []


def test_rows_are_bounded(make_set):
    talk = Talk(make_set({f"{n}": "x" for n in range(1000)}))
    assert len(talk.ask("rows", first=0, count=10**6, most=1)[0]["rows"]) == 400
    talk.gallery.close()


def test_thumbnails_with_reasons(talk):
    pictures, problems = {}, {}
    for _ in range(200):
        rows = [row for row in range(7) if row not in pictures and row not in problems]
        answer, buffers = talk.ask("thumbnails", rows=rows)
        assert len(answer["rows"]) == len(buffers)
        pictures |= dict(zip(answer["rows"], buffers, strict=True))
        problems |= dict(answer["problems"])
        if not answer["later"]:
            break
    assert set(pictures) == {0, 2, 3, 4, 6}
    assert problems == {1: "the file is empty", 5: "the file does not exist"}
    assert Image.open(io.BytesIO(pictures[0])).size == (16, 32)
    nothing = {"rows": [], "problems": [], "later": [], "px": talk.gallery.thumb_px}
    assert talk.ask("thumbnails", rows=[])[0] == nothing


def _along(talk, **asked):
    """Ask for rows until the pictures that come along are all there; return their rows."""
    came, problems = [], {}
    for _ in range(200):
        answer, buffers = talk.ask("rows", first=0, count=50, most=9, **asked)
        assert len(buffers) == len(answer["pictures"]["rows"])
        came += answer["pictures"]["rows"]
        problems |= dict(answer["pictures"]["problems"])
        if not answer["pictures"]["later"]:
            return came, problems
    raise AssertionError(answer)


def test_pictures_come_along_with_the_rows_and_only_once(talk):
    named = [i for e in talk.ask("rows", first=0, count=50, most=9)[0]["rows"] for i in e["images"]]
    came, problems = _along(talk, room=10_000)
    assert sorted([*came, *problems]) == sorted(image["row"] for image in named)
    assert len(came) == len(set(came))
    assert _along(talk, room=10_000)[0] == []


def test_pictures_without_room_do_not_come_along(talk):
    entries = talk.ask("rows", first=0, count=50, most=9)[0]["rows"]
    came, problems = _along(talk, room=1)
    assert {*came, *problems} == {entry["images"][0]["row"] for entry in entries}
    assert "pictures" not in talk.ask("rows", first=0, count=50, most=9)[0]


def test_thumbnails_follow_the_size_that_is_wanted(talk):
    talk.gallery.thumb_px = 24
    for _ in range(100):
        _, buffers = talk.ask("thumbnails", rows=[0])
        if buffers:
            break
    assert Image.open(io.BytesIO(buffers[0])).height == 24


def test_an_enlarged_image(talk):
    answer, (jpeg,) = talk.ask("image", row=0)
    assert answer["details"]["id"] == "a"
    assert answer["details"]["size"] == 3
    assert Image.open(io.BytesIO(jpeg)).size == (24, 48)
    answer, buffers = talk.ask("image", row=5)
    assert (answer["problem"], buffers) == ("the file does not exist", [])


def test_selecting_and_finding(talk):
    marks = talk.gallery._marks
    assert talk.ask("select", how="toggle", row=3)[0] == {"selected": 1}
    assert talk.ask("select", how="add", first=3, last=2)[0] == {"selected": 3}
    assert chosen(talk.gallery) == "dfg"
    assert (talk.gallery._selected_count, talk.gallery._marks) == (3, marks + 2)
    assert talk.ask("find", row=0, step=1)[0] == {"row": 3}
    assert talk.ask("find", row=0, step=-1)[0] == {"row": -1}


NOT_ROWS = [None, "1", "", "x", 1.0, 1.5, math.nan, math.inf, True, [], [1], {}, {"a": 1}, -1, 7]
NOT_WHOLE = [None, "1", 1.0, math.nan, True, [1], {}]
MALFORMED = [
    *[{"kind": kind} for kind in (None, "", "row", "ROWS", 3, math.nan, ["rows"], {}, EVIL)],
    *[{"kind": kind} for kind in ("rows", "thumbnails", "image", "select", "find")],
    *[{"kind": "image", "row": row} for row in [*NOT_ROWS, 10**30]],
    *[{"kind": "find", "row": row, "step": 1} for row in [*NOT_ROWS, 10**30]],
    *[{"kind": "find", "row": 0, "step": step} for step in NOT_WHOLE],
    *[{"kind": "rows", "first": n, "count": 3, "most": 3} for n in [*NOT_WHOLE, -1]],
    *[{"kind": "rows", "first": 0, "count": n, "most": 3} for n in [*NOT_WHOLE, -1]],
    *[{"kind": "rows", "first": 0, "count": 3, "most": n} for n in NOT_WHOLE],
    *[{"kind": "thumbnails", "rows": rows} for rows in [None, "123", 3, {}, {"0": 1}, math.nan]],
    *[{"kind": "thumbnails", "rows": [0, row]} for row in [*NOT_ROWS, 10**30]],
    *[{"kind": "select", "how": how} for how in (None, "", "every", 3, ["all"], {}, EVIL)],
    *[{"kind": "select", "how": "only", "row": row} for row in [*NOT_ROWS, 10**30]],
    *[{"kind": "select", "how": "toggle", "first": n, "last": 1} for n in [*NOT_WHOLE, -1, 4]],
    *[{"kind": "select", "how": "add", "first": 1, "last": n} for n in [*NOT_WHOLE, -5, 10**30]],
    {"kind": "select", "how": "only", "first": 1},
    {"kind": "select", "how": "only"},
]


def test_malformed_messages_come_back_as_errors_and_change_nothing(talk):
    talk.gallery.select(["c"])
    talk.gallery.label = "y"
    before = talk.state()
    for message in MALFORMED:
        answer, buffers = talk.ask(**message)
        assert set(answer) == {"error"}, message
        assert len(answer["error"]) < 300
        assert buffers == []
        assert talk.state() == before, message


@pytest.mark.parametrize("content", [None, "rows", 3, [], [1], math.nan])
def test_what_is_no_message_is_not_answered(talk, content):
    before = talk.state()
    talk.gallery._handle_custom_msg(content, [])
    assert talk.sent == []
    assert talk.state() == before


def test_random_messages_never_raise(talk):
    rng = np.random.default_rng(0)
    kinds = ["rows", "thumbnails", "image", "select", "find", "x", None]
    values = [0, 1, 3, 6, 7, -1, 10**9, 0.5, "a", None, math.nan, [0], [0, 1, 2], {}, "all", "only"]
    for _ in range(400):
        content = {
            name: values[rng.integers(len(values))]
            for name in ("row", "rows", "first", "last", "count", "most", "step", "how")
            if rng.random() < 0.7
        }
        answer, _ = talk.ask(kinds[rng.integers(len(kinds))], **content)
        assert "error" in answer or content
        assert talk.gallery._selected_count == len(talk.gallery.selected)


def test_pairs(talk):
    talk.gallery.view = "pairs"
    talk.gallery.threshold = 0.61
    answer, _ = talk.ask("rows", first=0, count=2, most=2)
    assert [row["similarity"] for row in answer["rows"]] == ["0.6000", "0.7000"]
    assert shown(talk.gallery) == "cdebafg"
    talk.ask("select", how="all")
    assert chosen(talk.gallery) == "abcdefg"


def test_no_thread_stays_after_closing(pictured):
    def workers():
        return {t for t in threading.enumerate() if t.name.startswith("thumbnails")}

    before = workers()
    talk = Talk(pictured)
    talk.ask("thumbnails", rows=[0, 2, 3])
    assert workers() - before
    talk.gallery.close()
    end = time.monotonic() + 10
    while workers() - before:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert "error" in talk.ask("thumbnails", rows=[4])[0]


def page(gallery):
    data, _ = gallery._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    return data["text/html"]


def test_the_still_picture_has_what_is_on_display(gallery):
    gallery.query = "blur > 1.5"
    html = page(gallery)
    assert html.count('src="data:image/jpeg;base64,') == 4  # b is empty, f is gone
    assert "the file is empty" in html
    assert "component 10" in html
    assert "component 40" not in html
    assert "twenty" in html
    gallery.view = "images"
    html = page(gallery)
    assert re.findall(r"<figcaption[^>]*>(\w)", html) == list(shown(gallery))


def test_the_still_picture_of_nothing(gallery):
    gallery.query = "size > 99"
    for view, word in (("components", "component"), ("images", "image"), ("pairs", "image")):
        gallery.view = view
        assert page(gallery) == f"<p>There is no {word} to show.</p>"


def test_the_still_picture_of_other_components_has_their_notes(gallery):
    gallery.threshold = 0.85
    html = gallery.still().html
    assert "2 of the 3 images of 10" in html
    assert "twenty" not in html  # 20 fell apart


@pytest.mark.parametrize("view", ["components", "images", "pairs"])
def test_the_still_picture_keeps_to_its_budget_and_says_what_it_leaves_out(
    view, make_set, write_image
):
    paths = [str(write_image(f"{n}.png", seed=n, size=(100, 200))) for n in range(40)]
    names = [f"i{n:02}" for n in range(40)]
    imageset = make_set(dict.fromkeys(names, "x"), components=np.arange(40) // 4, path=paths)
    pairs = pd.DataFrame({"first": names[:-1], "second": names[1:], "similarity": 0.5})
    gallery = Gallery(imageset, pairs=pairs, view=view, sort_by="")
    whole = gallery.still(most=100).html
    one = max(map(len, re.findall(r'src="([^"]+)"', whole)))
    assert whole.count("<img") == 40
    assert "not shown" not in whole
    bare = len(gallery.still(most=100, byte_budget=-1).html)
    for budget in (5_000, 20_000, 60_000):
        html = gallery.still(most=100, byte_budget=budget).html
        assert len(html.encode()) <= budget + one + bare + 200 * 40
        assert 0 < html.count("<img") < 40
        said = re.findall(r"and (\d+) more|(\d+) more images are not shown", html)
        assert sum(int(a or b) for a, b in said) == 40 - html.count("<img")
    few = gallery.still(most=2).html
    assert "8 more components are not shown" in few or "20 more images are not shown" in few
    gallery.close()


def test_text_is_never_markup(pictured):
    index = pictured.images.index.map(lambda name: f"{EVIL} {name}").rename("image_id")
    evil = {name: f"{EVIL} {name}" for name in pictured.labels.columns}
    odd = ImageSet(
        pictured.images.set_axis(index).assign(subset=[EVIL, "s"] * 3 + ["s"], component_id=EVIL),
        pictured.labels.rename(columns=evil).set_axis(index),
        pictured.known.rename(columns=evil).set_axis(index),
        (Head(EVIL, tuple(evil.values())),),
    )
    components = measure_components(odd).assign(**{f"is_bad_component_{EVIL}": True})
    talk = Talk(odd, components, notes={EVIL: EVIL}, title=EVIL)
    for view in ("components", "images"):
        talk.gallery.view = view
        html = page(talk.gallery)
        assert "<script" not in html
        assert "&lt;script&gt;alert(&#34;1&#34;)" in html
        assert EVIL[-8:] in html
    talk.gallery.view = "components"
    assert html.count("alert") >= 7
    row = talk.ask("rows", first=0, count=1, most=3)[0]["rows"][0]
    assert row["note"] == row["id"] == EVIL  # as it is: the front end writes it as text
    talk.gallery.query = "`<script>alert('1')</script>` and"
    assert "cannot be" in talk.gallery._problem
    assert page(talk.gallery).count("<script") == 0
    talk.gallery.close()


def test_a_closed_gallery_leaves_no_widget_behind(pictured):
    there = set(ipywidgets.widgets.widget._instances)
    gallery = Gallery(pictured)
    assert len(set(ipywidgets.widgets.widget._instances) - there) == 2
    gallery.close()
    assert set(ipywidgets.widgets.widget._instances) == there
    shared = ipywidgets.Layout()
    Gallery(pictured, layout=shared).close()
    assert shared.comm is not None  # others may be laid out by it
    shared.close()


def test_other_components_are_shown_whatever_was_asked_of_the_ones_before(talk):
    gallery = talk.gallery
    gallery.set_state({"sort_by": "no such column"})
    gallery.set_state({"threshold": 0.0})
    talk.ask("select", how="all")

    assert "no such column" in gallery._problem
    assert sorted(gallery.selected_ids) == sorted(gallery.current.index)
    assert gallery._total == len(gallery._shelf.shown.components)


@pytest.mark.parametrize("number", [[math.nan], {"a": b"x"}, 0.5])
def test_what_is_no_number_of_a_request_is_not_sent_back(talk, number):
    talk.gallery._handle_custom_msg({"id": number, "kind": "ping"}, [])
    assert talk.sent == [({"id": None}, [])]


def test_text_that_utf8_cannot_hold_is_replaced_so_that_the_state_can_be_sent(gallery):
    gallery.set_state({"title": "a\uda3eb", "query": "\uda3e"})
    assert gallery.title == "a?b"
    state = gallery.get_state()
    for name in ("title", "query", "_problem"):
        state[name].encode()
