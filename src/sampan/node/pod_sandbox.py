"""What a pod's containers share: network, control group, volumes and generated files.

Made before the first container, kept up to date while the pod runs, and taken away when it
has ended. Every method may be called again after it failed.
"""

import asyncio
from collections.abc import Callable

from sampan.engine.configuration import Mount
from sampan.host.cgroup_limits import ControlGroupLimits
from sampan.kubernetes.kinds.resource import CONFIG_MAPS, SECRETS
from sampan.network.contract import Attachment
from sampan.node import pod_files
from sampan.node.host_ports import host_ports
from sampan.node.image_pulls import ImagePulls
from sampan.node.node_object import CONTROL_PLANE_NODE
from sampan.node.node_services import NodeServices
from sampan.node.pod_view import Container, Pod
from sampan.node.references import Surroundings
from sampan.node.volumes.certificate_requests import CertificateRequests
from sampan.node.volumes.payload import Credentials
from sampan.node.volumes.pod_folders import PodFolders
from sampan.node.volumes.tokens import PodTokens


class PodSandbox:
    """`objects_changed` is called when something that the pod's volumes show has changed."""

    def __init__(
        self, pod: Pod, services: NodeServices, objects_changed: Callable[[], None]
    ) -> None:
        self._uid = pod.metadata.uid
        self._services = services
        self._objects_changed = objects_changed
        self.settings = services.settings
        self._folders = PodFolders(
            self.settings.pods_folder / self._uid, self.settings.memory_folder / self._uid
        )
        self._tokens = PodTokens(services.client, services.clock)
        self._certificates = CertificateRequests(services)
        self.pulls = ImagePulls(services, objects_changed)
        self._revision = 0

    @property
    def attachment(self) -> Attachment | None:
        return self._services.network.attachments().get(self._uid)

    @property
    def cgroup(self) -> str:
        return f"{self.settings.cgroup}/pod{self._uid}"

    @property
    def refresh_at(self) -> float | None:
        """When `refresh` is due because a token or a certificate grows old."""
        times = (self._tokens.renew_at, self._certificates.refresh_at)
        return min((time for time in times if time is not None), default=None)

    async def prepare(self, pod: Pod) -> None:
        """Raises MissingReference, OSError, ApiError, ConnectionError."""
        self._services.groups.create(self.cgroup, self._group_limits())
        await asyncio.gather(self._attach(pod), self._fill(pod))
        self._write_files(pod)
        self.publish_ports(pod)

    def publish_ports(self, pod: Pod) -> None:
        """Let the ports that the pod claims on the node lead to it."""
        instance, own = self.settings.instance, self.settings.node_address
        is_machine = own == instance.node_address(CONTROL_PLANE_NODE)
        addresses = (own, instance.loopback_address) if is_machine else (own,)
        ports = host_ports(pod, self.address(pod), addresses)
        self._services.publish_ports(self._uid, ports)

    def _group_limits(self) -> ControlGroupLimits:
        return ControlGroupLimits(pids=self.settings.pod_pids_limit)

    async def _attach(self, pod: Pod) -> None:
        if not pod.spec.host_network:
            await self._services.network.attach(self._uid)

    async def _fill(self, pod: Pod) -> None:
        self._folders.make(pod)
        await self.refresh(pod)

    async def refresh(self, pod: Pod) -> None:
        """Bring configuration and credentials in the volumes up to date. Raises as above."""
        hold = self._services.objects.hold(pod, self._objects_changed)
        _, tokens, certificates = await asyncio.gather(
            hold, self._tokens.refresh(pod), self._certificates.refresh(pod)
        )
        self._revision += 1
        version = f"{self._services.clock():.6f}-{self._revision}"
        credentials = Credentials(tokens, certificates)
        self._folders.update(pod, self.surroundings(pod), credentials, version)

    def surroundings(self, pod: Pod) -> Surroundings:
        services, namespace = self._services, pod.metadata.namespace
        return Surroundings(
            pod_address=self.address(pod),
            host_address=str(self.settings.node_address),
            config_maps=services.objects.contents(CONFIG_MAPS, namespace),
            secrets=services.objects.contents(SECRETS, namespace),
            trust_bundles=services.objects.trust_bundles(),
            services=services.services(),
            allocatable=services.allocatable,
        )

    def address(self, pod: Pod) -> str:
        if pod.spec.host_network:
            return str(self.settings.node_address)
        return str(self.attachment.address) if self.attachment else ""

    def _write_files(self, pod: Pod) -> None:
        settings = self.settings
        domain = settings.instance.cluster_domain
        name = pod_files.hostname(pod, settings.node_name)
        self._folders.write_file(
            "hosts", pod_files.hosts_file(pod, self.address(pod), name, domain)
        )
        own = settings.resolver_file.read_text() if settings.resolver_file.exists() else ""
        address = str(settings.instance.dns_service_address)
        self._folders.write_file("resolv.conf", pod_files.resolver_file(pod, address, domain, own))
        self._folders.write_file("hostname", f"{name}\n")

    def container_mounts(
        self, pod: Pod, container: Container, environment: dict[str, str]
    ) -> tuple[Mount, ...]:
        """Volumes, and the generated files where no volume takes their place."""
        own = self._folders.container_mounts(pod, container, environment)
        taken = {mount.target for mount in own}
        generated = (
            Mount(source=str(self._folders.memory / name), target=f"/etc/{name}", read_only=True)
            for name in ("hosts", "resolv.conf", "hostname")
        )
        return own + tuple(mount for mount in generated if mount.target not in taken)

    async def remove(self) -> None:
        """Take everything away. Raises OSError when the kernel still holds something."""
        await self.pulls.close()
        await self._services.objects.forget(self._uid)
        self._services.publish_ports(self._uid, {})
        await self._services.network.detach(self._uid)
        await self._services.aside(self._folders.remove)
        self._services.groups.remove(self.cgroup)
