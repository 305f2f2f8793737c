import json
import re
import subprocess
import sys
from pathlib import Path

import peta_viz

TOP = Path(__file__).parents[1]


def test_importing_loads_nothing_heavy():
    code = (
        "import sys, time, json; start = time.perf_counter(); import peta_viz; "
        "print(json.dumps([time.perf_counter() - start, sorted(sys.modules)]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    _, modules = json.loads(done.stdout)
    assert not {"torch", "fastdup", "pandas", "openvino"} & set(modules)


def test_public_names():
    assert peta_viz.__all__ == [
        "Cleaning",
        "ConfusionMatrix",
        "Curator",
        "DecisionLog",
        "Decisions",
        "Flag",
        "Gallery",
        "Head",
        "ImageLoader",
        "ImageSet",
        "audit",
        "clean",
        "clean_folder",
        "cluster",
        "compare_experiments",
        "embed",
        "flag_components",
        "label_quality",
        "make_sample",
        "measure_components",
        "measure_folder",
        "parse_strategy",
        "read_peta",
        "run_experiments",
        "score_experiments",
        "split",
        "train_models",
    ]
    assert all(callable(getattr(peta_viz, name)) for name in peta_viz.__all__)


def test_only_components_and_the_doctor_import_fastdup():
    importing = re.compile(r"^\s*(import|from) fastdup", re.MULTILINE)
    files = [f.name for f in (TOP / "peta_viz").rglob("*.py") if importing.search(f.read_text())]
    assert sorted(files) == ["components.py", "doctor.py"]


def test_nothing_but_the_sample_and_its_last_cell_knows_the_truth():
    modules = [f for f in (TOP / "peta_viz").rglob("*.py") if "truth" in f.read_text().lower()]
    cells = [
        (notebook.name, number)
        for notebook in (TOP / "notebooks").glob("*.ipynb")
        for number, cell in enumerate(json.loads(notebook.read_text())["cells"])
        if cell["cell_type"] == "code" and "truth" in "".join(cell["source"])
    ]
    # cli and pipeline hand on the file's name, report shows the scores; all other truths are the
    # targets of a training.
    assert {f.name for f in modules} <= {
        "sample.py",
        "mugs.py",
        "cli.py",
        "report.py",
        "confusion.py",
        "intervals.py",
        "loop.py",
        "losses.py",
        "matrices.py",
        "parameters.py",
        "predict.py",
        "pipeline.py",
    }
    experiments = json.loads((TOP / "notebooks" / "04_experiments.ipynb").read_text())["cells"]
    assert cells == [("04_experiments.ipynb", 1), ("04_experiments.ipynb", len(experiments) - 1)]
