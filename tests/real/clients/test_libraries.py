"""Client libraries that nobody here wrote: each runs a program that tells which parts held."""

import shutil
from pathlib import Path

import pytest
from tests.real.harness import ROOT, Cluster

pytestmark = pytest.mark.real

PROGRAMS = Path(__file__).with_name("programs")
PYTHON = ROOT / ".cache" / "python" / "bin" / "python"
NODE_MODULES = ROOT / ".cache" / "node" / "node_modules"


@pytest.mark.parametrize(
    ("program", "parts"),
    [
        ("with_kubernetes", "typed watched informed dynamically executed led"),
        ("with_kubernetes_asyncio", "watched executed led"),
        ("with_kr8s", "objects workloads logs discovery"),
        ("with_lightkube", "objects applied custom watched"),
        ("with_kopf", "built refitted scrapped"),
    ],
)
def test_a_library_of_python(cluster: Cluster, program: str, parts: str) -> None:
    answer = cluster.run(str(PYTHON), "-I", str(PROGRAMS / f"{program}.py"))
    assert answer.returncode == 0, f"{answer.stdout}\n{answer.stderr}"
    assert answer.stdout.split() == parts.split(), answer.stderr


def test_the_library_of_node(cluster: Cluster, tmp_path: Path) -> None:
    program = shutil.copy(PROGRAMS / "with_client_node.mjs", tmp_path)
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    answer = cluster.run("node", str(program))
    assert answer.returncode == 0, f"{answer.stdout}\n{answer.stderr}"
    assert answer.stdout.split() == ["objects", "informed", "applied", "executed", "custom"]
