"""What the node reads of a Pod: frozen projections, decoded straight from the API's bytes.

Only fields that the node acts on are named here; this module must not decide anything.
"""

from typing import Any, Literal

import msgspec

from sampan.kubernetes.machinery.metadata import Metadata

Port = int | str
RestartPolicy = Literal["Always", "OnFailure", "Never"]


class View(msgspec.Struct, frozen=True, rename="camel"):
    """The base of every projection: camel-case names, unknown fields skipped."""


class KeyReference(View, frozen=True):
    """One key of a ConfigMap or Secret."""

    key: str
    name: str = ""
    optional: bool = False


class FieldReference(View, frozen=True):
    field_path: str


class ResourceFieldReference(View, frozen=True):
    resource: str
    container_name: str = ""
    divisor: str | int | float = "1"


class ValueSource(View, frozen=True):
    field_ref: FieldReference | None = None
    resource_field_ref: ResourceFieldReference | None = None
    config_map_key_ref: KeyReference | None = None
    secret_key_ref: KeyReference | None = None


class EnvironmentVariable(View, frozen=True):
    name: str
    value: str = ""
    value_from: ValueSource | None = None


class ObjectReference(View, frozen=True):
    name: str = ""
    optional: bool = False


class EnvironmentSource(View, frozen=True):
    prefix: str = ""
    config_map_ref: ObjectReference | None = None
    secret_ref: ObjectReference | None = None


class HttpHeader(View, frozen=True):
    name: str
    value: str = ""


class HttpAction(View, frozen=True):
    port: Port
    path: str = "/"
    host: str = ""
    scheme: str = "HTTP"
    http_headers: tuple[HttpHeader, ...] = ()


class TcpAction(View, frozen=True):
    port: Port
    host: str = ""


class ExecAction(View, frozen=True):
    command: tuple[str, ...] = ()


class SleepAction(View, frozen=True):
    seconds: int


class Handler(View, frozen=True):
    """What a lifecycle hook does: exactly one of these is set."""

    exec: ExecAction | None = None
    http_get: HttpAction | None = None
    tcp_socket: TcpAction | None = None
    sleep: SleepAction | None = None


class Lifecycle(View, frozen=True):
    post_start: Handler | None = None
    pre_stop: Handler | None = None


class GrpcAction(View, frozen=True):
    port: int
    service: str = ""


class Probe(View, frozen=True):
    exec: ExecAction | None = None
    http_get: HttpAction | None = None
    tcp_socket: TcpAction | None = None
    grpc: GrpcAction | None = None
    initial_delay_seconds: int = 0
    period_seconds: int = 10
    timeout_seconds: int = 1
    success_threshold: int = 1
    failure_threshold: int = 3
    termination_grace_period_seconds: int | None = None


class Capabilities(View, frozen=True):
    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


class SeccompProfile(View, frozen=True):
    type: str
    localhost_profile: str = ""


class ContainerSecurity(View, frozen=True):
    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    privileged: bool = False
    read_only_root_filesystem: bool = False
    allow_privilege_escalation: bool | None = None
    capabilities: Capabilities = Capabilities()
    seccomp_profile: SeccompProfile | None = None


class PodSecurity(View, frozen=True):
    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    fs_group: int | None = None
    supplemental_groups: tuple[int, ...] = ()
    seccomp_profile: SeccompProfile | None = None


class ResourceRequirements(View, frozen=True):
    limits: dict[str, str | int | float] = {}
    requests: dict[str, str | int | float] = {}


class VolumeMount(View, frozen=True):
    name: str
    mount_path: str
    sub_path: str = ""
    sub_path_expr: str = ""
    read_only: bool = False


class ContainerPort(View, frozen=True):
    container_port: int
    name: str = ""
    protocol: str = "TCP"
    host_port: int = 0
    host_ip: str = msgspec.field(default="", name="hostIP")


class Container(View, frozen=True):
    name: str
    image: str = ""
    image_pull_policy: str = "IfNotPresent"
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str = ""
    env: tuple[EnvironmentVariable, ...] = ()
    env_from: tuple[EnvironmentSource, ...] = ()
    ports: tuple[ContainerPort, ...] = ()
    resources: ResourceRequirements = ResourceRequirements()
    volume_mounts: tuple[VolumeMount, ...] = ()
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    startup_probe: Probe | None = None
    lifecycle: Lifecycle = Lifecycle()
    security_context: ContainerSecurity = ContainerSecurity()
    restart_policy: str = ""
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False
    target_container_name: str = ""

    @property
    def is_sidecar(self) -> bool:
        """An init container that keeps running beside the main ones (KEP-753)."""
        return self.restart_policy == "Always"


class KeyToPath(View, frozen=True):
    key: str
    path: str
    mode: int | None = None


class EmptyDirVolume(View, frozen=True):
    medium: str = ""
    size_limit: str | int | float | None = None


class HostPathVolume(View, frozen=True):
    path: str
    type: str = ""


class ConfigMapVolume(View, frozen=True):
    name: str = ""
    items: tuple[KeyToPath, ...] = ()
    default_mode: int | None = None
    optional: bool = False


