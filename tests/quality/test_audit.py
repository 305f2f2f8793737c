import re
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import peta_viz
from peta_viz.cli import app
from peta_viz.components import MeltedWarning
from peta_viz.curation.acts import Ledger
from peta_viz.curation.case import Case
from peta_viz.curation.log import DecisionLog
from peta_viz.curation.reading import LOG_FILE
from peta_viz.errors import InvalidDataError
from peta_viz.imageset import ImageSet
from peta_viz.quality.answers import LISTED
from peta_viz.quality.audit import (
    default_folder,
    group,
    grouped_words,
    is_guessed,
    read_source,
    told,
    worst_groups,
)
from peta_viz.quality.pages import write_worst
from peta_viz.quality.reading import WORST_PAGE, quality_of_run, read_worst
from peta_viz.quality.scores import label_quality
from tests.conftest import run_cli
from tests.quality.conftest import image_set, world

HEADS = {"hat": bool, "<b>bag</b>": int, "colour": str}


@pytest.fixture
def table(write_image):
    """Twelve things, each four times; of the first one somebody said that it has no hat."""
    rows = []
    rng = np.random.default_rng(0)
    for thing in range(12):
        hat, bag = bool(thing % 2), int(rng.integers(2))
        for copy in range(4):
            path = write_image(f"{thing}-{copy}.png", seed=thing, size=(64, 96 + copy))
            rows.append((path.name, hat, bag, "red" if thing < 6 else "blue", 3.5 * thing))
    frame = pd.DataFrame(rows, columns=["file", *HEADS, "price"])
    frame.loc[5, "hat"] = False
    return frame


