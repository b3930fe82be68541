"""Kernel parameters of a container: only those that its own namespaces hold.

Any other would change the machine. Names are checked strictly: runtimes have turned odd ones
into other files. Sources: sysctl(8), namespaces(7), the kernel's admin-guide/sysctl.
"""

import re
from collections.abc import Mapping

from sampan.engine.configuration import ContainerConfiguration
from sampan.engine.contract import InvalidConfiguration

_SEGMENT = "[a-z0-9](?:[-_a-zA-Z0-9]*[a-zA-Z0-9])?"
_NAME = re.compile(rf"{_SEGMENT}(?:[./]{_SEGMENT})+")
_LONGEST_NAME, _LONGEST_VALUE = 253, 4096
_IPC = frozenset(
    f"kernel.{name}"
    for name in (
        "msgmax",
        "msgmnb",
        "msgmni",
        "sem",
        "shmall",
        "shmmax",
        "shmmni",
        "shm_rmid_forced",
    )
)
_IPC_PREFIX, _NETWORK_PREFIX = "fs.mqueue.", "net."
_DOMAIN_NAME = "kernel.domainname"


def checked_sysctls(configuration: ContainerConfiguration) -> dict[str, str]:
    """What the runtime shall set, with the domain name. Raises InvalidConfiguration."""
    checked = {}
    for name, value in configuration.sysctls.items():
        _check_form(name, value)
        _check_namespace(name.replace("/", "."), name, configuration)
        checked[name] = value
    if configuration.domain_name and not configuration.host_uts_namespace:
        checked[_DOMAIN_NAME] = configuration.domain_name
    return checked


def _check_form(name: str, value: str) -> None:
    if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
        raise InvalidConfiguration(f"invalid sysctl name {name[:_LONGEST_NAME]!r}")
    if len(value) > _LONGEST_VALUE or (not value.isprintable() and "\t" not in value):
        raise InvalidConfiguration(f"invalid value of the sysctl {name!r}")


def _check_namespace(dotted: str, name: str, configuration: ContainerConfiguration) -> None:
    shared: Mapping[str, bool] = {
        "IPC": configuration.ipc_mode == "host" or bool(configuration.share_ipc_namespace_of),
        "network": configuration.network_namespace == "host",
        "UTS": configuration.host_uts_namespace,
    }
    if dotted in _IPC or dotted.startswith(_IPC_PREFIX):
        namespace = "IPC"
    elif dotted.startswith(_NETWORK_PREFIX):
        namespace = "network"
    elif dotted == _DOMAIN_NAME:
        namespace = "UTS"
    else:
        raise InvalidConfiguration(f"sysctl {name!r} is not in a separate kernel namespace")
    if shared[namespace]:
        raise InvalidConfiguration(
            f"sysctl {name!r} is not allowed: the container has no {namespace} namespace of its own"
        )
