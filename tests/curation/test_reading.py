"""What corrects an image set, read from files."""

import pandas as pd
import pytest

from peta_viz import Cleaning, Decisions, clean, parse_strategy
from peta_viz.curation.acts import Act, Cell, Change
from peta_viz.curation.log import DecisionLog
from peta_viz.curation.reading import (
    LOG_FILE,
    cleaning_of_run,
    curation_of_run,
    decisions_of_run,
    keep_trained,
    read_curation,
)
from peta_viz.errors import DecisionLogError, InvalidDataError


@pytest.fixture
def imageset(make_set):
    return make_set({"a": "x", "b": "x", "c": ""}).with_columns(component_id=0)


@pytest.fixture
def log(tmp_path):
    log = DecisionLog(tmp_path / LOG_FILE)
    log.write(Act("relabel", 0, ("a",), (Change(Cell("a", "label", "x"), "yes", "no"),)), "Ada")
    log.write(Act("drop", 0, ("a",), (Change(Cell("b", "image"), "in", "out"),)), "Ada")
    return log


def test_every_form_is_read(imageset, log, tmp_path):
    decisions = Decisions.of(log.since())
    decisions.write(tmp_path / "said.csv")
    decisions.write(tmp_path / "said.parquet")
    for name in (LOG_FILE, "said.csv", "said.parquet"):
        read = read_curation(tmp_path / name)
        assert isinstance(read, Decisions)
        curated = read.apply(imageset)
        assert curated.labels["x"].tolist() == [False, False]
        assert curated.images.index.tolist() == ["a", "c"]
    cleaning = clean(imageset, [parse_strategy("label_pruning:ratio=0.7")])
    cleaning.changes.to_parquet(tmp_path / "cleaning.parquet")
    assert isinstance(read_curation(tmp_path / "cleaning.parquet"), Cleaning)
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(InvalidDataError, match="neither"):
        read_curation(tmp_path / "other.parquet")
    with pytest.raises(DecisionLogError, match="not there"):
        read_curation(tmp_path / "none.sqlite")


def test_what_stands_has_the_form_of_a_cleaning(imageset, log):
    decisions = Decisions.of(log.since())
    as_cleaning = Cleaning(decisions.changes).apply(imageset)
    curated = decisions.apply(imageset)
    pd.testing.assert_frame_equal(as_cleaning.labels, curated.labels)
    pd.testing.assert_frame_equal(as_cleaning.known, curated.known)
    assert set(decisions.changes["strategy"]) == {"Ada"}


def test_of_a_run_folder(log, tmp_path):
    assert len(decisions_of_run(tmp_path).entries) == 2
    assert curation_of_run(tmp_path) is not None
    assert isinstance(cleaning_of_run(tmp_path, "people"), Decisions)
    empty = tmp_path / "empty"
    assert decisions_of_run(empty).entries == ()
    assert not empty.exists()
    assert curation_of_run(empty) is None
    assert isinstance(curation_of_run(empty, log.path), Decisions)
    with pytest.raises(InvalidDataError, match="nobody has changed anything"):
        cleaning_of_run(empty, "people")
    with pytest.raises(InvalidDataError, match='"strategies" or "people"'):
        cleaning_of_run(empty, "angels")


def test_what_was_trained_on_is_kept(imageset, log, tmp_path):
    decisions = decisions_of_run(tmp_path)
    keep_trained(tmp_path, clean(imageset, [parse_strategy("label_pruning:ratio=0.7")]))
    assert not list(tmp_path.glob("*.parquet"))
    keep_trained(tmp_path, decisions)
    log.write(Act("note", 0, ("a",), (Change(Cell("a", "note"), "", "hm"),)), "Ada")
    kept = cleaning_of_run(tmp_path, "people", trained=True).entries
    assert [(one.id, one.act) for one in kept] == [(one.id, one.act) for one in decisions.entries]
    assert len(cleaning_of_run(tmp_path, "people").entries) == 3
    made = clean(imageset, [parse_strategy("label_pruning:ratio=0.7")])
    made.changes.to_parquet(tmp_path / "cleaning.parquet")
    assert isinstance(cleaning_of_run(tmp_path, "strategies"), Cleaning)


def test_a_log_in_which_nothing_stands_curates_nothing(log, tmp_path):
    for _ in range(2):
        log.undo("Ada")
    assert curation_of_run(tmp_path) is None
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / LOG_FILE).touch()
    assert decisions_of_run(tmp_path / "begun").entries == ()
