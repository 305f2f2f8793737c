"""The gallery and the confusion matrix in real JupyterLab, as a person meets them."""

import re

import pytest

READY = ".pv-gallery[data-pending='0']"
MAKE = """
import numpy as np
import pandas as pd
from peta_viz import Gallery, ImageSet, read_peta

small = read_peta({root!r})
rows = np.resize(np.arange(len(small)), {count})
frame = pd.DataFrame({{
    "id": [f"image {{n}}" for n in range({count})],
    "file": small.images["path"].to_numpy()[rows],
    "male": small.labels["personalMale"].to_numpy()[rows],
    "red": small.labels["upperBodyRed"].to_numpy()[rows],
}})
many = ImageSet.from_frame(frame, path="file", labels=["male", "red"], image_id="id")
many = many.with_columns(component_id=np.arange({count}) // 4, number=np.arange({count}))
"""


@pytest.fixture
def gallery_page(page, lab, sample_folder, request):
    """A notebook with a gallery, run to the end; of 2,000 images unless the test says more."""
    make = MAKE.format(root=str(sample_folder / "PETA dataset"), count=request.param)
    cells = [make, "gallery = Gallery(many, sort_by='')\ngallery", "len(gallery.selected)"]
    lab.open(page, lab.write_notebook("gallery.ipynb", cells))
    lab.run_all(page)
    page.wait_for_selector(READY)
    return page


def images(count):
    """Say how many images the gallery of a test has."""
    return pytest.mark.parametrize("gallery_page", [count], indirect=True)


def _ids(page):
    return page.locator(".pv-frame").evaluate_all("all => all.map((one) => one.dataset.id)")


@images(100_000)
def test_one_hundred_thousand_images(gallery_page, lab):
    page = gallery_page
    assert page.locator("img.pv-picture").count() > 10
    viewport = page.locator(".pv-viewport")
    viewport.evaluate("element => { element.scrollTop = element.firstElementChild.clientHeight }")
    page.wait_for_function(
        "() => document.querySelector('[data-id=\"image 99999\"] img')?.complete"
    )
    page.wait_for_selector(READY)
    assert page.locator(".pv-gallery *").count() < 1000

    # Filter and sort with the controls, and read what is shown in the next cell.
    page.get_by_label("label", exact=True).fill("red")
    page.get_by_role("button", name="Images", exact=True).click()
    page.get_by_label("sort by").select_option("number")
    page.get_by_text(re.compile(r"^[\d,]+ of 100,000 images$")).wait_for()
    page.wait_for_selector(READY)
    lab.execute(
        page, "expected = many.images[many.labels['red']].sort_values('number', ascending=False)"
    )
    assert lab.execute(page, "print(gallery.current.equals(expected))") == "True\n"
    first = lab.execute(page, "print('/'.join(expected.index[:5]))").strip().split("/")
    in_view = [
        page.locator(f"[data-item='{n}'] .pv-frame").get_attribute("data-id") for n in range(5)
    ]
    assert in_view == first

    # Select with mouse and keys.
    page.locator("[data-item='0'] .pv-frame").click(modifiers=["Control"])
    page.locator("[data-item='3'] .pv-frame").click(modifiers=["Shift"])
    page.get_by_text("4 selected").wait_for()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    page.get_by_text("5 selected").wait_for()
    assert lab.run_cell(page, 2) == "5"
    chosen = lab.execute(
        page, "print(sorted(gallery.selected['number']) == sorted(expected['number'][:5]))"
    )
    assert chosen == "True\n"


@images(2_000)
def test_labs_own_keys_stay_out_of_it(gallery_page):
    page = gallery_page
    before = page.locator(".jp-Cell").count()
    page.locator(".pv-viewport").focus()
    for key in (
        "a",
        "b",
        "x",
        "d",
        "d",
        "ArrowDown",
        "Enter",
        "ArrowRight",
        "Escape",
        "m",
        "0",
        "0",
    ):
        page.keyboard.press(key)
    page.locator(".pv-query").fill("male")
    for key in ("End", "x", "Backspace", "Enter"):
        page.keyboard.press(key)
    assert page.locator(".jp-Cell").count() == before
    assert page.locator(".jp-Dialog").count() == 0
    page.wait_for_selector(READY)


