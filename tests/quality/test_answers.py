"""Answers: what is listed of the scores, and in what words."""

from dataclasses import replace

import numpy as np
import pytest

from peta_viz.imageset import Head
from peta_viz.quality.answers import Question, Questions
from peta_viz.quality.scores import label_quality
from tests.quality.conftest import HEADS, LABELS, image_set, world

CONTEXT = "its other labels and looks make it 10% likely"
EITHER = "(one of the two is wrong, or they show different things)"
SHARES = "its other labels and looks make red 17% and blue 33% likely"
HAT = Question(["hat"], [5], HEADS[2])
COLOUR = Question(
    ["colour=red", "colour=blue", "colour=green"],
    [2, 3, 4],
    Head("colour", ("colour=red", "colour=blue", "colour=green"), "exclusive"),
)


def answer(question, own, right, copies=(), expected=(0.1, 0.2, 0.3)):
    size = len(question.labels)
    given = np.array(copies, dtype=bool).reshape(-1, size)
    right = np.array(right, dtype=np.float32)
    return question.answer(np.array(own, dtype=bool), right, np.array(expected[:size]), given)


@pytest.mark.parametrize(
    ("copies", "reason"),
    [
        ([1], f"its only near-copy has it {EITHER}"),
        ([1, 1], "all of 2 near-copies have it"),
        ([1, 1, 0], "2 of 3 near-copies have it"),
        ([0, 1], f"1 of 2 near-copies have it; {CONTEXT}"),
        (
            [0],
            f"its only near-copy does not have it; {CONTEXT}",
        ),
        ([], CONTEXT),
    ],
)
def test_a_label_is_yes_or_no(copies, reason):
    assert answer(HAT, [0], [0.2], copies) == ("things", "hat", "no", "yes", reason)


@pytest.mark.parametrize(
    ("share", "told"),
    [(0.0001, "less than 1%"), (0.0149, "1%"), (0.985, "98%"), (0.99999, "more than 99%")],
)
def test_no_estimate_is_told_as_sure(share, told):
    found = answer(HAT, [0], [0.2], expected=[share])
    assert found.reason == f"its other labels and looks make it {told} likely"


def test_a_label_that_is_there_rather_is_not():
    found = answer(HAT, [1], [0.2], [0, 0])
    assert (found.value, found.suggested) == ("yes", "no")
    assert found.reason == "none of 2 near-copies have it"
    assert answer(Question(["hat"], [5], None), [1], [0.2]).head == ""


@pytest.mark.parametrize(
    ("own", "right", "copies", "value", "suggested", "reason"),
    [
        (
            [1, 0, 0],
            [0.2, 0.3, 0.99],
            [[0, 1, 0]],
            "red",
            "blue",
            f"its only near-copy is blue {EITHER}",
        ),
        (
            [1, 0, 0],
            [0.2, 0.95, 0.99],
            [[0, 0, 0]],
            "red",
            "",
            f"its only near-copy is none {EITHER}",
        ),
        (
            *([1, 0, 0], [0.2, 0.3, 0.6], [[0, 1, 0], [0, 1, 0]], "red", "blue"),
            "all of 2 near-copies are blue",
        ),
        (
            *([1, 0, 0], [0.2, 0.3, 0.6], [[0, 0, 1], [0, 1, 0], [0, 1, 0]], "red", "blue"),
            "of 3 near-copies 2 are blue, 1 is green",
        ),
        (
            *([1, 0, 0], [0.2, 0.3, 0.6], [[1, 0, 0]], "red", "blue"),
            f"its only near-copy is red; {SHARES}",
        ),
        (
            *([1, 0, 0], [0.2, 0.3, 0.6], [], "red", "blue"),
            SHARES,
        ),
        ([0, 0, 0], [0.9, 0.3, 0.6], [], "none", "blue", "it has no answer here at all"),
        ([1, 1, 0], [0.2, 0.8, 0.99], [], "red, blue", "blue", "it has several answers"),
        ([1, 1, 0], [0.2, 0.3, 0.1], [], "red, blue", "green", "it has several answers"),
        (
            *([0, 0, 0], [np.nan, 0.3, 0.6], [], "none", "blue"),
            "its other labels and looks make blue 33% likely",
        ),
    ],
)
def test_a_class_is_another_one(own, right, copies, value, suggested, reason):
    found = answer(COLOUR, own, right, copies)
    assert found == ("colour", "colour", value, suggested, reason)


