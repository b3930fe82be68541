"""Name and value blocks: the headers of a stream, compressed with what came before them.

The SPDY protocol, draft 3, section 2.6.10. Both directions of a connection have a compressor
of their own, which goes on from block to block; it begins with a dictionary that is part of the
protocol.
"""

import struct
import zlib

from sampan.foundation.wire.spdy.violation import ProtocolViolation

LARGEST_BLOCK = 64 * 1024
_NUMBER = struct.Struct(">I")
_TOKENS = """
options head post put delete trace accept accept-charset accept-encoding accept-language
accept-ranges age allow authorization cache-control connection content-base content-encoding
content-language content-length content-location content-md5 content-range content-type date etag
expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since
last-modified location max-forwards pragma proxy-authenticate proxy-authorization range referer
retry-after server te trailer transfer-encoding upgrade user-agent vary via warning
www-authenticate method get status
"""
_WORDS = (
    *_TOKENS.split(),
    "200 OK",
    "version",
    "HTTP/1.1",
    "url",
    "public",
    "set-cookie",
    "keep-alive",
    "origin",
)
_TAIL = (
    b"100101201202205206300302303304305306307402405406407408409410411412413414415416417"
    b"502504505203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad "
    b"Request401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not "
    b"Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec "
    b"00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,"
    b"image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,public"
    b"privatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY = b"".join(_NUMBER.pack(len(word)) + word.encode() for word in _WORDS) + _TAIL


class HeaderWriter:
    """Blocks must be sent in the order in which they were made."""

    def __init__(self) -> None:
        self._compressor = zlib.compressobj(zdict=DICTIONARY)

    def block(self, headers: dict[str, str]) -> bytes:
        """Names are sent in lower case, as the protocol wants them."""
        pieces = [_NUMBER.pack(len(headers))]
        for name, value in headers.items():
            for text in (name.lower(), value):
                data = text.encode()
                pieces += (_NUMBER.pack(len(data)), data)
        plain = self._compressor.compress(b"".join(pieces))
        return plain + self._compressor.flush(zlib.Z_SYNC_FLUSH)


class HeaderReader:
    """Blocks must be read in the order in which they came, all of them."""

    def __init__(self) -> None:
        self._decompressor = zlib.decompressobj(zdict=DICTIONARY)

    def headers(self, block: bytes) -> dict[str, str]:
        """Raises ProtocolViolation for what is no block, or too large once it is unpacked."""
        try:
            plain = self._decompressor.decompress(block, LARGEST_BLOCK)
        except zlib.error as error:
            raise ProtocolViolation(f"a header block can't be unpacked: {error}") from error
        if self._decompressor.unconsumed_tail or self._decompressor.eof:
            raise ProtocolViolation("a header block is too large")
        try:
            return _pairs(plain)
        except (struct.error, UnicodeDecodeError) as error:
            raise ProtocolViolation("a header block is cut off or no text") from error


def _pairs(plain: bytes) -> dict[str, str]:
    (count,) = _NUMBER.unpack_from(plain)
    headers: dict[str, str] = {}
    offset = _NUMBER.size
    for _ in range(count):
        name, offset = _text(plain, offset)
        headers[name.lower()], offset = _text(plain, offset)
    return headers


def _text(plain: bytes, offset: int) -> tuple[str, int]:
    (length,) = _NUMBER.unpack_from(plain, offset)
    start = offset + _NUMBER.size
    if start + length > len(plain):
        raise ProtocolViolation("a header block is cut off")
    return plain[start : start + length].decode(), start + length
