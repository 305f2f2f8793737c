import shutil

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from peta_viz.errors import InvalidDataError
from peta_viz.evaluation import difference_words, headline_words, read_scores
from peta_viz.imageset import ImageSet
from peta_viz.markup import POLICY
from peta_viz.report import notebook_to_html, read_notes, write_index

VIEW = "application/vnd.jupyter.widget-view+json"


def test_a_report_has_results_but_no_code_no_progress_and_no_address(tmp_path):
    outputs = [
        new_output("stream", name="stdout", text="a result"),
        new_output("stream", name="stderr", text="\rembedding: 3%"),
        new_output("display_data", {VIEW: {}, "text/plain": "dead widget"}),
        new_output("display_data", {VIEW: {}, "text/html": "<b>still picture</b>"}),
    ]
    code = new_code_cell("secret_code()", outputs=outputs, execution_count=1)
    notebook = new_notebook(cells=[new_markdown_cell("# Title\n\n$x$"), code])
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {}}}
    nbformat.write(notebook, tmp_path / "a.ipynb")
    notebook_to_html(tmp_path / "a.ipynb", tmp_path / "out" / "a.html", title="<Title>")
    html = (tmp_path / "out" / "a.html").read_text()
    assert "a result" in html
    assert "<b>still picture</b>" in html
    for absent in ("secret_code", "embedding", "dead widget", "<Title>", "cdnjs", 'src="http'):
        assert absent not in html
    assert "default-src 'none'" in html


def test_text_of_every_kind_of_output_is_text(tmp_path):
    evil = "</pre><img src=x onerror=alert(1)>"
    outputs = [
        new_output("stream", name="stdout", text=f"\x1b[31m{evil}"),
        new_output("display_data", {"text/plain": evil}),
        new_output("execute_result", {"text/plain": repr([evil])}),
        new_output("error", ename=evil, evalue=evil, traceback=[f"\x1b[31m{evil}", evil]),
    ]
    cells = [new_code_cell(f"f({evil!r})", outputs=outputs, execution_count=1)]
    nbformat.write(new_notebook(cells=cells), tmp_path / "a.ipynb")
    notebook_to_html(tmp_path / "a.ipynb", tmp_path / "a.html", title=evil)
    html = (tmp_path / "a.html").read_text()
    assert "<img" not in html
    assert html.count("&lt;img src=x") >= 5


def test_no_page_may_run_a_script():
    rules = dict(rule.split(" ", 1) for rule in POLICY.split("; "))
    assert rules.pop("default-src") == rules["base-uri"] == rules["form-action"] == "'none'"
    assert not any("script" in name or "http" in value for name, value in rules.items())


def test_the_index_tells_the_main_figures(run_folder):
    page = (run_folder / "index.html").read_text()
    components = pd.read_parquet(run_folder / "components.parquet")
    multiple = components[components["size"] > 1]
    assert f"<b>{len(multiple)}</b>components of two or more images" in page
    assert f"holding {multiple['size'].sum()}; the largest {components['size'].max()}" in page
    assert f"<b>{components['is_bad_component_disagreement_80'].sum()}</b>flagged bad" in page
    assert page.count("data:image/jpeg;base64,") > 10
    scores, differences = (
        read_scores(run_folder / f"{name}.csv") for name in ("experiments", "differences")
    )
    assert headline_words(scores).loc["mean", "C"] in page
    assert difference_words(differences).loc["gender", "C − A"] in page
    assert "Compared with the planted errors" in page


