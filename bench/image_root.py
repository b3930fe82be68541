"""The files of the image that benchmarks run, out of this machine's own."""

import subprocess
from pathlib import Path

_GATHER = Path(__file__).parents[1] / "examples" / "hello" / "gather.py"


def gather_root(folder: Path) -> Path:
    """A folder below this one, `context/rootfs`, with what runs a shell and Python."""
    context = folder / "context"
    subprocess.run(["/usr/bin/python3", "-I", "-S", str(_GATHER), str(context)], check=True)
    return context / "rootfs"
