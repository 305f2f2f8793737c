import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from peta_viz.errors import InvalidDataError
from peta_viz.loader import ImageLoader
from tests.test_loader import NASTY, Counter, boom, red, shown_by


def test_only_what_is_shown_is_decoded():
    calls = [Counter(red()) for _ in range(10_000)]
    frame = pd.DataFrame({"image": [ImageLoader(call) for call in calls], "n": range(10_000)})
    html = frame.viz.render(rows=20)._repr_html_()
    assert [call.calls for call in calls[:21]] == [1] * 20 + [0]
    assert sum(call.calls for call in calls) == 20
    assert len(shown_by(html)) == 20
    assert "9,980 more rows are not shown." in html


@pytest.mark.parametrize(("rows", "words"), [(0, "2 more rows are"), (1, "1 more row is")])
def test_rows_left_out_are_counted(rows, words):
    frame = pd.DataFrame({"a": ["x", "y"]})
    html = frame.viz.render(rows=rows).html
    assert f"{words} not shown." in html
    assert html.count("<td") == rows
    assert "not shown" not in frame.viz.render(rows=2).html


def test_a_grouped_column_is_a_grid_of_nine():
    calls = [Counter(red()) for _ in range(1_300)]
    frame = pd.DataFrame(
        {"image": [ImageLoader(call) for call in calls], "component": [0] * 1_298 + [1] * 2}
    )
    html = frame.groupby("component")["image"].agg(list).to_frame().viz.render().html
    assert len(shown_by(html)) == 9 + 2
    assert "+1,289" in html
    assert html.count('class="pvs-grid"') == 2
    assert html.count('class="pvs-more"') == 1
    assert sum(call.calls for call in calls) == 11


def test_text_from_data_is_escaped():
    index = pd.Index([NASTY], name=NASTY, dtype=object)
    cells = [NASTY, [NASTY], ImageLoader(red, name=NASTY), ImageLoader(boom, name=NASTY)]
    columns = pd.Index([NASTY, "list", "image", "broken"], dtype=object)
    frame = pd.DataFrame([cells], index, columns, dtype=object)
    html = frame.viz.render().html
    html.encode("utf-8")
    assert "<script" not in html
    assert "<b>" not in html
    assert 'alert("1")' not in html
    assert html.count("&lt;script&gt;") >= 7
    assert "🦊 שלום" in html


def test_what_cannot_be_read_is_a_box_that_says_why(tmp_path):
    (tmp_path / "zero.png").write_bytes(b"")
    paths = [str(tmp_path / "zero.png"), "gone.png", None, float("nan")]
    frame = pd.DataFrame({"path": paths})
    html = frame.viz.render(images="path").html
    assert not shown_by(html)
    assert html.count("border: 1px dashed") == 4
    for words in ("the file is empty", "the file does not exist", "no image is given"):
        assert words in html


def test_named_columns_are_images_and_others_text(write_image):
    path = write_image()
    frame = pd.DataFrame({"a": [path], "b": [str(path)], "c": [[path, str(path)]], "d": [path]})
    html = frame.viz.render(images=["a", "b", "c"], px=12).html
    assert [picture.size for picture in shown_by(html)] == [(6, 12)] * 4
    assert f'dir="auto">{path}</td>' in html
    assert not shown_by(frame.viz.render().html)


def test_a_list_with_a_gap_shows_the_gap():
    html = pd.DataFrame({"a": [[ImageLoader(red), None]]}).viz.render().html
    assert len(shown_by(html)) == 1
    assert "no image is given" in html


def test_load_makes_lazy_images_with_the_index_kept(write_image, tmp_path):
    write_image("in/a.png", size=(3, 5))
    paths = ["in/a.png", None, "memory://x.png", str(tmp_path / "b.png")]
    frame = pd.DataFrame({"path": paths}, index=list("wxyz"))
    loaders = frame.viz.load("path", root=tmp_path)
    assert loaders.index.tolist() == list("wxyz")
    assert loaders.name == "path"
    assert loaders["w"].size == (3, 5)
    assert loaders["x"].problem == "no image is given"
    assert loaders["y"].name == "memory://x.png"
    assert loaders["z"].name == str(tmp_path / "b.png")
    assert frame["path"].dropna().tolist() == [path for path in paths if path]
    assert frame["path"].viz.load(root=tmp_path)["w"].size == (3, 5)
    assert loaders.viz.load()["w"] is loaders["w"]


def test_a_root_may_be_a_url():
    loaders = pd.DataFrame({"p": ["a.png"]}).viz.load("p", root="s3://bucket/")
    assert loaders[0].name == "s3://bucket/a.png"


def test_a_series_is_shown_as_its_frame():
    series = pd.Series([ImageLoader(red)], name="image")
    assert series.viz.render().html == series.to_frame().viz.render().html
    assert len(shown_by(series.viz.render().html)) == 1


def test_missing_columns_are_told_with_those_that_are_there():
    frame = pd.DataFrame({"a": [1], "b": [2]})
    with pytest.raises(InvalidDataError, match="no column 'c'; it has a, b"):
        frame.viz.render(images="c")
    with pytest.raises(InvalidDataError, match="no column 'c'; it has a, b"):
        frame.viz.load("c")


@pytest.mark.parametrize("wrong", [{"rows": -1}, {"px": 0}])
def test_wrong_numbers_are_refused(wrong):
    with pytest.raises(ValueError, match="expected rows of 0 or more and px of 1 or more"):
        pd.DataFrame({"a": [1]}).viz.render(**wrong)


def test_any_frame_can_be_shown():
    frame = pd.DataFrame(
        {
            ("a", "x"): [1 / 3, np.nan],
            ("a", "y"): ["long" * 500, [1, 2]],
            ("b", "x"): [np.zeros(2), {"k": (1,)}],
        },
        index=pd.MultiIndex.from_tuples([("i", 1), ("j", 2)], names=["up", "down"]),
    )
    html = frame.viz.render().html
    for words in ("a / x", "i / 1", "up / down", ">0.333333<", ">nan<", "[1, 2]", "{&#39;k&#39;"):
        assert words in html
    assert "long" * 126 not in html
    twice = pd.DataFrame([[1, ImageLoader(red)]], columns=["a", "a"])
    assert len(shown_by(twice.viz.render().html)) == 1
    assert "<table" in pd.DataFrame().viz.render().html


def test_urls_wait_at_the_same_time(monkeypatch, tmp_path):
    def slow(*_, **__):
        time.sleep(0.3)
        return path

    path = tmp_path / "a.png"
    Image.new("RGB", (2, 2)).save(path)
    monkeypatch.setattr("peta_viz.loader.fetch", slow)
    frame = pd.DataFrame({"a": [f"https://host/{n}.png" for n in range(8)]})
    begun = time.monotonic()
    assert len(shown_by(frame.viz.render(images="a").html)) == 8
    assert time.monotonic() - begun < 1.5


@pytest.mark.parametrize("module", ["peta_viz.loader", "peta_viz.frames"])
def test_importing_either_registers_the_accessor(module):
    code = f"import {module}, pandas; pandas.DataFrame({{'a': [1]}}).viz.render()"
    subprocess.run([sys.executable, "-W", "error::UserWarning", "-c", code], check=True)
