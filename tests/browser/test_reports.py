import pandas as pd
import pytest

from peta_viz.imageset import ImageSet
from peta_viz.markup import Still
from peta_viz.markup import page as whole_page
from peta_viz.pipeline import STAGES

PAGES = ["index.html", *(f"reports/{stage.name}.html" for stage in STAGES)]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_from_disk_and_asks_for_nothing(page, run_folder, name):
    page.goto((run_folder / name).as_uri())
    page.wait_for_load_state("networkidle")
    assert page.complaints == []
    assert [url for url in page.requests if not url.startswith("data:")] == [
        (run_folder / name).as_uri()
    ]
    assert page.locator("h1").count() == 1
    broken = "() => [...document.images].filter(i => !i.naturalWidth).length"
    assert page.evaluate(broken) == 0


def test_the_index_shows_pictures_and_leads_to_the_reports(page, run_folder):
    page.goto((run_folder / "index.html").as_uri())
    assert page.locator(".pvs-component img").count() > 10
    for link in page.locator("nav a").all():
        assert (run_folder / link.get_attribute("href")).is_file()
    page.locator("nav a").first.click()
    assert page.locator("h1").inner_text() == "Components"


def test_code_is_not_shown(page, run_folder):
    page.goto((run_folder / "reports" / "02_cleaning.html").as_uri())
    text = page.locator("body").inner_text()
    assert "What the strategies would do" in text
    assert "import" not in text


def test_the_numbers_of_a_matrix_open_their_images(page, run_folder):
    page.goto((run_folder / "reports" / "04_experiments.html").as_uri())
    heads = page.locator("details", has=page.locator(".pv-m"))
    assert heads.count() == len(ImageSet.from_parquet(run_folder).heads)
    predictions = pd.read_parquet(run_folder / "predictions.parquet")
    judged = predictions.loc[predictions["size"] > 1, "component_id"].nunique()
    opened = 0
    for link in heads.first.locator("td a[href]").all():
        link.click()
        cell = page.locator(link.get_attribute("href"))
        assert cell.is_visible()
        assert page.locator(".pv-of:visible").count() == 1
        for picture in cell.locator("i").all():
            image = picture.evaluate("one => getComputedStyle(one).backgroundImage")
            assert image.startswith('url("data:image/jpeg;base64,')
            opened += 1
        cell.get_by_role("link", name="close").click()
        assert not cell.is_visible()
    numbers = [int(text) for text in heads.first.locator("td a").all_inner_texts()]
    assert 0 < opened <= sum(numbers) <= judged
    assert page.complaints == []
    assert [url for url in page.requests if not url.startswith(("data:", "file:"))] == []


BREACH = """
<base href="http://127.0.0.1:1/">
<script>window.hit = 1</script><script src="a.js"></script><svg onload="window.hit = 1"></svg>
<img src="x" onerror="window.hit = 1"><img src="http://127.0.0.1:1/a.png">
<link rel="stylesheet" href="http://127.0.0.1:1/a.css"><iframe src="/a.html"></iframe>
<object data="a.swf"></object><style>@import "http://127.0.0.1:1/b.css"</style>
<a id="link" href="javascript:window.hit = 1">link</a>
<form action="http://127.0.0.1:1/form"><button>send</button></form>
"""


def test_markup_that_got_through_would_run_and_ask_for_nothing(page, tmp_path):
    file = tmp_path / "page.html"
    file.write_text(whole_page("Title", "words", pd.DataFrame({"a": [1]}), Still(BREACH)))
    stopped = {}
    page.on("requestfailed", lambda request: stopped.update({request.url: request.failure}))
    page.goto(file.as_uri())
    page.locator("#link").click()
    page.locator("button").evaluate("button => button.click()")
    page.wait_for_function("document.readyState === 'complete'")
    assert page.evaluate("window.hit") is None
    assert page.url == file.as_uri()
    assert {*page.requests} - {file.as_uri()} == {*stopped}
    assert {*stopped.values()} == {"csp"}
    refused = " ".join(page.complaints)
    for rule in ("script-src", "base-uri", "form-action", "img-src", "style-src", "frame-src"):
        assert rule in refused, rule
