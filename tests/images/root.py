"""The files of a Debian system whose packages are unpacked and not yet configured.

dpkg itself configures them, in the first container that runs from it.
"""

import io
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

_MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_LEFT_OUT = tuple(
    f"usr/share/{name}/"
    for name in ("doc", "doc-base", "info", "lintian", "locale", "man", "bash-completion", "bug")
)
_ACCOUNTS = {
    "usr/share/base-passwd/passwd.master": "etc/passwd",
    "usr/share/base-passwd/group.master": "etc/group",
}
_IN_THE_STATUS = "control"


def write_root(target: Path, packages: Iterable[Path]) -> None:
    """An archive of what is in all packages, with the database of dpkg about them."""
    with tarfile.open(target, "w") as archive:
        for name in _MERGED:
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, f"usr/{name}"
            archive.addfile(link)
            archive.addfile(_folder(link.linkname))
        for name in ("etc", "var", "var/lib", "var/lib/dpkg", "var/lib/dpkg/info"):
            archive.addfile(_folder(name))
        status = [_add_package(archive, package) for package in packages]
        _add_text(archive, "var/lib/dpkg/status", "\n".join(status))


def _add_package(archive: tarfile.TarFile, package: Path) -> str:
    """What dpkg's database is to say of it."""
    listed = []
    for entry, content in _entries("--fsys-tarfile", package):
        listed.append("/" + entry.name if entry.name else "/.")
        entry.name = _merged(entry.name)
        if entry.islnk():
            entry.linkname = _merged(entry.linkname.removeprefix("./"))
        if entry.name and entry.name not in _MERGED and not entry.name.startswith(_LEFT_OUT):
            archive.addfile(entry, io.BytesIO(content))
        if entry.name in _ACCOUNTS:
            _add_text(archive, _ACCOUNTS[entry.name], content.decode())
    control = {
        entry.name: (entry, content) for entry, content in _entries("--ctrl-tarfile", package)
    }
    paragraph = control[_IN_THE_STATUS][1].decode().rstrip("\n")
    name = _database_name(paragraph)
    _add_text(archive, f"var/lib/dpkg/info/{name}.list", "".join(f"{path}\n" for path in listed))
    for kind, (entry, data) in control.items():
        if kind not in ("", _IN_THE_STATUS):
            entry.name = f"var/lib/dpkg/info/{name}.{kind}"
            archive.addfile(entry, io.BytesIO(data))
    first, _, rest = paragraph.partition("\n")
    return f"{first}\nStatus: install ok unpacked\n{rest}\n"


def _entries(part: str, package: Path) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """Their names are without a leading `./`; that of the root is empty."""
    command = ["dpkg-deb", part, str(package)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE) as unpacking,
        tarfile.open(fileobj=unpacking.stdout, mode="r|") as archive,
    ):
        for entry in archive:
            file = archive.extractfile(entry) if entry.isreg() else None
            content = file.read() if file else b""
            entry.name = entry.name.removeprefix(".").removeprefix("/")
            yield entry, content
    if unpacking.returncode:
        raise ValueError(f"{package} can't be unpacked")


def _merged(name: str) -> str:
    return f"usr/{name}" if name.partition("/")[0] in _MERGED and "/" in name else name


def _database_name(paragraph: str) -> str:
    """Packages that several architectures may have at once bear theirs in their files' names."""
    fields = dict(
        line.split(": ", 1) for line in paragraph.splitlines() if not line.startswith(" ")
    )
    several = fields.get("Multi-Arch") == "same"
    return f"{fields['Package']}:{fields['Architecture']}" if several else fields["Package"]


def _folder(name: str) -> tarfile.TarInfo:
    folder = tarfile.TarInfo(name)
    folder.type, folder.mode = tarfile.DIRTYPE, 0o755
    return folder


def _add_text(archive: tarfile.TarFile, name: str, text: str) -> None:
    entry = tarfile.TarInfo(name)
    data = text.encode()
    entry.size, entry.mode = len(data), 0o644
    archive.addfile(entry, io.BytesIO(data))
