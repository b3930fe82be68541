"""What one node's agent is told about itself by whoever starts it."""

from ipaddress import IPv4Address
from pathlib import Path

import msgspec

from sampan.engine.log_rotation import LogLimits
from sampan.foundation.settings import Instance


class AgentSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Who the node is, where its files lie, how much it may use, and its intervals (seconds).

    `certificate_file` and `key_file` are the node's identity towards the API
    (`system:node:NAME`); the serving pair is that of its own HTTPS API, whose clients must show
    a certificate signed by `authority_file`. `version` is `v1.37.0+sampan.OWN`: the API that the
    agent speaks, and Sampan's own.
    """

    instance: Instance
    node_name: str
    node_number: int
    node_address: IPv4Address
    node_device: str
    state_folder: Path
    run_folder: Path
    api_server: str
    authority_file: Path
    certificate_file: Path
    key_file: Path
    serving_certificate_file: Path
    serving_key_file: Path
    cpu_millis: int
    memory: int
    pods: int = 110
    ephemeral_storage: int = 0
    architecture: str = "amd64"
    operating_system: str = "linux"
    operating_system_image: str = ""
    kernel_version: str = ""
    machine_identifier: str = ""
    boot_identifier: str = ""
    version: str = ""
    resolver_file: Path = Path("/etc/resolv.conf")
    lease_renewal_seconds: float = 1
    lease_duration_seconds: int = 4
    status_seconds: float = 300
    takeover_seconds: float = 3
    withdrawal_limit_seconds: float = 3
    withdrawal_settle_seconds: float = 1
    pod_pids_limit: int = 1024
    logs: LogLimits = LogLimits()
    rules_check_seconds: float = 5

    @property
    def pods_folder(self) -> Path:
        """One folder a pod: what containers may write, on the node's disk."""
        return self.state_folder / "pods"

    @property
    def memory_folder(self) -> Path:
        """One folder a pod, in memory: configuration, secrets, tokens, generated files."""
        return self.run_folder / "pods"

    @property
    def logs_folder(self) -> Path:
        return self.state_folder / "logs"

    @property
    def seccomp_folder(self) -> Path:
        """Where an administrator puts the profiles that pods name as `Localhost`."""
        return self.state_folder / "seccomp"

    @property
    def cgroup(self) -> str:
        """Relative to each controller's root; each pod has a group of its own below it."""
        return f"{self.instance.cgroup}/node-{self.node_number}/pods"
