"""One API server that many requests are thrown at, and what every answer must be."""

import asyncio
import json
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from random import Random
from typing import Any

import yaml

from sampan.control.api.server import ApiServer
from sampan.control.api.settings import settings_of
from sampan.foundation.pki.authority import generate_key
from sampan.foundation.pki.tokens import TokenSigner
from sampan.foundation.settings import Instance
from sampan.foundation.wire.message import Request, whole
from sampan.store.memory import MemoryStore
from sampan.testing.virtual_clock import VirtualClockLoop

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
ADMINISTRATOR = (("commonName", "kubernetes-admin"), ("organizationName", "system:masters"))
PATIENCE_SECONDS = 20_000.0
# What is served by others: nodes, and services of the cluster, of which there are none here.
SERVED_BY_OTHERS = ("exec", "attach", "portforward", "proxy", "log")
WAITING_IN_VAIN = "Too large resource version"


class _InPlace(ThreadPoolExecutor):
    """Does at once what would be done in a thread, of which virtual time knows nothing."""

    def submit(self, call: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(call(*arguments, **named))
        except Exception as error:  # noqa: BLE001 - whoever waits is told
            done.set_exception(error)
        return done


class FuzzedServer:
    """A server on virtual time, so that watches end at once, or on real time."""

    def __init__(self, *, in_real_time: bool = False) -> None:
        self._runner = asyncio.Runner(loop_factory=None if in_real_time else VirtualClockLoop)
        if not in_real_time:
            self._runner.get_loop().set_default_executor(_InPlace())
        self._server = self._runner.run(self._started())

    async def _started(self) -> ApiServer:
        settings = settings_of(Instance())
        server = ApiServer.create(
            MemoryStore(),
            settings=settings,
            signer=TokenSigner(generate_key(), settings.issuer),
            clock=lambda: NOW,
            random=Random(1),
        )
        await server.start()
        return server

    def ask(self, request: Request) -> "Answer":
        """The answer to an administrator, through every stage."""
        request.peer_subject = ADMINISTRATOR
        return self._runner.run(self._answered(request))

    async def _answered(self, request: Request) -> "Answer":
        response = await self._server.handle(request)
        async with asyncio.timeout(PATIENCE_SECONDS):
            body = await whole(response.body)
        return Answer(request, response.status, response.headers, body)

    def send(self, method: str, path: str, body: Any = None) -> "Answer":
        """A plain request with JSON."""
        content = b"" if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json", "accept": "application/json"}
        return self.ask(Request(method=method, path=path, headers=headers, body=content))

    def operations(self) -> list[dict[str, Any]]:
        """Every operation that the server publishes: path, method, kind and parameters."""
        index = json.loads(self.send("GET", "/openapi/v3").body)["paths"]
        found = []
        for document in index.values():
            path = document["serverRelativeURL"].partition("?")[0]
            for template, methods in json.loads(self.send("GET", path).body)["paths"].items():
                for method, operation in methods.items():
                    if method != "parameters":
                        found.append({"path": template, "method": method.upper(), **operation})
        return found

    def close(self) -> None:
        self._runner.run(self._server.close())
        self._runner.close()


class Answer:
    """An answer and what is demanded of it."""

    def __init__(self, request: Request, code: int, headers: dict[str, str], body: bytes) -> None:
        self.request = request
        self.code = code
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.body = body

    def check(self) -> None:
        """No failure of the server's own, nothing of its inside, an error always a Status."""
        told = f"{self.request} -> {self.code} {self.body[:2000]!r}"
        assert b"Traceback" not in self.body, told
        assert b'File "/' not in self.body, told
        for name, value in self.headers.items():
            assert "\n" not in name + value, told
            assert "\r" not in name + value, told
        if self.code >= 500:
            assert self._is_anothers_failure(), told
        if self.code >= 400 and self.request.method != "HEAD":
            self._check_status(told)

    def _is_anothers_failure(self) -> bool:
        if WAITING_IN_VAIN.encode() in self.body:
            return self.code == 504
        parts = self.request.path.split("/")
        return self.code in (502, 503) and any(it in parts for it in SERVED_BY_OTHERS)

    def _check_status(self, told: str) -> None:
        media_type = self.headers.get("content-type", "").partition(";")[0]
        if media_type == "application/vnd.kubernetes.protobuf":
            assert self.body.startswith(b"k8s\0"), told
            assert b"Status" in self.body, told
            return
        assert media_type in ("application/json", "application/yaml"), told
        read = json.loads if media_type == "application/json" else yaml.safe_load
        status = read(self.body)
        assert status["kind"] == "Status", told
        assert status["status"] == "Failure", told
        assert status["code"] == self.code, told
        assert isinstance(status.get("message", ""), str), told
