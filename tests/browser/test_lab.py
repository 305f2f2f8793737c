"""The first notebook as `peta-viz lab` opens it, and what the harness promises to other tests."""

import sys

import pytest

from tests.browser.lab import Lab, LabError

COUNTER = """
import anywidget
import traitlets

class Counter(anywidget.AnyWidget):
    _esm = '''
    export default { render({ model, el }) {
        const button = document.createElement("button");
        button.className = "counter";
        const show = () => { button.textContent = model.get("value"); };
        button.onclick = () => {
            model.set("value", model.get("value") + 1);
            model.save_changes();
        };
        model.on("change:value", show);
        show();
        el.append(button);
    } }
    '''
    value = traitlets.Int(0).tag(sync=True)

counter = Counter()
counter
"""


@pytest.fixture
def user_lab(tmp_path):
    """The server of `peta-viz lab`; what is set here only exposes the app and keeps it apart."""
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    lab = Lab(tmp_path / "home")
    command = [sys.executable, "-m", "peta_viz", "lab", str(tmp_path / "work"), "--no-browser"]
    yield lab.start(tmp_path / "work", command=command)
    lab.stop()


def test_the_first_notebook_runs_and_shows_its_components(page, user_lab):
    user_lab.open(page, user_lab.root / "notebooks" / "01_components.ipynb")
    user_lab.run_all(page)
    assert page.get_by_text("0 of 413 images").count() >= 1
    assert page.locator(".jp-OutputArea-output img").count() >= 12
    assert page.locator("[data-mime-type='application/vnd.jupyter.error']").count() == 0
    assert (user_lab.root / "runs" / "lab" / "images.parquet").is_file()


def test_a_widget_talks_to_the_kernel_and_outlives_a_reload(page, lab):
    lab.open(page, lab.write_notebook("counter.ipynb", [COUNTER]))
    lab.run_all(page)
    page.locator(".counter").click()
    assert lab.execute(page, "print(counter.value)") == "1\n"
    lab.reload(page)
    assert lab.execute(page, "print(counter.value)") == "1\n"  # the kernel answers again
    page.locator(".counter").click()
    assert lab.execute(page, "print(counter.value)") == "2\n"
    assert page.locator(".counter").inner_text() == "2"


def test_a_restarted_kernel_is_another_process_and_knows_nothing(page, lab):
    lab.open(page, lab.write_notebook("restart.ipynb", ["x = 1", "x + 1"]))
    lab.run_all(page)
    assert lab.run_cell(page, 1) == "2"
    before = lab.kernel_pid(page)
    lab.restart_kernel(page)
    assert lab.kernel_pid(page) != before
    with pytest.raises(LabError, match="NameError"):
        lab.run_cell(page, 1)


def test_a_failing_cell_raises_with_its_traceback(page, lab):
    lab.open(page, lab.write_notebook("fails.ipynb", ["print('fine')", "1 / 0"]))
    with pytest.raises(LabError, match="ZeroDivisionError"):
        lab.run_all(page)


def test_all_cells_are_in_the_page_and_nothing_pops_up(page, lab):
    lab.open(page, lab.write_notebook("long.ipynb", [f"'cell {n}'" for n in range(60)]))
    lab.run_all(page)
    assert page.locator(".jp-OutputArea-output").count() == 60
    assert page.get_by_text("'cell 0'").first.evaluate("cell => cell.checkVisibility()")
    lab.set_theme(page, "JupyterLab Dark")
    assert page.locator(".Toastify__toast").count() == 0
    assert [url for url in page.requests if "://127.0.0.1:" not in url and url[:5] != "data:"] == []
