from dataclasses import replace

import numpy as np
import pytest

from peta_viz.drawing import SIZE, Person, draw, near_copy


@pytest.fixture
def person():
    drawn = Person.random(np.random.default_rng(1))
    return replace(
        drawn,
        gender="Male",
        age="Less30",
        hair="Short",
        formal=False,
        upper="Tshirt",
        hair_colour="Brown",
        shoe_colour="Black",
        upper_colour="Red",
        lower="Trousers",
        lower_colour="Blue",
        sleeve="Short",
        hat=False,
        sunglasses=False,
        carrying="Nothing",
    )


@pytest.mark.parametrize(
    "change",
    [
        {"gender": "Female"},
        {"age": "Less15"},
        {"hair": "Long"},
        {"hair": "Bald"},
        {"hair_colour": "White"},
        {"sleeve": "Long"},
        {"upper": "Jacket"},
        {"upper_colour": "Green"},
        {"lower": "Shorts"},
        {"lower": "ShortSkirt"},
        {"lower_colour": "White"},
        {"shoe_colour": "Yellow"},
        {"hat": True},
        {"sunglasses": True},
        {"carrying": "Backpack"},
        {"carrying": "MessengerBag"},
        {"carrying": "PlasticBags"},
    ],
)
def test_what_a_label_says_can_be_seen(person, change):
    other = replace(person, **change)
    assert set(other.labels()) != set(person.labels())
    difference = np.abs(np.asarray(draw(other), int) - np.asarray(draw(person), int))
    assert (difference.max(axis=2) > 40).sum() >= 15  # pixels


def test_a_near_copy_is_near_but_not_the_same(person):
    picture = draw(person)
    copy = near_copy(picture, np.random.default_rng(0))
    difference = np.abs(np.asarray(picture, int) - np.asarray(copy, int)).mean()
    assert picture.size == copy.size == SIZE
    assert 0 < difference < 30


def test_a_look_alike_carries_other_labels(person):
    assert len(set(person.labels()) ^ set(person.look_alike().labels())) >= 2
