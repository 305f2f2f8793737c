import shutil

import pytest
from playwright.sync_api import sync_playwright

from tests.browser.lab import PATIENCE_S, Lab

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


@pytest.fixture(scope="package")  # its loop runs in the main thread for as long as it is there
def chromium():
    path = shutil.which("chromium")
    assert path, "the browser tests drive chromium: make test installs it"
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=path, args=ARGUMENTS)


@pytest.fixture
def page(chromium):
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE_S * 1000)
    page = context.new_page()
    page.requests, page.complaints = [], []
    page.on("request", lambda request: page.requests.append(request.url))
    page.on("console", lambda m: page.complaints.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    yield page
    context.close()


@pytest.fixture(scope="package")
def lab(tmp_path_factory):
    """One JupyterLab for all tests, on a folder of its own."""
    lab = Lab(tmp_path_factory.mktemp("lab"))
    yield lab.start(tmp_path_factory.mktemp("notebooks"))
    lab.stop()


@pytest.fixture(autouse=True)
def _no_kernel_stays(request):
    yield
    if "lab" in request.fixturenames:
        request.getfixturevalue("lab").shutdown_kernels()
