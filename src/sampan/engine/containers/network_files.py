"""The hosts, resolv.conf and hostname files of a container: where they are, and what stays of them.

While it runs they are its sandbox's. At the end of a run their last contents are kept beside its
log until it goes: who looks into a container that has ended finds them as it had them.
"""

import logging
from pathlib import Path

from sampan.engine.containers.container import ManagedContainer
from sampan.engine.containers.mount_plan import PlannedMount
from sampan.engine.containers.parts import Parts
from sampan.engine.networks.contract import Sandbox

HOSTS, RESOLVER, HOSTNAME = "/etc/hosts", "/etc/resolv.conf", "/etc/hostname"
_LARGEST_FILE = 1 << 20
_log = logging.getLogger(__name__)


def of_sandbox(sandbox: Sandbox) -> dict[str, str]:
    """The files by where they are seen; a container on the host's network may lack some."""
    files = {
        HOSTS: sandbox.hosts_path,
        RESOLVER: sandbox.resolver_path,
        HOSTNAME: sandbox.hostname_path,
    }
    return {target: path for target, path in files.items() if path}


def places(container: ManagedContainer, parts: Parts) -> dict[str, str]:
    """Where the files lie now, by where they are seen; none before the first run, nor for another
    engine's container, which has them among its mounts."""
    sandbox = parts.networks.sandbox(container.identifier) if container.running else None
    if sandbox is not None:
        return of_sandbox(sandbox)
    end = container.record.end
    if container.keeper or not (end.started or end.error):
        return {}
    return {target: str(_kept(parts, container, target)) for target in (HOSTS, RESOLVER, HOSTNAME)}


def mounts(container: ManagedContainer, parts: Parts) -> list[PlannedMount]:
    """The files as mounts, but where the user has his own over them or there are none."""
    own = {mount.target for mount in container.record.mounts}
    return [
        PlannedMount(
            kind="bind",
            source=path,
            target=target,
            writable=not container.record.host.read_only_root,
            listed=False,
        )
        for target, path in places(container, parts).items()
        if target not in own and Path(path).exists()
    ]


def keep(container: ManagedContainer, parts: Parts) -> None:
    """Before the sandbox goes; one that is not to be seen again keeps nothing."""
    sandbox = parts.networks.sandbox(container.identifier)
    if sandbox is None or container.record.host.auto_remove:
        return
    try:
        for target, path in of_sandbox(sandbox).items():
            kept = _kept(parts, container, target)
            kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with open(path, "rb") as file:
                kept.write_bytes(file.read(_LARGEST_FILE))
            kept.chmod(0o644)
    except OSError as error:
        # A full disk must not keep the network from being taken down.
        _log.warning("files of container %s are not kept: %s", container.identifier, error)


def _kept(parts: Parts, container: ManagedContainer, target: str) -> Path:
    return parts.log_folder(container.identifier) / target.rpartition("/")[2]