def test_the_index_says_where_too_few_components_are_judged(run_folder, tmp_path):
    page = (run_folder / "index.html").read_text()
    worst = pd.read_csv(run_folder / "worst_labels.csv")
    wrong = worst["p_wrong"].sum()
    assert f"<b>{len(worst)}</b>labels doubted, of which about {wrong:.0f} are wrong" in page
    assert "flagged bad: disagreement above percentile 80 of the contested ones" in page
    assert "<small>trained on raw, judged on cleaned</small>" in page
    assert "both are the same model" not in page
    assert "So few components" not in page
    shutil.copytree(run_folder, tmp_path / "run")
    for name in ("experiments", "differences"):
        table = read_scores(tmp_path / "run" / f"{name}.csv").assign(components=2)
        table.to_csv(tmp_path / "run" / f"{name}.csv", index=False)
    history = pd.read_csv(tmp_path / "run" / "training.csv")
    raw = history[history["trained_on"] == "raw"]
    same = pd.concat([raw, raw.assign(trained_on="cleaned")])
    same.to_csv(tmp_path / "run" / "training.csv", index=False)
    page = write_index(tmp_path / "run", parameters={}, seconds={}).read_text()
    assert "both are the same model, and C − A says nothing" in page
    assert "<code>--clean label_correction</code> turns the labels" in page
    assert "its 2 components of two and more images" in page
    assert "So few components tell nothing" in page
    assert "(of 2: too few)" in page


def test_the_index_says_how_many_doubted_labels_cleaning_touched(run_folder, tmp_path):
    worst = pd.read_csv(run_folder / "worst_labels.csv", dtype={"image_id": str})
    changes = pd.read_parquet(run_folder / "cleaning.parquet")
    out = set(changes.loc[changes["label"] == "", "image_id"])
    touched = sum(one in out for one in worst["image_id"])
    assert 0 < touched < len(worst)
    page = (run_folder / "index.html").read_text()
    assert f"</a>; cleaning touched {touched} of them" in page
    shutil.copytree(run_folder, tmp_path / "run")
    classes = {h.name: h for h in ImageSet.from_parquet(run_folder).heads if h.kind == "exclusive"}
    is_class = worst["label"].isin(classes)
    for one in (worst[is_class].iloc[0], worst[~is_class].iloc[0]):  # age; a label of its own
        label = classes[one.label].labels[0] if one.label in classes else one.label
        changed = pd.DataFrame([[1, "x", one.image_id, label, "yes", "no", ""]])
        changed.columns = changes.columns
        changed.to_parquet(tmp_path / "run" / "cleaning.parquet")
        page = write_index(tmp_path / "run", parameters={}, seconds={}).read_text()
        assert "</a>; cleaning touched 1 of them" in page
    changed.assign(label=f"no {label}").to_parquet(tmp_path / "run" / "cleaning.parquet")
    page = write_index(tmp_path / "run", parameters={}, seconds={}).read_text()
    assert "</a>; cleaning touched none of them" in page


def test_the_index_escapes_what_the_run_was_told(run_folder, tmp_path):
    evil = "<script>alert(1)</script>"
    for name in ("images", "labels", "components", "cleaning"):
        (tmp_path / f"{name}.parquet").write_bytes((run_folder / f"{name}.parquet").read_bytes())
    for name in ("experiments", "differences"):
        (tmp_path / f"{name}.csv").write_bytes((run_folder / f"{name}.csv").read_bytes())
    page = write_index(tmp_path, parameters={"root": evil}, seconds={"01_x": 1.0}, notes=[evil])
    html = page.read_text()
    assert evil not in html
    assert html.count("&lt;script&gt;alert(1)") == 2
    assert "Compared with the planted errors" not in html


def test_figures_of_an_earlier_sample_are_not_shown(run_folder, tmp_path):
    shutil.copytree(run_folder, tmp_path / "run")
    page = write_index(tmp_path / "run", parameters={"truth": None}, seconds={})
    assert "Compared with the planted errors" not in page.read_text()


def test_no_notes_are_no_notes(tmp_path):
    assert read_notes(tmp_path) == []


@pytest.mark.parametrize("text", ["", "{", '{"a": 1}', "[1]", "[" * 5_000, "\xff"])
def test_notes_that_are_no_texts_are_told(tmp_path, text):
    (tmp_path / "notes.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidDataError, match="remove it"):
        read_notes(tmp_path)
