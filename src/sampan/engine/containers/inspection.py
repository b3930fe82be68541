"""All that is known of a container in one piece, for whoever looks at it."""

from pathlib import Path

from sampan.engine.containers.container import ManagedContainer
from sampan.engine.containers.contract import ContainerDetail
from sampan.engine.containers.mount_plan import PlannedMount, shown
from sampan.engine.containers.parts import Parts
from sampan.engine.contract import NotFound


def described(
    container: ManagedContainer, parts: Parts, executions: tuple[str, ...]
) -> ContainerDetail:
    """What memory knows, quick enough for a list of all."""
    record = container.record
    words = (record.configuration.entrypoint or ()) + (record.configuration.command or ())
    sandbox = parts.networks.sandbox(container.identifier) if container.running else None
    log = parts.log_file(container.identifier)
    return ContainerDetail(
        identifier=record.identifier,
        name=record.name,
        created=record.created,
        path=words[0],
        arguments=words[1:],
        state=container.state(),
        image=record.image,
        image_digest=record.image_digest,
        platform=record.platform,
        configuration=record.configuration,
        host=record.host,
        restart_count=record.restart_count,
        mounts=tuple(
            shown(mount, _source(mount, parts)) for mount in record.mounts if mount.listed
        ),
        networks=sandbox.endpoints if sandbox is not None else record.endpoints,
        ports=sandbox.ports if sandbox is not None else {},
        sandbox_identifier=sandbox.identifier if sandbox is not None else "",
        sandbox_path=sandbox.namespace if sandbox is not None else "",
        hostname_path=sandbox.hostname_path if sandbox is not None else "",
        hosts_path=sandbox.hosts_path if sandbox is not None else "",
        resolv_conf_path=sandbox.resolver_path if sandbox is not None else "",
        log_path=str(log) if record.host.log_configuration.kind != "none" else "",
        exec_identifiers=executions,
    )


def _source(mount: PlannedMount, parts: Parts) -> str:
    if mount.kind == "volume":
        try:
            return str(Path(parts.volumes.inspect(mount.name).mountpoint) / mount.subpath)
        except NotFound:
            return ""
    return mount.source