def test_questions_are_labels_and_exclusive_heads():
    person, labels, _ = world(people=3)
    questions = Questions.of(image_set(labels, person))
    assert [one.name for one in questions.all] == ["gender", "colour", *LABELS[5:]]
    assert questions["colour"].classes == ["red", "blue", "green"]
    assert questions["dog"].classes is None
    scores = np.array([[0.9, 0.8, np.nan, 0.7, 0.6, np.nan, 0.5, 0.4]], dtype=np.float32)
    assert questions.least(scores).tolist() == [pytest.approx([0.8, 0.6, np.inf, 0.5, 0.4])]
    cells = np.array([[0, 0, 1, 0, 0, 0, 1, 0]], dtype=bool)
    assert questions.any(cells).tolist() == [[False, True, False, True, False]]


def test_labels_of_a_head_need_not_stand_together():
    person, labels, _ = world(people=3)
    imageset = image_set(labels, person)
    order = ["hat", "red", "man", "blue", "bag", "woman", "green", "dog"]
    mixed = imageset.with_labels(imageset.labels[order], imageset.known[order])
    questions = Questions.of(mixed)
    assert [one.name for one in questions.all] == ["hat", "colour", "gender", "bag", "dog"]
    scores = np.array([[0.9, 0.5, 0.8, 0.4, 0.9, 0.3, 0.6, 0.7]], dtype=np.float32)
    assert questions.least(scores).tolist() == [pytest.approx([0.9, 0.4, 0.3, 0.9, 0.7])]


def _three(**scores):
    """Three near-copies, of which the first has a hat and is red, the others not and blue."""
    labels = np.zeros((3, len(LABELS)), dtype=bool)
    labels[:, 0] = True
    labels[0, [2, 5]] = labels[1:, 3] = True
    quality = label_quality(image_set(labels, np.zeros(3, dtype=np.int64)))
    values = quality.scores.copy()
    values[:] = np.float32(0.99)
    for label, own in scores.items():
        values[label] = np.float32(own)
    return replace(quality, scores=values, pairs=quality.pairs.assign(same=np.float32(1)))


def test_of_near_copies_that_disagree_the_likeliest_wrong_is_listed():
    listed = _three(hat=(0.4, 0.7, 0.75), blue=(0.3, 0.6, 0.6)).worst(10, least=0.1)
    assert listed[["image_id", "label"]].to_numpy().tolist() == [["i0", "colour"], ["i0", "hat"]]
    assert listed["value"].tolist() == ["red", "yes"]
    assert listed["suggested"].tolist() == ["blue", "no"]
    # The others, where they are the likelier ones; and all where none is.
    listed = _three(hat=(0.8, 0.4, 0.5)).worst(10, least=0.1)
    assert listed["image_id"].tolist() == ["i1", "i2"]
    listed = _three(hat=(0.5, 0.5, 0.5)).worst(10, least=0.1)
    assert listed["image_id"].tolist() == ["i0", "i1", "i2"]
    # What agrees, or shows another thing, outweighs nothing.
    listed = _three(dog=(0.4, 0.7, 0.75)).worst(10, least=0.1)
    assert listed["image_id"].tolist() == ["i0", "i1", "i2"]
    apart = _three(hat=(0.4, 0.7, 0.75))
    apart = replace(apart, pairs=apart.pairs.assign(same=np.float32(0.5)))
    assert len(apart.worst(10, least=0.1)) == 3


def test_what_is_not_known_outweighs_nothing():
    quality = _three(hat=(0.4, 0.7, 0.75))
    known = quality.imageset.known.copy()
    known.loc["i0", "hat"] = False
    partly = quality.imageset.with_labels(quality.imageset.labels & known, known)
    listed = replace(quality, imageset=partly).worst(10, least=0.1)
    assert {"i1", "i2"} <= set(listed["image_id"])


def test_what_an_image_says_is_told_in_a_word():
    quality = _three()
    assert [quality.answered(row, "colour") for row in range(3)] == ["red", "blue", "blue"]
    assert [quality.answered(row, "hat") for row in range(3)] == ["yes", "no", "no"]
    known = quality.imageset.known.copy()
    known.loc["i0", ["red", "hat"]] = False
    partly = quality.imageset.with_labels(quality.imageset.labels & known, known)
    quality = replace(quality, imageset=partly)
    assert (quality.answered(0, "colour"), quality.answered(0, "hat")) == ("?", "?")
