"""Demands on the supervisor's socket, good ones and others."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sampan.daemon.control_socket import ControlSocket, Demand, Reply
from sampan.daemon.dispatcher import Dispatcher

Ask = Callable[[bytes], list[Any]]


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Ask]:
    """Sends bytes, and gives the lines of the answer; the loop runs in a thread."""
    dispatcher = Dispatcher()

    def answer(demand: Demand, reply: Reply) -> None:
        if demand.action == "stop":
            dispatcher.stop()
        reply.progress("thinking")
        reply.result({"action": demand.action, "nodes": demand.nodes})

    path = tmp_path / "socket"
    listener = ControlSocket(path, dispatcher, answer)
    assert path.stat().st_mode & 0o777 == 0o600
    thread = threading.Thread(target=dispatcher.run)
    thread.start()

    def send(request: bytes) -> list[Any]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(str(path))
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            with connection.makefile() as lines:
                return [json.loads(line) for line in lines]

    yield send
    send(b'{"action": "stop"}\n')
    thread.join()
    listener.close()
    dispatcher.close()


def test_a_demand_is_answered_with_progress_and_a_result(ask: Ask) -> None:
    assert ask(b'{"action": "up", "nodes": 3}\n') == [
        {"progress": "thinking"},
        {"result": {"action": "up", "nodes": 3}},
    ]


@pytest.mark.parametrize(
    "request_bytes", [b"nonsense\n", b'{"nodes": "many"}\n', b"", b'{"action": "up"}', b"x" * 65536]
)
def test_what_is_no_demand_is_refused(ask: Ask, request_bytes: bytes) -> None:
    (answer,) = ask(request_bytes)
    assert "error" in answer


def test_an_asker_who_leaves_harms_nobody(ask: Ask, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(str(tmp_path / "socket"))
        connection.sendall(b'{"action": "up"}\n')
    assert ask(b'{"action": "up"}\n')[-1] == {"result": {"action": "up", "nodes": 0}}