class SecretVolume(View, frozen=True):
    secret_name: str = ""
    items: tuple[KeyToPath, ...] = ()
    default_mode: int | None = None
    optional: bool = False


class DownwardFile(View, frozen=True):
    path: str
    field_ref: FieldReference | None = None
    resource_field_ref: ResourceFieldReference | None = None
    mode: int | None = None


class DownwardVolume(View, frozen=True):
    items: tuple[DownwardFile, ...] = ()
    default_mode: int | None = None


class SecretProjection(View, frozen=True):
    name: str = ""
    items: tuple[KeyToPath, ...] = ()
    optional: bool = False


class DownwardProjection(View, frozen=True):
    items: tuple[DownwardFile, ...] = ()


class TokenProjection(View, frozen=True):
    path: str
    audience: str = ""
    expiration_seconds: int = 3600


class TrustProjection(View, frozen=True):
    """A ClusterTrustBundle by its name, or those of a signer that a selector matches."""

    path: str
    name: str = ""
    signer_name: str = ""
    label_selector: dict[str, Any] | None = None
    optional: bool = False


class CertificateProjection(View, frozen=True):
    """A key of the pod's own and the certificate that a signer gives for it (KEP-4317)."""

    signer_name: str
    key_type: str
    max_expiration_seconds: int | None = None
    credential_bundle_path: str = ""
    key_path: str = ""
    certificate_chain_path: str = ""
    user_annotations: dict[str, str] = {}


class Projection(View, frozen=True):
    """One source of a projected volume: exactly one of these is set."""

    service_account_token: TokenProjection | None = None
    cluster_trust_bundle: TrustProjection | None = None
    pod_certificate: CertificateProjection | None = None
    config_map: SecretProjection | None = None
    secret: SecretProjection | None = None
    downward_api: DownwardProjection | None = msgspec.field(default=None, name="downwardAPI")


class ProjectedVolume(View, frozen=True):
    sources: tuple[Projection, ...] = ()
    default_mode: int | None = None


class Volume(View, frozen=True):
    name: str
    empty_dir: EmptyDirVolume | None = None
    host_path: HostPathVolume | None = None
    config_map: ConfigMapVolume | None = None
    secret: SecretVolume | None = None
    downward_api: DownwardVolume | None = msgspec.field(default=None, name="downwardAPI")
    projected: ProjectedVolume | None = None

    @property
    def projections(self) -> tuple[Projection, ...]:
        """The sources of a projected volume; none of any other."""
        return self.projected.sources if self.projected else ()


class HostAlias(View, frozen=True):
    ip: str
    hostnames: tuple[str, ...] = ()


class DnsOption(View, frozen=True):
    name: str
    value: str | None = None


class DnsConfiguration(View, frozen=True):
    nameservers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[DnsOption, ...] = ()


class ReadinessGate(View, frozen=True):
    condition_type: str


class PullSecret(View, frozen=True):
    name: str = ""


class PodSpec(View, frozen=True):
    containers: tuple[Container, ...]
    init_containers: tuple[Container, ...] = ()
    ephemeral_containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()
    node_name: str = ""
    restart_policy: RestartPolicy = "Always"
    termination_grace_period_seconds: int = 30
    active_deadline_seconds: int | None = None
    dns_policy: str = "ClusterFirst"
    dns_config: DnsConfiguration = DnsConfiguration()
    host_aliases: tuple[HostAlias, ...] = ()
    hostname: str = ""
    subdomain: str = ""
    host_network: bool = False
    host_pid: bool = msgspec.field(default=False, name="hostPID")
    service_account_name: str = "default"
    enable_service_links: bool = True
    security_context: PodSecurity = PodSecurity()
    readiness_gates: tuple[ReadinessGate, ...] = ()
    image_pull_secrets: tuple[PullSecret, ...] = ()


class Condition(View, frozen=True, omit_defaults=True):
    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_transition_time: str | None = None


class StatusOfContainer(View, frozen=True):
    name: str
    restart_count: int = 0
    ready: bool = False
    started: bool | None = None
    container_id: str = msgspec.field(default="", name="containerID")


class PodStatus(View, frozen=True):
    """What the API holds: the node reads back what it (or a former agent) wrote."""

    phase: str = "Pending"
    reason: str = ""
    message: str = ""
    conditions: tuple[Condition, ...] = ()
    start_time: str | None = None
    pod_ip: str = msgspec.field(default="", name="podIP")
    container_statuses: tuple[StatusOfContainer, ...] = ()
    init_container_statuses: tuple[StatusOfContainer, ...] = ()
    ephemeral_container_statuses: tuple[StatusOfContainer, ...] = ()


class Pod(View, frozen=True):
    metadata: Metadata
    spec: PodSpec
    status: PodStatus = PodStatus()

    @property
    def key(self) -> str:
        return f"{self.metadata.namespace}/{self.metadata.name}"

    @property
    def is_finished(self) -> bool:
        """The API says that it has ended for good."""
        return self.status.phase in {"Succeeded", "Failed"}

    @property
    def all_containers(self) -> tuple[Container, ...]:
        return self.spec.init_containers + self.spec.containers + self.spec.ephemeral_containers
