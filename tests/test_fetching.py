import gzip
import http.server
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import fsspec
import pytest
from fsspec.registry import known_implementations

from peta_viz import fetching
from peta_viz.errors import UnreadableImageError
from peta_viz.fetching import fetch, is_url

STOP = threading.Event()


class Handler(http.server.BaseHTTPRequestHandler):
    """Answer by path: a body, a status, a drip without end, silence, or an answer cut short."""

    def log_message(self, *_):
        pass

    def do_GET(self):  # noqa: C901 - a branch per path
        self.server.asked.append(self.path)
        match self.path.split("?")[0]:
            case "/body":
                self.answer(b"body")
            case "/empty":
                self.answer(b"")
            case "/drip":
                self.answer(b"", length=1000)
                while not STOP.wait(0.05):
                    self.wfile.write(b"x")
            case "/loop":
                self.lead("/loop")
            case "/to":
                self.lead(self.path.partition("?")[2])
            case "/bomb":
                self.answer(gzip.compress(bytes(2_000_000)), **{"Content-Encoding": "gzip"})
            case "/headers":
                self.answer(b"", **{f"X-{n}": "x" * 1_000 for n in range(2_000)})
            case "/silent":
                STOP.wait(20)
            case "/short":
                self.answer(b"half", length=8)
            case status:
                self.send_error(int(status[1:]))

    def lead(self, where):
        self.send_response(302)
        self.send_header("Location", where)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def answer(self, body, length=None, **headers):
        self.send_response(200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def server():
    STOP.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # those who hang up are expected
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_port}"
    yield server
    STOP.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_url_is_downloaded_once(server, tmp_path):
    first = fetch(f"{server.url}/body?id=1", cache=tmp_path)
    assert first.read_bytes() == b"body"
    assert fetch(f"{server.url}/body?id=1", cache=tmp_path) == first
    assert server.asked == ["/body?id=1"]
    assert fetch(f"{server.url}/body?id=2", cache=tmp_path) != first


def test_many_at_once_download_once(server, tmp_path):
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: fetch(f"{server.url}/body", cache=tmp_path), range(32)))
    assert len(set(paths)) == 1
    assert server.asked == ["/body"]


@pytest.mark.parametrize("way", ["drip", "silent"])
def test_the_timeout_bounds_the_whole_download(server, tmp_path, way):
    begun = time.monotonic()
    with pytest.raises(UnreadableImageError, match=r"no answer within 0\.4 s"):
        fetch(f"{server.url}/{way}", timeout_s=0.4, cache=tmp_path)
    assert time.monotonic() - begun < 4
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ("404", "the server said 404"),
        ("403", "the server said 403"),
        ("500", "the server said 500"),
        ("empty", "it is empty"),
        ("short", "it cannot be fetched"),
    ],
)
def test_what_fails_says_why_and_leaves_nothing(server, tmp_path, way, reason):
    with pytest.raises(UnreadableImageError) as caught:
        fetch(f"{server.url}/{way}", cache=tmp_path)
    assert caught.value.reason.startswith(reason)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("where", ["file://{}", "local://{}", "ftp://127.0.0.1/a", "data:,x"])
