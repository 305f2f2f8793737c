import errno
import os
import signal
import subprocess
import sys

import pytest

from peta_viz.errors import BusyError, DiskError
from peta_viz.files import (
    alone,
    atomic,
    content_of,
    disk_told,
    is_file,
    is_folder,
    name_of,
    write_text,
)


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


def test_work_is_called_by_its_table_or_folder(tmp_path, monkeypatch):
    (tmp_path / "shoes.v2").mkdir()
    (tmp_path / "shoes.v2" / "red.csv").touch()
    monkeypatch.chdir(tmp_path / "shoes.v2")
    assert name_of(tmp_path / "shoes.v2" / "red.csv") == name_of("red.csv") == "red"
    assert name_of(tmp_path / "shoes.v2") == name_of(".") == "shoes.v2"
    assert name_of("..") == tmp_path.name
    assert name_of("/") == "table"


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


def test_a_full_disk_is_told_with_the_file_and_what_to_do(tmp_path):
    file = tmp_path / "a.txt"
    script = (
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from peta_viz.files import disk_told, write_text\n"
        f"with disk_told({str(file)!r}): write_text({str(file)!r}, 'x' * 100_000)\n"
    )
    command = f'ulimit -f 1; exec {sys.executable} -c "$0"'
    done = subprocess.run(
        ["bash", "-c", command, script], capture_output=True, text=True, check=False
    )
    assert f"DiskError: {file}: a file may not become so large: raise the limit" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO])
def test_what_is_wrong_with_a_disk_is_an_error_of_ours(number):
    with pytest.raises(DiskError, match=r"^here: .*give the same command again"), disk_told("here"):
        raise OSError(number, os.strerror(number))


def test_what_has_nothing_to_do_with_the_disk_stays_what_it_is(tmp_path):
    with pytest.raises(FileNotFoundError), disk_told(tmp_path):
        (tmp_path / "none").read_text()


HOLDER = (
    "import sys, time\n"
    "from peta_viz.files import alone\n"
    "with alone(sys.argv[1], 'run'):\n"
    "    print('in', flush=True)\n"
    "    time.sleep(600)\n"
)


def test_two_at_once_are_refused_and_a_claim_dies_with_its_process(tmp_path):
    folder = tmp_path / "new"
    command = [sys.executable, "-c", HOLDER, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "in\n"
        with pytest.raises(BusyError, match=r"another run is at work in .*new"):
            alone(folder, "run").__enter__()
        holder.send_signal(signal.SIGKILL)
    with alone(folder, "run"):
        pass


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
