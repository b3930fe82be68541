"""Client libraries that nobody here wrote: each runs a program that tells which parts held."""

import os
from pathlib import Path

import pytest
from engines import RunningEngine, Sampan
from harness import ROOT

PYTHON = ROOT / ".cache" / "python" / "bin" / "python"
MODULES = ROOT / ".cache" / "node" / "node_modules"
PROGRAMS = Path(__file__).with_name("programs")
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        not (PYTHON.exists() and MODULES.exists()), reason="needs client libraries (make clients)"
    ),
]


def tell(sampan: RunningEngine, *command: str, **environment: str) -> list[str]:
    """The parts that a program names, beside the engine, when it succeeds."""
    given = os.environ | {"DOCKER_HOST": f"unix://{sampan.address}"} | environment
    answer = sampan.namespaces.run(*command, env=given, timeout=100)
    assert answer.returncode == 0, f"{answer.stdout}\n{answer.stderr}"
    return str(answer.stdout).split()


def test_docker_py(sampan: RunningEngine) -> None:
    said = tell(sampan, str(PYTHON), "-I", str(PROGRAMS / "with_docker.py"))
    assert said == ["ran", "lived", "commanded", "built", "connected"]


@pytest.mark.usefixtures("images")
def test_testcontainers(sampan: Sampan) -> None:
    program = str(PROGRAMS / "with_testcontainers.py")
    said = tell(
        sampan,
        str(PYTHON),
        "-I",
        program,
        TC_HOST=str(sampan.instance.loopback_address),
        # Its watchdog, which removes what is left, is an image of a registry.
        TESTCONTAINERS_RYUK_DISABLED="true",
    )
    assert said == ["served", "kept", "joined"]


def test_dockerode(sampan: RunningEngine) -> None:
    program = str(PROGRAMS / "with_dockerode.mjs")
    said = tell(sampan, "node", program, CLIENT_MODULES=str(MODULES))
    assert said == ["ran", "lived", "told", "built", "connected"]
