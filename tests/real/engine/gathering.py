"""A root file system made of the machine's own programs and the libraries they load."""

import functools
import io
import subprocess
import tarfile
from collections.abc import Iterable
from pathlib import Path

PROGRAMS = (
    *("/usr/bin/dash", "/usr/bin/sleep", "/usr/bin/cat", "/usr/bin/ls", "/usr/bin/true"),
    *("/usr/bin/false", "/usr/bin/id", "/usr/bin/tail", "/usr/bin/mkdir", "/usr/bin/chmod"),
    *("/usr/bin/stty", "/usr/bin/mount", "/usr/bin/unshare", "/usr/bin/perl", "/usr/bin/rm"),
    *("/usr/bin/touch", "/usr/bin/dd", "/usr/bin/pwd", "/usr/bin/env", "/usr/bin/ln"),
)
ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001:app:/home/app:/bin/sh\n",
    "etc/group": "root:x:0:\napp:x:1001:\nextra:x:1002:app\n",
}


def libraries_of(program: str) -> list[str]:
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    return [word for line in listed.splitlines() for word in line.split() if word.startswith("/")]


def machine_files(programs: Iterable[str] = PROGRAMS) -> dict[str, Path]:
    """Paths in the image, and the machine's files that they are copies of."""
    files = {"bin/sh": Path("/usr/bin/dash")}
    for program in programs:
        files[f"bin/{Path(program).name}"] = Path(program)
        for library in libraries_of(program):
            files[library.lstrip("/")] = Path(library)
    return files


@functools.cache
def root_layer() -> bytes:
    """One uncompressed layer with the programs, accounts, and the usual empty folders."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for folder in ("bin", "etc", "home", "proc", "root", "tmp"):
            header = tarfile.TarInfo(folder)
            header.type, header.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            archive.addfile(header)
        for name, path in machine_files().items():
            header = tarfile.TarInfo(name)
            header.mode, data = 0o755, path.read_bytes()
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
        for name, text in ACCOUNTS.items():
            header = tarfile.TarInfo(name)
            header.size = len(text)
            archive.addfile(header, io.BytesIO(text.encode()))
    return buffer.getvalue()
