"""From a pod's container to what the engine runs: a pure function.

Names, labels, command, environment, mounts, limits and security of one run. The image's own
user is an argument, because runAsNonRoot (hostile images say `USER root`) is judged by it.
"""

from collections.abc import Sequence

import msgspec

from sampan.engine.configuration import ContainerConfiguration, Mount
from sampan.node import pod_state
from sampan.node.environment import expand_all
from sampan.node.pod_view import Container, Pod, SeccompProfile
from sampan.node.quality_of_service import container_limits
from sampan.node.references import MissingReference


class RunSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the node made for the run before it: its group, network, mounts and log file;
    the run whose processes it is `beside`, and the text of its `localhost_profile`, if any."""

    cgroup_parent: str
    network_namespace: str
    hostname: str
    mounts: tuple[Mount, ...]
    environment: dict[str, str]
    log_path: str
    pids_limit: int
    image_user: str = ""
    beside: str = ""
    localhost_profile: str = ""


def container_name(pod: Pod, container: str, attempt: int) -> str:
    """Unique among all runs of all pods."""
    metadata = pod.metadata
    owner = f"{metadata.name}_{metadata.namespace}_{metadata.uid}"
    return f"k8s_{container}_{owner}_{attempt}"


def labels(pod: Pod, container: str, *, attempt: int, sandbox: int, delay: float) -> dict[str, str]:
    """What the next agent needs to know this run again."""
    return {
        pod_state.LABEL_NAMESPACE: pod.metadata.namespace,
        pod_state.LABEL_POD: pod.metadata.name,
        pod_state.LABEL_UID: pod.metadata.uid,
        pod_state.LABEL_CONTAINER: container,
        pod_state.LABEL_ATTEMPT: str(attempt),
        pod_state.LABEL_SANDBOX: str(sandbox),
        pod_state.LABEL_DELAY: str(int(delay)),
    }


def configuration(
    pod: Pod,
    container: Container,
    around: RunSettings,
    *,
    attempt: int,
    sandbox: int,
    delay: float,
) -> ContainerConfiguration:
    """Raises MissingReference (shown as CreateContainerConfigError) for a forbidden user."""
    security = container.security_context
    known = around.environment
    return ContainerConfiguration(
        name=container_name(pod, container.name, attempt),
        image=container.image,
        entrypoint=_words(container.command, known),
        command=_words(container.args, known),
        environment=known,
        working_directory=container.working_dir,
        user=_user(pod, container, around.image_user),
        supplemental_groups=_groups(pod),
        hostname=around.hostname,
        mounts=around.mounts,
        limits=container_limits(container, around.pids_limit),
        cgroup_parent=around.cgroup_parent,
        network_namespace=around.network_namespace,
        host_process_namespace=pod.spec.host_pid,
        share_process_namespace_of="" if pod.spec.host_pid else around.beside,
        added_capabilities=security.capabilities.add,
        dropped_capabilities=security.capabilities.drop,
        privileged=security.privileged,
        # Unlike in Kubernetes, gaining privileges must be asked for: secure by default.
        allow_privilege_escalation=(
            security.privileged or security.allow_privilege_escalation is True
        ),
        read_only_root=security.read_only_root_filesystem,
        seccomp_profile=_seccomp_profile(pod, container, around.localhost_profile),
        terminal=container.tty,
        keep_stdin_open=container.stdin,
        log_path=around.log_path,
        labels=labels(pod, container.name, attempt=attempt, sandbox=sandbox, delay=delay),
    )


def _words(words: Sequence[str], known: dict[str, str]) -> tuple[str, ...] | None:
    return expand_all(words, known) if words else None


def _groups(pod: Pod) -> tuple[int, ...]:
    security = pod.spec.security_context
    own = (security.fs_group,) if security.fs_group is not None else ()
    return tuple(dict.fromkeys(security.supplemental_groups + own))


def _user(pod: Pod, container: Container, image_user: str) -> str:
    own, of_pod = container.security_context, pod.spec.security_context
    user = of_pod.run_as_user if own.run_as_user is None else own.run_as_user
    group = of_pod.run_as_group if own.run_as_group is None else own.run_as_group
    required = of_pod.run_as_non_root if own.run_as_non_root is None else own.run_as_non_root
    if required:
        _refuse_root(container.name, user, image_user)
    if user is None and group is None:
        return ""
    name = str(user) if user is not None else image_user.split(":", maxsplit=1)[0] or "0"
    return f"{name}:{group}" if group is not None else name


def _refuse_root(container: str, user: int | None, image_user: str) -> None:
    """A user that is root, or a name that can't be told from root, is refused."""
    name = str(user) if user is not None else image_user.split(":", maxsplit=1)[0]
    if name in {"", "root"} or not name.strip("0"):
        raise MissingReference(
            f"container has runAsNonRoot and image will run as root (container: {container})"
        )
    if not (name.isascii() and name.isdecimal()):
        raise MissingReference(
            f"container has runAsNonRoot and image has non-numeric user ({name}), "
            f"cannot verify user is non-root (container: {container})"
        )


def localhost_profile_name(pod: Pod, container: Container) -> str:
    """The path of the node's own seccomp profile that holds for the container, or "".

    Raises MissingReference for a profile without a path.
    """
    profile = _wanted_profile(pod, container)
    if container.security_context.privileged or profile is None or profile.type != "Localhost":
        return ""
    if not profile.localhost_profile:
        raise MissingReference("localhostProfile must be set if seccompProfile type is Localhost.")
    return profile.localhost_profile


def _wanted_profile(pod: Pod, container: Container) -> SeccompProfile | None:
    of_pod = pod.spec.security_context
    return container.security_context.seccomp_profile or of_pod.seccomp_profile


def _seccomp_profile(pod: Pod, container: Container, localhost_profile: str) -> str:
    """The default profile holds unless the container is privileged or asks for another."""
    if localhost_profile_name(pod, container):
        return localhost_profile
    profile = _wanted_profile(pod, container)
    unconfined = profile is not None and profile.type == "Unconfined"
    return "unconfined" if unconfined or container.security_context.privileged else "default"
