"""What the Docker API tells of this machine, read once."""

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
    return Facts(
        version=__version__,
        identifier=f"{machine.machine_identifier}-{instance.name}",
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
