"""What one Sampan instance is called, and everything that follows from its name.

Two instances on one machine never share a folder, an interface, an address range,
a packet-rule table or a control group: each of these is derived here, and nowhere else.
This module must not touch the machine; it only computes names.
"""

import re
import zlib
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import msgspec

from sampan.foundation import instance_name

DEFAULT_NAME = instance_name.DEFAULT_NAME

_NAME_FORM = re.compile(r"[a-z]([a-z0-9-]{0,18}[a-z0-9])?")
_DERIVED_SLOTS = 50


class InvalidInstanceName(ValueError):
    """The name of an instance is not a short DNS label."""


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """One installation of Sampan on a machine.

    `name` is a DNS label of at most 20 characters; `sampan` is the default instance.
    """

    name: str = DEFAULT_NAME

    def __post_init__(self) -> None:
        if not _NAME_FORM.fullmatch(self.name):
            raise InvalidInstanceName(
                f"instance name {self.name!r} is invalid: use 1 to 20 of a-z, 0-9 and '-', "
                "starting with a letter and ending with a letter or a digit"
            )

    @property
    def slot(self) -> int:
        """0 for the default instance; 1 to 50, from the name's checksum, for any other."""
        if self.name == DEFAULT_NAME:
            return 0
        return 1 + zlib.crc32(self.name.encode()) % _DERIVED_SLOTS

    @property
    def full_name(self) -> str:
        """The name used for folders, tables and control groups: `sampan` or `sampan-NAME`."""
        return instance_name.full_name(self.name)

    @property
    def state_folder(self) -> Path:
        """What must survive a reboot: the store, images, the disks of nodes."""
        return Path("/var/lib") / self.full_name

    @property
    def run_folder(self) -> Path:
        """Sockets, process records and pinned namespaces; empty after a reboot."""
        return Path(instance_name.run_folder(self.name))

    @property
    def configuration_folder(self) -> Path:
        """Certificates and the administrator's kubeconfig."""
        return Path("/etc") / self.full_name

    @property
    def kubeconfig(self) -> Path:
        return self.configuration_folder / "kubeconfig"

    @property
    def cgroup(self) -> str:
        """The control group of the instance, relative to each controller's root."""
        return self.full_name

    @property
    def packet_table(self) -> str:
        """The name of every nftables table that the instance owns."""
        return self.full_name

    def interface(self, purpose: str) -> str:
        """The name of a network interface (15 characters at most): `sampan-nodes`, `sp7-pods`."""
        prefix = DEFAULT_NAME if self.slot == 0 else f"sp{self.slot}"
        return f"{prefix}-{purpose}"[:15]

    @property
    def pod_range(self) -> IPv4Network:
        return IPv4Network((f"10.{self._second_octet(42, 0)}.0.0", 16))

    @property
    def service_range(self) -> IPv4Network:
        return IPv4Network((f"10.{self._second_octet(43, 1)}.0.0", 16))

    @property
    def node_range(self) -> IPv4Network:
        """The private bridge that joins the nodes of this machine."""
        return IPv4Network((f"10.{self._second_octet(44, 2)}.0.0", 24))

    @property
    def container_range(self) -> IPv4Network:
        """The bridges of containers that are run by hand."""
        return IPv4Network((f"10.{45 + self.slot}.0.0", 16))

    def _second_octet(self, default: int, offset: int) -> int:
        return default if self.slot == 0 else 97 + 3 * self.slot + offset

    def node_address(self, number: int) -> IPv4Address:
        """The address of `node-NUMBER` on the private bridge; node 1 is the machine itself."""
        return self.node_range[number]

    @property
    def kubernetes_service_address(self) -> IPv4Address:
        return self.service_range[1]

    @property
    def dns_service_address(self) -> IPv4Address:
        return self.service_range[10]

    @property
    def loopback_address(self) -> IPv4Address:
        """Where the API and published ports listen; each instance has one of its own."""
        return IPv4Address("127.0.0.1") + self.slot

    @property
    def api_port(self) -> int:
        return 6443

    @property
    def kubelet_port(self) -> int:
        return 10250

    @property
    def overlay_identifier(self) -> int:
        """The VXLAN network identifier."""
        return 4200 + self.slot

    @property
    def cluster_domain(self) -> str:
        return "cluster.local"
