"""The actions of probes and hooks, against a server on loopback."""

import asyncio
import contextlib

import pytest

from sampan.engine.contract import EngineError
from sampan.node.handlers import HandlerFailed, Target, run_handler
from sampan.node.pod_view import (
    Container,
    ContainerPort,
    ExecAction,
    Handler,
    HttpAction,
    HttpHeader,
    SleepAction,
    TcpAction,
)


def act(action, answer=b"", *, timeout=5.0, seen=None):
    """Carry out an action against a server that gives one answer, on the port named `web`."""

    async def serve(reader, writer):
        with contextlib.suppress(OSError, EOFError):
            line = await reader.readuntil(b"\r\n\r\n") if answer else b""
            if seen is not None:
                seen.append(line.decode())
            writer.write(answer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        handled.set()

    handled = asyncio.Event()
    arrives = action.http_get or (action.tcp_socket and action.tcp_socket.port == "web")

    async def main():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        container = Container("main", ports=(ContainerPort(port, "web"),))
        async with server:
            try:
                await run_handler(action, Target(None, "c", "127.0.0.1", container), timeout)
            finally:
                if arrives:
                    await asyncio.wait_for(handled.wait(), 5)

    asyncio.run(main())


def http(**values):
    return Handler(http_get=HttpAction("web", **values))


@pytest.mark.parametrize("status", [200, 204, 302, 399])
def test_http_succeeds_up_to_399(status):
    act(http(), b"HTTP/1.1 %d Fine\r\n\r\n" % status)


@pytest.mark.parametrize("status", [400, 404, 500, 199])
def test_http_fails_with_other_codes(status):
    with pytest.raises(HandlerFailed, match=f"statuscode: {status}"):
        act(http(), b"HTTP/1.1 %d No\r\n\r\n" % status)


@pytest.mark.parametrize("answer", [b"hello\r\n", b"HTTP/1.1\r\n", b"x" * 100_000])
def test_what_is_not_http_fails(answer):
    with pytest.raises(HandlerFailed):
        act(http(), answer)


def test_http_sends_what_the_probe_names():
    seen = []
    headers = (HttpHeader("Host", "web.example"), HttpHeader("X-Probe", "1"))
    act(http(path="healthz", http_headers=headers), b"HTTP/1.1 200 OK\r\n\r\n", seen=seen)
    lines = seen[0].split("\r\n")
    assert lines[0] == "GET /healthz HTTP/1.1"
    assert {"host: web.example", "x-probe: 1", "connection: close"} <= set(lines)


def test_a_header_cannot_smuggle_a_second_request():
    with pytest.raises(HandlerFailed, match="line break"):
        act(http(http_headers=(HttpHeader("X", "1\r\nEvil: 1"),)), b"HTTP/1.1 200 OK\r\n\r\n")


def test_tcp():
    act(Handler(tcp_socket=TcpAction("web")))
    with pytest.raises(HandlerFailed, match="dial tcp 127"):
        act(Handler(tcp_socket=TcpAction(1)))
    with pytest.raises(HandlerFailed, match="no port named"):
        act(Handler(tcp_socket=TcpAction("none")))


def test_time_runs_out():
    with pytest.raises(HandlerFailed, match="timed out"):
        act(Handler(sleep=SleepAction(60)), timeout=0.01)


class Command:
    def __init__(self, code, pieces):
        self.code, self.pieces = code, pieces

    async def execute(self, _identifier, _command):
        if self.code is None:
            raise EngineError("not running")
        return self

    async def output(self):
        for piece in self.pieces:
            yield "stdout", piece

    async def wait(self):
        return self.code


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        (Command(1, [b"no\n"]), "^no$"),
        (Command(2, []), "exited with 2"),
        (Command(None, []), "not running"),
        (Command(1, [b"x" * 32768] * 100), "^x{10240}$"),
    ],
)
def test_commands_that_fail(engine, message):
    target = Target(engine, "c", "", Container("main"))
    action = Handler(exec=ExecAction(("check",)))
    with pytest.raises(HandlerFailed, match=message):
        asyncio.run(run_handler(action, target, 5))


def test_a_command_that_succeeds():
    target = Target(Command(0, [b"fine"]), "c", "", Container("main"))
    asyncio.run(run_handler(Handler(exec=ExecAction(("check",))), target, 5))
