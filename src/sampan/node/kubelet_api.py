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

import msgspec

from sampan.engine.contract import Engine
from sampan.foundation.pki.subjects import ADMINISTRATORS, KUBELET_CLIENT
from sampan.foundation.wire.message import Request, Response
from sampan.node import log_request, node_statistics
from sampan.node.api_target import Refused, target_runs
from sampan.node.pod_manager import PodManager
from sampan.node.pod_plan import restarts
from sampan.node.pod_state import Run
from sampan.node.pod_worker import PodWorker
from sampan.node.settings import AgentSettings
from sampan.node.streaming.pod_streams import PodStreams

_log = logging.getLogger("sampan.node.api")


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
        streams = PodStreams(engine, pods)
        pod = r"/(?P<namespace>[^/]+)/(?P<pod>[^/]+)"
        container = pod + r"/(?P<container>[^/]+)"
        self._routes: tuple[tuple[re.Pattern[str], Route], ...] = (
            (re.compile("/healthz"), self._health),
            (re.compile("/pods"), self._list_pods),
            (re.compile("/stats/summary"), self._statistics),
            (re.compile("/containerLogs" + container), self._logs),
            (re.compile("/exec" + container), streams.execute),
            (re.compile("/attach" + container), streams.attach),
            (re.compile("/portForward" + pod), streams.forward),
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
        worker, runs = target_runs(self._pods, namespace, pod, container)
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
