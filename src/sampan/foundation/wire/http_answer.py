"""The bytes of an answer: its head, and its body in pieces of a size that suits the wire."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

PIECE_BYTES = 128 * 1024
GZIP_ABOVE_BYTES = 128 * 1024
WHOLE_BYTES = min(PIECE_BYTES, GZIP_ABOVE_BYTES)
"""Bodies of no more bytes leave in one piece with their head, as they are."""
_WITHOUT_BODY = (204, 304)


@lru_cache(maxsize=64)
def _status_line(status: int) -> str:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    return f"HTTP/1.1 {status} {phrase}\r\n"


def head(
    status: int,
    headers: dict[str, str],
    *,
    moment: float,
    length: int | None,
    cookies: Sequence[str] = (),
) -> bytes:
    """Status line and headers; `length` None means that the body has no length beforehand.

    Line breaks in values are taken out, so that no value can begin another header.
    """
    lines = [_status_line(status), f"Date: {_date(int(moment))}\r\n"]
    pairs: Iterable[tuple[str, str]] = headers.items()
    if cookies:
        pairs = (*pairs, *(("Set-Cookie", cookie) for cookie in cookies))
    for name, value in pairs:
        if "\r" in value or "\n" in value:
            value = value.replace("\r", " ").replace("\n", " ")  # noqa: PLW2901
        lines.append(f"{name}: {value}\r\n")
    if length is not None and status not in _WITHOUT_BODY:
        lines.append(f"Content-Length: {length}\r\n")
    lines.append("\r\n")
    return "".join(lines).encode("latin-1", "replace")


@lru_cache(maxsize=2)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


def chunk(piece: bytes) -> bytes:
    """A piece in the chunked coding (RFC 9112, section 7.1)."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)


LAST_CHUNK = b"0\r\n\r\n"


def length_of(body: bytes | Sequence[bytes]) -> int:
    return len(body) if isinstance(body, bytes) else sum(map(len, body))


def gathered(body: bytes | Sequence[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of about PIECE_BYTES."""
    if isinstance(body, bytes):
        for start in range(0, len(body), PIECE_BYTES):
            yield body[start : start + PIECE_BYTES]
        return
    batch: list[bytes] = []
    size = 0
    for piece in body:
        if len(piece) > 2 * PIECE_BYTES:
            yield b"".join(batch)
            batch, size = [], 0
            yield from gathered(piece)
            continue
        batch.append(piece)
        size += len(piece)
        if size >= PIECE_BYTES:
            yield b"".join(batch)
            batch, size = [], 0
    if batch:
        yield b"".join(batch)


def takes_gzip(accept_encoding: str) -> bool:
    """Whether a client takes gzip (RFC 9110, section 12.5.3); a weight of zero refuses it."""
    for choice in accept_encoding.lower().split(","):
        coding, _, weight = choice.partition(";")
        if coding.strip() == "gzip":
            return weight.replace(" ", "").rstrip("0") not in ("q=", "q=0.")
    return False


async def compressed(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """gzip at its fastest level; each piece is one call in a thread that releases the GIL."""
    compressor = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    for piece in pieces:
        packed = await asyncio.to_thread(compressor.compress, piece)
        if packed:
            yield packed
    yield compressor.flush()
