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
