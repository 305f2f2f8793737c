import os
import subprocess
import sys

import pytest

from peta_viz.files import atomic, content_of, is_file, is_folder, write_text


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


def test_only_a_regular_file_is_a_file(tmp_path):
    (tmp_path / "a").write_text("a")
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    names = ["a", "link", "loop", "pipe", "gone", ".", "x" * 300, "a\0b"]
    assert [name for name in names if is_file(tmp_path / name)] == ["a", "link"]
    assert [name for name in names if is_folder(tmp_path / name)] == ["."]
    assert not is_file("/dev/zero")


@pytest.mark.parametrize("name", ["pipe", "/dev/zero"])
def test_what_never_ends_has_no_content(tmp_path, name):
    os.mkfifo(tmp_path / "pipe")
    assert content_of([str(tmp_path / name)]) == content_of([str(tmp_path / "gone")])
