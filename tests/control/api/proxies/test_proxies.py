"""Requests reach the servers behind pods, services and nodes, and their answers come back."""

import asyncio
import json
from typing import Any

import pytest

from sampan.foundation.wire.http_exchange import Outgoing
from sampan.foundation.wire.message import Identity, Request, Response

SPACE = "/api/v1/namespaces/default"
PROXIES = (f"{SPACE}/pods/web/proxy", f"{SPACE}/services/web:http/proxy", "/api/v1/nodes/n/proxy")


async def tell(request: Request) -> Response:
    """What the server was asked."""
    body = await request.read_body()
    told = {
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "headers": request.headers,
        "body": body.decode(),
    }
    return Response(
        status=201,
        headers={"content-type": "application/json", "x-of": "server", "connection": "x-private"},
        body=json.dumps(told).encode(),
        cookies=("a=1", "b=2; Path=/"),
    )


@pytest.mark.parametrize("proxy", PROXIES)
def test_any_method_and_path_reach_the_server(play: Any, proxy: str) -> None:
    async def story(front: Any) -> None:
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            answer = await front.send(
                method,
                f"{proxy}/a b/%2e/c/",
                "hi",
                query=(("x", "1"), ("x", "2&3")),
                headers={"x-mine": "yes", "authorization": "Bearer me"},
            )
            assert answer.status == 201
            assert answer.headers["x-of"] == "server"
            told = json.loads(answer.body)
            assert (told["method"], told["path"]) == (method, "/a b/%2e/c/")
            assert told["query"] == [["x", "1"], ["x", "2&3"]]
            assert told["body"] == '"hi"'
            assert told["headers"]["x-mine"] == "yes"
            assert told["headers"]["x-forwarded-for"] == "127.0.0.1"
            assert "authorization" not in told["headers"]
            assert "impersonate-user" not in told["headers"]

    play(story, tell)


def test_the_root_without_a_slash_is_redirected(play: Any) -> None:
    async def story(front: Any) -> None:
        answer = await front.send("GET", PROXIES[0], query=(("q", "1"),))
        assert (answer.status, answer.headers["location"]) == (301, f"{PROXIES[0]}/?q=1")
        answer = await front.send("GET", f"{PROXIES[0]}/")
        assert json.loads(answer.body)["path"] == "/"
        answer = await front.send("POST", PROXIES[0])
        assert json.loads(answer.body)["path"] == "/"

    play(story, tell)


def test_several_cookies_come_back_and_private_headers_do_not(play: Any) -> None:
    async def story(front: Any) -> None:
        answer = await front.ask(Outgoing("GET", f"{PROXIES[1]}/", headers=[("host", "h")]))
        assert [value for name, value in answer.headers if name == "Set-Cookie"] == [
            "a=1",
            "b=2; Path=/",
        ]
        names = {name.lower() for name, _ in answer.headers}
        assert "x-private" not in names
        await answer.aclose()

    play(story, tell)


def test_ports_and_schemes_lead_elsewhere(play: Any) -> None:
    async def story(front: Any) -> None:
        node = await front.send("GET", "/api/v1/nodes/n")
        port = json.loads(node.body)["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"]
        for target, code in (
            (f"{SPACE}/services/web:80/proxy/", 201),
            (f"{SPACE}/services/http:web:http/proxy/", 201),
            (f"{SPACE}/services/web:81/proxy/", 503),
            (f"{SPACE}/services/web:other/proxy/", 503),
            (f"{SPACE}/services/ftp:web:80/proxy/", 400),
            (f"{SPACE}/services/https:web:http/proxy/", 503),
            (f"{SPACE}/services/none/proxy/", 404),
            (f"{SPACE}/pods/https:web:{port}/proxy/", 201),
            (f"{SPACE}/pods/web:99999/proxy/", 400),
            (f"{SPACE}/pods/none/proxy/", 404),
            (f"/api/v1/nodes/n:{port}/proxy/", 201),
            ("/api/v1/nodes/n:1/proxy/", 503),
            ("/api/v1/nodes/none/proxy/", 404),
            (f"{SPACE}/pods/web/log/more", 404),
        ):
            answer = await front.send("GET", target)
            assert answer.status == code, (target, answer.body)
            if code != 201:
                assert json.loads(answer.body)["kind"] == "Status"

    play(story, tell)


def test_bodies_stream_both_ways(play: Any) -> None:
    """Each piece is answered before the next is sent, and the whole is longer than any body
    that this server itself would read."""
    pieces, size = 64, 100_000

    async def count(request: Request) -> Response:
        async def sizes() -> Any:
            taken = request.pieces()
            assert taken is not None
            total = 0
            async for piece in taken:
                total += len(piece)
                if total % size == 0:
                    yield b"%d\n" % total

        return Response(body=sizes())

    async def story(front: Any) -> None:
        answered = asyncio.Semaphore(1)

        async def body() -> Any:
            for _ in range(pieces):
                await answered.acquire()
                yield b"x" * size

        outgoing = Outgoing(
            "POST",
            f"{PROXIES[0]}/count",
            headers=[("host", "h"), ("content-length", str(pieces * size))],
            body=body(),
        )
        answer = await front.ask(outgoing)
        told = b""
        async for piece in answer.pieces():
            told += piece
            answered.release()
        assert told.split()[-1] == str(pieces * size).encode()
        await answer.aclose()

    play(story, count)


