"""Builds images of Debian, Python, nginx, Redis and PostgreSQL out of Debian's packages.

`python -m tests.images.build docker`, or `… sampan`: by the `build`, `save` and `load` of that
program. The packages are fetched by the machine's apt; what runs in the builds needs no network.
Images that were made of the same once before are loaded as they were.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.images.packages import Package, Packages
from tests.images.root import write_root

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / ".cache" / "images"
BASE = "?essential apt usr-is-merged"
IMAGES = {
    "debian:12": "",
    "python:3.11": "python3 python3-psycopg2",
    "nginx:1.22": "nginx-light",
    "redis:7.0": "redis-server",
    "postgres:15": "postgresql-15",
}

# One command of `docker`, or of what has its verbs; raises when it fails.
Command = Callable[..., None]


def provide(command: Command) -> None:
    """Build all images, or load them. Raises Unavailable when their packages can't be had."""
    packages = Packages(CACHE / "packages")
    base = packages.needed(BASE)
    needed = {name: _beyond(base, packages, wanted) for name, wanted in IMAGES.items()}
    saved = CACHE / f"{_key(base, needed)}.tar"
    if saved.exists():
        command("load", "--input", str(saved))
        return
    contexts = CACHE / f"contexts-{os.getpid()}"
    packages.fetch(" ".join([BASE, *IMAGES.values()]))
    try:
        for name in IMAGES:
            context = contexts / name.partition(":")[0]
            _write_context(context, packages.folder, needed[name] or base)
            command("build", "--network", "none", "--tag", name, str(context))
    finally:
        shutil.rmtree(contexts, ignore_errors=True)
    fresh = CACHE / f"{os.getpid()}.part"
    command("save", "--output", str(fresh), *IMAGES)
    for old in CACHE.glob("*.tar"):
        old.unlink()
    fresh.rename(saved)


def _beyond(base: list[Package], packages: Packages, wanted: str) -> list[Package]:
    """What an image has that its base hasn't."""
    return sorted(set(packages.needed(f"{BASE} {wanted}")) - set(base)) if wanted else []


def _key(base: list[Package], needed: dict[str, list[Package]]) -> str:
    """Another one when a package, a recipe or this script is another."""
    told = hashlib.sha256(json.dumps([str(base), str(needed)]).encode())
    for path in sorted(path for path in HERE.rglob("*") if path.suffix != ".pyc"):
        if path.is_file():
            told.update(f"\0{path.relative_to(HERE)}\0".encode())
            told.update(path.read_bytes())
    return told.hexdigest()[:32]


def _write_context(context: Path, folder: Path, packages: list[Package]) -> None:
    """The recipe's files, with the base's root, or with the packages to install."""
    shutil.copytree(HERE / context.name, context)
    if context.name == "debian":
        write_root(context / "root.tar", [folder / package.file for package in packages])
        return
    (context / "packages").mkdir()
    for package in packages:
        os.link(folder / package.file, context / "packages" / package.file)


def _run(program: str) -> Command:
    def command(*words: str) -> None:
        subprocess.run([program, *words], check=True)

    return command


if __name__ == "__main__":
    provide(_run(sys.argv[1]))
