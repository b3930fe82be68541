"""What the Docker API tells of this machine, read once."""

import hashlib
import os
import platform
import socket

from sampan import __version__
from sampan.engine.container_engine import DEFAULT_RUNTIME
from sampan.faces.dockerapi.facts import Facts
from sampan.foundation.settings import Instance
from sampan.host.cgroups import ControlGroups
from sampan.host.machine import machine_facts


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
        cgroup_version=groups.version,
        state_folder=str(instance.state_folder),
        runtime=os.path.basename(DEFAULT_RUNTIME),
        python=platform.python_version(),
    )