def test_an_answer_that_breaks_off_is_not_a_whole_one(play: Any) -> None:
    async def half(_request: Request) -> Response:
        async def begin() -> Any:
            yield b"half"
            raise ConnectionError

        return Response(headers={"content-length": "8"}, body=begin())

    async def story(front: Any) -> None:
        answer = await front.ask(Outgoing("GET", f"{PROXIES[0]}/", headers=[("host", "h")]))
        with pytest.raises(ConnectionError):
            async for _ in answer.pieces():
                pass
        await answer.aclose()

    play(story, half)


def test_web_sockets_pass(play: Any) -> None:
    async def echo(request: Request) -> Response:
        async def talk(socket: Any) -> None:
            while (message := await socket.receive()) is not None:
                await socket.send(message.upper())

        if not request.wants_websocket:
            return Response(status=426, body=b"upgrade")
        return Response(websocket=talk, subprotocols=("chat",))

    async def story(front: Any) -> None:
        for proxy in PROXIES:
            protocols = ("base64url.bearer.authorization.k8s.io.c2VjcmV0", "chat")
            socket = await front.client.connect(f"{proxy}/talk", (), protocols)
            assert socket.subprotocol == "chat"
            for message in (b"hello", b"x" * 100_000):
                await socket.send(message)
                assert await socket.receive() == message.upper()
            await socket.close()
        answer = await front.send("GET", f"{PROXIES[0]}/talk")
        assert (answer.status, answer.body) == (426, b"upgrade")

    play(story, echo)


def test_any_other_upgrade_passes_as_bytes(play: Any) -> None:
    async def switch(request: Request) -> Response:
        assert request.headers["upgrade"] == "SPDY/3.1"

        async def talk(stream: Any) -> None:
            while data := await stream.read():
                await stream.write(data[::-1])

        return Response(
            status=101, headers={"Connection": "Upgrade", "Upgrade": "SPDY/3.1"}, tunnel=talk
        )

    async def story(front: Any) -> None:
        headers = [("host", "h"), ("connection", "Upgrade"), ("upgrade", "SPDY/3.1")]
        answer = await front.ask(Outgoing("POST", f"{PROXIES[1]}/x", headers=headers))
        assert answer.status == 101
        await answer.write(b"abc")
        assert await answer.read() == b"cba"
        await answer.aclose()

    play(story, switch)


def test_links_and_redirects_lead_through_the_proxy(play: Any) -> None:
    async def page(request: Request) -> Response:
        if request.path == "/old":
            return Response(status=302, headers={"location": "/new?q=1"})
        if request.path == "/away":
            return Response(status=302, headers={"location": "https://example.org/x"})
        body = b'<a href="/x">x</a><img src="y.png"><p title="/x">&amp; \xc3\xa4'
        headers = {"content-type": "text/html; charset=utf-8", "access-control-allow-origin": "*"}
        return Response(headers=headers, body=body)

    async def story(front: Any) -> None:
        proxy = PROXIES[0]
        answer = await front.send("GET", f"{proxy}/old")
        assert (answer.status, answer.headers["location"]) == (302, f"{proxy}/new?q=1")
        answer = await front.send("GET", f"{proxy}/away")
        assert answer.headers["location"] == "https://example.org/x"
        answer = await front.send("GET", f"{proxy}/")
        changed = f'<a href="{proxy}/x">x</a>'.encode()
        assert answer.body == changed + b'<img src="y.png"><p title="/x">&amp; \xc3\xa4'
        assert "access-control-allow-origin" not in answer.headers
        head = await front.send("HEAD", f"{proxy}/")
        assert (head.status, head.body) == (200, b"")

    play(story, page)


def test_entering_a_pod_by_its_node_needs_the_permission_to_enter_it(play: Any) -> None:
    async def story(front: Any) -> None:
        rbac = "/apis/rbac.authorization.k8s.io/v1"
        rule = {"verbs": ["get"], "apiGroups": [""], "resources": ["nodes/proxy"]}
        await front.create(f"{rbac}/clusterroles", {"metadata": {"name": "p"}, "rules": [rule]})
        binding = {
            "metadata": {"name": "p"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole"}
            | {"name": "p"},
            "subjects": [{"kind": "User", "name": "watcher"}],
        }
        await front.create(f"{rbac}/clusterrolebindings", binding)
        watcher = Identity("watcher", ("system:authenticated",))
        for path, code in (
            ("pods", 201),
            ("exec/default/web/main", 403),
            ("stats/../exec/default/web/main", 403),
            ("/exec/default/web/main", 403),
            ("run/default/web/main", 403),
            ("attach/default/web/main", 403),
            ("portForward/default/web", 403),
        ):
            request = Request(method="GET", path=f"/api/v1/nodes/n/proxy/{path}")
            answer = await front.api.handle_as(request, watcher)
            assert answer.status == code, path

    play(story, tell)