def test_a_frame_becomes_a_queue_of_groups(table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    curator = peta_viz.audit(table, folder=tmp_path / "audit", groups=3, person="Ada")
    quality = quality_of_run(tmp_path / "audit")
    images = quality.imageset.images
    assert images["component_id"].nunique() == 12
    assert quality.imageset.labels.columns.tolist() == [
        *("hat", "<b>bag</b>", "colour=blue", "colour=red"),
    ]
    wrong = images["component_id"].iloc[5]
    assert curator.current == wrong
    name, *_, (doubt,) = curator._desk.describe()["labels"][0]
    assert (name, doubt[2], doubt[5]) == ("hat", "yes", "all of 3 near-copies have it")
    assert worst_groups(quality)["component_id"].tolist() == [wrong]
    assert DecisionLog(tmp_path / "audit" / "decisions.sqlite", make=False).since() == []
    curator.close()
    again = peta_viz.audit(tmp_path / "audit", person="Ada")
    assert again.current == wrong
    again.close()


def test_single_images_with_a_doubt_are_among_the_groups():
    person, labels, vectors = world(people=40, per_person=2)
    component = np.where(person < 20, person, np.arange(len(person)) + 100)
    quality = label_quality(image_set(labels, component), vectors)
    assert quality.scores.to_numpy().min() > 0.5
    assert worst_groups(quality).empty
    scores = quality.scores.copy()
    scores.iloc[[3, 70], 5] = np.float32(0.49)
    assert sorted(worst_groups(replace(quality, scores=scores))["component_id"]) == [1, 170]


def test_the_list_is_read_as_it_was_written(tmp_path):
    _, labels, vectors = world(people=20, per_person=1)
    imageset = image_set(labels, np.arange(20))
    ids = ["007", "NA", "1e3", *map(str, range(17))]
    index = pd.Index(ids, name="image_id", dtype="str")
    parts = [frame.set_axis(index) for frame in (imageset.images, imageset.labels, imageset.known)]
    quality = label_quality(type(imageset)(*parts, imageset.heads), vectors)
    assert read_worst(tmp_path) is None
    quality = replace(quality, scores=quality.scores * np.float32(0.8))  # all are doubted a little
    write_worst(quality, tmp_path)
    worst = quality.worst(1000, least=LISTED)
    assert len(worst)
    pd.testing.assert_frame_equal(read_worst(tmp_path), worst, check_dtype=False)


def test_the_command_lists_and_shows_them(table, tmp_path):
    lost, cut = tmp_path / "lost.png", tmp_path / "cut.png"
    lost.touch()
    cut.write_bytes((tmp_path / "3-0.png").read_bytes()[:2000])
    last = pd.concat([table.iloc[[-1]].assign(file=one.name) for one in (lost, cut)])
    pd.concat([table, last]).to_csv(tmp_path / "own.csv", index=False)
    out = tmp_path / "found"
    said = run_cli("audit", tmp_path / "own.csv", "--out", out, "--count", "5", "--shown", "2")
    assert f"page: {out / 'worst_labels.html'}" in said.stdout
    assert "images, and of each:\n  yes or no: hat" in said.stderr
    options = "--label-columns 'hat,<b>bag</b>' --class-columns colour"
    assert f"columns were guessed; if one is no label, leave it out of: {options}" in said.stderr
    assert "not taken for labels: 'price'; name what is one" in said.stderr
    assert re.search(
        r"\d+ components of two and more images, with \d+ images, the largest of 4; ", said.stdout
    )
    assert "have a near-copy" not in said.stdout
    assert f"cannot be read: {lost.name}: the file is empty" in said.stderr
    assert said.stderr.count("cannot be read") == 2
    assert f"cannot be read: {cut.name}: " in said.stderr  # it was found while grouping
    assert "images more similar than 0.96 (--threshold) are near-copies" in said.stdout
    listed = pd.read_csv(out / "worst_labels.csv")
    assert 1 <= len(listed) <= 5
    assert (listed["p_wrong"] >= LISTED).all()
    assert listed["p_wrong"].tolist() == pytest.approx((1 - listed["score"]).tolist())
    assert listed.iloc[0][["image_id", "label", "value", "suggested"]].tolist() == [
        *("1-1.png", "hat", "no", "yes"),
    ]
    assert listed["reason"].iloc[0] == "all of 3 near-copies have it"
    page = (out / "worst_labels.html").read_text()
    assert f"cannot be read: {cut.name}: " in page
    assert "images more similar than 0.96" in page
    assert "columns were guessed" in page
    assert page.count('class="finding"') == min(2, listed["image_id"].nunique())
    assert "<b>bag" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert "data:image/jpeg;base64," in page


@pytest.mark.parametrize("option", [("--count", "0"), ("--count", "-5"), ("--shown", "-3")])
def test_how_many_are_listed_is_a_number_of_labels(option, table, tmp_path):
    table.to_csv(tmp_path / "own.csv", index=False)
    out = tmp_path / "out"
    done = CliRunner().invoke(app, ["audit", str(tmp_path / "own.csv"), "--out", str(out), *option])
    assert done.exit_code == 2
    assert not out.exists()


def test_what_is_nearly_linked_is_named():
    component = np.repeat(np.arange(30), 2)
    component[:4] = np.arange(100, 104)  # single images
    _, labels, _ = world(people=30, per_person=2)
    quality = label_quality(image_set(labels, component))

    def lines(*rows):
        pairs = pd.DataFrame(rows, columns=["first", "second", "similarity"])
        return grouped_words(quality, pairs, 0.9, "--threshold")

    linked = ("i10", "i11", 0.95)
    groups = "28 components of two and more images, with 56 images, the largest of 2; 4 images"
    assert lines(linked, ("i0", "i20", 0.85), ("i12", "i14", 0.89)) == [
        "images more similar than 0.9 (--threshold) are near-copies",
        f"{groups} like no other",
    ]
    *found, advice = lines(("i0", "i20", 0.86), linked, ("i2", "i0", 0.89), ("i9", "i0", 0.87))[2:]
    assert found == [
        "2 of these have an image that is nearly as alike, the most alike first:",
        "  i2 and i0 (0.890)",
        "  i9 and i0 (0.870)",
        "  i0 and i20 (0.860)",
    ]
    assert advice.startswith("where such show the same, lower the threshold (--threshold) step by")
    assert "to 0.89 at first" in advice
    many = [("i0", f"i{n}", 0.86) for n in range(20, 30)]
    assert sum(line.startswith("  i0 and") for line in lines(*many)) == 5


def test_a_table_away_from_its_images_is_refused_before_any_work(table, tmp_path):
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    table.to_csv(moved / "own.csv", index=False)
    with pytest.raises(InvalidDataError, match=r"none of its \d+ images can be read, such as "):
        peta_viz.audit(moved / "own.csv", folder=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_in_python_it_says_what_it_took_the_columns_for(table, tmp_path, capsys):
    peta_viz.audit(table, folder=tmp_path / "out", root=tmp_path).close()
    said = capsys.readouterr().out
    assert "yes or no: hat" in said
    own = "labels=['hat', '<b>bag</b>'], classes=['colour']"
    assert f"columns were guessed; if one is no label, leave it out of: {own}" in said
    assert "is it a label of what they show" not in said
    (tmp_path / "11-0.png").write_bytes((tmp_path / "11-0.png").read_bytes()[:2000])
    by_whom = table.assign(who=["Ann", "Bo"] * (len(table) // 2))
    peta_viz.audit(by_whom, folder=tmp_path / "out", root=tmp_path).close()
    said = capsys.readouterr().out
    assert "images differ in 'who': is it a label of what they show?" in said
    assert "cannot be read: 11-0.png: " in said
    peta_viz.audit(table, folder=tmp_path / "out", root=tmp_path, labels=["hat"]).close()
    said = capsys.readouterr().out
    assert "guessed" not in said
    assert "not taken" not in said
    out = tmp_path / "out"
    assert f"kept in {out}; the list with pictures: {out / WORST_PAGE}\n" in said
    assert "images more similar than 0.96 (threshold=…) are near-copies" in said
    assert "images more similar than 0.96" in (out / WORST_PAGE).read_text()
    pd.testing.assert_frame_equal(
        read_worst(out), quality_of_run(out).worst(1000, least=LISTED), check_dtype=False
    )
    assert "not as" not in said
    assert "not known" not in said
    assert not is_guessed(tmp_path, None, None)  # a PETA release has no columns
    assert is_guessed(table, None, None)
    (tmp_path / "file").touch()
    with pytest.raises(InvalidDataError, match="is a file: name a folder"):
        peta_viz.audit(table, folder=tmp_path / "file", root=tmp_path)


def test_a_component_that_is_too_large_is_told(table, tmp_path, monkeypatch):
    def grouped(imageset, folder, **options):
        warnings.warn("the largest component holds <all> of them", MeltedWarning, stacklevel=2)
        return group(imageset, folder, **options)

    monkeypatch.setattr("peta_viz.quality.audit.group", grouped)
    table.to_csv(tmp_path / "own.csv", index=False)
    out = tmp_path / "out"
    done = CliRunner().invoke(app, ["audit", str(tmp_path / "own.csv"), "--out", str(out)])
    assert "warning: the largest component holds <all> of them\n" in done.output
    assert "MeltedWarning" not in done.output
    page = (out / "worst_labels.html").read_text()
    assert "warning: the largest component holds &lt;all&gt; of them" in page


def test_every_data_set_has_a_folder_of_its_own(table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table.to_csv(tmp_path / "my mugs.csv", index=False)
    said = run_cli("audit", "my mugs.csv")
    assert "page: audit/my mugs/worst_labels.html" in said.stdout
    assert default_folder("audit/my mugs") == Path("audit/my mugs")  # a run folder
    assert default_folder(tmp_path / "shoes") == Path("audit/shoes")
    assert default_folder(table) == Path("audit/table")
    peta_viz.audit(table, root=tmp_path).close()
    assert (tmp_path / "audit" / "table" / "pairs.parquet").is_file()


def test_a_folder_of_other_images_is_refused(table, tmp_path):
    table.to_csv(tmp_path / "own.csv", index=False)
    out = tmp_path / "out"
    peta_viz.audit(table.head(20), folder=out, root=tmp_path).close()
    before = (out / "pairs.parquet").read_bytes()
    others = table.tail(20).reset_index(drop=True)
    with pytest.raises(InvalidDataError, match="holds 20 other images: name another folder with"):
        peta_viz.audit(others, folder=out, root=tmp_path)
    others.to_csv(tmp_path / "others.csv", index=False)
    done = run_cli("audit", tmp_path / "others.csv", "--out", out, check=False)
    assert done.returncode == 1
    assert "name another folder with --out" in done.stderr
    assert (out / "pairs.parquet").read_bytes() == before
    peta_viz.audit(table, folder=out, root=tmp_path).close()  # some are the same
    assert len(quality_of_run(out).imageset) == len(table)


def test_decisions_about_other_images_are_not_left_alone(table, tmp_path):
    out = tmp_path / "out"
    peta_viz.audit(table, folder=out, root=tmp_path).close()
    imageset, log = ImageSet.from_parquet(out), DecisionLog(out / LOG_FILE)
    last = imageset.images.index[-1]
    component = imageset.images.loc[last, "component_id"]
    rows = np.flatnonzero(imageset.images["component_id"] == component)
    value = "no" if imageset.labels.loc[last, "hat"] else "yes"
    log.write(Case.of(imageset, Ledger(), component, rows).relabel("hat", value, [last]), "Ada")
    before = (out / "images.parquet").read_bytes()
    with pytest.raises(InvalidDataError, match=f"are about 1 image that are not .* {last}: name"):
        peta_viz.audit(table.head(20), folder=out, root=tmp_path)
    assert (out / "images.parquet").read_bytes() == before
    table.to_csv(tmp_path / "own.csv", index=False)
    done = run_cli("audit", tmp_path / "own.csv", "--out", out)
    assert f"judged as they came, not as {out / LOG_FILE} has them" in done.stdout
    again = run_cli("audit", out).stdout  # as of a run
    assert re.search(r"^\d+ components of two and more images, with ", again, re.MULTILINE)


def test_a_threshold_out_of_range_leaves_no_folder(table, tmp_path):
    with pytest.raises(InvalidDataError, match="threshold must be from 0 to 1, but is 98"):
        peta_viz.audit(table, folder=tmp_path / "out", root=tmp_path, threshold=98)
    assert not (tmp_path / "out").exists()


def test_what_is_taken_for_parts_of_the_set_is_told(write_image, tmp_path):
    for side in ("train", "val"):
        for name in ("cat", "dog"):
            (tmp_path / side / name).mkdir(parents=True)
            write_image(f"{side}/{name}/1.png")
    lines = told(read_source(tmp_path))
    assert "  no label, but part of the set: train, val" in lines
    assert "  class: one of cat, dog" in lines


def test_a_file_is_no_folder_to_write_into(table, tmp_path):
    file = tmp_path / "own.csv"
    table.to_csv(file, index=False)
    done = run_cli("audit", file, "--out", file, check=False)
    assert done.returncode == 1
    assert f"{file} is a file: name a folder" in done.stderr
    assert "Traceback" not in done.stderr
    assert pd.read_csv(file).shape == table.shape


def test_what_cannot_be_guessed_is_asked_for(table, tmp_path):
    with pytest.raises(
        InvalidDataError, match="no column looks like image files: name it with path"
    ):
        peta_viz.audit(table.drop(columns="file"), folder=tmp_path)
    with pytest.raises(InvalidDataError, match="no column looks like labels"):
        peta_viz.audit(table[["file", "price"]], folder=tmp_path)
    with pytest.raises(InvalidDataError, match=r"there is no images\.parquet|no such file"):
        peta_viz.audit(tmp_path / "nothing.csv", folder=tmp_path)


def test_groups_are_ordered_by_what_can_be_mended():
    person, labels, vectors = world(people=10, per_person=2)
    labels[0, 5], labels[1, 5] = True, False  # contested
    quality = label_quality(image_set(labels, person * 10), vectors)
    scores = quality.scores.copy()
    scores[:] = np.float32(0.9)
    scores.iloc[[6, 11], 2] = np.float32([0.1, 0.5])  # of these the first is doubted
    components = quality.components.assign(wrong_labels=0.0, different=0.0)
    components.loc[0, ["wrong_labels", "different"]] = [0.2, 0.7]
    components.loc[30, "wrong_labels"] = 0.8
    components.loc[70, "wrong_labels"] = 9.0
    found = worst_groups(replace(quality, scores=scores, components=components))
    assert found.columns.tolist() == ["component_id", "score"]
    assert found.to_numpy() == pytest.approx(np.array([[0, 0.9], [30, 0.8]]))


def test_images_are_read_from_wherever_they_are(table, make_set, tmp_path):
    own = make_set({"a": "x"})
    assert read_source(own) is own
    table.to_csv(tmp_path / "own.csv", index=False)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "images.parquet").touch()
    assert read_source(tmp_path / "run") is None
    guessed = ["hat", "<b>bag</b>", "colour=blue", "colour=red"]
    of_file = read_source(tmp_path / "own.csv")  # paths start where the file is
    assert of_file.labels.columns.tolist() == guessed
    assert (of_file.images["problem"] == "").all()
    with pytest.raises(InvalidDataError, match=r"run/.* \(the file does not exist\): paths start"):
        read_source(tmp_path / "own.csv", root=tmp_path / "run")
    named = read_source(table, path="file", labels=["hat"], root=tmp_path)
    assert named.labels.columns.tolist() == ["hat"]
    assert (named.images["problem"] == "").all()
    here = {"root": tmp_path}
    assert read_source(table, classes=["colour"], **here).labels.columns.tolist() == guessed[2:]
    assert read_source(table, path="file", **here).labels.columns.tolist() == guessed
    full = table.assign(file=[str(tmp_path / name) for name in table["file"]])
    assert read_source(full, labels=["hat"]).images["path"].tolist() == full["file"].tolist()
    table["hat"] = table["hat"].astype(object)
    table.loc[0, "hat"] = None
    table.loc[1, "colour"] = None
    lines = told(read_source(table, **here))
    assert "2 answers are not known (empty cells)" in lines
    assert read_source(table, **here).known["hat"].tolist() == [False] + [True] * 47
    with pytest.raises(InvalidDataError, match="nothing in it tells the labels"):
        read_source(tmp_path)


def test_a_run_is_looked_at_where_it_lies(table, tmp_path):
    imageset = ImageSet.from_frame(
        table, path="file", labels=["hat"], classes=["colour"], root=tmp_path, missing="unknown"
    ).with_columns(component_id=np.arange(48) // 4)
    imageset.to_parquet(tmp_path)
    ids = imageset.images.index
    pairs = pd.DataFrame({"first": ids[:-1], "second": ids[1:], "similarity": np.float32(0.9)})
    pairs.to_parquet(tmp_path / "pairs.parquet")
    curator = peta_viz.audit(tmp_path, groups=1, person="Ada")
    assert curator.current == 1
    assert (tmp_path / "decisions.sqlite").is_file()
    _, *_, (doubt,) = curator._desk.describe()["labels"][0]
    assert (doubt[2], doubt[5]) == ("yes", "all of 3 near-copies have it")
    curator.close()
