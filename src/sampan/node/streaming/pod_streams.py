"""The node's API for streams: commands in containers, their own streams, forwarded ports.

Each is served over WebSockets and over SPDY, whichever the client asks for.
"""

import functools
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from sampan.engine.contract import Engine, EngineError, ExecOptions, ExecSession
from sampan.foundation.wire.message import ByteStream, Request, Response, WebSocket
from sampan.foundation.wire.message_stream import MessageStream
from sampan.node.api_target import Refused, target_pod, target_runs
from sampan.node.pod_manager import PodManager
from sampan.node.pod_view import Container
from sampan.node.request_values import flag
from sampan.node.streaming import command_streams, commands, port_forward
from sampan.node.streaming.channels import SUBPROTOCOLS, Channels
from sampan.node.streaming.pod_dial import dial
from sampan.node.streaming.upgrades import NoSharedProtocol, spdy_response, wants_spdy

_log = logging.getLogger("sampan.node.streaming")


class PodStreams:
    """Its methods answer one request each. Raises Refused."""

    def __init__(self, engine: Engine, pods: PodManager) -> None:
        self._engine = engine
        self._pods = pods

    async def execute(self, request: Request, namespace: str, pod: str, container: str) -> Response:
        command = tuple(value for key, value in request.query if key == "command")
        if not command:
            raise Refused(400, "you must specify at least 1 command")
        identifier, _ = self._running(request, namespace, pod, container)
        begin = functools.partial(
            self._engine.execute,
            identifier,
            command,
            ExecOptions(terminal=flag(request, "tty"), stdin=flag(request, "stdin", "input")),
        )
        told = functools.partial(commands.outcome, command)
        return _command_response(request, functools.partial(_converse, begin, told))

    async def attach(self, request: Request, namespace: str, pod: str, container: str) -> Response:
        identifier, spec = self._running(request, namespace, pod, container)
        begin = functools.partial(self._engine.attach, identifier)
        talk = functools.partial(_converse, begin, commands.success, closes_stdin=spec.stdin_once)
        return _command_response(request, talk)

    async def forward(self, request: Request, namespace: str, pod: str) -> Response:
        worker = target_pod(self._pods, namespace, pod)
        if not worker.has_network:
            raise Refused(400, f'pod "{pod}" is not running')
        _demand_upgrade(request)
        reach = functools.partial(dial, worker.network_namespace)
        if wants_spdy(request):
            return _spdy(
                request,
                (port_forward.PROTOCOL,),
                functools.partial(port_forward.forward_streams, dial=reach),
            )
        return _forward_response(request, reach)

    def _running(
        self, request: Request, namespace: str, pod: str, container: str
    ) -> tuple[str, Container]:
        """The identifier of the running container, and what the pod says of it."""
        worker, runs = target_runs(self._pods, namespace, pod, container)
        if not runs[-1].is_running:
            raise Refused(400, f'container "{container}" is not running')
        _demand_upgrade(request)
        spec = next(item for item in worker.pod.all_containers if item.name == container)
        return runs[-1].identifier, spec


def _command_response(request: Request, talk: Callable[[Channels], Awaitable[None]]) -> Response:
    if not wants_spdy(request):
        return Response(websocket=talk, subprotocols=SUBPROTOCOLS)
    types = frozenset(_stream_types(request))

    async def tunnel(connection: ByteStream) -> None:
        await command_streams.serve(connection, types, talk)

    return _spdy(request, command_streams.PROTOCOLS, tunnel)


def _forward_response(request: Request, reach: port_forward.Dial) -> Response:
    """The answer to a WebSocket: a tunnel of SPDY where the client knows it, else channels."""
    if port_forward.TUNNEL in request.headers.get("sec-websocket-protocol", ""):

        async def tunnel(socket: WebSocket) -> None:
            await port_forward.forward_streams(MessageStream(socket), reach)
            await socket.close()

        return Response(websocket=tunnel, subprotocols=(port_forward.TUNNEL,))
    ports = _ports(tuple(value for key, value in request.query if key == "ports"))
    talk = functools.partial(port_forward.forward_channels, ports=ports, dial=reach)
    return Response(websocket=talk, subprotocols=(port_forward.CHANNELS,))


def _stream_types(request: Request) -> list[str]:
    """The streams that the client is going to open, as remote command clients do."""
    terminal = flag(request, "tty")
    types = ["error"]
    types += ["stdin"] if flag(request, "stdin", "input") else []
    types += ["stdout"] if flag(request, "stdout", "output") else []
    types += ["stderr"] if flag(request, "stderr", "error") and not terminal else []
    types += ["resize"] if terminal else []
    return types


async def _converse(
    begin: Callable[[], Awaitable[ExecSession]],
    told: Callable[[int], dict[str, Any]],
    channels: Channels,
    *,
    closes_stdin: bool = True,
) -> None:
    try:
        session = await begin()
    except EngineError as error:
        _log.info("a command or its streams were refused: %s", error)
        await commands.send_outcome(channels, commands.failure(str(error)))
        await channels.close()
    else:
        await commands.stream(channels, session, told, closes_stdin=closes_stdin)


def _spdy(
    request: Request, served: tuple[str, ...], talk: Callable[[ByteStream], Awaitable[None]]
) -> Response:
    try:
        return spdy_response(request, served, talk)
    except NoSharedProtocol as error:
        raise Refused(403, str(error)) from error


def _demand_upgrade(request: Request) -> None:
    if not (request.wants_websocket or wants_spdy(request)):
        raise Refused(400, "this needs an upgrade to a WebSocket or to SPDY/3.1")


def _ports(texts: tuple[str, ...]) -> tuple[int, ...]:
    try:
        return port_forward.wanted_ports(texts)
    except ValueError as error:
        raise Refused(400, str(error)) from error
