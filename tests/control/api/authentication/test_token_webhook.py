"""Tokens that a webhook judges: asked once, remembered, and never believed beyond its word."""

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sampan.control.api.authentication import token_webhook, webhook_configuration
from sampan.control.api.authentication.configuration import InvalidConfiguration
from sampan.control.api.authentication.token_webhook import TokenWebhook
from sampan.foundation.pki.cluster import prepare
from sampan.foundation.pki.contexts import server_context
from sampan.foundation.pki.tokens import InvalidToken
from sampan.foundation.settings import Instance
from sampan.foundation.wire.http_server import serve
from sampan.foundation.wire.message import Request, Response

OWN = "https://kubernetes.default.svc.cluster.local"
JANE = {"authenticated": True, "user": {"username": "jane", "uid": "7", "groups": ["team"]}}


class Judge:
    """Answers with a status, and keeps what it was asked."""

    def __init__(self, status: Any) -> None:
        self.status = status
        self.asked: list[Any] = []
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.webhook = TokenWebhook(self.ask, OWN, lambda: self.now)

    async def ask(self, body: bytes) -> bytes:
        self.asked.append(json.loads(body)["spec"])
        if isinstance(self.status, Exception):
            raise self.status
        return json.dumps({"status": self.status}).encode()

    def proof(self, token: str = "t", *audiences: str) -> Any:
        return asyncio.run(self.webhook.proof(token, audiences or (OWN,)))


def test_who_a_token_stands_for_is_what_the_webhook_says() -> None:
    judge = Judge(JANE)
    proof = judge.proof()
    assert (proof.identity.name, proof.identity.uid) == ("jane", "7")
    assert proof.identity.groups == ("team", "system:authenticated")
    assert proof.audiences == (OWN,)
    assert judge.asked == [{"token": "t", "audiences": [OWN]}]


def test_an_answer_is_remembered_for_a_while_good_or_bad() -> None:
    for status in (JANE, {"authenticated": False}):
        judge = Judge(status)
        assert (judge.proof() is None) == (judge.proof() is None)
        assert len(judge.asked) == 1
        judge.now += timedelta(seconds=121)
        judge.proof()
        assert len(judge.asked) == 2


@pytest.mark.parametrize(
    ("status", "audiences"),
    [
        ({"authenticated": False}, (OWN,)),
        ({**JANE, "audiences": ["other"]}, (OWN,)),
        (JANE, ("other",)),
        ({"authenticated": True, "user": {}}, (OWN,)),
    ],
)
def test_what_is_not_meant_for_here_proves_nothing(status: Any, audiences: Any) -> None:
    assert Judge(status).proof("t", *audiences) is None


@pytest.mark.parametrize("status", [ConnectionError("refused"), "no status", {"error": "revoked"}])
def test_a_webhook_that_fails_or_complains_lets_nobody_in(status: Any) -> None:
    with pytest.raises(InvalidToken):
        Judge(status).proof()


def kubeconfig(server: str, **cluster: Any) -> str:
    return json.dumps(
        {
            "clusters": [{"name": "judge", "cluster": {"server": server, **cluster}}],
            "users": [{"name": "api", "user": {"token": "pass"}}],
            "contexts": [{"name": "it", "context": {"cluster": "judge", "user": "api"}}],
            "current-context": "it",
        }
    )


def test_the_webhook_of_a_kubeconfig_is_asked_over_tls(tmp_path: Path) -> None:
    credentials = prepare(tmp_path / "pki", Instance(), datetime.now(UTC))
    seen: list[tuple[str, str, str]] = []

    async def judge(request: Request) -> Response:
        token = json.loads(await request.read_body())["spec"]["token"]
        seen.append((request.path, request.headers["authorization"], token))
        return Response(body=json.dumps({"status": JANE}).encode())

    async def run() -> Any:
        context = server_context(credentials.api_server, None)
        server = await serve(judge, addresses=["127.0.0.1"], port=0, context=context)
        data = base64.b64encode(credentials.authority.read_bytes()).decode()
        address = f"https://127.0.0.1:{server.port}/review"
        file = tmp_path / "webhook.yaml"
        file.write_text(kubeconfig(address, **{"certificate-authority-data": data}))
        ask = token_webhook.asking(webhook_configuration.read(file))
        try:
            webhook = TokenWebhook(ask, OWN, lambda: datetime.now(UTC))
            return await webhook.proof("t", (OWN,))
        finally:
            await server.close(1.0)

    assert asyncio.run(run()).identity.name == "jane"
    assert seen == [("/review", "Bearer pass", "t")]


@pytest.mark.parametrize(
    "text",
    [
        "[",
        "{}",
        kubeconfig("http://judge.example.org"),
        kubeconfig("https://judge.example.org", proxy="https://elsewhere.example.org"),
        kubeconfig("https://judge.example.org").replace('"it"}', '"other"}'),
    ],
)
def test_a_file_that_is_not_understood_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "webhook.yaml"
    file.write_text(text)
    with pytest.raises(InvalidConfiguration):
        webhook_configuration.read(file)
