"""The engine's API over its Unix socket, one connection a question.

`sampan run` is to start within milliseconds: only quick parts of the standard library are
imported here. What questions mean is not known here.
"""

import contextlib
import json
import socket
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, urlencode

from sampan.foundation.instance_name import command_prefix, run_folder

ENGINE_FAILED = 125
_CHUNK = 64 * 1024
_LARGEST_HEADER = 64 * 1024

_UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}

Query = dict[str, Any]


class EngineUnreachable(Exception):
    """Nobody listens on the engine's socket."""


class EngineRefused(Exception):
    """The engine answered with an error."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Answer:
    """What came back. `pieces` or `document` read the body; `socket` belongs to who upgraded.

    The answer to HEAD describes a body, and has none.
    """

    def __init__(self, connection: socket.socket, *, has_body: bool = True) -> None:
        self.socket = connection
        self._has_body = has_body
        self._buffer = b""
        head = self._head()
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split(" ", 2)[1])
        self.headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines[1:])
        }

    def taken(self) -> bytes:
        """What came behind the header of an upgrade."""
        taken, self._buffer = self._buffer, b""
        return taken

    def pieces(self) -> Iterator[bytes]:
        """The body as it comes. Raises ConnectionError when it breaks off."""
        if not self._has_body:
            return
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            yield from self._chunks()
        elif "content-length" in self.headers:
            yield from self._exactly(int(self.headers["content-length"]))
        elif self.status not in (204, 304):
            yield self.taken()
            while data := self.socket.recv(_CHUNK):
                yield data

    def document(self) -> Any:
        """The body as JSON; None for an empty one."""
        body = b"".join(self.pieces())
        return json.loads(body) if body.strip() else None

    def messages(self) -> Iterator[Any]:
        """JSON documents that follow one another, as they come."""
        decoder, text = json.JSONDecoder(), ""
        for piece in self.pieces():
            text += piece.decode()
            while stripped := text.lstrip():
                try:
                    message, end = decoder.raw_decode(stripped)
                except ValueError:
                    break
                yield message
                text = stripped[end:]

    def close(self) -> None:
        self.socket.close()

    def _head(self) -> bytes:
        while b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) > _LARGEST_HEADER:
                raise ConnectionError("the header of the engine's answer is too large")
            self._more()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        return head

    def _more(self) -> None:
        data = self.socket.recv(_CHUNK)
        if not data:
            raise ConnectionError("the engine went away")
        self._buffer += data

    def _exactly(self, length: int) -> Iterator[bytes]:
        while length:
            if not self._buffer:
                self._more()
            piece, self._buffer = self._buffer[:length], self._buffer[length:]
            length -= len(piece)
            yield piece

    def _chunks(self) -> Iterator[bytes]:
        while True:
            while b"\r\n" not in self._buffer:
                self._more()
            size, _, self._buffer = self._buffer.partition(b"\r\n")
            length = int(size.partition(b";")[0], 16)
            yield from self._exactly(length)
            b"".join(self._exactly(2))
            if not length:
                return


class EngineClient:
    """Asks the engine of one instance. Methods raise EngineUnreachable, ConnectionError, and
    EngineRefused for what the engine refuses."""

    def __init__(self, instance: str) -> None:
        self._instance = instance

    def document(self, method: str, path: str, query: Query | None = None, body: Any = None) -> Any:
        """The answer's document."""
        answer = self.open(method, path, query, body)
        try:
            return answer.document()
        finally:
            answer.close()

    def open(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        upload: Iterable[bytes] | None = None,
    ) -> Answer:
        """The answer, whose body is still to be read; `upload` is a body that is sent as it
        comes, anything else in `body` goes as JSON."""
        connection = self._connect()
        # Who answers without reading everything says why in the answer.
        with contextlib.suppress(BrokenPipeError):
            if upload is None:
                connection.sendall(_question(method, path, query, headers, body))
            else:
                chunked = {**(headers or {}), "Transfer-Encoding": "chunked"}
                connection.sendall(_head(method, path, query, chunked))
                for piece in upload:
                    connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b"")
                connection.sendall(b"0\r\n\r\n")
        return self._answered(connection, has_body=method != "HEAD")

    def upgraded(self, path: str, query: Query | None = None, body: Any = None) -> Answer:
        """The answer to an upgrade: its socket carries the streams from then on."""
        return self.open("POST", path, query, body, headers=_UPGRADE)

    def _connect(self) -> socket.socket:
        path = f"{run_folder(self._instance)}/docker.sock"
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(path)
        except PermissionError as error:
            connection.close()
            raise EngineUnreachable(
                "the engine is root's: run this as root, e.g. with sudo"
            ) from error
        except OSError as error:
            connection.close()
            raise EngineUnreachable(
                f"no engine answers at {path} ({error.strerror}): "
                f"start it with '{command_prefix(self._instance)} up'"
            ) from error
        return connection

    def _answered(self, connection: socket.socket, *, has_body: bool) -> Answer:
        try:
            answer = Answer(connection, has_body=has_body)
            if answer.status >= 400:
                told = answer.document() or {"message": f"the engine answers {answer.status}"}
                raise EngineRefused(told["message"], answer.status)
        except BaseException:
            connection.close()
            raise
        return answer


def _question(
    method: str, path: str, query: Query | None, headers: dict[str, str] | None, body: Any
) -> bytes:
    """A whole request, its body as JSON."""
    data = b"" if body is None else json.dumps(body).encode()
    described = {"Content-Type": "application/json", "Content-Length": str(len(data))}
    return _head(method, path, query, {**(headers or {}), **described}) + data


def _head(method: str, path: str, query: Query | None, headers: dict[str, str]) -> bytes:
    pairs = [
        (name, _text(value))
        for name, given in (query or {}).items()
        for value in (given if isinstance(given, list) else [given])
        if value is not None
    ]
    target = quote(path, safe="/:@") + (f"?{urlencode(pairs)}" if pairs else "")
    lines = [f"{method} {target} HTTP/1.1", "Host: engine"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return json.dumps(value) if isinstance(value, dict) else str(value)
