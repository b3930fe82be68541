"""The API server alone in a process of its own: a store on the disk, TLS, nothing else in it."""

import asyncio
import contextlib
import os
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import msgspec
import uvloop

from bench import tls_client
from bench.sample_pod import NAMESPACE
from sampan.control.api.server import ApiServer
from sampan.control.api.settings import settings_of
from sampan.daemon.event_loop import collect_seldom
from sampan.foundation.datastore import SQLITE, VARIABLE, datastore_of
from sampan.foundation.pki.cluster import prepare
from sampan.foundation.pki.contexts import client_context, server_context
from sampan.foundation.pki.tokens import TokenSigner
from sampan.foundation.settings import Instance
from sampan.foundation.wire.http_server import serve
from sampan.store.contract import Store
from sampan.store.sqlite import SqliteStore

_INSTANCE = Instance(name="bench")
_SETUP = (
    (
        "/api/v1/namespaces",
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
    ),
    (
        f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts",
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}},
    ),
)


class ApiProcess:
    """How to reach a running server as an administrator."""

    def __init__(self, process: int, port: int, context: ssl.SSLContext) -> None:
        self.process = process
        self.address = (str(_INSTANCE.loopback_address), port)
        self.context = context

    async def send(
        self, requests: Iterator[bytes], *, connections: int, status: int
    ) -> tls_client.Result:
        """Send all requests, which must all be answered with `status`."""
        return await tls_client.run(
            self.address, self.context, requests, connections=connections, wanted_status=status
        )

    def processor_seconds(self) -> float:
        """What the server has spent so far, all its threads together (proc_pid_stat(5))."""
        fields = Path(f"/proc/{self.process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Proportional set size in MB."""
        text = Path(f"/proc/{self.process}/smaps_rollup").read_text()
        (line,) = (line for line in text.splitlines() if line.startswith("Pss:"))
        return int(line.split()[1]) / 1024


@contextlib.contextmanager
def running_api(datastore: str = SQLITE) -> Iterator[ApiProcess]:
    """A new server with a namespace to create pods in; gone afterwards with all it stored.

    `datastore` is as `SAMPAN_DATASTORE` has it.
    """
    with (
        tempfile.TemporaryDirectory(dir="/var/tmp") as folder,
        serving(Path(folder), datastore) as server,
    ):
        uvloop.run(_set_up(server))
        yield server


@contextlib.contextmanager
def serving(folder: Path, datastore: str = SQLITE) -> Iterator[ApiProcess]:
    """A server over what is in `folder`, which takes requests; killed afterwards."""
    credentials = prepare(folder / "pki", _INSTANCE, datetime.now(UTC))
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.api_process", str(folder), datastore],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        port = int(process.stdout.readline())
        context = client_context(credentials.authority, credentials.administrator)
        yield ApiProcess(process.pid, port, context)
    finally:
        process.kill()
        process.communicate()


def store_path(folder: Path) -> Path:
    """The store's file of the server over `folder`."""
    return folder / "state" / "store.db"


async def _set_up(server: ApiProcess) -> None:
    for path, body in _SETUP:
        request = tls_client.request("POST", path, msgspec.json.encode(body))
        await server.send(iter((request,)), connections=1, status=201)


async def _opened(folder: Path, text: str) -> Store:
    datastore = datastore_of({VARIABLE: text}, "bench")
    if datastore.is_embedded:
        return await SqliteStore.open(store_path(folder))
    # Imported only where it is used, as in the server, whose memory is measured here.
    from sampan.store.etcd import EtcdStore

    return await EtcdStore.open(datastore.endpoints, root=datastore.prefix.encode())


async def _serve(folder: Path, datastore: str) -> None:
    credentials = prepare(folder / "pki", _INSTANCE, datetime.now(UTC))
    # The log of who did what is part of every write.
    settings = msgspec.structs.replace(settings_of(_INSTANCE), audit_log=folder / "audit.log")
    store = await _opened(folder, datastore)
    api = ApiServer.create(
        store,
        settings=settings,
        signer=TokenSigner(credentials.service_account_key.read_bytes(), settings.issuer),
        clock=lambda: datetime.now(UTC),
        random=Random(),
    )
    await api.start()
    server = await serve(
        api.handle,
        addresses=[str(_INSTANCE.loopback_address)],
        port=0,
        context=server_context(credentials.api_server, credentials.authority),
    )
    os.write(1, b"%d\n" % server.port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    sys.setswitchinterval(0.0005)
    collect_seldom()
    uvloop.run(_serve(Path(sys.argv[1]), sys.argv[2]))
