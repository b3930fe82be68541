"""`python fetch_debian_program.py PACKAGE PATH TARGET`: have the program that a Debian package
keeps at PATH as the file TARGET, although this machine's own release may not have the package.

It comes through apt as it is set up on this machine, from the same archive and checked by the same
keys, of the release named below, and is installed nowhere else. Nothing happens when TARGET is
there.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

RELEASE = "forky"
SETTINGS = Path("/etc/apt")
_STANZAS = re.compile(r"\n\s*\n")
_APT_USER = "_apt"


def sources_of(settings: Path, codename: str, release: str) -> dict[str, str]:
    """The sources of this machine's own release, as files of apt for another release.

    Raises LookupError when apt knows no archive of this release.
    """
    stanzas, lines = [], []
    for file in sorted(settings.glob("sources.list.d/*.sources")):
        for stanza in _STANZAS.split(file.read_text()):
            suites = re.search(r"^Suites:(.*)$", stanza, re.MULTILINE)
            if suites and codename in suites[1].split():
                stanzas.append(stanza.replace(suites[0], f"Suites: {release}").strip())
    for file in (settings / "sources.list", *sorted(settings.glob("sources.list.d/*.list"))):
        for line in file.read_text().splitlines() if file.exists() else ():
            words = line.split()
            if words[:1] == ["deb"] and codename in words:
                lines.append(line.replace(f" {codename} ", f" {release} "))
    if not (stanzas or lines):
        raise LookupError(f"apt knows no archive of {codename}")
    return {"other.sources": "\n\n".join(stanzas) + "\n", "other.list": "\n".join(lines) + "\n"}


def download(package: str, folder: Path) -> Path:
    """The package's file, downloaded into `folder`, where apt keeps all of its state meanwhile."""
    facts = platform.freedesktop_os_release()
    codename = facts["VERSION_CODENAME"]
    release = RELEASE if facts["ID"] == "debian" else codename
    sources, state, cache = folder / "sources", folder / "state", folder / "cache"
    for path in (sources, state / "lists" / "partial", cache / "archives" / "partial"):
        path.mkdir(parents=True)
    for name, content in sources_of(SETTINGS, codename, release).items():
        (sources / name).write_text(content)
    if os.geteuid() == 0:
        # apt fetches as a user of its own.
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, _APT_USER)
    options = {
        "Dir::Etc::SourceList": "/dev/null",
        "Dir::Etc::SourceParts": sources,
        "Dir::State": state,
        "Dir::Cache": cache,
    }
    apt = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in options.items())]
    subprocess.run([*apt, "update"], check=True)
    subprocess.run([*apt, "download", package], check=True, cwd=folder)
    (file,) = folder.glob("*.deb")
    return file


def main(package: str, path: str, target: Path) -> None:
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        file = download(package, folder)
        subprocess.run(["dpkg-deb", "--extract", file, folder / "content"], check=True)
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        shutil.copyfile(folder / "content" / path.lstrip("/"), temporary)
    temporary.chmod(0o755)
    temporary.replace(target)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
