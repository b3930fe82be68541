"""Streams as clients see them, over a Unix socket."""

import asyncio
import json

import aiohttp
import pytest
from pretended_engine import FACTS, Containers, Engine, Images, Session, container, layer

from sampan.engine.containers.configuration import Configuration, ExecConfiguration
from sampan.engine.contract import EngineError, NotFound
from sampan.faces.dockerapi.server import DockerServer
from sampan.faces.dockerapi.service import DockerApi

UPGRADE = "Connection: Upgrade\r\nUpgrade: tcp\r\n"


class Client:
    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def ask(self, method, path, body=b"", headers=""):
        head = f"{method} {path} HTTP/1.1\r\nHost: d\r\n{headers}"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self.writer.write(head.encode() + b"\r\n" + body)
        return (await self.reader.readuntil(b"\r\n\r\n")).decode()


def play(folder, engine, story):
    async def run():
        server = DockerServer(DockerApi(engine, FACTS), folder / "docker.sock")
        await server.start()
        reader, writer = await asyncio.open_unix_connection(str(folder / "docker.sock"))
        try:
            async with asyncio.timeout(10):
                await story(Client(reader, writer))
        finally:
            writer.close()
            await server.stop()

    asyncio.run(run())


def engine_with(session, **configuration):
    containers = Containers(container(1, "one", configuration=Configuration(**configuration)))
    containers.session = session
    containers.executions["e"] = ExecConfiguration(
        command=("sh",), attach_stdin=True, attach_stdout=True, attach_stderr=True
    )
    return Engine(containers)


ATTACH = "/containers/one/attach?stream=1&stdin=1&stdout=1&stderr=1"


@pytest.mark.parametrize(
    ("version", "kind"), [("1.41", "raw-stream"), ("1.42", "multiplexed-stream")]
)
def test_attach_frames_what_is_said_and_hears_the_end(tmp_path, version, kind):
    session = Session([("stderr", b"hello")])

    async def story(client):
        head = await client.ask("POST", f"/v{version}{ATTACH}", headers=UPGRADE)
        assert head.startswith("HTTP/1.1 101 ")
        assert f"Content-Type: application/vnd.docker.{kind}\r\n" in head
        assert "Upgrade: tcp\r\n" in head
        client.writer.write(b"input")
        client.writer.write_eof()
        told = await client.reader.read()
        assert told == b"\x02\0\0\0\0\0\0\x05hello\x01\0\0\0\0\0\0\x05input"

    play(tmp_path, engine_with(session), story)
    assert session.killed


def test_old_clients_get_the_connection_without_asking_for_it(tmp_path):
    async def story(client):
        head = await client.ask("POST", ATTACH)
        assert head.startswith("HTTP/1.1 200 OK\r\n")
        assert "Content-Type: application/vnd.docker.raw-stream\r\n" in head
        assert "Transfer-Encoding" not in head
        client.writer.write_eof()
        assert await client.reader.read() == b"\x01\0\0\0\0\0\0\x01x\x01\0\0\0\0\0\0\0"

    play(tmp_path, engine_with(Session([("stdout", b"x")])), story)


def test_the_detach_keys_leave_a_terminal(tmp_path):
    session = Session([("stdout", b"$ ")])

    async def story(client):
        head = await client.ask("POST", ATTACH, headers=UPGRADE)
        assert "application/vnd.docker.raw-stream" in head
        client.writer.write(b"ls\x10\x11more")
        assert await client.reader.read() == b"$ "

    play(tmp_path, engine_with(session, terminal=True), story)
    assert session.heard == b"ls"
    assert session.killed


def test_without_a_terminal_keys_are_bytes_as_others(tmp_path):
    session = Session()

    async def story(client):
        await client.ask("POST", ATTACH, headers=UPGRADE)
        client.writer.write(b"\x10\x11")
        client.writer.write_eof()
        assert (await client.reader.read())[8:] == b"\x10\x11"

    play(tmp_path, engine_with(session), story)


def test_exec_takes_its_document_before_the_streams(tmp_path):
    session = Session([("stdout", b"x")])

    async def story(client):
        body = b'{"Detach": false, "Tty": false}'
        head = await client.ask("POST", "/v1.43/exec/e/start", body, UPGRADE)
        assert head.startswith("HTTP/1.1 101 ")
        client.writer.write(b"in")
        client.writer.write_eof()
        assert await client.reader.read() == b"\x01\0\0\0\0\0\0\x01x\x01\0\0\0\0\0\0\x02in"

    play(tmp_path, engine_with(session), story)
    assert not session.killed


def test_a_detached_exec_is_answered_at_once(tmp_path):
    async def story(client):
        head = await client.ask("POST", "/exec/e/start", b'{"Detach": true}')
        assert head.startswith("HTTP/1.1 200 ")

    play(tmp_path, engine_with(Session()), story)


