"""The decision log: durable, append-only, and safe with several writers."""

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from peta_viz.curation import log as log_module
from peta_viz.curation.acts import Act, Cell, Change, Entry, normal_time
from peta_viz.curation.log import DecisionLog
from peta_viz.errors import DecisionLogError

WRITER = Path(__file__).with_name("writer.py")


def relabel(after="yes", image="a", **more):
    cell = Cell(image, "label", "x")
    return Act("relabel", 3, ("a", "b"), (Change(cell, "no", after),), **more)


@pytest.fixture
def log(tmp_path):
    (tmp_path / "run").mkdir()
    return DecisionLog(tmp_path / "run" / "decisions.sqlite")


def writer(path, person, count, *killed_after):
    command = [sys.executable, str(WRITER), str(path), person, str(count), *map(str, killed_after)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_what_is_written_is_there_for_the_next_one(log):
    act = relabel(queue="disagreement", blind=True, probability=0.25, seconds=2.5)
    entry = log.write(act, "Ada")
    (read,) = DecisionLog(log.path).since()
    assert read == entry
    assert read.act == act
    assert (read.person, read.number) == ("Ada", 1)
    assert log.since(1) == []


def test_undo_and_redo_go_by_person(log):
    first = log.write(relabel("yes"), "Ada")
    second = log.write(relabel("no"), "Ada")
    others = log.write(relabel("unknown", "b"), "Bo")
    assert log.undo("Ada", seconds=1.5).act.target == second.id
    assert log.undo("Ada").act.target == first.id
    assert log.undo("Ada") is None
    assert log.redo("Ada").act.target == first.id
    log.write(relabel("unknown"), "Ada")
    assert log.redo("Ada") is None
    assert log.undo("Bo").act.target == others.id
    kinds = [entry.act.kind for entry in log.since()]
    assert kinds == ["relabel"] * 3 + ["undo", "undo", "redo", "relabel", "undo"]
    with pytest.raises(ValueError, match="see undo and redo"):
        log.write(Act("undo", 1, target=first.id), "Ada")


def test_nothing_in_it_can_be_changed(log):
    log.write(relabel(), "Ada")
    database = sqlite3.connect(log.path)
    for statement in (
        "UPDATE acts SET person = 'Bo'",
        "DELETE FROM acts",
        "UPDATE changes SET after = 'no'",
        "DELETE FROM changes",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="acts stay"):
            database.execute(statement)
    database.close()


def test_two_kernels_write_a_thousand_acts_each(log):
    writers = [writer(log.path, person, 1000) for person in ("Ada", "Bo")]
    said = [process.communicate(timeout=500)[0].split() for process in writers]
    assert [process.returncode for process in writers] == [0, 0]
    entries = log.since()
    assert len(entries) == 2000
    assert sorted(entry.id for entry in entries) == sorted(said[0] + said[1])
    assert [entry.number for entry in entries] == list(range(1, 2001))
    times = [entry.at for entry in entries]
    assert times == sorted(set(times))
    for person, ids in zip(("Ada", "Bo"), said, strict=True):
        own = [entry for entry in entries if entry.person == person]
        assert [entry.id for entry in own] == ids
        assert [entry.act.changes[0].cell.image_id for entry in own] == [
            f"{person}{number}" for number in range(1000)
        ]


def test_what_was_acknowledged_outlives_the_kernel(log):
    process = writer(log.path, "Ada", 50, 7)
    said = process.communicate(timeout=120)[0].split()
    assert process.returncode == -9
    assert [entry.id for entry in log.since()] == said
    assert len(said) == 7
    log.write(relabel(), "Ada")


def test_a_half_written_act_is_taken_back(log, tmp_path):
    log.write(relabel(), "Ada")
    database = sqlite3.connect(log.path, isolation_level=None)
    database.execute("PRAGMA cache_size = 1")  # so that it reaches the file before the commit
    database.execute("BEGIN IMMEDIATE")
    for number in range(2000):
        values = (f"i{number}", "t", "Bo", "accept", 1, "[]", 0, "", "", 0, None, 0.0)
        database.execute(f"INSERT INTO acts VALUES (NULL, {', '.join('?' * 12)})", values)
    for suffix in ("", "-journal"):
        shutil.copy(f"{log.path}{suffix}", tmp_path / f"left.sqlite{suffix}")
    database.close()
    left = DecisionLog(tmp_path / "left.sqlite")
    assert [entry.person for entry in left.since()] == ["Ada"]


def test_entries_of_another_log_are_taken_once(log, tmp_path):
    other = DecisionLog(tmp_path / "other.sqlite")
    before = other.write(relabel("unknown"), "Bo")
    log.write(relabel(), "Ada")
    other.undo("Bo")
    assert log.extend(other.since()) == 2
    assert log.extend(other.since()) == 0
    assert [entry.id for entry in log.since()][1] == before.id
    assert log.redo("Bo").act.target == before.id


def test_a_time_without_a_zone_stays_out(log):
    first = log.write(relabel(), "Ada")
    for at in ("2099-05-01 10:00:00", "01/05/2024 10:00"):
        with pytest.raises(ValueError, match=r"zone|isoformat"):
            log.extend([type(first)(relabel(), at, at, "Bo")])
    log.extend([type(first)(relabel(), "x", "2026-01-01T02:00:00+02:00", "Bo")])
    assert log.since()[-1].at == "2026-01-01T00:00:00.000000+00:00"
    log.write(relabel(), "Ada")


def test_what_is_undone_is_what_was_meant(log):
    first = log.write(relabel("yes"), "Ada")
    log.write(relabel("no"), "Ada")
    assert log.undo("Ada", expected=first.id) is None
    assert len(log.since()) == 2


def test_a_file_that_was_never_finished_is_begun_anew(tmp_path):
    (tmp_path / "a.sqlite").touch()
    log = DecisionLog(tmp_path / "a.sqlite")
    log.write(relabel(), "Ada")
    assert len(log.since()) == 1


def test_time_never_runs_backwards(log):
    first = log.write(relabel(), "Ada")
    log.extend([type(first)(relabel(), "later", "2999-01-01T00:00:00.000000+00:00", "Bo")])
    assert log.write(relabel(), "Ada").at > "2999-01-01T00:00:00.000000+00:00"


def test_the_place_is_kept_by_person_and_queue(log):
    assert log.place("Ada", "a") is None
    log.keep_place("Ada", "a", 5)
    log.keep_place("Ada", "a", 6)
    log.keep_place("Bo", "a", 7)
    assert (log.place("Ada", "a"), log.place("Bo", "a"), log.place("Ada", "b")) == (6, 7, None)
    log.keep_place("Ada", "a", None)
    assert (log.place("Ada", "a"), log.place("Bo", "a")) == (None, 7)


def test_an_act_and_the_place_after_it_are_both_there_or_neither(log):
    log.keep_place("Ada", "a", 5)
    log.write(relabel(), "Ada", places={"a": 6})
    assert log.place("Ada", "a") == 6
    with sqlite3.connect(log.path) as database:
        database.execute(
            "CREATE TRIGGER full BEFORE INSERT ON acts BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
    with pytest.raises(DecisionLogError):
        log.write(relabel(), "Ada", places={"a": 7})
    assert (len(log.since()), log.place("Ada", "a")) == (1, 6)


def test_what_cannot_be_used_is_told(log, tmp_path):
    (tmp_path / "text.sqlite").write_text("hello, this is no database at all")
    with pytest.raises(DecisionLogError, match=r"text\.sqlite: it is no decision log"):
        DecisionLog(tmp_path / "text.sqlite")
    other = sqlite3.connect(tmp_path / "other.sqlite")
    other.execute("CREATE TABLE acts (number)")
    other.commit()
    other.close()
    with pytest.raises(DecisionLogError, match="it is no decision log"):
        DecisionLog(tmp_path / "other.sqlite")
    newer = sqlite3.connect(log.path)
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(DecisionLogError, match="format 99 of a newer peta-viz"):
        DecisionLog(log.path)
    with pytest.raises(DecisionLogError, match="not there"):
        DecisionLog(tmp_path / "none.sqlite", make=False)


def test_no_folder_is_made_for_a_mistyped_path(tmp_path):
    with pytest.raises(DecisionLogError, match="there is no folder"):
        DecisionLog(tmp_path / "rnu" / "decisions.sqlite")
    assert not (tmp_path / "rnu").exists()


def test_who_looks_blindly_takes_back_what_was_done_blindly(log):
    seen = log.write(relabel(), "Ada")
    blind = log.write(relabel("no", blind=True), "Ada")
    log.write(relabel("unknown"), "Ada")
    assert log.undo("Ada", blind=True).act.target == blind.id
    assert log.undo("Ada", blind=True) is None
    assert log.redo("Ada", blind=True).act.target == blind.id
    assert log.undo("Ada", seen.id) is None  # not the last one


def test_a_log_that_was_moved_away_is_noticed(log):
    log.path.rename(log.path.with_name("moved.sqlite"))
    with pytest.raises(DecisionLogError, match="not there"):
        log.write(relabel(), "Ada")
    assert not log.path.exists()


def test_a_log_that_may_not_be_written_can_be_read(log, monkeypatch):
    log.write(relabel(), "Ada")
    address = log_module._address
    # Root may write whatever it likes, so that rights are taken from the file's address.
    monkeypatch.setattr(log_module, "_address", lambda path, _: address(path, "ro"))
    assert len(DecisionLog(log.path).since()) == 1
    with pytest.raises(DecisionLogError, match="it may not be written: give yourself the right"):
        log.write(relabel(), "Bo")


def test_a_full_disk_is_told_and_nothing_is_half_written(log):
    log.write(relabel(), "Ada")
    images = tuple(f"image {number}" for number in range(20_000))
    limit = f"ulimit -f {log.path.stat().st_size // 1024}"
    script = (
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from peta_viz.curation.acts import Act\n"
        "from peta_viz.curation.log import DecisionLog\n"
        f"act = Act('accept', 1, tuple(str(n) for n in range({len(images)})))\n"
        f"DecisionLog({str(log.path)!r}).write(act, 'Bo')\n"
    )
    command = f'{limit}; exec {sys.executable} -c "$0"'
    done = subprocess.run(
        ["bash", "-c", command, script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "DecisionLogError" in done.stderr
    assert [entry.person for entry in log.since()] == ["Ada"]
    log.write(relabel(), "Ada")


def test_what_is_no_act_of_its_own_is_not_written(log):
    first = log.write(relabel(), "Ada")
    for act in (Act("undo", 3), Act("redo", 3), Act("relabel", 3, target=first.id)):
        with pytest.raises(ValueError, match="takes nothing back"):
            log.write(act, "Ada")
    assert len(log.since()) == 1


def test_what_is_taken_back_is_about_the_same_component(log):
    log.write(relabel(), "Ada")
    undone = log.undo("Ada", queue="q", seconds=2.0)
    assert (undone.act.component_id, undone.act.images) == (3, ("a", "b"))
    assert (undone.act.queue, undone.act.seconds, undone.act.changes) == ("q", 2.0, ())
    redone = log.redo("Ada", undone.act.target)
    assert (redone.act.kind, redone.act.target) == ("redo", undone.act.target)
    assert log.since(1) == [undone, redone]
    assert log.since()[0].act.changes == relabel().changes


def test_entries_of_other_logs_are_told_in_order_of_time(log):
    entries = [
        Entry(relabel(image=image), image, f"2026-01-01T00:00:0{second}+00:00", "Bo")
        for second, image in ((3, "a"), (1, "b"), (2, "c"))
    ]
    assert log.extend(iter(entries)) == 3
    assert [entry.id for entry in log.since()] == ["b", "c", "a"]
    assert log.extend([]) == 0


def test_one_act_after_the_other_has_its_own_time(log):
    times = [log.write(relabel(), "Ada").at for _ in range(20)]
    assert times == sorted(set(times))
    assert all(normal_time(at) == at for at in times)
    assert len({entry.id for entry in log.since()}) == 20


def test_who_is_busy_is_waited_for(log, monkeypatch):
    monkeypatch.setattr(log_module, "_PATIENCE_S", 0.05)
    other = sqlite3.connect(log.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DecisionLogError, match="somebody else has been writing for 60 s"):
        log.write(relabel(), "Ada")
    other.execute("ROLLBACK")
    other.close()
    log.write(relabel(), "Ada")


def test_a_folder_is_no_log(tmp_path):
    with pytest.raises(DecisionLogError, match="no regular file"):
        DecisionLog(tmp_path, make=False)


def test_the_form_of_the_file_is_that_of_logs_that_are_out_there(log):
    database = sqlite3.connect(log.path)
    assert database.execute("PRAGMA user_version").fetchone() == (1,)
    assert database.execute("PRAGMA application_id").fetchone()[0].to_bytes(4) == b"peta"
    database.close()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("images", "["),
        ("images", "[1]"),
        ("images", '{"a": 1}'),
        ("at", "yesterday"),
        ("at", "2026-01-01T00:00:00"),
        ("at", "0001-01-01T00:00:00+09:00"),
        ("kind", "odd"),
        ("person", b"\xff"),
        ("component_id", "seven"),
        ("seconds", "long"),
        ("probability", "half"),
    ],
)
def test_an_entry_that_is_damaged_is_named_and_nothing_is_added(log, column, value):
    log.write(relabel(), "Ada")
    with sqlite3.connect(log.path) as database:
        database.execute("DROP TRIGGER acts_stay")
        database.execute(f"UPDATE acts SET {column} = ?", (value,))
    before = log.path.read_bytes()
    with pytest.raises(DecisionLogError, match=r"damaged: copy what .* finds"):
        DecisionLog(log.path).since()
    assert log.path.read_bytes() == before


@pytest.mark.parametrize("name", ["a\0b", "a\ude00"])
def test_what_no_file_can_be_called_is_told(tmp_path, name):
    for make in (True, False):
        with pytest.raises(DecisionLogError, match="no file can be called so: choose another"):
            DecisionLog(tmp_path / name, make=make)


def test_damage_that_sqlite_cannot_put_into_words_is_told(log):
    log.write(relabel(), "Ada")
    log.path.write_bytes(log.path.read_bytes().replace(b"ON changes", b"ON c\x96anges"))
    with pytest.raises(DecisionLogError, match=r"damaged: copy what .* finds"):
        DecisionLog(log.path).since()


def test_columns_that_a_newer_one_added_are_passed_over(log):
    entry = log.write(relabel(), "Ada")
    with sqlite3.connect(log.path) as database:
        database.execute("ALTER TABLE acts ADD COLUMN more")
        database.execute("ALTER TABLE changes ADD COLUMN more")
    assert log.since() == [entry]


def test_a_place_that_is_none_is_told(log):
    log.keep_place("Ada", "", 1)
    with sqlite3.connect(log.path) as database:
        database.execute("UPDATE places SET component_id = 'x'")
    with pytest.raises(DecisionLogError, match="'x' is no component"):
        log.place("Ada", "")


def test_times_are_read_as_they_are_written_and_have_an_end(log):
    log.write(relabel(), "Ada")
    with sqlite3.connect(log.path) as database:
        database.execute("DROP TRIGGER acts_stay")
        database.execute("UPDATE acts SET at = '9999-12-31T23:59:59.999999Z'")
    assert log.since()[0].at == "9999-12-31T23:59:59.999999+00:00"
    with pytest.raises(DecisionLogError, match="no time comes after"):
        log.write(relabel(), "Ada")


def test_what_is_no_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, words in [
        ("pipe", "no regular file"),
        (".", "no regular file"),
        ("a\0b", "another name"),
        ("x" * 300, "too long"),
    ]:
        with pytest.raises(DecisionLogError, match=words):
            DecisionLog(tmp_path / name)
