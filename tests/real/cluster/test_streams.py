"""Commands and ports of pods reach kubectl by every protocol that it speaks."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.real.harness import Cluster

pytestmark = pytest.mark.real

# kubectl goes back to SPDY where these say so.
WAYS = {
    "websocket": (),
    "spdy": ("KUBECTL_PORT_FORWARD_WEBSOCKETS=false", "KUBECTL_REMOTE_COMMAND_WEBSOCKETS=false"),
}
both_ways = pytest.mark.parametrize("way", WAYS)


def a_pod(cluster: Cluster) -> str:
    return str(cluster.ready_pods("app=hello")[0]["metadata"]["name"])


@contextmanager
def forwarded(cluster: Cluster, way: str, target: str, port: str) -> Iterator[str]:
    """The local address that leads to a port of the target."""
    program = cluster.kubectl_program()
    forward = cluster.start("env", *WAYS[way], program, "port-forward", target, f":{port}")
    try:
        assert forward.stdout is not None
        line = forward.stdout.readline()
        assert line.startswith("Forwarding from 127.0.0.1:"), line + forward.stdout.read()
        yield line.split()[2]
    finally:
        forward.kill()
        forward.communicate()


@both_ways
def test_a_port_of_a_pod_is_forwarded(hello: Cluster, way: str) -> None:
    name = a_pod(hello)
    with forwarded(hello, way, f"pod/{name}", "8080") as address:
        for _ in range(20):
            assert f"pod {name} on " in hello.fetch(f"http://{address}/")


@both_ways
def test_a_port_of_a_service_is_forwarded(hello: Cluster, way: str) -> None:
    with forwarded(hello, way, "service/hello", "80") as address:
        assert "Hello from pod" in hello.fetch(f"http://{address}/")


@both_ways
def test_a_port_where_nobody_listens_is_told(hello: Cluster, way: str) -> None:
    program = hello.kubectl_program()
    command = ("env", *WAYS[way], program, "port-forward", f"pod/{a_pod(hello)}", ":81")
    forward = hello.start(*command)
    try:
        assert forward.stdout is not None
        address = forward.stdout.readline().split()[2]
        assert hello.run("curl", "-s", "--max-time", "5", f"http://{address}/").returncode != 0
        told = ""
        while "refused" not in told:
            line = forward.stdout.readline()
            assert line, told
            told += line
    finally:
        forward.kill()
        forward.communicate()
    assert "error forwarding port 81" in told


@both_ways
def test_a_command_gets_its_input_and_tells_its_end(hello: Cluster, way: str) -> None:
    script = "import sys; data = sys.stdin.read(); print(len(data)); sys.exit(len(data) % 100)"
    command = ("env", *WAYS[way], hello.kubectl_program(), "exec", "-i", a_pod(hello), "--")
    answer = hello.run(*command, "/usr/bin/python3", "-c", script, input="x" * 200_042)
    assert answer.stdout == "200042\n"
    assert answer.returncode == 42
    assert "exit code 42" in answer.stderr


@both_ways
def test_much_output_arrives_whole(hello: Cluster, way: str) -> None:
    script = "import sys; sys.stdout.write('0123456789abcdef' * 500_000)"
    command = ("env", *WAYS[way], hello.kubectl_program(), "exec", a_pod(hello), "--")
    answer = hello.run(*command, "/usr/bin/python3", "-c", script)
    assert answer.returncode == 0, answer.stderr
    expected = "0123456789abcdef" * 500_000
    assert (
        hashlib.sha256(answer.stdout.encode()).digest()
        == hashlib.sha256(expected.encode()).digest()
    )


@both_ways
def test_what_the_node_refuses_is_told_in_its_words(hello: Cluster, way: str) -> None:
    command = ("env", *WAYS[way], hello.kubectl_program(), "exec", a_pod(hello), "-c", "none")
    answer = hello.run(*command, "--", "true")
    assert answer.returncode != 0
    assert "container none is not valid for pod" in answer.stderr


def test_large_bodies_pass_a_forwarded_port(hello: Cluster, tmp_path: Path) -> None:
    """Both directions at once, over one connection of kubectl."""
    name = a_pod(hello)
    sent = os.urandom(3_000_000)
    (tmp_path / "sent").write_bytes(sent)
    script = (
        "import socket\n"
        "server = socket.create_server(('127.0.0.1', 9000))\n"
        "print('ready', flush=True)\n"
        "peer, _ = server.accept()\n"
        "while data := peer.recv(65536): peer.sendall(data)\n"
        "peer.close()\n"
    )
    echo = hello.start(
        hello.kubectl_program(), "exec", name, "--", "/usr/bin/python3", "-c", script
    )
    try:
        assert echo.stdout is not None
        assert echo.stdout.readline() == "ready\n"
        with forwarded(hello, "websocket", f"pod/{name}", "9000") as address:
            port = address.rpartition(":")[2]
            client = (
                "import socket, sys, threading\n"
                f"peer = socket.create_connection(('127.0.0.1', {port}))\n"
                f"data = open({str(tmp_path / 'sent')!r}, 'rb').read()\n"
                "def send():\n"
                "    peer.sendall(data)\n"
                "    peer.shutdown(socket.SHUT_WR)\n"
                "threading.Thread(target=send).start()\n"
                "while piece := peer.recv(65536): sys.stdout.buffer.write(piece)\n"
            )
            answer = hello.run("python3", "-c", client, text=False)
        assert answer.returncode == 0, answer.stderr
        assert answer.stdout == sent
    finally:
        echo.kill()
        echo.communicate()
