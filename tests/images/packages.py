"""Which of Debian's packages an image needs, and their files, by the machine's own apt.

It is asked as if nothing were installed, so that what it answers is whole: the packages that are
named, and all that these depend on.
"""

import hashlib
import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

_INDEXES = Path("/var/lib/apt/lists")
_LISTED = re.compile(r"'[^']+' (?P<file>\S+) \d+ (?P<digest>SHA256:[0-9a-f]{64})")
_SECONDS = 120


class Unavailable(Exception):
    """What the images are made of can't be had on this machine."""


@dataclass(frozen=True, order=True)
class Package:
    """The name of its file, `NAME_VERSION_ARCHITECTURE.deb`, and its digest."""

    file: str
    digest: str


class Packages:
    """`folder` keeps the files, and what apt has answered, from run to run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "partial").mkdir(parents=True, exist_ok=True)

    def needed(self, names: str) -> list[Package]:
        """All that packages (and patterns of apt) need. Raises Unavailable."""
        known = self._known(names)
        if not known.exists():
            listed = self._listed(names)
            known = self._known(names)
            found = sorted(found.groupdict().items() for found in _LISTED.finditer(listed))
            known.write_text(json.dumps([dict(fields) for fields in found]))
        return sorted(Package(**fields) for fields in json.loads(known.read_text()))

    def fetch(self, names: str) -> None:
        """Raises Unavailable."""
        self._install(names, self.folder, "--download-only", "--yes")

    def _known(self, names: str) -> Path:
        """Where the answer is that holds as long as the indexes of the archives do."""
        asked = hashlib.sha256(names.encode())
        for path in sorted(_INDEXES.glob("*Release")):
            asked.update(path.read_bytes())
        return self.folder / f"{asked.hexdigest()[:32]}.json"

    def _listed(self, names: str) -> str:
        # What is in its folder already, apt doesn't list.
        nowhere = self.folder / "nothing"
        options = ("--print-uris", "-o", "Acquire::ForceHash=SHA256")
        try:
            return self._install(names, nowhere, *options)
        except Unavailable:
            _run("apt-get", "-qq", "update")
            return self._install(names, nowhere, *options)

    def _install(self, names: str, folder: Path, *options: str) -> str:
        settings = (
            "APT::Install-Recommends=false",
            "APT::Sandbox::User=root",
            f"Dir::Cache::archives={folder}",
            f"Dir::Cache::pkgcache={self.folder}/indexes",
            "Dir::State::status=/dev/null",
        )
        words = [word for setting in settings for word in ("-o", setting)]
        return _run("apt-get", "-qq", *words, *options, "install", *names.split())


def _run(*command: str) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable(f"{command[0]}: {error}") from error
    if done.returncode:
        raise Unavailable(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
