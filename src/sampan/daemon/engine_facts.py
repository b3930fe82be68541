"""What the Docker API tells of this machine, read once."""

import hashlib
import os
import platform
import socket
from pathlib import Path

from sampan import __version__
from sampan.daemon.groups import engine
from sampan.engine.container_engine import DEFAULT_RUNTIME
from sampan.engine.containers.machine_limits import limited_by
from sampan.engine.containers.user_remapping import VARIABLE
from sampan.engine.runtime.host_facts import confines_by_app_armor
from sampan.faces.dockerapi.facts import Facts
from sampan.foundation.settings import Instance
from sampan.host.cgroups import ControlGroups
from sampan.host.machine import machine_facts
from sampan.host.mounts import filesystem_of

# What Docker calls them.
_BACKING = dict.fromkeys(("ext2", "ext3", "ext4"), "extfs")


def engine_facts(instance: Instance, groups: ControlGroups) -> Facts:
    """Raises OSError."""
    machine = machine_facts()
    # A machine's own identifier is not for strangers (machine-id(5)).
    secret = f"sampan engine {instance.full_name} {machine.machine_identifier}"
    return Facts(
        version=__version__,
        identifier=hashlib.sha256(secret.encode()).hexdigest()[:32],
        name=socket.gethostname(),
        kernel=machine.kernel_release,
        architecture=machine.architecture,
        machine=os.uname().machine,
        operating_system=machine.operating_system,
        processors=machine.processors,
        memory=machine.memory,
        limits=limited_by(groups, engine(instance)),
        storage=_storage(instance.state_folder),
        security=_security(),
        state_folder=str(instance.state_folder),
        runtime=os.path.basename(DEFAULT_RUNTIME),
        python=platform.python_version(),
    )


def _storage(folder: Path) -> tuple[tuple[str, str], ...]:
    """How layers are laid over one another: as `host.mounts.mount_overlay` does."""
    kind = filesystem_of(folder)
    return (
        ("Backing Filesystem", _BACKING.get(kind, kind)),
        ("Supports d_type", "true"),
        ("Using metacopy", "false"),
        ("Native Overlay Diff", "true"),
        ("userxattr", "false"),
    )


def _security() -> tuple[str, ...]:
    confining = ["name=apparmor"] if confines_by_app_armor() else []
    mapped = ["name=userns"] if os.environ.get(VARIABLE) else []
    return (*confining, "name=seccomp,profile=builtin", *mapped, "name=cgroupns")
