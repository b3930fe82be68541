"""The demo server answers, and loses nothing when it is told to end."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SERVER = Path(__file__).parents[2] / "examples" / "hello" / "hello.py"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Server:
    def __init__(self) -> None:
        self.port = free_port()
        environment = {"PORT": str(self.port), "POD_NAME": "a", "NODE_NAME": "b"}
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(SERVER)],
            env=os.environ | environment | {"HELLO_VERSION": "7"},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert "listens" in self.line()

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=5)

    def tell_to_end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        while "ending" not in self.line():
            pass


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.process.kill()
    running.process.communicate()


def ask(connection: socket.socket, path: str = "/", headers: str = "") -> str:
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n{headers}\r\n".encode())
    received = b""
    while b"\r\n\r\n" not in received or not received.endswith(b"\n"):
        received += connection.recv(4096)
    return received.decode()


def test_it_says_where_it_runs(server: Server) -> None:
    with server.connect() as connection:
        assert ask(connection).endswith("Hello from pod a on b, version 7\n")


def test_a_connection_is_kept_alive(server: Server) -> None:
    with server.connect() as connection:
        assert "Connection: keep-alive" in ask(connection)
        assert "Connection: close" in ask(connection, headers="Connection: close\r\n")
        assert connection.recv(1) == b""


def test_it_fetches_and_resolves_for_the_curious(server: Server) -> None:
    with server.connect() as connection:
        fetch = f"/fetch?host=127.0.0.1&port={server.port}&path=/healthz"
        assert ask(connection, fetch).endswith("\r\n\r\nok\n")
        assert ask(connection, "/resolve?name=127.0.0.1").endswith("\r\n\r\n127.0.0.1\n")
        assert "404 Not Found" in ask(connection, "/nowhere")


def test_nonsense_is_answered_and_closed(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        assert b"400 Bad Request" in connection.recv(4096)


def test_at_its_end_it_answers_what_still_comes(server: Server) -> None:
    with server.connect() as kept:
        ask(kept)
        server.tell_to_end()
        with server.connect() as late:
            assert "200 OK" in ask(late)
        assert "Connection: close" in ask(kept)
        assert kept.recv(1) == b""
    assert server.process.wait(timeout=5) == 0
