"""Turns executed notebooks into single HTML files, and a run folder into an index page."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
from nbconvert import HTMLExporter

from peta_viz.agreement import flag_words, why_none_flagged
from peta_viz.errors import InvalidDataError
from peta_viz.evaluation import (
    FEW,
    choose,
    difference_words,
    headline_words,
    read_scores,
)
from peta_viz.files import is_file, write_text
from peta_viz.imageset import Head, ImageSet
from peta_viz.markup import POLICY, templates
from peta_viz.parquet import read_frame
from peta_viz.quality.reading import LABEL_NOTES_FILE, WORST_PAGE, read_worst
from peta_viz.stills import show_components
from peta_viz.tracking import without_cnvrg

EXPERIMENT_NOTES_FILE = "experiment_notes.json"
NOTES_FILES = ("notes.json", LABEL_NOTES_FILE, EXPERIMENT_NOTES_FILE)
_WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
_SHOWN = ["size", "contested", "disagreement"]
_TEMPLATE = """
{%- extends 'lab/index.html.j2' -%}
{%- block html_head -%}
<meta http-equiv="Content-Security-Policy" content="POLICY">
{{ super() }}
<style>
body.jp-Notebook { max-width: 1100px; margin: 0 auto; overflow: auto; padding: 1em; }
.jp-Notebook .jp-Cell { padding: 2px 0; }
[id^="ipyplot-html-viewer"] { display: none; }
</style>
{%- endblock -%}
{%- block html_head_js -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
{%- block jupyter_widgets -%}{%- endblock -%}
""".replace("POLICY", POLICY)


def notebook_to_html(notebook: str | Path, html: str | Path, *, title: str) -> None:
    """Write an executed notebook as one HTML file without code that needs no network.

    Progress bars and other standard error, what only a cnvrg agent reads, and live widgets, which
    nothing would bring to life, are left out; they stay in the notebook.
    """
    nodes = nbformat.read(notebook, as_version=4)
    nodes.metadata.pop("widgets", None)
    nodes.metadata["title"] = title
    for cell in nodes.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in map(_still, cell.outputs) if output]
    exporter = HTMLExporter(
        raw_template=_TEMPLATE,
        exclude_input=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
    )
    body, _ = exporter.from_notebook_node(nodes)
    write_text(html, body)


def _still(output: Any) -> Any:
    if output.output_type == "stream":
        output.text = without_cnvrg(output.text)
        return None if output.name == "stderr" or not output.text else output
    data = output.get("data", {})
    if _WIDGET_VIEW in data:
        del data[_WIDGET_VIEW]
        return output if "text/html" in data else None
    return output


def write_index(
    folder: str | Path,
    *,
    parameters: Mapping[str, Any],
    seconds: Mapping[str, float],
    notes: Sequence[str] = (),
) -> Path:
    """Write ``index.html`` of a finished run: the main figures, pictures, and links.

    Parameters
    ----------
    folder
        The run folder, with its tables and ``reports/``.
    parameters
        What the run was told.
    seconds
        What each stage took.
    notes
        Warnings to show on top.

    Returns
    -------
    Path
        The page.

    """
    folder = Path(folder)
    truth = folder / "truth_scores.csv"
    page = (
        templates()
        .get_template("index.html.j2")
        .render(
            policy=POLICY,
            **_labels_found(folder),
            **_models_found(folder),
            truth=pd.read_csv(truth, index_col=["strategy", "level"])
            if parameters.get("truth") and truth.is_file()
            else None,
            parameters=parameters,
            seconds=seconds,
            notes=notes,
        )
    )
    write_text(folder / "index.html", page)
    return folder / "index.html"


def _labels_found(folder: Path) -> dict[str, Any]:
    """Collect what the page says of components, labels and cleaning."""
    imageset = ImageSet.from_parquet(folder)
    components = read_frame(folder / "components.parquet")
    changes = read_frame(folder / "cleaning.parquet")
    flag = next(name for name in components.columns if name.startswith("is_bad_component_"))
    ordered = components.sort_values("disagreement", ascending=False)
    bad = ordered[ordered[flag]]
    worst = bad if len(bad) else ordered[ordered["contested"]]
    out = changes["label"] == ""
    wrong = read_worst(folder)
    return {
        "imageset": imageset,
        "components": components,
        "multiple": components[components["size"] > 1],
        "unreadable": int((imageset.images["problem"] != "").sum()),
        "flag": flag.removeprefix("is_bad_component_"),
        "flag_words": flag_words(flag),
        "why_none": why_none_flagged(components, flag),
        "bad": bad,
        "pictures": show_components(imageset, worst[[*_SHOWN, flag]], most_components=6).html,
        "images_out": int(out.sum()),
        "labels_changed": int((~out).sum()),
        "steps": list(dict.fromkeys(changes["strategy"])),
        "wrong": wrong,
        "wrong_touched": 0 if wrong is None else _count_touched(wrong, changes, imageset.heads),
        "worst_page": WORST_PAGE,
    }


def _models_found(folder: Path) -> dict[str, Any]:
    """Collect what the page says of the experiments."""
    scores, differences = (
        read_scores(folder / f"{name}.csv") for name in ("experiments", "differences")
    )
    table = headline_words(scores).join(difference_words(differences)[["C − A"]])
    said = {
        one.experiment: f"trained on {one.trained_on}, judged on {one.judged_on}"
        for one in scores.drop_duplicates("experiment").itertuples()
    } | {"C − A": "what cleaning is worth"}
    return {
        "table_columns": [(name, said.get(name, "")) for name in table.columns],
        "table_rows": [list(row) for row in table.itertuples()],
        "seeds": int(scores["seeds"].max()),
        "judged": int(choose(scores)["components"].max()),
        "few": FEW,
        "same": _same_training(folder),
    }


def _count_touched(wrong: pd.DataFrame, changes: pd.DataFrame, heads: Sequence[Head]) -> int:
    """Count the doubted labels that cleaning changed, or whose image it took out."""
    # A doubted class is listed by the name of its head, and changed label by label.
    listed = {label: h.name for h in heads if h.kind == "exclusive" for label in h.labels}
    out = wrong["image_id"].isin(changes.loc[changes["label"] == "", "image_id"])
    changed = changes[["image_id", "label"]].replace({"label": listed})
    cells = [pd.MultiIndex.from_frame(table) for table in (wrong[["image_id", "label"]], changed)]
    return int((out | cells[0].isin(cells[1])).sum())


def _same_training(folder: Path) -> bool:
    """Tell whether the models of raw and of cleaned labels are the same."""
    file = folder / "training.csv"
    if not is_file(file):
        return False
    history = pd.read_csv(file).set_index(["seed", "epoch"])[["trained_on", "loss"]]
    losses = [history.loc[history["trained_on"] == state, "loss"] for state in ("raw", "cleaned")]
    return losses[0].equals(losses[1])


def read_notes(folder: str | Path) -> list[str]:
    """Return the warnings that the stages left, of components, of labels and of models."""
    return [note for name in NOTES_FILES for note in _notes(Path(folder) / name)]


def _notes(file: Path) -> list[str]:
    if not is_file(file):
        return []
    try:
        notes = json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        notes = None
    if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
        words = "it is no list of texts: remove it, and the next run writes it anew"
        raise InvalidDataError(str(file), [words])
    return notes
