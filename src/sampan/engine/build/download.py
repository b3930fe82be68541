"""Fetching what ADD, or a remote context, names by URL. The only module that knows HTTP.

Nothing of ours is sent along: no credentials, no cookies.
"""

import hashlib
import os
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

import aiohttp

from sampan.engine.build.errors import BuildFailed

_SIZE_LIMIT = 32 << 30
_PIECE = 256 * 1024
_REDIRECTS = 10
_CONNECT_SECONDS = 30.0
_IDLE_SECONDS = 300.0


async def download(url: str, folder: Path, checksum: str = "") -> Path:
    """The file behind a URL in a folder, named as in the URL. Raises BuildFailed, OSError.

    `checksum` is `sha256:…`, "" for any content.
    """
    path = folder / _file_name(url)
    timeout = aiohttp.ClientTimeout(
        total=None, sock_connect=_CONNECT_SECONDS, sock_read=_IDLE_SECONDS
    )
    headers = {"Accept-Encoding": "identity"}
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.get(url, headers=headers, max_redirects=_REDIRECTS) as answer,
        ):
            if answer.status >= 400:
                raise BuildFailed(f"failed to GET {url} with status {answer.status}")
            digest = await _write(answer.content, path)
            modified = answer.headers.get("Last-Modified", "")
    except aiohttp.ClientConnectorError as error:
        why = os.strerror(error.errno).lower() if error.errno else str(error.os_error)
        raise BuildFailed(
            f'Get "{url}": dial tcp {error.host}:{error.port}: connect: {why}'
        ) from error
    except aiohttp.ClientError as error:
        raise BuildFailed(f"failed to GET {url}: {error}") from error
    except TimeoutError as error:
        raise BuildFailed(f"failed to GET {url}: it took too long") from error
    if checksum and digest != checksum:
        raise BuildFailed(f"digest mismatch {digest}: {checksum}")
    _set_time(path, modified)
    return path


async def _write(stream: aiohttp.StreamReader, path: Path) -> str:
    content, size = hashlib.sha256(), 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        async for piece in stream.iter_chunked(_PIECE):
            size += len(piece)
            if size > _SIZE_LIMIT:
                raise BuildFailed(f"a download has more than {_SIZE_LIMIT} bytes")
            content.update(piece)
            view = memoryview(piece)
            while view:
                view = view[os.write(descriptor, view) :]
    finally:
        os.close(descriptor)
    return f"sha256:{content.hexdigest()}"


def _file_name(url: str) -> str:
    name = unquote(urlsplit(url).path).rpartition("/")[2]
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise BuildFailed(f"cannot determine filename from url: {url}")
    return name


def _set_time(path: Path, modified: str) -> None:
    try:
        moment = parsedate_to_datetime(modified).timestamp()
    except ValueError:
        moment = 0.0
    os.utime(path, (moment, moment))
