"""What a container takes over from its image: a pure function of both configurations.

The rules are Docker's: lists of variables, labels, ports and volumes are merged, the rest is
taken when the container says nothing; an entrypoint of one's own drops the image's command.
"""

from typing import Any

import msgspec

from sampan.engine.containers.configuration import Configuration, HealthConfiguration
from sampan.engine.contract import InvalidConfiguration
from sampan.engine.images.documents import ExecutionConfiguration, HealthCheck


def with_image_defaults(
    configuration: Configuration, image: ExecutionConfiguration
) -> Configuration:
    """The configuration that is kept. Raises InvalidConfiguration when there is no command."""
    entrypoint, command = _program(configuration, image)
    if not (entrypoint or command):
        raise InvalidConfiguration("no command specified")
    return msgspec.structs.replace(
        configuration,
        user=configuration.user or image.user,
        exposed_ports=_merged(image.exposed_ports, configuration.exposed_ports),
        environment=_environment(configuration.environment, image.env),
        entrypoint=entrypoint,
        command=command,
        volumes=_merged(image.volumes, configuration.volumes),
        working_directory=configuration.working_directory or image.working_dir,
        labels=_merged(image.labels, configuration.labels) or {},
        stop_signal=configuration.stop_signal or image.stop_signal,
        stop_timeout=_first(configuration.stop_timeout, image.stop_timeout),
        shell=configuration.shell or image.shell,
        health_check=_health(configuration.health_check, image.healthcheck),
    )


def as_image(configuration: Configuration) -> ExecutionConfiguration:
    """A container's configuration as that of an image, for a commit."""
    health = configuration.health_check
    return ExecutionConfiguration(
        user=configuration.user,
        exposed_ports=configuration.exposed_ports or None,
        env=configuration.environment,
        entrypoint=configuration.entrypoint,
        cmd=configuration.command,
        volumes=configuration.volumes or None,
        working_dir=configuration.working_directory,
        labels=configuration.labels or None,
        stop_signal=configuration.stop_signal,
        stop_timeout=configuration.stop_timeout,
        healthcheck=_image_health(health) if health is not None else None,
        on_build=configuration.on_build,
        shell=configuration.shell,
    )


def _program(
    configuration: Configuration, image: ExecutionConfiguration
) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    entrypoint, command = configuration.entrypoint, configuration.command
    if not entrypoint:
        if not command:
            command = image.cmd
        if entrypoint is None:
            entrypoint = image.entrypoint
    # An entrypoint of one empty word takes the image's away.
    return None if entrypoint in (None, (), ("",)) else entrypoint, command


def _environment(
    own: tuple[str, ...] | None, image: tuple[str, ...] | None
) -> tuple[str, ...] | None:
    """None where neither says anything."""
    if own is None or image is None:
        return own if image is None else image
    names = {entry.partition("=")[0] for entry in own}
    return own + tuple(entry for entry in image if entry.partition("=")[0] not in names)


def _merged(lower: dict[str, Any] | None, upper: dict[str, Any] | None) -> dict[str, Any] | None:
    return {**(lower or {}), **(upper or {})} or None


def _first(own: int | None, image: int | None) -> int | None:
    return image if own is None else own


def _health(
    own: HealthConfiguration | None, image: HealthCheck | None
) -> HealthConfiguration | None:
    if image is None:
        return own
    own = own or HealthConfiguration()
    return HealthConfiguration(
        test=own.test or image.test or None,
        interval=own.interval or image.interval,
        timeout=own.timeout or image.timeout,
        start_period=own.start_period or image.start_period,
        start_interval=own.start_interval or image.start_interval,
        retries=own.retries or image.retries,
    )


def _image_health(health: HealthConfiguration) -> HealthCheck:
    return HealthCheck(
        test=health.test or (),
        interval=health.interval,
        timeout=health.timeout,
        start_period=health.start_period,
        start_interval=health.start_interval,
        retries=health.retries,
    )
