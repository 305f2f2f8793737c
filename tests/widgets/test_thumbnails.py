import threading
import time

import pytest

from peta_viz.errors import UnreadableImageError
from peta_viz.widgets.thumbnails import Thumbnails

PATIENCE_S = 10


class Maker:
    """Makes `row@height` when the gate is open; row 13 is unreadable and row 14 breaks."""

    def __init__(self):
        self.made, self.gate = [], threading.Event()
        self.gate.set()
        self.begun = threading.Semaphore(0)

    def __call__(self, row, height_px):
        self.begun.release()
        assert self.gate.wait(PATIENCE_S)
        self.made.append(row)
        if row == 13:
            raise UnreadableImageError("13.png", "the file is empty")
        if row == 14:
            raise RuntimeError("no <b>memory</b>")
        return f"{row}@{height_px}".encode()


@pytest.fixture
def maker():
    return Maker()


@pytest.fixture
def thumbnails(maker):
    made = Thumbnails(maker)
    yield made
    maker.gate.set()
    made.close()


def workers():
    return [t for t in threading.enumerate() if t.name.startswith("thumbnails")]


def until(condition):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.005)


def test_pictures_come_by_row_in_the_order_asked(thumbnails):
    answer = thumbnails.ask([2, 0, 1], 32, within_s=PATIENCE_S)
    assert list(answer.pictures.items()) == [(2, b"2@32"), (0, b"0@32"), (1, b"1@32")]
    assert (answer.problems, answer.later) == ({}, [])
    assert thumbnails.ask([], 32).pictures == {}


def test_what_was_made_is_kept_by_height(thumbnails, maker):
    for height in (32, 32, 64, 32):
        answer = thumbnails.ask([5], height, within_s=PATIENCE_S)
        assert answer.pictures == {5: f"5@{height}".encode()}
    assert maker.made == [5, 5]


def test_one_bad_image_does_not_stop_the_others(thumbnails):
    answer = thumbnails.ask([12, 13, 14, 15], 32, within_s=PATIENCE_S)
    assert list(answer.pictures) == [12, 15]
    assert answer.problems == {
        13: "the file is empty",
        14: "it cannot be shown (RuntimeError: no <b>memory</b>)",
    }
    assert thumbnails.ask([13], 32).problems == {13: "the file is empty"}


def test_what_takes_longer_is_said_to_come_later(thumbnails, maker):
    maker.gate.clear()
    start = time.monotonic()
    answer = thumbnails.ask([1, 2, 3], 32, within_s=0.05)
    assert time.monotonic() - start < PATIENCE_S / 2
    assert (answer.pictures, answer.later) == ({}, [1, 2, 3])
    maker.gate.set()
    assert list(thumbnails.ask([1, 2, 3], 32, within_s=PATIENCE_S).pictures) == [1, 2, 3]
    assert sorted(maker.made) == [1, 2, 3]


def test_stale_wishes_are_dropped(thumbnails, maker):
    maker.gate.clear()
    many = range(100, 1100)
    thumbnails.ask(many, 32, within_s=0)
    maker.begun.acquire(timeout=PATIENCE_S)
    thumbnails.ask([7], 32, within_s=0)
    maker.gate.set()
    assert thumbnails.ask([7], 32, within_s=PATIENCE_S).pictures == {7: b"7@32"}
    until(lambda: not thumbnails._waiting)
    assert len(maker.made) < 100  # those that had begun already


def test_a_wish_that_is_repeated_is_not_dropped(thumbnails, maker):
    maker.gate.clear()
    thumbnails.ask(range(200), 32, within_s=0)
    thumbnails.ask([150, 199], 32, within_s=0)
    maker.gate.set()
    assert list(thumbnails.ask([150, 199], 32, within_s=PATIENCE_S).pictures) == [150, 199]
    assert maker.made.count(199) == 1


def test_what_is_prepared_is_there_when_asked(thumbnails, maker):
    thumbnails.prepare([(1, 32), (2, 32)])
    thumbnails.prepare([(2, 32), (3, 32)])
    until(lambda: len(maker.made) == 3 and not thumbnails._waiting)
    maker.gate.clear()
    assert list(thumbnails.ask([1, 2, 3], 32, within_s=0).pictures) == [1, 2, 3]


def test_someone_who_waits_for_what_another_drops_is_told_to_come_again(thumbnails, maker):
    maker.gate.clear()
    answers = []
    ask = threading.Thread(
        target=lambda: answers.append(thumbnails.ask(range(500), 32, within_s=PATIENCE_S))
    )
    ask.start()
    until(lambda: len(thumbnails._waiting) == 500)
    thumbnails.ask([9999], 32, within_s=0)
    maker.gate.set()
    ask.join(PATIENCE_S)
    (answer,) = answers
    assert answer.later
    assert {*answer.pictures, *answer.problems, *answer.later} == set(range(500))


def test_no_more_bytes_are_kept_than_there_is_room_for():
    thumbnails = Thumbnails(lambda *_: bytes(10), kept_bytes=30)
    for row in (0, 1, 2, 0, 3):  # 1 is the one that was not looked at for longest
        thumbnails.ask([row], 32, within_s=PATIENCE_S)
        assert thumbnails._size == sum(map(len, thumbnails._kept.values())) <= 30
    assert [key[0] for key in thumbnails._kept] == [2, 0, 3]
    answer = thumbnails.ask(range(10), 32, within_s=PATIENCE_S)
    assert {*answer.pictures, *answer.later} == set(range(10))
    assert thumbnails._size == sum(map(len, thumbnails._kept.values())) <= 30
    thumbnails.close()


def test_a_picture_larger_than_the_room_is_still_shown():
    thumbnails = Thumbnails(lambda *_: bytes(100), kept_bytes=30)
    assert len(thumbnails.ask([1], 32, within_s=PATIENCE_S).pictures[1]) == 100
    assert len(thumbnails.ask([2], 32, within_s=PATIENCE_S).pictures[2]) == 100
    assert len(thumbnails._kept) == 1
    thumbnails.close()


def test_no_picture_stays_after_closing(maker):
    thumbnails = Thumbnails(maker)
    thumbnails.ask([1, 2], 8, within_s=PATIENCE_S)
    assert len(thumbnails._kept) == 2
    thumbnails.close()
    assert not thumbnails._kept


def test_no_thread_stays_after_closing(maker):
    before = set(workers())
    thumbnails = Thumbnails(maker)
    maker.gate.clear()
    thumbnails.ask(range(1000), 32, within_s=0)
    assert set(workers()) - before
    thumbnails.close()
    thumbnails.close()
    maker.gate.set()
    until(lambda: not set(workers()) - before)
    assert len(maker.made) < 100
    with pytest.raises(RuntimeError):
        thumbnails.ask([2000], 32)
