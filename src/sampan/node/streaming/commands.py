"""A command in a container, or the container's own streams, for the peer of a connection.

The outcome goes out as a Status object on the error channel. What carries the channels isn't
known here.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import msgspec

from sampan.engine.contract import ExecSession
from sampan.node.streaming.channels import (
    CLOSE,
    ERROR,
    RESIZE,
    STDERR,
    STDIN,
    STDOUT,
    Channels,
)

_OUTPUTS = {"stdout": STDOUT, "stderr": STDERR}

_log = logging.getLogger("sampan.node.exec")


class _Size(msgspec.Struct, rename="pascal"):
    width: int
    height: int


async def stream(
    channels: Channels,
    session: ExecSession,
    told: Callable[[int], dict[str, Any]],
    *,
    closes_stdin: bool = True,
) -> None:
    """Until the command has ended, or the peer has gone: then the command is killed.

    `told` turns the exit code into the Status that goes out last. A container's own input
    isn't closed with the peer's when others may attach to it later.
    """
    feeding = asyncio.create_task(_feed(channels, session, closes_stdin))
    showing = asyncio.create_task(_show(channels, session, told))
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
        await channels.close()


async def _show(
    channels: Channels, session: ExecSession, told: Callable[[int], dict[str, Any]]
) -> None:
    async for name, chunk in session.output():
        await channels.send(bytes((_OUTPUTS[name],)) + chunk)
    await send_outcome(channels, told(await session.wait()))


async def send_outcome(channels: Channels, status: dict[str, Any]) -> None:
    await channels.send(bytes((ERROR,)) + json.dumps(status).encode())


async def _feed(channels: Channels, session: ExecSession, closes_stdin: bool) -> None:
    """Returns when the peer has closed; a command that no longer reads is fed no more."""
    reads = True
    while (message := await channels.receive()) is not None:
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
