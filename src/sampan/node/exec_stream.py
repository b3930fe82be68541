"""A command in a container, or the container's own streams, over a WebSocket.

The subprotocols v5.channel.k8s.io and v4.channel.k8s.io (KEP-4006): each message begins with
a byte that names its channel; v5 adds a message that closes a channel. The outcome goes out as
a Status object on the error channel.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import msgspec

from sampan.engine.contract import ExecSession
from sampan.foundation.wire.message import WebSocket

SUBPROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
_CHANNELS = {"stdout": STDOUT, "stderr": STDERR}

_log = logging.getLogger("sampan.node.exec")


class _Size(msgspec.Struct, rename="pascal"):
    width: int
    height: int


async def stream(
    socket: WebSocket,
    session: ExecSession,
    told: Callable[[int], dict[str, Any]],
    *,
    closes_stdin: bool = True,
) -> None:
    """Until the command has ended, or the peer has gone: then the command is killed.

    `told` turns the exit code into the Status that goes out last. A container's own input
    isn't closed with the peer's when others may attach to it later.
    """
    feeding = asyncio.create_task(_feed(socket, session, closes_stdin))
    showing = asyncio.create_task(_show(socket, session, told))
    try:
        done, _ = await asyncio.wait((feeding, showing), return_when=asyncio.FIRST_COMPLETED)
        if showing not in done:
            _log.debug("the peer of a command has gone")
            await session.kill()
        elif (error := showing.exception()) is not None:
            _log.warning("the output of a command broke off: %s", error)
    finally:
        feeding.cancel()
        showing.cancel()
        await asyncio.gather(feeding, showing, return_exceptions=True)
        await socket.close()


async def _show(
    socket: WebSocket, session: ExecSession, told: Callable[[int], dict[str, Any]]
) -> None:
    async for name, chunk in session.output():
        await socket.send(bytes((_CHANNELS[name],)) + chunk)
    await send_outcome(socket, told(await session.wait()))


async def send_outcome(socket: WebSocket, status: dict[str, Any]) -> None:
    await socket.send(bytes((ERROR,)) + json.dumps(status).encode())


async def _feed(socket: WebSocket, session: ExecSession, closes_stdin: bool) -> None:
    """Returns when the peer has closed; a command that no longer reads is fed no more."""
    reads = True
    while (message := await socket.receive()) is not None:
        if not message:
            continue
        channel, data = message[0], message[1:]
        try:
            if channel == STDIN and reads:
                await session.write(data)
            elif channel == RESIZE:
                await _resize(session, data)
            elif channel == CLOSE and data[:1] == bytes((STDIN,)) and closes_stdin:
                await session.close_stdin()
        except (BrokenPipeError, ConnectionError):
            reads = False


async def _resize(session: ExecSession, data: bytes) -> None:
    try:
        size = msgspec.json.decode(data, type=_Size)
    except msgspec.DecodeError:
        _log.debug("a terminal size that can't be read was ignored")
        return
    await session.resize(size.width, size.height)


def success(_code: int) -> dict[str, Any]:
    """Nothing went wrong; what the code was the pod's own status tells."""
    return {"metadata": {}, "status": "Success"}


def outcome(command: tuple[str, ...], code: int) -> dict[str, Any]:
    """The Status that a client turns into its exit code."""
    if code == 0:
        return success(code)
    return {
        "metadata": {},
        "status": "Failure",
        "message": (
            "command terminated with non-zero exit code: "
            f"error executing command [{' '.join(command)}], exit code {code}"
        ),
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def failure(message: str) -> dict[str, Any]:
    """The command could not be begun."""
    return {
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": "InternalError",
        "code": 500,
    }
