"""A cluster for benchmarks: the instance `bench`, in the namespaces this process is in.

It goes through the same command line as a user's; afterwards nothing of it is left.
"""

import asyncio
import compileall
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec

from bench.image_root import gather_root
from bench.measurement import NotMeasured
from sampan.foundation.pki.cluster import ClusterCredentials
from sampan.foundation.pki.contexts import client_context
from sampan.foundation.settings import Instance
from sampan.foundation.wire.http_client import HttpsTransport
from sampan.kubernetes.client.api_client import ApiClient
from sampan.kubernetes.client.contract import NotFound
from sampan.kubernetes.kinds.resource import SERVICE_ACCOUNTS

IMAGE = "bench:1"
_PROJECT = Path(__file__).parents[1]
_INSTANCE = Instance(name="bench")
_DOCKERFILE = "FROM scratch\nCOPY rootfs/ /\n"


class BenchCluster(msgspec.Struct, frozen=True):
    """A running cluster, or one about to be started."""

    folder: Path
    instance: Instance = _INSTANCE

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "HOME": str(self.folder),
            "KUBECONFIG": str(self.folder / "kubeconfig"),
            "PYTHONPATH": str(_PROJECT / "src"),
            "SAMPAN_INSTANCE": self.instance.name,
        }

    @property
    def url(self) -> str:
        return f"https://{self.instance.loopback_address}:{self.instance.api_port}"

    @property
    def credentials(self) -> ClusterCredentials:
        return ClusterCredentials(self.instance.configuration_folder / "pki", self.instance)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "sampan", *arguments]

    def sampan(self, *arguments: str) -> str:
        """Run a command to its end; gives its output. Raises NotMeasured when it fails."""
        finished = subprocess.run(
            self.command(*arguments),
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if finished.returncode:
            raise NotMeasured(f"sampan {arguments[0]} failed: {finished.stderr.strip()[-500:]}")
        return finished.stdout

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = json.loads(self.sampan("status", "-o", "json"))
        return status

    def build_image(self) -> None:
        """Make the image for containers."""
        context = gather_root(self.folder).parent
        (context / "Dockerfile").write_text(_DOCKERFILE)
        self.sampan("build", "-t", IMAGE, str(context))

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[ApiClient]:
        """A client with an administrator's rights."""
        credentials = self.credentials
        context = client_context(credentials.authority, credentials.administrator)
        client = ApiClient(HttpsTransport(self.url, context), user_agent="bench")
        try:
            yield client
        finally:
            await client.close()


@contextlib.contextmanager
def prepared_cluster() -> Iterator[BenchCluster]:
    """The place for a cluster; whatever was started there is ended."""
    if os.geteuid() != 0:
        raise NotMeasured("a cluster needs root")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        cluster = BenchCluster(Path(folder))
        # As it is wherever it was installed.
        compileall.compile_dir(_PROJECT / "src", quiet=1)
        _forget_state()
        try:
            yield cluster
        finally:
            with contextlib.suppress(NotMeasured):
                cluster.sampan("down")
            _forget_state()


@contextlib.contextmanager
def running_cluster(nodes: int) -> Iterator[BenchCluster]:
    with prepared_cluster() as cluster:
        cluster.sampan("up", "--nodes", str(nodes))
        yield cluster


async def wait_for_default_account(client: ApiClient) -> None:
    """Pods can be created once their namespace has its service account."""
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(NotFound):
                await client.get(SERVICE_ACCOUNTS, "default", "default")
                return
            await asyncio.sleep(0.05)


def _forget_state() -> None:
    for folder in (_INSTANCE.state_folder, _INSTANCE.configuration_folder):
        shutil.rmtree(folder, ignore_errors=True)
