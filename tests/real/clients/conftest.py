"""One cluster of one node for every client of this folder, with the images hello:1 and hello:2.

The images also have `tar`, which `kubectl cp` looks for in a container.
"""

import secrets
import subprocess
from collections.abc import Iterator

import pytest
from tests.real.clients.kubectl import Kubectl
from tests.real.harness import ROOT, Cluster, running_cluster

HELLO = ROOT / "examples" / "hello"
_GATHER = """
import sys
sys.path.insert(0, sys.argv[1])
import gather
gather.COMMANDS += " tar"
from pathlib import Path
gather.gather(Path(sys.argv[2]))
"""


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("clients"), nodes=1) as running:
        _build_images(running)
        yield running


def _build_images(cluster: Cluster) -> None:
    context = str(cluster.folder / "hello")
    gather = ["/usr/bin/python3", "-I", "-S", "-c", _GATHER, str(HELLO), context]
    subprocess.run(gather, check=True, timeout=60)
    for version in ("1", "2"):
        argument = f"VERSION={version}"
        answer = cluster.sampan("build", "-t", f"hello:{version}", "--build-arg", argument, context)
        assert answer.returncode == 0, answer.stderr


@pytest.fixture(params=[37, 32], ids=["1.37", "1.32"])
def kubectl(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Kubectl]:
    """kubectl of both versions, in a namespace that is gone afterwards."""
    minor: int = request.param
    inside = Kubectl(cluster, f"try-{secrets.token_hex(3)}", minor)
    inside("create", "namespace", inside.namespace)
    yield inside
    inside("delete", "namespace", inside.namespace, "--wait=false")
