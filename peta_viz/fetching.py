"""Downloading images once: from a URL to a file in a cache."""

import asyncio
import hashlib
import os
import re
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import fsspec
import platformdirs

from peta_viz.errors import UnreadableImageError
from peta_viz.files import atomic

_URL = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_MOST_BYTES = 200_000_000
_CHUNK_BYTES = 1 << 20
_WEB = ("http", "https")
_LOCAL = ("file", "local")
_NOT_FOUND = 404
_LEADS = {  # aiohttp's errors for them have no words
    "TooManyRedirects": "the server leads from address to address without end",
    "NonHttpUrlRedirectClientError": "the server leads away from the web",
}
_LOCKS = tuple(threading.Lock() for _ in range(64))
_SESSION = uuid.uuid4().hex


def is_url(text: str) -> bool:
    """Tell whether a text is a URL (``https://…``, ``s3://…``) and no path.

    >>> is_url("s3://bucket/a.png"), is_url("folder/a.png"), is_url("C:/a.png")
    (True, False, False)
    """
    return bool(_URL.match(text))


def local_path(text: str) -> str:
    """Return the path that a ``file://`` URL names, and everything else as it is.

    >>> local_path("file:///folder/a.png"), local_path("folder/a.png"), local_path("s3://b/a.png")
    ('/folder/a.png', 'folder/a.png', 's3://b/a.png')
    """
    match = _URL.match(text)
    if not match or match[1].lower() not in _LOCAL or "::" in text:
        return text
    return str(fsspec.core.url_to_fs(_lowered(text))[1])


def fetch(url: str, *, timeout_s: float = 10.0, cache: str | Path | None = None) -> Path:
    """Download what a URL names, once; afterwards it comes from the disk.

    Parameters
    ----------
    url
        http(s) or anything fsspec knows, such as ``s3://``, ``memory://``, ``file://``. Chains
        of fsspec (``simplecache::…``) are refused.
    timeout_s
        Seconds that a whole download may take. Over http(s) it is cut off there, elsewhere after
        the megabyte that is under way.
    cache
        The folder of downloads; by default ``peta-viz/images`` in the user's cache folder. Names
        in it are hashes of the URL. A file that is there is never downloaded again.

    Returns
    -------
    Path
        The file in the cache; the file itself for ``file://``.

    Raises
    ------
    UnreadableImageError
        If it is not there, does not come in time, is empty, has over 200 MB, or if the package
        for its file system is missing.

    """
    folder = Path(cache) if cache else platformdirs.user_cache_path("peta-viz") / "images"
    scheme = _scheme(url)
    # What lies in memory is another thing in every process.
    key = f"{_SESSION} {url}" if scheme == "memory" else url
    target = folder / hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    try:
        if scheme in _LOCAL:
            return Path(local_path(url))
        with _LOCKS[int(target.name[:8], 16) % len(_LOCKS)]:
            if not target.is_file():
                _download(url, scheme, target, timeout_s)
    except UnreadableImageError:
        raise
    # File systems raise whatever their libraries raise; each is a reason, none is fatal.
    except Exception as error:
        raise UnreadableImageError(url, _reason(error, scheme, timeout_s)) from error
    return target


def read_bytes(url: str, *, timeout_s: float = 60.0) -> bytes:
    """Return what a URL names, without keeping it anywhere; the rest is as in `fetch`.

    Raises
    ------
    UnreadableImageError
        As `fetch`.

    """
    scheme = _scheme(url)
    try:
        return b"".join(_chunks(url, scheme, timeout_s))
    except UnreadableImageError:
        raise
    except Exception as error:
        raise UnreadableImageError(url, _reason(error, scheme, timeout_s)) from error


def _lowered(url: str) -> str:
    """Write the scheme as fsspec knows it."""
    scheme, colon, rest = url.partition(":")
    return scheme.lower() + colon + rest


def _scheme(url: str) -> str:
    match = _URL.match(url)
    if not match:
        raise UnreadableImageError(url, "it is no URL; expected something like https://…")
    scheme = match[1].lower()
    if "::" in url and scheme not in _WEB:
        raise UnreadableImageError(url, "chained URLs (with ::) are not read")
    return scheme


def _download(url: str, scheme: str, target: Path, timeout_s: float) -> None:
    with atomic(target) as partial, partial.open("wb") as file:
        for chunk in _chunks(url, scheme, timeout_s):
            file.write(chunk)


def _chunks(url: str, scheme: str, timeout_s: float) -> Iterator[bytes]:
    deadline = time.monotonic() + timeout_s
    with _stream(url, scheme, timeout_s) as source:
        size = 0
        while chunk := source.read(_CHUNK_BYTES):
            size += len(chunk)
            if size > _MOST_BYTES:
                raise UnreadableImageError(url, f"it is larger than {_MOST_BYTES:,} bytes")
            if time.monotonic() > deadline:
                raise TimeoutError
            yield chunk
    if not size:
        raise UnreadableImageError(url, "it is empty")


def _stream(url: str, scheme: str, timeout_s: float) -> BinaryIO:
    if scheme not in _WEB:
        system, path = fsspec.core.url_to_fs(_lowered(url))
        stream: BinaryIO = system.open(path, "rb")
        return stream
    import aiohttp  # noqa: PLC0415 - only those who download need it

    limit = {"timeout": aiohttp.ClientTimeout(total=timeout_s)}
    system = fsspec.filesystem(scheme, client_kwargs=limit)
    # One plain request: no blocks and a size, so that fsspec does not ask for it first.
    web: BinaryIO = system.open(url, "rb", block_size=0, size=1)
    return web


def _reason(error: Exception, scheme: str, timeout_s: float) -> str:
    status = getattr(error, "status", None)
    if scheme in _WEB and isinstance(error, FileNotFoundError):
        status = _NOT_FOUND
    if isinstance(status, int) and status:
        return f"the server said {status}"
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return f"no answer within {timeout_s:g} s"
    if isinstance(error, ImportError):
        return f"{scheme}:// needs a package that is not installed ({error})"
    if isinstance(error, FileNotFoundError):
        return "the file does not exist"
    number = error.errno if isinstance(error, OSError) else None
    words = os.strerror(number) if number and number > 0 else str(error) or type(error).__name__
    words = _LEADS.get(type(error).__name__, words)
    return f"it cannot be fetched ({words})"
