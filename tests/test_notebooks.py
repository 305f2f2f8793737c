import ast
import json
from pathlib import Path

import papermill
import pytest

from peta_viz.curation.log import DecisionLog
from peta_viz.pipeline import STAGES, _LocalKernelManager

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def test_there_is_one_per_stage_and_a_tutorial():
    assert [notebook.stem for notebook in NOTEBOOKS] == [*(s.name for s in STAGES), "tutorial"]


def test_the_tutorial_runs_to_its_end(tmp_path):
    source = next(notebook for notebook in NOTEBOOKS if notebook.stem == "tutorial")
    done = tmp_path / "notebooks" / "tutorial.ipynb"
    done.parent.mkdir()
    papermill.execute_notebook(
        source,
        done,
        cwd=done.parent,
        kernel_name="python3",
        kernel_manager_class=_LocalKernelManager,
    )
    text = "".join(str(cell.get("outputs")) for cell in json.loads(done.read_text())["cells"])
    assert "mug 0" in text
    assert "truncated" in text
    assert "near-copies" in text
    log = DecisionLog(tmp_path / "runs" / "tutorial" / "decisions.sqlite", make=False)
    assert log.since() == []  # nobody decided anything


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_its_form(notebook):
    cells = json.loads(notebook.read_text())["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert cells[0]["cell_type"] == "markdown"
    assert [cell["metadata"].get("tags", []) for cell in code].count(["parameters"]) == 1
    assert code[0]["metadata"]["tags"] == ["parameters"]
    for cell in code:
        assert not cell["outputs"]
        assert cell["execution_count"] is None
        for node in ast.walk(ast.parse("".join(cell["source"]))):
            assert not isinstance(node, ast.FunctionDef | ast.ClassDef)
    assert notebook.stat().st_size < 20_000


@pytest.mark.parametrize(
    "notebook", [n for n in NOTEBOOKS if n.stem != "04_experiments"], ids=lambda path: path.stem
)
def test_its_words_fit_any_images(notebook):
    for word in ("CUHK", "PETA's", "persons", "pedestrian"):
        assert word not in notebook.read_text()
