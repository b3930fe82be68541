"""Starting one run of a container: image, configuration, creation, start.

What stands in the way becomes a Trouble with the reason that Kubernetes users know.
"""

from sampan.engine.configuration import ContainerConfiguration
from sampan.engine.contract import (
    CommandNotFound,
    Engine,
    EngineError,
)
from sampan.node import container_configuration, logs, pod_files
from sampan.node.container_configuration import RunSettings
from sampan.node.environment import environment
from sampan.node.image_pulls import FIRST_RETRY, LONGEST_RETRY, ImageNotReady
from sampan.node.node_services import NodeServices
from sampan.node.pod_plan import Start
from sampan.node.pod_sandbox import PodSandbox
from sampan.node.pod_state import Trouble
from sampan.node.pod_view import Container, Pod
from sampan.node.references import MissingReference
from sampan.node.seccomp_profiles import SeccompProfileUnusable, localhost_profile

TARGET_RETRY = 1.0
START_ERROR_CODE = 128


class NotStarted(Exception):
    """The run did not start; `trouble` is what to show and when to try again."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.message)
        self.trouble = trouble


class CommandRefused(Exception):
    """The run was created but its command can't be executed; it counts as a run that ended."""


async def start(
    pod: Pod,
    container: Container,
    action: Start,
    *,
    sandbox: PodSandbox,
    number: int,
    services: NodeServices,
    before: Trouble | None,
    beside: str = "",
) -> str:
    """The identifier of the started container. Raises NotStarted, CommandRefused.

    `before` is the trouble that the last try met: the pause until the next grows with it.
    `beside` is the run among whose processes an ephemeral container is to be, if it lives.
    """
    _demand_target(container, beside, services)
    try:
        image = await sandbox.pulls.image(pod, container, before)
    except ImageNotReady as error:
        raise NotStarted(error.trouble) from error
    try:
        around = _surrounding(
            pod, container, action.attempt, sandbox, image_user=image.user, beside=beside
        )
        wanted = container_configuration.configuration(
            pod, container, around, attempt=action.attempt, sandbox=number, delay=action.delay
        )
    except MissingReference as error:
        raise NotStarted(Trouble("CreateContainerConfigError", str(error))) from error
    except SeccompProfileUnusable as error:
        raise NotStarted(_again("CreateContainerError", str(error), services, before)) from error
    except OSError as error:
        reason = "CreateContainerConfigError"
        raise NotStarted(_again(reason, str(error), services, before)) from error
    try:
        identifier = await _create_and_start(wanted, services.engine)
    except CommandNotFound as error:
        raise CommandRefused(str(error)) from error
    except (EngineError, OSError) as error:
        raise NotStarted(_again("CreateContainerError", str(error), services, before)) from error
    services.record(pod, "Normal", "Created", f"Created container: {container.name}")
    services.record(pod, "Normal", "Started", f"Started container {container.name}")
    return identifier


def _demand_target(container: Container, beside: str, services: NodeServices) -> None:
    """Raises NotStarted while the container that an ephemeral one looks into doesn't run."""
    if container.target_container_name and not beside:
        text = f"unable to find target container {container.target_container_name}"
        until = services.clock() + TARGET_RETRY
        raise NotStarted(Trouble("CreateContainerConfigError", text, until))


async def _create_and_start(wanted: ContainerConfiguration, engine: Engine) -> str:
    """What was created but could not be started is removed again."""
    identifier = await engine.create(wanted)
    try:
        await engine.start(identifier)
    except EngineError:
        await engine.remove(identifier)
        raise
    return identifier


def _again(reason: str, message: str, services: NodeServices, before: Trouble | None) -> Trouble:
    delay = min(before.delay * 2, LONGEST_RETRY) if before and before.delay else FIRST_RETRY
    return Trouble(reason, message, until=services.clock() + delay, delay=delay)


def _surrounding(
    pod: Pod,
    container: Container,
    attempt: int,
    sandbox: PodSandbox,
    *,
    image_user: str,
    beside: str,
) -> RunSettings:
    """Raises MissingReference, SeccompProfileUnusable."""
    settings = sandbox.settings
    variables = environment(pod, container, sandbox.surroundings(pod))
    log = logs.log_path(settings.logs_folder, pod.metadata, container.name, attempt)
    log.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    attachment = sandbox.attachment
    profile = container_configuration.localhost_profile_name(pod, container)
    return RunSettings(
        cgroup_parent=sandbox.cgroup,
        network_namespace=str(attachment.namespace) if attachment else "host",
        hostname=pod_files.hostname(pod, settings.node_name),
        mounts=sandbox.container_mounts(pod, container, variables),
        environment=variables,
        log_path=str(log),
        pids_limit=settings.pod_pids_limit,
        image_user=image_user,
        beside=beside,
        localhost_profile=localhost_profile(settings.seccomp_folder, profile) if profile else "",
    )
