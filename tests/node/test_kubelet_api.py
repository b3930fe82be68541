"""The node's own API: who may ask, and what is answered."""

import asyncio
import json

import pytest

from sampan.engine.contract import EngineError, ExecOptions
from sampan.foundation.wire.message import Request, whole
from sampan.node.kubelet_api import KubeletApi

API_SERVER = (("commonName", "kube-apiserver-kubelet-client"),)


def request(path, query="", subject=API_SERVER, websocket=False):
    pairs = tuple(tuple(part.split("=", 1)) for part in query.split("&") if part)
    return Request(
        method="GET", path=path, query=pairs, peer_subject=subject, wants_websocket=websocket
    )


class Session:
    """A command that answers what it is told, line by line, and ends when its input does."""

    def __init__(self, code=0):
        self.code = code
        self.killed = False
        self.sizes = []
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def write(self, data):
        self._lines.put_nowait(data)

    async def close_stdin(self):
        self._lines.put_nowait(None)

    async def output(self):
        yield "stderr", b"ready\n"
        while (line := await self._lines.get()) is not None:
            yield "stdout", line.upper()

    async def resize(self, columns, rows):
        self.sizes.append((columns, rows))

    async def wait(self):
        return self.code

    async def kill(self):
        self.killed = True


class Socket:
    """A peer that sends its messages and keeps what it gets; then it closes, or waits."""

    def __init__(self, *messages, stays=True):
        self.subprotocol = "v5.channel.k8s.io"
        self.got = []
        self._messages = list(messages)
        self._stays = stays
        self._closed = asyncio.Event()

    async def receive(self):
        if self._messages:
            return self._messages.pop(0)
        if self._stays:
            await self._closed.wait()
        return None

    async def send(self, message):
        self.got.append(message)

    async def close(self, code=1000, reason=""):
        self._closed.set()

    def channel(self, number):
        return b"".join(item[1:] for item in self.got if item[0] == number)


@pytest.fixture
def asking(on_node):
    """Ask the API of a node that runs a pod; the story may look at both."""

    def ask(story, **spec):
        async def whole_story(node):
            node.create(**spec)
            await asyncio.sleep(0.01)
            api = KubeletApi(node.settings(), node.engine, node.manager, node.clock)
            await story(node, api)

        on_node(whole_story)

    return ask


@pytest.mark.parametrize(
    "subject",
    [
        (),
        (("commonName", "system:node:node-2"), ("organizationName", "system:nodes")),
        (("organizationName", "kube-apiserver-kubelet-client"),),
        (("commonName", "system:masters"),),
    ],
)
def test_others_are_refused(asking, subject):
    async def story(_node, api):
        for path in ("/pods", "/exec/shop/web/main", "/healthz", "/none"):
            answer = await api.handle(request(path, "command=id", subject, websocket=True))
            assert answer.status == 403
            assert answer.websocket is None

    asking(story)


@pytest.mark.parametrize(
    "subject",
    [API_SERVER, (("commonName", "kubernetes-admin"), ("organizationName", "system:masters"))],
)
def test_the_api_server_and_administrators_are_answered(asking, subject):
    async def story(_node, api):
        assert (await api.handle(request("/healthz", subject=subject))).body == b"ok"
        assert (await api.handle(request("/none", subject=subject))).status == 404

    asking(story)


def test_pods_are_listed(asking):
    async def story(_node, api):
        answer = await api.handle(request("/pods"))
        (pod,) = json.loads(await whole(answer.body))["items"]
        assert pod["metadata"]["name"] == "web"

    asking(story)


LINES = [
    "2026-01-01T00:00:01.000000000+00:00 stdout F one",
    "2026-01-01T00:00:02.000000000+00:00 stderr F two",
    "2026-01-01T00:00:03.000000000+00:00 stdout P thr",
    "2026-01-01T00:00:03.000000000+00:00 stdout F ee",
]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("", b"one\ntwo\nthree\n"),
        ("limitBytes=5", b"one\nt"),
        ("sinceTime=2026-01-01T00:00:02Z", b"two\nthree\n"),
        ("tailLines=0", b""),
        ("tailLines=3&timestamps=true", b"2026-01-01T00:00:02.000000000Z two\n"),
    ],
)
def test_logs(asking, query, text):
    async def story(node, api):
        log = node.folder / "state/logs/shop_web_u-web/main/0.log"
        log.write_text("\n".join(LINES) + "\n")
        answer = await api.handle(request("/containerLogs/shop/web/main", query))
        assert answer.status == 200
        found = b"".join([piece async for piece in answer.body])
        assert found == text or (text and found.startswith(text))

    asking(story)


