"""The Docker Engine API in the engine's process: its facts, its socket, and TCP if wanted.

TCP is served where the environment names an address (`SAMPAN_DOCKER_TLS_ADDRESS=ADDRESS:PORT`)
and a folder with `cert.pem`, `key.pem` and the clients' authority `ca.pem`
(`SAMPAN_DOCKER_TLS_FOLDER`), as `dockerd --tlsverify` has them.
"""

import hashlib
import os
import platform
import socket
from collections.abc import Mapping
from pathlib import Path

from sampan import __version__
from sampan.engine.container_engine import DEFAULT_RUNTIME
from sampan.engine.contract import InvalidConfiguration
from sampan.faces.dockerapi.engine_parts import EngineParts
from sampan.faces.dockerapi.facts import Facts
from sampan.faces.dockerapi.server import DockerServer, TlsListening
from sampan.faces.dockerapi.service import DockerApi
from sampan.foundation.settings import Instance
from sampan.host.cgroups import control_groups
from sampan.host.machine import machine_facts

SOCKET = "docker.sock"
ADDRESS_VARIABLE = "SAMPAN_DOCKER_TLS_ADDRESS"
FOLDER_VARIABLE = "SAMPAN_DOCKER_TLS_FOLDER"


def docker_server(
    instance: Instance, engine: EngineParts, environment: Mapping[str, str]
) -> DockerServer:
    """Not started. Raises InvalidConfiguration, OSError."""
    api = DockerApi(engine, docker_facts(instance))
    return DockerServer(api, instance.run_folder / SOCKET, tls_listening(environment))


def docker_facts(instance: Instance) -> Facts:
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
        cgroup_version=control_groups().version,
        state_folder=str(instance.state_folder),
        runtime=Path(DEFAULT_RUNTIME).name,
        python=platform.python_version(),
    )


def tls_listening(environment: Mapping[str, str]) -> TlsListening | None:
    """Where TCP is served, None for nowhere. Raises InvalidConfiguration."""
    text = environment.get(ADDRESS_VARIABLE, "")
    if not text:
        return None
    address, _, port = text.rpartition(":")
    folder = environment.get(FOLDER_VARIABLE, "")
    if not address or not port.isdecimal() or not folder:
        raise InvalidConfiguration(
            f"{ADDRESS_VARIABLE} must be ADDRESS:PORT, and {FOLDER_VARIABLE} the folder of "
            "cert.pem, key.pem and ca.pem"
        )
    files = Path(folder)
    return TlsListening(
        address=address.strip("[]"),
        port=int(port),
        certificate=files / "cert.pem",
        key=files / "key.pem",
        client_authority=files / "ca.pem",
    )
