"""Client libraries that nobody here wrote: each runs a program that tells which parts held."""

import os
import subprocess
from pathlib import Path

import pytest
from engines import RunningEngine
from harness import ROOT

PYTHON = ROOT / ".cache" / "python" / "bin" / "python"
PROGRAMS = Path(__file__).with_name("programs")
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not PYTHON.exists(), reason="needs client libraries (make clients)"),
]


@pytest.mark.parametrize(
    ("program", "parts"), [("with_docker", "ran lived commanded built connected")]
)
def test_a_library_of_python(sampan: RunningEngine, program: str, parts: str) -> None:
    answer = subprocess.run(
        [str(PYTHON), "-I", str(PROGRAMS / f"{program}.py")],
        env=os.environ | {"DOCKER_HOST": f"unix://{sampan.address}"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert answer.returncode == 0, f"{answer.stdout}\n{answer.stderr}"
    assert answer.stdout.split() == parts.split()
