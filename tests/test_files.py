import os
import subprocess
import sys

import pytest

from peta_viz.files import atomic, write_text


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path):
    file = tmp_path / "new" / "a.txt"
    write_text(file, "old")
    with pytest.raises(ZeroDivisionError), atomic(file) as partial:
        partial.write_text(f"half {1 / 0}")
    assert file.read_text() == "old"
    with atomic(file) as partial:
        partial.write_text("new")
        assert partial.suffix == ".txt"
        assert file.read_text() == "old"
    assert file.read_text() == "new"
    assert [p.name for p in file.parent.iterdir()] == ["a.txt"]


def test_what_a_killed_process_left_is_removed(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    names = [f".a.{process}.partial.npy" for process in (gone.pid, os.getppid())]
    orphan, living, other = (tmp_path / name for name in (*names, ".b.1.partial.npy"))
    for file in (orphan, living, other):
        file.write_text("half")
    with atomic(tmp_path / "a.npy") as partial:
        partial.write_text("whole")
    assert not orphan.exists()
    assert living.exists()
    assert other.exists()
