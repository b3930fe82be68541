"""What controllers see of each kind: frozen projections that name only the fields they read.

They are decoded straight from the API's bytes; a pod template stays encoded (`Raw`) until
an object is made of it. No rule and no behaviour beyond looking things up lives here.
"""

from typing import Any

import msgspec

from sampan.kubernetes.machinery.metadata import Metadata

IntOrString = int | str


class Condition(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_transition_time: str | None = None
    last_update_time: str | None = None


class Toleration(msgspec.Struct, frozen=True, rename="camel"):
    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""
    toleration_seconds: int | None = None


class Taint(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    key: str
    effect: str
    value: str = ""
    time_added: str | None = None


class ContainerPort(msgspec.Struct, frozen=True, rename="camel"):
    container_port: int
    name: str = ""
    protocol: str = "TCP"


class Container(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    ports: tuple[ContainerPort, ...] = ()


class ClaimReference(msgspec.Struct, frozen=True, rename="camel"):
    claim_name: str = ""


class EphemeralClaim(msgspec.Struct, frozen=True):
    """That a volume has a claim made for its pod; what is in it doesn't matter."""


class Volume(msgspec.Struct, frozen=True, rename="camel"):
    """Only volumes that come from a claim matter."""

    name: str
    persistent_volume_claim: ClaimReference | None = None
    ephemeral: EphemeralClaim | None = None


class PodSpec(msgspec.Struct, frozen=True, rename="camel"):
    node_name: str = ""
    hostname: str = ""
    subdomain: str = ""
    volumes: tuple[Volume, ...] = ()
    tolerations: tuple[Toleration, ...] = ()
    containers: tuple[Container, ...] = ()


class PodAddress(msgspec.Struct, frozen=True):
    ip: str = ""


class ContainerStatus(msgspec.Struct, frozen=True, rename="camel"):
    restart_count: int = 0


class PodStatus(msgspec.Struct, frozen=True, rename="camel"):
    phase: str = "Pending"
    conditions: tuple[Condition, ...] = ()
    pod_ip: str = msgspec.field(default="", name="podIP")
    pod_ips: tuple[PodAddress, ...] = msgspec.field(default=(), name="podIPs")
    container_statuses: tuple[ContainerStatus, ...] = ()


class Pod(msgspec.Struct, frozen=True):
    metadata: Metadata
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    @property
    def is_active(self) -> bool:
        """Neither finished nor being deleted."""
        return self.metadata.deletion_timestamp is None and not self.is_finished

    @property
    def is_finished(self) -> bool:
        return self.status.phase in ("Succeeded", "Failed")

    @property
    def ready_condition(self) -> Condition | None:
        return condition(self.status.conditions, "Ready")

    @property
    def is_ready(self) -> bool:
        ready = self.ready_condition
        return ready is not None and ready.status == "True"


class ReplicaSetSpec(msgspec.Struct, frozen=True, rename="camel"):
    selector: dict[str, Any] = {}
    template: msgspec.Raw = msgspec.Raw(b"{}")
    replicas: int = 1
    min_ready_seconds: int = 0


class ReplicaSetStatus(msgspec.Struct, frozen=True, rename="camel"):
    replicas: int = 0
    fully_labeled_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    terminating_replicas: int = 0
    observed_generation: int = 0
    conditions: tuple[Condition, ...] = ()


class ReplicaSet(msgspec.Struct, frozen=True):
    """Also a ReplicationController, whose selector is a plain map of labels."""

    metadata: Metadata
    spec: ReplicaSetSpec = ReplicaSetSpec()
    status: ReplicaSetStatus = ReplicaSetStatus()


class RollingUpdate(msgspec.Struct, frozen=True, rename="camel"):
    max_surge: IntOrString = "25%"
    max_unavailable: IntOrString = "25%"


class Strategy(msgspec.Struct, frozen=True, rename="camel"):
    type: str = "RollingUpdate"
    rolling_update: RollingUpdate | None = None


class DeploymentSpec(msgspec.Struct, frozen=True, rename="camel"):
    selector: dict[str, Any] = {}
    template: msgspec.Raw = msgspec.Raw(b"{}")
    replicas: int = 1
    strategy: Strategy = Strategy()
    min_ready_seconds: int = 0
    revision_history_limit: int | None = None
    progress_deadline_seconds: int | None = None
    paused: bool = False


class DeploymentStatus(msgspec.Struct, frozen=True, rename="camel"):
    observed_generation: int = 0
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    unavailable_replicas: int = 0
    terminating_replicas: int = 0
    collision_count: int | None = None
    conditions: tuple[Condition, ...] = ()


class Deployment(msgspec.Struct, frozen=True):
    metadata: Metadata
    spec: DeploymentSpec = DeploymentSpec()
    status: DeploymentStatus = DeploymentStatus()


class Replicas(msgspec.Struct, frozen=True):
    replicas: int = 1


class Scaled(msgspec.Struct, frozen=True):
    """A kind of which only the wanted number of pods matters."""

    metadata: Metadata
    spec: Replicas = Replicas()


class DisruptionBudgetSpec(msgspec.Struct, frozen=True, rename="camel"):
    selector: dict[str, Any] | None = None
    min_available: IntOrString | None = None
    max_unavailable: IntOrString | None = None


class DisruptionBudget(msgspec.Struct, frozen=True):
    """A PodDisruptionBudget; its status is the controller's own and kept as it stands."""

    metadata: Metadata
    spec: DisruptionBudgetSpec = DisruptionBudgetSpec()
    status: dict[str, Any] = {}


class NamespaceSpec(msgspec.Struct, frozen=True):
    finalizers: tuple[str, ...] = ()


class NamespaceStatus(msgspec.Struct, frozen=True):
    phase: str = "Active"
    conditions: tuple[Condition, ...] = ()


class Namespace(msgspec.Struct, frozen=True):
    metadata: Metadata
    spec: NamespaceSpec = NamespaceSpec()
    status: NamespaceStatus = NamespaceStatus()

    @property
    def is_terminating(self) -> bool:
        return self.metadata.deletion_timestamp is not None


class ServicePort(msgspec.Struct, frozen=True, rename="camel"):
    port: int
    name: str = ""
    protocol: str = "TCP"
    app_protocol: str | None = None
    target_port: IntOrString | None = None


class ServiceSpec(msgspec.Struct, frozen=True, rename="camel"):
    type: str = "ClusterIP"
    selector: dict[str, str] = {}
    ports: tuple[ServicePort, ...] = ()
    cluster_ip: str = msgspec.field(default="", name="clusterIP")
    ip_families: tuple[str, ...] = ()
    publish_not_ready_addresses: bool = False


class Service(msgspec.Struct, frozen=True):
    metadata: Metadata
    spec: ServiceSpec = ServiceSpec()


class EndpointConditions(msgspec.Struct, frozen=True):
    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class TargetReference(msgspec.Struct, frozen=True):
    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""


class Endpoint(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    addresses: tuple[str, ...]
    conditions: EndpointConditions = EndpointConditions()
    hostname: str | None = None
    node_name: str | None = None
    target_ref: TargetReference | None = None


class EndpointPort(msgspec.Struct, frozen=True, rename="camel"):
    name: str = ""
    protocol: str = "TCP"
    port: int | None = None
    app_protocol: str | None = None


class EndpointSlice(msgspec.Struct, frozen=True, rename="camel"):
    metadata: Metadata
    address_type: str
    endpoints: tuple[Endpoint, ...] | None = None
    ports: tuple[EndpointPort, ...] | None = None


class NodeSpec(msgspec.Struct, frozen=True, rename="camel"):
    pod_cidr: str = msgspec.field(default="", name="podCIDR")
    taints: tuple[Taint, ...] = ()


class NodeStatus(msgspec.Struct, frozen=True, rename="camel"):
    conditions: tuple[Condition, ...] = ()


class Node(msgspec.Struct, frozen=True):
    metadata: Metadata
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


class LeaseSpec(msgspec.Struct, frozen=True, rename="camel"):
    holder_identity: str | None = None
    renew_time: str | None = None


class Lease(msgspec.Struct, frozen=True):
    metadata: Metadata
    spec: LeaseSpec = LeaseSpec()


class PersistentVolumeStatus(msgspec.Struct, frozen=True):
    phase: str = ""


class PersistentVolume(msgspec.Struct, frozen=True):
    metadata: Metadata
    status: PersistentVolumeStatus = PersistentVolumeStatus()


class LevelReference(msgspec.Struct, frozen=True):
    name: str = ""


class FlowSchemaSpec(msgspec.Struct, frozen=True, rename="camel"):
    priority_level_configuration: LevelReference = LevelReference()


class FlowSchemaStatus(msgspec.Struct, frozen=True):
    conditions: tuple[Condition, ...] = ()


class FlowSchema(msgspec.Struct, frozen=True):
    metadata: Metadata
    spec: FlowSchemaSpec = FlowSchemaSpec()
    status: FlowSchemaStatus = FlowSchemaStatus()


class ConfigMap(msgspec.Struct, frozen=True):
    metadata: Metadata
    data: dict[str, str] = {}


class GroupResource(msgspec.Struct, frozen=True):
    resource: str
    group: str = ""


class StorageVersionMigrationSpec(msgspec.Struct, frozen=True):
    resource: GroupResource


class StorageVersionMigrationStatus(msgspec.Struct, frozen=True, rename="camel"):
    """The conditions are the controller's own and kept as they stand."""

    resource_version: str = ""
    conditions: list[dict[str, Any]] = []


class StorageVersionMigration(msgspec.Struct, frozen=True):
    metadata: Metadata
    spec: StorageVersionMigrationSpec
    status: StorageVersionMigrationStatus = StorageVersionMigrationStatus()


def condition(conditions: tuple[Condition, ...], kind: str) -> Condition | None:
    """The condition of a type, if it is there."""
    return next((each for each in conditions if each.type == kind), None)