def test_a_server_leads_nowhere_but_to_the_web(server, tmp_path, where):
    (tmp_path / "secret.png").write_text("secret")
    url = f"{server.url}/to?{where.format(tmp_path / 'secret.png')}"
    with pytest.raises(UnreadableImageError, match="the server leads away from the web"):
        fetch(url, cache=tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_a_server_that_leads_in_circles_is_left(server, tmp_path):
    with pytest.raises(UnreadableImageError, match="from address to address without end"):
        fetch(f"{server.url}/loop", cache=tmp_path)
    assert 1 < len(server.asked) < 30


def test_what_is_small_on_the_way_and_large_here_is_refused(server, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "_MOST_BYTES", 1_000_000)
    with pytest.raises(UnreadableImageError, match="it is larger than 1,000,000 bytes"):
        fetch(f"{server.url}/bomb", cache=tmp_path)
    assert not list(tmp_path.iterdir())


def test_headers_without_end_are_refused(server, tmp_path):
    with pytest.raises(UnreadableImageError):
        fetch(f"{server.url}/headers", cache=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("scheme", sorted({*known_implementations} - {"file", "local"}))
def test_no_other_scheme_reaches_a_file_of_this_machine(tmp_path, scheme):
    (tmp_path / "secret.png").write_text("secret")
    for url in (f"{scheme}://{tmp_path}/secret.png", f"{scheme}:///{tmp_path}/secret.png"):
        with pytest.raises(UnreadableImageError):
            fetch(url, timeout_s=2, cache=tmp_path / "cache")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:1/a.png", "it cannot be fetched (Connection refused)"),
        ("nothing://a.png", "it cannot be fetched (Protocol not known: nothing)"),
        ("http://[a", "it cannot be fetched"),
        ("memory://gone.png", "the file does not exist"),
        ("memory://a::file:///etc/passwd", "chained URLs (with ::) are not read"),
        ("simplecache::memory://a", "it is no URL"),
    ],
)
def test_addresses_that_lead_nowhere(tmp_path, url, reason):
    with pytest.raises(UnreadableImageError) as caught:
        fetch(url, cache=tmp_path)
    assert caught.value.reason.startswith(reason)


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    def missing(_url):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fetching.fsspec.core, "url_to_fs", missing)
    with pytest.raises(UnreadableImageError, match=r"s3:// needs a package.*s3fs"):
        fetch("s3://bucket/a.png", cache=tmp_path)


@pytest.fixture
def memory():
    system = fsspec.filesystem("memory")
    yield system
    system.store.clear()


def test_what_is_too_large_is_refused(memory, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "_MOST_BYTES", 1_000)
    memory.pipe("/a.png", b"x" * 1_000)
    memory.pipe("/b.png", b"x" * 1_001)
    assert fetch("memory://a.png", cache=tmp_path).stat().st_size == 1_000
    with pytest.raises(UnreadableImageError, match="it is larger than 1,000 bytes"):
        fetch("memory://b.png", cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


def test_names_in_the_cache_say_nothing_of_the_url(memory, tmp_path):
    memory.pipe("/../../secret.png", b"x")
    path = fetch("memory://../../secret.png", cache=tmp_path / "cache")
    assert path.parent == tmp_path / "cache"
    assert set(path.name) <= set("0123456789abcdef")
    assert len(path.name) == 64


def test_memory_is_not_mixed_up_between_processes(memory, tmp_path, monkeypatch):
    memory.pipe("/a.png", b"x")
    here = fetch("memory://a.png", cache=tmp_path)
    monkeypatch.setattr(fetching, "_SESSION", "another process")
    assert fetch("memory://a.png", cache=tmp_path) != here


def test_local_files_are_read_where_they_are(tmp_path):
    (tmp_path / "a b.png").write_bytes(b"x")
    assert fetch(f"file://{tmp_path}/a b.png", cache=tmp_path / "no") == tmp_path / "a b.png"
    assert fetch(f"FILE://{tmp_path}/a b.png", cache=tmp_path / "no") == tmp_path / "a b.png"
    assert not (tmp_path / "no").exists()


def test_the_cache_is_in_the_users_folder(memory, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    memory.pipe("/a.png", b"x")
    assert fetch("memory://a.png").parent == tmp_path / "peta-viz" / "images"


def test_a_cache_that_cannot_be_written_is_a_reason(memory, tmp_path):
    (tmp_path / "file").write_text("")
    memory.pipe("/a.png", b"x")
    with pytest.raises(UnreadableImageError, match="it cannot be fetched"):
        fetch("memory://a.png", cache=tmp_path / "file" / "cache")


@pytest.mark.parametrize("text", ["a.png", "/a/b.png", "C:/a.png", "http:/a", "://a", ""])
def test_paths_are_no_urls(text):
    assert not is_url(text)
    assert is_url("S3://bucket/a.png")