@images(2_000)
def test_reloading_the_page_brings_the_gallery_back(gallery_page, lab):
    page = gallery_page
    page.get_by_label("label", exact=True).fill("male")
    page.get_by_text(" of 2,000 images").wait_for()
    said = page.locator(".pv-status").inner_text()
    lab.reload(page)
    page.wait_for_selector(READY)
    assert page.locator(".pv-status").inner_text() == said
    assert page.get_by_label("label", exact=True).input_value() == "male"
    assert page.locator("img.pv-picture").count() > 10


@images(2_000)
def test_a_restarted_kernel_leaves_a_view_that_says_so_and_runs_again(gallery_page, lab):
    page = gallery_page
    lab.restart_kernel(page)
    page.locator(".pv-viewport").evaluate("element => { element.scrollTop = 20000 }")
    page.get_by_text("run the cell again").first.wait_for()
    lab.run_all(page)
    page.wait_for_selector(READY)
    assert page.locator(".pv-gallery").count() == 1
    assert page.locator("img.pv-picture").count() > 10


@images(2_000)
def test_a_notebook_opened_without_running_shows_still_pictures(gallery_page, lab):
    page = gallery_page
    lab.save(page)
    lab.shutdown_kernels()
    lab.open(page, lab.root / "gallery.ipynb")
    page.locator(".pvs-component img").first.wait_for()
    assert page.locator(".pv-gallery").count() == 0
    assert page.get_by_text("Error displaying widget").count() == 0


def test_it_links_to_any_control(page, lab, sample_folder):
    make = MAKE.format(root=str(sample_folder / "PETA dataset"), count=400)
    control = """
import ipywidgets
slider = ipywidgets.IntSlider(0, 0, 10)
gallery = Gallery(many)
ipywidgets.link((slider, "value"), (gallery, "min_size"))
ipywidgets.VBox([slider, gallery])
"""
    lab.open(page, lab.write_notebook("linked.ipynb", [make, control]))
    lab.run_all(page)
    page.wait_for_selector(READY)
    lab.execute(page, "slider.value = 5")
    page.get_by_text("No component fits these filters.").wait_for()
    page.locator(".pv-empty").get_by_role("button", name="Clear filters").click()
    page.wait_for_selector(".pv-item")
    assert lab.execute(page, "print(slider.value, len(gallery.current))") == "0 400\n"


MATRIX = """
import pandas as pd
from peta_viz import ConfusionMatrix, ImageSet

run = {run!r}
imageset = ImageSet.from_parquet(run)
components = pd.read_parquet(run + "/components.parquet")
predictions = pd.read_parquet(run + "/predictions.parquet")
matrix = ConfusionMatrix(imageset, predictions, components, component_size="all")
matrix
"""


def test_a_cell_of_the_matrix_shows_exactly_its_images(page, lab, run_folder):
    lab.open(page, lab.write_notebook("matrix.ipynb", [MATRIX.format(run=str(run_folder))]))
    lab.run_all(page)
    page.wait_for_selector(READY)
    gender = """
(head,) = (h for h in imageset.heads if h.name == "gender")
rows = predictions[(predictions["experiment"] == "A") & predictions["label"].isin(head.labels)]
said = rows.pivot(index="component_id", columns="label", values="probability").idxmax(axis=1)
true = rows[rows["truth"].fillna(False)].set_index("component_id")["label"]
"""
    lab.execute(page, gender)
    for number, (true, said) in enumerate(
        [("Female", "Female"), ("Female", "Male"), ("Male", "Female"), ("Male", "Male")]
    ):
        names = f"personal{true}", f"personal{said}"
        cell = page.get_by_role("button", name=f"true {names[0]}, predicted {names[1]}")
        count = int(cell.inner_text())
        cell.click()
        page.get_by_text(
            f"true {names[0]}, predicted {names[1]} (A): {count} components"
        ).wait_for()
        page.wait_for_selector(READY)
        check = (
            f"inside = (true == {names[0]!r}) & (said.reindex(true.index) == {names[1]!r})\n"
            "wanted = true.index[inside]\n"
            "images = imageset.images[imageset.images['component_id'].isin(wanted)]\n"
            "print(len(wanted), set(matrix.gallery.current.index) == set(images.index))"
        )
        assert lab.execute(page, check) == f"{count} True\n", number
        shown = set(_ids(page))
        inside = lab.execute(page, "print('\\n'.join(images.index))").split("\n")
        assert shown <= set(inside)
        assert bool(shown) == bool(count)
