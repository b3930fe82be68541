"""Logs and commands pass through the API to the agent of the pod's node, over real TLS."""

import asyncio
import json
from datetime import UTC, datetime
from random import Random

import pytest
import uvloop

from sampan.control.api.proxies import kubelets
from sampan.control.api.server import ApiServer
from sampan.control.api.settings import settings_of
from sampan.foundation.pki.cluster import prepare
from sampan.foundation.pki.contexts import client_context, server_context
from sampan.foundation.pki.tokens import TokenSigner
from sampan.foundation.settings import Instance
from sampan.foundation.wire.http_client import HttpsTransport
from sampan.foundation.wire.http_server import serve
from sampan.foundation.wire.message import HandshakeRefused, Request, Response, whole
from sampan.store.memory import MemoryStore

POD = "/api/v1/namespaces/default/pods/web"


@pytest.fixture(scope="module")
def credentials(tmp_path_factory):
    return prepare(tmp_path_factory.mktemp("pki") / "pki", Instance(), datetime.now(UTC))


class Agent:
    """A node's agent that answers logs with what was asked, and echoes what a command gets."""

    async def handle(self, request):
        subject = dict(request.peer_subject)
        assert subject["commonName"] == "kube-apiserver-kubelet-client"
        if request.wants_websocket:

            async def echo(socket):
                await socket.send(json.dumps([request.path, request.query]).encode())
                while (message := await socket.receive()) is not None:
                    await socket.send(message)

            return Response(websocket=echo, subprotocols=("v5.channel.k8s.io",))
        if request.path.endswith("/broken"):
            return Response(status=400, body=b"container is waiting to start")
        if request.path.endswith("/endless"):
            return Response(status=400, body=endless())

        async def lines():
            yield json.dumps([request.path, request.query]).encode()

        return Response(body=lines())


async def endless():
    while True:
        yield bytes(64 * 1024)
        await asyncio.sleep(0)


async def cluster(credentials, story):
    now = lambda: datetime.now(UTC)  # noqa: E731
    instance = Instance()
    settings = settings_of(instance)
    api = ApiServer.create(
        MemoryStore(),
        settings=settings,
        signer=TokenSigner(credentials.service_account_key.read_bytes(), settings.issuer),
        clock=now,
        random=Random(1),
        kubelet_context=client_context(credentials.authority, credentials.kubelet_client),
    )
    await api.start()
    context = server_context(credentials.api_server, credentials.authority)
    front = await serve(api.handle, addresses=["127.0.0.1"], port=0, context=context)
    agent = await serve(Agent().handle, addresses=["127.0.0.1"], port=0, context=context)
    client = HttpsTransport(
        f"https://127.0.0.1:{front.port}",
        client_context(credentials.authority, credentials.administrator),
    )
    try:
        await fill(client, agent.port)
        await story(client)
    finally:
        await client.close()
        await front.close(1)
        await agent.close(1)
        await api.close()


async def fill(client, port):
    node = {
        "metadata": {"name": "n"},
        "status": {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        },
    }
    names = ("main", "broken", "endless")
    pod = {
        "metadata": {"name": "web"},
        "spec": {
            "nodeName": "n",
            "automountServiceAccountToken": False,
            "containers": [{"name": name, "image": "hello:1"} for name in names],
        },
    }
    space = "/api/v1/namespaces/default"
    for path, body in (
        ("/api/v1/nodes", node),
        (f"{space}/serviceaccounts", {"metadata": {"name": "default"}}),
        (f"{space}/pods", pod),
    ):
        request = Request(method="POST", path=path, body=json.dumps(body).encode())
        request.headers = {"content-type": "application/json"}
        answer = await client.send(request)
        assert answer.status == 201, await whole(answer.body)
    request = Request(method="PUT", path="/api/v1/nodes/n/status", body=json.dumps(node).encode())
    request.headers = {"content-type": "application/json"}
    assert (await client.send(request)).status == 200


def play(credentials, story, monkeypatch):
    monkeypatch.setattr(kubelets, "is_proxyable", bool)
    uvloop.run(cluster(credentials, story))


async def log(client, container):
    query = (("container", container), ("tailLines", "3"), ("insecure", "1"))
    answer = await client.send(Request(method="GET", path=f"{POD}/log", query=query))
    return answer.status, await whole(answer.body)


def test_logs_are_streamed_from_the_node(credentials, monkeypatch):
    async def story(client):
        code, body = await log(client, "main")
        assert code == 200
        assert json.loads(body) == ["/containerLogs/default/web/main", [["tailLines", "3"]]]
        code, body = await log(client, "broken")
        assert code == 400
        assert json.loads(body)["message"] == "container is waiting to start"
        code, body = await log(client, "")
        assert code == 400
        assert "a container name must be specified" in json.loads(body)["message"]
        assert (await log(client, "other"))[0] == 400
        code, body = await log(client, "endless")
        assert code == 500
        assert "larger than" in json.loads(body)["message"]

    play(credentials, story, monkeypatch)


def test_commands_pass_both_ways(credentials, monkeypatch):
    async def story(client):
        query = (("command", "sh"), ("command", "-c"), ("container", "main"), ("stdin", "true"))
        protocols = ("v5.channel.k8s.io", "v4.channel.k8s.io")
        socket = await client.connect(f"{POD}/exec", query, protocols)
        assert socket.subprotocol == "v5.channel.k8s.io"
        path, asked = json.loads(await socket.receive())
        assert path == "/exec/default/web/main"
        assert asked == [["command", "sh"], ["command", "-c"], ["stdin", "true"]]
        await socket.send(b"\x00hello")
        assert await socket.receive() == b"\x00hello"
        await socket.close()
        with pytest.raises(HandshakeRefused):
            await client.connect(f"{POD}/exec", query, ("v1.old",))
        plain = await client.send(Request(method="POST", path=f"{POD}/exec", query=query))
        assert plain.status == 400
        assert "WebSocket" in json.loads(plain.body)["message"]

    play(credentials, story, monkeypatch)


def test_a_node_cannot_point_the_api_at_the_loopback(credentials):
    async def story(client):
        code, body = await log(client, "main")
        assert code == 500
        assert "has no address" in json.loads(body)["message"]

    uvloop.run(cluster(credentials, story))