def test_the_log_of_the_run_before(asking):
    async def story(node, api):
        folder = node.folder / "state/logs/shop_web_u-web/main"
        answer = await api.handle(request("/containerLogs/shop/web/main", "previous=true"))
        assert answer.status == 400
        (folder / "0.log").write_text(LINES[0] + "\n")
        node.engine.end("container-1", 1)
        await asyncio.sleep(0.01)
        answer = await api.handle(request("/containerLogs/shop/web/main", "previous=true"))
        assert b"".join([piece async for piece in answer.body]) == b"one\n"

    asking(story)


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/containerLogs/shop/none/main", "", 404),
        ("/containerLogs/shop/web/none", "", 404),
        ("/containerLogs/shop/web/main", "tailLines=-1", 400),
        ("/containerLogs/shop/web/main", "sinceTime=yesterday", 400),
        ("/exec/shop/web/main", "", 400),
        ("/exec/shop/web/main", "command=id", 400),
        ("/attach/shop/web/main", "", 400),
    ],
)
def test_what_cannot_be_answered_is_told(asking, path, query, status):
    async def story(_node, api):
        answer = await api.handle(request(path, query))
        assert answer.status == status
        assert b"Traceback" not in await whole(answer.body)

    asking(story)


def converse(asking, session, *messages, query="command=sh&stdin=true", stays=True):
    """What the peer of an exec got."""
    found = []

    async def story(node, api):
        made = session() if isinstance(session, type) else session
        asked = []

        async def execute(identifier, command, options):
            if isinstance(made, Exception):
                raise made
            asked.append((identifier, command, options))
            return made

        node.engine.execute = execute
        answer = await api.handle(request("/exec/shop/web/main", query, websocket=True))
        assert answer.subprotocols[0] == "v5.channel.k8s.io"
        socket = Socket(*messages, stays=stays)
        await answer.websocket(socket)
        found.extend((socket, made, asked))

    asking(story)
    return found


def test_a_command_is_fed_and_shown(asking):
    socket, _, asked = converse(
        asking, Session, b"\x00hi\n", b'\x04{"Width":80,"Height":24}', b"\xff\x00"
    )
    assert socket.channel(1) == b"HI\n"
    assert socket.channel(2) == b"ready\n"
    assert json.loads(socket.channel(3)) == {"metadata": {}, "status": "Success"}
    assert asked == [("container-1", ("sh",), ExecOptions(stdin=True))]


def test_the_exit_code_of_a_command_is_told(asking):
    class Failing(Session):
        async def output(self):
            self.code = 7
            return
            yield

    socket, _, _ = converse(asking, Failing)
    status = json.loads(socket.channel(3))
    assert status["reason"] == "NonZeroExitCode"
    assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "7"}]


def test_a_command_is_killed_when_its_peer_goes(asking):
    _, session, _ = converse(asking, Session, stays=False)
    assert session.killed


def test_a_terminal_is_resized_and_a_bad_size_ignored(asking):
    _, session, _ = converse(
        asking, Session, b"\x04{}", b'\x04{"Width":80,"Height":24}', b"\xff\x00"
    )
    assert session.sizes == [(80, 24)]


def test_a_command_that_cannot_begin_is_a_status(asking):
    socket, _, _ = converse(asking, EngineError("no such program"))
    status = json.loads(socket.channel(3))
    assert (status["status"], status["message"]) == ("Failure", "no such program")


def test_statistics(asking):
    async def story(node, api):
        from sampan.engine.contract import Usage

        async def usage(_identifier):
            return Usage(cpu=5, memory=7, pids=1)

        node.engine.usage = usage
        body = json.loads(await whole((await api.handle(request("/stats/summary"))).body))
        assert body["node"]["cpu"]["usageCoreNanoSeconds"] == 5
        assert body["pods"][0]["containers"][0]["memory"]["workingSetBytes"] == 7

    asking(story)


@pytest.mark.parametrize(("once", "closed"), [(True, True), (False, False)])
def test_attached_streams_end_the_containers_input_only_where_wanted(asking, once, closed):
    async def story(node, api):
        session = Session()
        session.close_stdin = session.kill

        async def attach(_identifier):
            return session

        node.engine.attach = attach
        answer = await api.handle(request("/attach/shop/web/main", "stdin=true", websocket=True))
        socket = Socket(b"\x00hi\n", b"\xff\x00")
        talking = asyncio.create_task(answer.websocket(socket))
        await asyncio.sleep(0.01)
        assert (socket.channel(1), session.killed) == (b"HI\n", closed)
        await session.write(None)
        await talking
        assert json.loads(socket.channel(3))["status"] == "Success"

    container = {"name": "main", "image": "hello", "stdin": True, "stdinOnce": once}
    asking(story, containers=[container])
