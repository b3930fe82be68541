"""A cluster of one etcd member on loopback, for what is measured beside SQLite."""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from bench.measurement import NotMeasured

_START_SECONDS = 20.0


@contextlib.contextmanager
def running_etcd(folder: Path) -> Iterator[str]:
    """Its HOST:PORT; gone afterwards. Raises NotMeasured where etcd is not installed."""
    program = shutil.which("etcd")
    if program is None:
        raise NotMeasured("etcd is not installed")
    port, peer = _free_port(), _free_port()
    client, other = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer}"
    command = [program, "--data-dir", str(folder), "--log-level", "error"]
    command += ["--listen-client-urls", client, "--advertise-client-urls", client]
    command += ["--listen-peer-urls", other, "--initial-advertise-peer-urls", other]
    command += ["--initial-cluster", f"default={other}", "--quota-backend-bytes", str(2**32)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _wait_for(port: int) -> None:
    until = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise NotMeasured("etcd did not start") from None
            time.sleep(0.02)
