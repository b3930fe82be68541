"""HTTPS webhooks on loopback, with an authority of their own."""

import asyncio
import base64
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from sampan.foundation.pki.authority import Authority

Respond = Callable[[dict[str, Any]], dict[str, Any]]


class Hook:
    """A running webhook: what it was asked, and how configurations reach it."""

    def __init__(self, port: int, certificate: bytes) -> None:
        self.port = port
        self.ca = base64.b64encode(certificate).decode()
        self.requests: list[dict[str, Any]] = []
        self.queries: list[str] = []

    def client(self, path: str = "/") -> dict[str, Any]:
        return {"url": f"https://127.0.0.1:{self.port}{path}", "caBundle": self.ca}


def allowed(_request: dict[str, Any]) -> dict[str, Any]:
    return {"allowed": True}


def patched(*operations: dict[str, Any]) -> Respond:
    content = base64.b64encode(json.dumps(operations).encode()).decode()
    return lambda _request: {"allowed": True, "patchType": "JSONPatch", "patch": content}


Serve = Callable[..., contextlib.AbstractAsyncContextManager[Hook]]


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """Serves a webhook. `respond` gives the `response` of a review without its uid; `answer`
    instead gives the whole HTTP response."""
    authority = Authority.create("webhook authority", datetime.now(UTC))

    @asynccontextmanager
    async def run(
        respond: Respond = allowed,
        *,
        answer: Callable[[web.Request, dict[str, Any]], Awaitable[web.StreamResponse]]
        | None = None,
        names: tuple[str, ...] = (),
    ) -> AsyncIterator[Hook]:
        pair = authority.issue(
            "webhook",
            dns_names=names,
            addresses=() if names else (ip_address("127.0.0.1"),),
            usage="server",
            now=datetime.now(UTC),
        )
        chain, key = tmp_path / "hook.crt", tmp_path / "hook.key"
        chain.write_bytes(pair.certificate)
        key.write_bytes(pair.key)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(chain, key)

        async def handle(request: web.Request) -> web.StreamResponse:
            review = await request.json()
            hook.requests.append(review["request"])
            hook.queries.append(request.query_string)
            if answer is not None:
                return await answer(request, review)
            response = {"uid": review["request"]["uid"], **respond(review["request"])}
            head = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
            return web.json_response({**head, "response": response})

        application = web.Application()
        application.router.add_post("/{tail:.*}", handle)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        port = runner.addresses[0][1]
        hook = Hook(port, authority.certificate)
        try:
            yield hook
        finally:
            await runner.cleanup()
            await asyncio.sleep(0)

    return run


@pytest.fixture
def configuration() -> Callable[..., dict[str, Any]]:
    """A configuration with one webhook for all that is done to config maps."""

    def make(
        client: dict[str, Any], *, kind: str = "Mutating", name: str = "hooks", **more: Any
    ) -> dict[str, Any]:
        rule = {
            "operations": ["*"],
            "apiGroups": [""],
            "apiVersions": ["v1"],
            "resources": ["configmaps"],
        }
        webhook = {
            "name": f"{name}.example.com",
            "clientConfig": client,
            "rules": [rule],
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "timeoutSeconds": 5,
        } | more
        return {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": f"{kind}WebhookConfiguration",
            "metadata": {"name": name},
            "webhooks": [webhook],
        }

    return make
