"""What the node reads of Services, EndpointSlices, Nodes, and what the volumes of pods hold."""

import msgspec

from sampan.kubernetes.machinery.metadata import Metadata
from sampan.node.pod_view import Condition, Port, View


class PortOfService(View, frozen=True):
    port: int
    name: str = ""
    protocol: str = "TCP"
    target_port: Port = 0
    node_port: int = 0


class ClientAddressAffinity(View, frozen=True):
    timeout_seconds: int = 10800


class AffinityConfiguration(View, frozen=True):
    client_ip: ClientAddressAffinity = msgspec.field(
        default_factory=ClientAddressAffinity, name="clientIP"
    )


class ServiceSpec(View, frozen=True):
    type: str = "ClusterIP"
    cluster_ip: str = msgspec.field(default="", name="clusterIP")
    ports: tuple[PortOfService, ...] = ()
    session_affinity: str = "None"
    session_affinity_config: AffinityConfiguration = AffinityConfiguration()
    publish_not_ready_addresses: bool = False
    internal_traffic_policy: str = "Cluster"


class Service(View, frozen=True):
    metadata: Metadata
    spec: ServiceSpec = ServiceSpec()

    @property
    def is_headless(self) -> bool:
        return self.spec.cluster_ip == "None"

    @property
    def has_address(self) -> bool:
        return self.spec.cluster_ip not in {"", "None"}


class EndpointConditions(View, frozen=True):
    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class TargetReference(View, frozen=True):
    kind: str = ""
    name: str = ""
    namespace: str = ""
    uid: str = ""


class SliceEndpoint(View, frozen=True):
    addresses: tuple[str, ...] = ()
    conditions: EndpointConditions = EndpointConditions()
    hostname: str = ""
    node_name: str = ""
    target_ref: TargetReference | None = None

    @property
    def is_ready(self) -> bool:
        """An unset condition means ready (KEP-752)."""
        return self.conditions.ready is not False

    @property
    def is_serving_while_terminating(self) -> bool:
        return bool(self.conditions.serving) and bool(self.conditions.terminating)


class SlicePort(View, frozen=True):
    name: str = ""
    port: int = 0
    protocol: str = "TCP"


class EndpointSlice(View, frozen=True):
    metadata: Metadata
    address_type: str = "IPv4"
    endpoints: tuple[SliceEndpoint, ...] = ()
    ports: tuple[SlicePort, ...] = ()

    @property
    def service_key(self) -> str:
        """NAMESPACE/NAME of the Service that this slice belongs to; "" when it names none."""
        name = self.metadata.labels.get("kubernetes.io/service-name", "")
        return f"{self.metadata.namespace}/{name}" if name else ""


class NodeSpec(View, frozen=True):
    pod_cidr: str = msgspec.field(default="", name="podCIDR")


class NodeAddress(View, frozen=True):
    type: str
    address: str


class NodeStatus(View, frozen=True):
    addresses: tuple[NodeAddress, ...] = ()
    conditions: tuple[Condition, ...] = ()


class Node(View, frozen=True):
    metadata: Metadata
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()

    @property
    def internal_address(self) -> str:
        return next(
            (item.address for item in self.status.addresses if item.type == "InternalIP"), ""
        )


class ConfigMap(View, frozen=True):
    metadata: Metadata
    data: dict[str, str] = msgspec.field(default_factory=dict)
    binary_data: dict[str, bytes] = msgspec.field(default_factory=dict)

    def contents(self) -> dict[str, bytes]:
        return {key: value.encode() for key, value in self.data.items()} | self.binary_data


class Secret(View, frozen=True):
    """`data` is base64 on the wire; msgspec decodes it into bytes."""

    metadata: Metadata
    data: dict[str, bytes] = msgspec.field(default_factory=dict)

    def contents(self) -> dict[str, bytes]:
        return self.data


class TrustBundleSpec(View, frozen=True):
    trust_bundle: str
    signer_name: str = ""


class TrustBundle(View, frozen=True):
    """A ClusterTrustBundle: certificates in PEM."""

    metadata: Metadata
    spec: TrustBundleSpec


class CertificateRequestSpec(View, frozen=True):
    pod_uid: str = msgspec.field(name="podUID")


class CertificateRequestStatus(View, frozen=True):
    conditions: tuple[Condition, ...] = ()
    certificate_chain: str = ""
    begin_refresh_at: str = ""
    not_after: str = ""


class CertificateRequest(View, frozen=True):
    """A PodCertificateRequest and what its signer answered."""

    metadata: Metadata
    spec: CertificateRequestSpec
    status: CertificateRequestStatus = CertificateRequestStatus()
