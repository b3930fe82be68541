"""Where the Docker Engine API is served: a Unix socket, and TCP behind mutual TLS if wanted.

TCP is served where the environment names an address (`SAMPAN_DOCKER_TLS_ADDRESS=ADDRESS:PORT`)
and a folder with `cert.pem`, `key.pem` and the clients' authority `ca.pem`
(`SAMPAN_DOCKER_TLS_FOLDER`), as `dockerd --tlsverify` has them.
"""

from collections.abc import Mapping
from pathlib import Path

from sampan.engine.contract import InvalidConfiguration
from sampan.faces.dockerapi.engine_parts import EngineParts
from sampan.faces.dockerapi.facts import Facts
from sampan.faces.dockerapi.server import DockerServer, TlsListening
from sampan.faces.dockerapi.service import DockerApi
from sampan.foundation.settings import Instance

SOCKET = "docker.sock"
ADDRESS_VARIABLE = "SAMPAN_DOCKER_TLS_ADDRESS"
FOLDER_VARIABLE = "SAMPAN_DOCKER_TLS_FOLDER"


def docker_server(
    instance: Instance, engine: EngineParts, facts: Facts, environment: Mapping[str, str]
) -> DockerServer:
    """Not started. Raises InvalidConfiguration."""
    listening = tls_listening(environment)
    return DockerServer(DockerApi(engine, facts), instance.run_folder / SOCKET, listening)


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
