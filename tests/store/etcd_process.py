"""Members of an etcd cluster on loopback, for tests."""

import asyncio
import json
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

START_SECONDS = 20.0


def require_etcd() -> str:
    """Where etcd's program is; skips the test where it is not installed."""
    program = shutil.which("etcd")
    if program is None:
        pytest.skip("etcd is not installed")
    return program


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class EtcdMember:
    """One member, which may be killed and started again."""

    def __init__(self, folder: Path, name: str = "one", options: tuple[str, ...] = ()) -> None:
        self._program = require_etcd()
        self._folder = folder
        self._name = name
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.scheme = "https" if any("--cert-file" in option for option in options) else "http"
        self.port = free_port()
        self.peer = f"http://127.0.0.1:{free_port()}"
        self.cluster = f"{name}={self.peer}"

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        client = f"{self.scheme}://{self.endpoint}"
        command = [self._program, "--name", self._name, "--data-dir", str(self._folder)]
        command += ["--listen-client-urls", client, "--advertise-client-urls", client]
        command += ["--listen-peer-urls", self.peer, "--initial-advertise-peer-urls", self.peer]
        command += ["--initial-cluster", self.cluster, "--log-level", "error", *self._options]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def wait(self) -> None:
        """Return once the member can be connected to."""
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert time.monotonic() < until, "etcd did not start"
                time.sleep(0.02)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self, signal: int) -> None:
        assert self._process is not None
        self._process.send_signal(signal)


async def leader_of(members: list[EtcdMember]) -> EtcdMember:
    """The member that leads, by the status that each of them tells."""
    for member in members:
        reader, writer = await asyncio.open_connection("127.0.0.1", member.port)
        writer.write(b"POST /v3/maintenance/status HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}")
        answer = json.loads((await reader.read()).partition(b"\r\n\r\n")[2])
        writer.close()
        if answer["leader"] == answer["header"]["member_id"]:
            return member
    raise AssertionError("no member leads")
