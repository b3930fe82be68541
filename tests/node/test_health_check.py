"""gRPC probes: as bytes, and against a real gRPC server in a process of its own."""

import asyncio
import contextlib
import struct
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.node.handlers import HandlerFailed, Target, run_handler
from sampan.node.health_check import Answer, Unhealthy, request
from sampan.node.pod_view import Container, GrpcAction, Probe

SETTINGS = b"\0\0\0\4\0\0\0\0\0"
SERVER = """
import sys
from concurrent.futures import ThreadPoolExecutor
import grpc

def check(message, context):
    name = message[2:].decode()
    if name == "unknown":
        context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
    return b"\\x08\\x02" if name == "ill" else b"\\x08\\x01"

server = grpc.server(ThreadPoolExecutor(1))
if "health" in sys.argv:
    handler = grpc.unary_unary_rpc_method_handler(check)
    health = grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": handler})
    server.add_generic_rpc_handlers((health,))
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
sys.stdin.read()
"""


@contextlib.contextmanager
def serving(*arguments):
    command = [sys.executable, "-c", SERVER, *arguments]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as server:
        yield int(server.stdout.readline())
        server.stdin.close()


@pytest.fixture(scope="module")
def health():
    with serving("health") as port:
        yield port


def probe(port, service=""):
    target = Target(None, "c", "127.0.0.1", Container("main"))
    action = Probe(grpc=GrpcAction(port, service))
    asyncio.run(run_handler(action, target, 10.0))


@pytest.mark.parametrize("service", ["", "well", "n" * 127, "n" * 300])
def test_a_service_that_serves(health, service):
    probe(health, service)


def test_a_service_that_does_not_serve(health):
    with pytest.raises(HandlerFailed, match="NOT_SERVING"):
        probe(health, "ill")


def test_a_service_that_nobody_knows(health):
    with pytest.raises(HandlerFailed, match="does not know the service"):
        probe(health, "unknown")


def test_a_server_without_the_protocol():
    with serving() as port, pytest.raises(HandlerFailed, match="does not implement"):
        probe(port)


def test_a_port_where_nobody_listens():
    with pytest.raises(HandlerFailed, match="dial tcp"):
        probe(1)


def test_another_protocol():
    with pytest.raises(Unhealthy, match="HTTP/2"):
        Answer().feed(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_too_long_a_name():
    with pytest.raises(Unhealthy, match="longer"):
        request("a", "n" * 9000, "agent")


def data(payload, flags=0):
    return struct.pack(">BHBBI", 0, len(payload), 0, flags, 1) + payload


SERVES = b"\0\0\0\0\2\x08\x01"


def test_settings_and_pings_are_acknowledged():
    ping = b"\0\0\x08\6\0\0\0\0\0" + b"12345678"
    replies, serves = Answer().feed(SETTINGS + ping)
    assert replies == b"\0\0\0\4\1\0\0\0\0" + b"\0\0\x08\6\1\0\0\0\0" + b"12345678"
    assert not serves


def test_padding_is_left_out():
    _, serves = Answer().feed(SETTINGS + data(b"\2" + SERVES + b"\0\0", 8))
    assert serves


@pytest.mark.parametrize(
    "frame",
    [
        b"\0\0\4\3\0\0\0\0\1\0\0\0\x08",
        b"\0\0\0\7\0\0\0\0\0",
        data(b"\1\0\0\0\2\x08\x01"),
        data(b"\0\0\0\0\3\x08\x81\x01"),
        data(b"\0\0\0\0\0"),
        data(b"", 1),
    ],
)
def test_whatever_else_is_unhealthy(frame):
    with pytest.raises(Unhealthy):
        Answer().feed(SETTINGS + frame)


@given(cuts=st.lists(st.integers(0, 60), max_size=6))
def test_it_does_not_matter_how_the_answer_is_cut(cuts):
    whole = SETTINGS + data(SERVES[:3]) + data(SERVES[3:])
    ends = [*sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    answer, start, serves = Answer(), 0, False
    for end in ends:
        if not serves:
            _, serves = answer.feed(whole[start:end])
        start = end
    assert serves


@given(noise=st.binary(max_size=200))
def test_noise_is_waited_on_or_unhealthy(noise):
    with contextlib.suppress(Unhealthy):
        Answer().feed(noise)
    with contextlib.suppress(Unhealthy):
        Answer().feed(SETTINGS + noise)
