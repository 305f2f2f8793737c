import ast
import json
from pathlib import Path

import pytest

from peta_viz.pipeline import STAGES

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def test_there_is_one_per_stage():
    assert [notebook.stem for notebook in NOTEBOOKS] == [stage.name for stage in STAGES]


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
