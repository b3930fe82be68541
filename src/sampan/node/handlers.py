"""The actions of probes and lifecycle hooks: HTTP, TCP, exec, gRPC, sleep.

Each either succeeds or raises HandlerFailed with a message for an event. Output and answers
are read only as far as a message needs them.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sampan.engine.contract import Engine, EngineError
from sampan.node import health_check
from sampan.node.pod_view import (
    Container,
    ExecAction,
    GrpcAction,
    Handler,
    HttpAction,
    Port,
    Probe,
    SleepAction,
    TcpAction,
)

LONGEST_OUTPUT = 10 * 1024
LONGEST_HEADER = 16 * 1024
USER_AGENT = "kube-probe/1.37"


class HandlerFailed(Exception):
    """The action did not succeed; the message says how."""


class Target:
    """The container that an action is aimed at: its run, its pod's address, its ports."""

    def __init__(self, engine: Engine, identifier: str, address: str, container: Container) -> None:
        self.engine = engine
        self.identifier = identifier
        self.address = address
        self.container = container

    def port(self, port: Port) -> int:
        """A number, or the number of a named port. Raises HandlerFailed."""
        if isinstance(port, int):
            return port
        for item in self.container.ports:
            if item.name == port:
                return item.container_port
        if port.isdigit():
            return int(port)
        raise HandlerFailed(f"container {self.container.name} has no port named {port!r}")


async def run_handler(action: Handler | Probe, target: Target, timeout: float | None) -> None:
    """Carry out whichever action is set. Raises HandlerFailed, also when time runs out."""
    try:
        async with asyncio.timeout(timeout):
            await _dispatch(action, target)
    except TimeoutError:
        raise HandlerFailed(f"timed out after {timeout:g}s") from None


async def _dispatch(action: Handler | Probe, target: Target) -> None:
    if action.exec:
        await run_command(action.exec, target)
    elif action.http_get:
        await request(action.http_get, target)
    elif action.tcp_socket:
        await connect(action.tcp_socket, target)
    elif isinstance(action, Handler) and action.sleep:
        await _sleep(action.sleep)
    elif isinstance(action, Probe) and action.grpc:
        await check_health(action.grpc, target)
    else:
        raise HandlerFailed("the kind of action is not supported")


async def _sleep(action: SleepAction) -> None:
    await asyncio.sleep(action.seconds)


async def run_command(action: ExecAction, target: Target) -> None:
    try:
        session = await target.engine.execute(target.identifier, action.command)
    except (EngineError, OSError) as error:
        raise HandlerFailed(str(error)) from None
    output = bytearray()
    try:
        async for _, chunk in session.output():
            if len(output) < LONGEST_OUTPUT:
                output += chunk[: LONGEST_OUTPUT - len(output)]
        code = await session.wait()
    except asyncio.CancelledError:
        await session.kill()
        raise
    if code != 0:
        text = output.decode(errors="replace").strip()
        raise HandlerFailed(text or f"command exited with {code}")


async def connect(action: TcpAction, target: Target) -> None:
    async with _connection(action.host or target.address, target.port(action.port), None):
        pass


async def request(action: HttpAction, target: Target) -> None:
    """GET; every status from 200 to 399 is a success, certificates are not verified."""
    host = action.host or target.address
    port = target.port(action.port)
    secure = _unverified() if action.scheme == "HTTPS" else None
    async with _connection(host, port, secure) as (reader, writer):
        writer.write(_http_request(action, host, port))
        status = await _read_status(reader)
    if not 200 <= status < 400:
        raise HandlerFailed(f"HTTP probe failed with statuscode: {status}")


async def check_health(action: GrpcAction, target: Target) -> None:
    """One call of the gRPC health protocol, in plain text, to the pod itself."""
    authority = f"{target.address}:{action.port}"
    async with _connection(target.address, action.port, None) as (reader, writer):
        try:
            writer.write(health_check.request(authority, action.service, USER_AGENT))
            answer, serves = health_check.Answer(), False
            while not serves:
                data = await reader.read(LONGEST_HEADER)
                if not data:
                    raise HandlerFailed("error: health rpc probe failed: the connection was closed")
                reply, serves = answer.feed(data)
                writer.write(reply)
        except (health_check.Unhealthy, OSError) as error:
            raise HandlerFailed(str(error)) from None


def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@asynccontextmanager
async def _connection(
    host: str, port: int, secure: ssl.SSLContext | None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    try:
        reader, writer = await asyncio.open_connection(host, port, ssl=secure, limit=LONGEST_HEADER)
    except OSError as error:
        raise HandlerFailed(f"dial tcp {host}:{port}: {error.strerror or error}") from None
    except (UnicodeError, OverflowError) as error:
        raise HandlerFailed(f"{host}:{port} is no address: {error}") from None
    try:
        yield reader, writer
    finally:
        # Probes must not pile up connections that linger in TIME-WAIT on the node.
        writer.transport.abort()


def _http_request(action: HttpAction, host: str, port: int) -> bytes:
    path = action.path if action.path.startswith("/") else f"/{action.path}"
    headers = {"host": f"{host}:{port}", "user-agent": USER_AGENT, "accept": "*/*"}
    headers |= {item.name.lower(): item.value for item in action.http_headers}
    headers["connection"] = "close"
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    if any("\r" in line or "\n" in line for line in lines):
        raise HandlerFailed("a header or path of the request holds a line break")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def _read_status(reader: asyncio.StreamReader) -> int:
    try:
        line = await reader.readline()
    except (OSError, ValueError) as error:
        raise HandlerFailed(f"the answer is not HTTP: {error}") from None
    words = line.split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        raise HandlerFailed("the connection was closed without an HTTP answer")
    return int(words[1])
