"""All that is known of a container in one piece, for whoever looks at it."""

from pathlib import Path

import msgspec

from sampan.engine.containers import log_files, network_files
from sampan.engine.containers.configuration import EndpointSettings
from sampan.engine.containers.container import ManagedContainer
from sampan.engine.containers.contract import ContainerDetail
from sampan.engine.containers.mount_plan import PlannedMount, shown
from sampan.engine.containers.parts import Parts
from sampan.engine.contract import InvalidConfiguration, NotFound


def described(
    container: ManagedContainer, parts: Parts, executions: tuple[str, ...]
) -> ContainerDetail:
    """What memory knows, quick enough for a list of all."""
    record = container.record
    words = (record.configuration.entrypoint or ()) + (record.configuration.command or ())
    sandbox = parts.networks.sandbox(container.identifier) if container.running else None
    files = network_files.places(container, parts)
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
        networks=sandbox.endpoints if sandbox is not None else _endpoints(container, parts),
        ports=sandbox.ports if sandbox is not None else {},
        sandbox_identifier=sandbox.identifier if sandbox is not None else "",
        sandbox_path=sandbox.namespace if sandbox is not None else "",
        hostname_path=files.get(network_files.HOSTNAME, ""),
        hosts_path=files.get(network_files.HOSTS, ""),
        resolv_conf_path=files.get(network_files.RESOLVER, ""),
        log_path=_log_path(container, parts),
        exec_identifiers=executions,
    )


def _endpoints(container: ManagedContainer, parts: Parts) -> dict[str, EndpointSettings]:
    """What was asked for; which networks these are is known from the first run on."""
    asked = container.record.endpoints
    if not _was_run(container):
        return asked
    return {name: _identified(name, settings, parts) for name, settings in asked.items()}


def _identified(name: str, settings: EndpointSettings, parts: Parts) -> EndpointSettings:
    try:
        identifier = parts.networks.inspect(name).identifier
    except (NotFound, InvalidConfiguration):
        return settings
    return msgspec.structs.replace(settings, network_identifier=identifier)


def _log_path(container: ManagedContainer, parts: Parts) -> str:
    """None before there is something to be logged."""
    if container.log is not None:
        return str(container.log)
    if not _was_run(container):
        return ""
    folder = parts.log_folder(container.identifier)
    kind = container.record.host.log_configuration.kind
    return log_files.shown_log(folder, container.identifier, kind)


def _was_run(container: ManagedContainer) -> bool:
    end = container.record.end
    return container.running or bool(end.started or end.error)


def _source(mount: PlannedMount, parts: Parts) -> str:
    if mount.kind == "volume":
        try:
            return str(Path(parts.volumes.inspect(mount.name).mountpoint) / mount.subpath)
        except NotFound:
            return ""
    return mount.source
