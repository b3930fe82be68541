"""The node's own HTTPS API, which the API server asks for logs, exec and statistics.

Every caller shows a certificate of the cluster's authority, and only the API server's own
client identity and administrators get an answer. No body is ever read.
"""

import functools
import logging
import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from sampan.engine.contract import Engine, EngineError, ExecSession
from sampan.foundation.pki.subjects import ADMINISTRATORS, KUBELET_CLIENT
from sampan.foundation.wire.message import Request, Response, WebSocket, WebSocketHandler
from sampan.node import exec_stream, log_request, node_statistics
from sampan.node.pod_manager import PodManager
from sampan.node.pod_plan import restarts
from sampan.node.pod_state import Run
from sampan.node.pod_view import Container
from sampan.node.pod_worker import PodWorker
from sampan.node.request_values import flag
from sampan.node.settings import AgentSettings

_log = logging.getLogger("sampan.node.api")


class Refused(Exception):
    """An answer other than success, with a message for the caller."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class KubeletApi:
    """`handle` answers one request."""

    def __init__(
        self,
        settings: AgentSettings,
        engine: Engine,
        pods: PodManager,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._engine = engine
        self._pods = pods
        container = r"/(?P<namespace>[^/]+)/(?P<pod>[^/]+)/(?P<container>[^/]+)"
        self._routes: tuple[tuple[re.Pattern[str], Route], ...] = (
            (re.compile("/healthz"), self._health),
            (re.compile("/pods"), self._list_pods),
            (re.compile("/stats/summary"), self._statistics),
            (re.compile("/containerLogs" + container), self._logs),
            (re.compile("/exec" + container), self._exec),
            (re.compile("/attach" + container), self._attach),
        )

    async def handle(self, request: Request) -> Response:
        if not is_authorized(request):
            return _text(403, "Forbidden: this certificate may not use the API of the node\n")
        for pattern, route in self._routes:
            match = pattern.fullmatch(request.path)
            if match:
                try:
                    return await route(request, **match.groupdict())
                except Refused as refusal:
                    return _text(refusal.status, f"{refusal}\n")
        return _text(404, "404 page not found\n")

    async def _health(self, _request: Request) -> Response:
        return _text(200, "ok")

    async def _list_pods(self, _request: Request) -> Response:
        items = self._pods.pods()
        body = {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items}
        return _json(msgspec.json.encode(body))

    async def _statistics(self, _request: Request) -> Response:
        summary = await node_statistics.summary(self._settings, self._engine, self._pods)
        return _json(msgspec.json.encode(summary))

    async def _logs(self, request: Request, namespace: str, pod: str, container: str) -> Response:
        try:
            wanted = log_request.options(request, self._clock())
        except ValueError as error:
            raise Refused(400, str(error)) from error
        worker, runs = self._runs(namespace, pod, container)
        if log_request.wants_previous(request):
            run = _previous(worker, container, runs)
        else:
            run = runs[-1]
        status = await self._engine.status(run.identifier)
        path = Path(status.log_path)
        if not path.exists():
            raise Refused(404, f'the log of container "{container}" is no longer there')
        end = functools.partial(self._engine.wait, run.identifier)
        body = log_request.output(path, wanted, end)
        return Response(headers={"content-type": "text/plain"}, body=body)

    def _runs(self, namespace: str, pod: str, container: str) -> tuple[PodWorker, tuple[Run, ...]]:
        worker = self._pods.worker(namespace, pod)
        if worker is None:
            raise Refused(404, f'pod "{namespace}/{pod}" is not on this node')
        if container not in {item.name for item in worker.pod.all_containers}:
            raise Refused(404, f'container "{container}" not found in pod "{namespace}/{pod}"')
        runs = tuple(run for run in worker.runs.by_container().get(container, ()) if not run.reason)
        if not runs:
            message = f'container "{container}" in pod "{pod}" is waiting to start'
            raise Refused(400, message)
        return worker, runs

    async def _exec(self, request: Request, namespace: str, pod: str, container: str) -> Response:
        command = tuple(value for key, value in request.query if key == "command")
        if not command:
            raise Refused(400, "you must specify at least 1 command")
        identifier, _ = self._running(request, namespace, pod, container)
        begin = functools.partial(
            self._engine.execute,
            identifier,
            command,
            terminal=flag(request, "tty"),
            stdin=flag(request, "stdin", "input"),
        )
        told = functools.partial(exec_stream.outcome, command)
        return _upgrade(functools.partial(_converse, begin, told))

    async def _attach(self, request: Request, namespace: str, pod: str, container: str) -> Response:
        identifier, spec = self._running(request, namespace, pod, container)
        begin = functools.partial(self._engine.attach, identifier)
        talk = functools.partial(
            _converse, begin, exec_stream.success, closes_stdin=spec.stdin_once
        )
        return _upgrade(talk)

    def _running(
        self, request: Request, namespace: str, pod: str, container: str
    ) -> tuple[str, Container]:
        """The identifier of the running container, and what the pod says of it."""
        worker, runs = self._runs(namespace, pod, container)
        if not runs[-1].is_running:
            raise Refused(400, f'container "{container}" is not running')
        if not request.wants_websocket:
            raise Refused(400, "this needs a WebSocket (SPDY is not supported)")
        spec = next(item for item in worker.pod.all_containers if item.name == container)
        return runs[-1].identifier, spec


async def _converse(
    begin: Callable[[], Awaitable[ExecSession]],
    told: Callable[[int], dict[str, Any]],
    socket: WebSocket,
    *,
    closes_stdin: bool = True,
) -> None:
    try:
        session = await begin()
    except EngineError as error:
        _log.info("a command or its streams were refused: %s", error)
        await exec_stream.send_outcome(socket, exec_stream.failure(str(error)))
        await socket.close()
    else:
        await exec_stream.stream(socket, session, told, closes_stdin=closes_stdin)


def _upgrade(talk: WebSocketHandler) -> Response:
    return Response(websocket=talk, subprotocols=exec_stream.SUBPROTOCOLS)


Route = Callable[..., Awaitable[Response]]


def is_authorized(request: Request) -> bool:
    """The API server's own client certificate, or an administrator's."""
    return ("commonName", KUBELET_CLIENT) in request.peer_subject or (
        "organizationName",
        ADMINISTRATORS,
    ) in request.peer_subject


def _previous(worker: PodWorker, container: str, runs: tuple[Run, ...]) -> Run:
    """The last run that ended, as the container's lastState shows it."""
    wanted = next(item for item in worker.pod.all_containers if item.name == container)
    if runs[-1].has_ended and restarts(worker.pod, wanted, runs[-1]):
        return runs[-1]
    if len(runs) < 2:
        raise Refused(400, f'previous terminated container "{container}" not found')
    return runs[-2]


def _text(status: int, text: str) -> Response:
    return Response(status=status, headers={"content-type": "text/plain"}, body=text.encode())


def _json(body: bytes) -> Response:
    return Response(headers={"content-type": "application/json"}, body=body)