def test_attaching_to_nothing_is_an_ordinary_error(tmp_path):
    async def story(client):
        head = await client.ask("POST", "/containers/x/attach?stream=1", headers=UPGRADE)
        assert head.startswith("HTTP/1.1 404 ")
        assert json.loads(await client.reader.read()) == {"message": "No such container: x"}

    play(tmp_path, engine_with(Session()), story)


def test_waiting_sends_its_header_before_its_result(tmp_path):
    engine = engine_with(Session())

    async def story(client):
        head = await client.ask("POST", "/containers/one/wait?condition=next-exit")
        assert head.startswith("HTTP/1.1 200 ")
        engine.containers.ended.set()
        assert b'{"StatusCode":3}' in await client.reader.readuntil(b"0\r\n\r\n")

    play(tmp_path, engine, story)


def test_logs_have_frames_and_times(tmp_path):
    async def story(client):
        path = "/containers/one/logs?stdout=1&stderr=1&timestamps=1"
        await client.ask("GET", path)
        told = await client.reader.readuntil(b"0\r\n\r\n")
        assert b"\x01\0\0\0\0\0\0\x231970-01-01T00:00:01.500000000Z one\n" in told
        assert b"\x02\0\0\0\0\0\0\x231970-01-01T00:00:02.000000000Z two\n" in told

    play(tmp_path, engine_with(Session()), story)


def test_attach_over_a_web_socket(tmp_path):
    session = Session([("stdout", b"hello")])

    async def story(_client):
        connector = aiohttp.UnixConnector(path=str(tmp_path / "docker.sock"))
        async with aiohttp.ClientSession(connector=connector) as browser:
            address = "http://d/v1.52/containers/one/attach/ws?stream=1"
            async with browser.ws_connect(address) as socket:
                assert (await socket.receive()).data == b"hello"
                await socket.send_bytes(b"typed\x10\x11")
                assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE

    play(tmp_path, engine_with(session), story)
    assert (session.heard, session.killed) == (b"typed", True)


async def messages(client):
    lines = (await client.reader.readuntil(b"0\r\n\r\n")).splitlines()
    return [json.loads(line) for line in lines if line.startswith(b"{")]


def test_a_pull_is_told_as_it_goes_on_and_its_failure_at_last(tmp_path):
    images = Images()
    images.steps = (layer("Pulling from app", "1"), layer("Downloading", "abc", 5, 10))
    images.failure = EngineError("the registry broke off")

    async def story(client):
        head = await client.ask("POST", "/images/create?fromImage=app&tag=1")
        assert head.startswith("HTTP/1.1 200 ")
        first, second, last = await messages(client)
        assert first == {"status": "Pulling from app", "progressDetail": {}, "id": "1"}
        assert second["progressDetail"] == {"current": 5, "total": 10}
        assert second["progress"].startswith("[=========================>")
        assert last == {
            "errorDetail": {"message": "the registry broke off"},
            "error": "the registry broke off",
        }

    play(tmp_path, Engine(images=images), story)


def test_a_pull_that_fails_at_once_is_an_ordinary_error(tmp_path):
    images = Images()
    images.failure = NotFound("manifest unknown")

    async def story(client):
        head = await client.ask("POST", "/images/create?fromImage=app&tag=1")
        assert head.startswith("HTTP/1.1 404 ")

    play(tmp_path, Engine(images=images), story)


def test_a_load_takes_its_body_in_chunks(tmp_path):
    engine = Engine()

    async def story(client):
        client.writer.write(
            b"POST /images/load HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert b" 100 " in await client.reader.readuntil(b"\r\n\r\n")
        client.writer.write(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        await client.reader.readuntil(b"\r\n\r\n")
        assert await messages(client) == [
            {"stream": "Loaded image: app:latest\n"},
            {"stream": "Loaded image ID: sha256:2\n"},
        ]

    play(tmp_path, engine, story)
    assert engine.images.loaded == b"abcde"


def test_events_are_told_from_the_past_up_to_a_moment(tmp_path):
    engine = Engine()
    engine.events.publish("container", "exec_start: sh", "c", {"name": "one", "image": "app"})
    engine.events.publish("image", "pull", "app:1", {"name": "app"})

    async def story(client):
        query = 'since=1&until=2000000000&filters={"event":["exec_start"]}'.replace('"', "%22")
        await client.ask("GET", f"/v1.41/events?{query}")
        (line,) = [json.loads(part) for part in (await client.reader.readline(),
                   await client.reader.readline()) if part.startswith(b"{")]  # fmt: skip
        assert line["status"] == "exec_start: sh"
        assert line["from"] == "app"
        assert line["Actor"] == {"ID": "c", "Attributes": {"name": "one", "image": "app"}}

    play(tmp_path, engine, story)
