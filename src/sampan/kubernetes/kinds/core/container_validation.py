"""The rules of containers (pkg/apis/core/validation validateContainers), in Kubernetes' words."""

from collections.abc import Collection, Iterator

from sampan.kubernetes.kinds.core.container_defaults import PROBES
from sampan.kubernetes.kinds.core.list_names import check_list_name
from sampan.kubernetes.kinds.core.paths import check_local_path
from sampan.kubernetes.kinds.core.resource_validation import check_resources
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import (
    duplicate,
    forbidden,
    invalid,
    not_found,
    required,
    unsupported,
)

PROTOCOLS = ("TCP", "UDP", "SCTP")
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_HOOK_HANDLERS = ("exec", "httpGet", "tcpSocket", "sleep")
_SCHEMES = ("HTTP", "HTTPS")
_ENVIRONMENT_SOURCES = (
    "fieldRef",
    "resourceFieldRef",
    "configMapKeyRef",
    "secretKeyRef",
    "fileKeyRef",
)
_PROBE_NUMBERS = (
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
)
_PORT_RANGE = "must be between 1 and 65535, inclusive"


def is_port(value: object) -> bool:
    return isinstance(value, int) and 1 <= value <= 65535


def check_containers(
    containers: list[Object], field: str, volumes: Collection[str], taken: set[str]
) -> Iterator[Cause]:
    """A list of containers; `taken` holds the names of other lists' containers and grows."""
    for index, container in enumerate(containers):
        path = f"{field}[{index}]"
        yield from check_list_name(container, path, taken)
        yield from check_container(container, path, volumes)
        if field.endswith("initContainers"):
            yield from _check_init_container(container, path)


def _check_init_container(container: Object, path: str) -> Iterator[Cause]:
    policy = container.get("restartPolicy")
    if policy not in (None, "Always", "Never", "OnFailure"):
        yield unsupported(f"{path}.restartPolicy", policy, ("Always", "Never", "OnFailure"))
    if policy != "Always":
        for name in (*PROBES, "lifecycle"):
            if name in container:
                yield forbidden(
                    f"{path}.{name}",
                    "may not be set for init containers without restartPolicy=Always",
                )


def check_container(container: Object, path: str, volumes: Collection[str]) -> Iterator[Cause]:
    image = container.get("image", "")
    if not image:
        yield required(f"{path}.image")
    elif image != image.strip():
        yield invalid(f"{path}.image", image, "must not have leading or trailing whitespace")
    for name, choices in (
        ("imagePullPolicy", _PULL_POLICIES),
        ("terminationMessagePolicy", _MESSAGE_POLICIES),
    ):
        if container.get(name) not in choices:
            yield unsupported(f"{path}.{name}", container.get(name, ""), choices)
    yield from _check_ports(container.get("ports") or [], f"{path}.ports")
    yield from _check_environment(container, path)
    yield from _check_mounts(container.get("volumeMounts") or [], f"{path}.volumeMounts", volumes)
    yield from check_resources(container.get("resources") or {}, f"{path}.resources")
    for name in PROBES:
        if name in container:
            yield from _check_probe(container[name], f"{path}.{name}", name)
    for name, hook in (container.get("lifecycle") or {}).items():
        if isinstance(hook, dict):
            yield from _check_handler(hook, f"{path}.lifecycle.{name}", _HOOK_HANDLERS)


def _check_ports(ports: list[Object], field: str) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, port in enumerate(ports):
        path = f"{field}[{index}]"
        name = port.get("name", "")
        if name:
            for message in names.port_name(name):
                yield invalid(f"{path}.name", name, message)
            if name in seen:
                yield duplicate(f"{path}.name", name)
            seen.add(name)
        if "containerPort" in port and not is_port(port["containerPort"]):
            yield invalid(f"{path}.containerPort", port["containerPort"], _PORT_RANGE)
        if port.get("hostPort") and not is_port(port["hostPort"]):
            yield invalid(f"{path}.hostPort", port["hostPort"], _PORT_RANGE)
        if port.get("protocol") not in PROTOCOLS:
            yield unsupported(f"{path}.protocol", port.get("protocol", ""), PROTOCOLS)


def _check_environment(container: Object, path: str) -> Iterator[Cause]:
    for index, variable in enumerate(container.get("env") or ()):
        name = variable.get("name", "")
        if not name:
            yield required(f"{path}.env[{index}].name")
        else:
            for message in names.environment_name(name):
                yield invalid(f"{path}.env[{index}].name", name, message)
        source = variable.get("valueFrom")
        if source is not None:
            field = f"{path}.env[{index}].valueFrom"
            yield from _check_environment_source(source, variable, field)
    for index, source in enumerate(container.get("envFrom") or ()):
        field = f"{path}.envFrom[{index}]"
        chosen = [it for it in ("configMapRef", "secretRef") if it in source]
        if not chosen:
            yield invalid(field, "", "must specify one of: `configMapRef` or `secretRef`")
        elif len(chosen) > 1:
            yield invalid(field, "", "may not have more than one field specified at a time")


def _check_environment_source(source: Object, variable: Object, field: str) -> Iterator[Cause]:
    chosen = [it for it in _ENVIRONMENT_SOURCES if it in source]
    if not chosen:
        yield invalid(
            field,
            "",
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, "
            "`secretKeyRef` or `fileKeyRef`",
        )
    elif variable.get("value"):
        yield invalid(field, "", "may not be specified when `value` is not empty")
    elif len(chosen) > 1:
        yield invalid(field, "", "may not have more than one field specified at a time")


def _check_mounts(mounts: list[Object], field: str, volumes: Collection[str]) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, mount in enumerate(mounts):
        path = f"{field}[{index}]"
        name, place = mount.get("name", ""), mount.get("mountPath", "")
        if not name:
            yield required(f"{path}.name")
        elif name not in volumes:
            yield not_found(f"{path}.name", name)
        if not place:
            yield required(f"{path}.mountPath")
        if place in seen:
            yield invalid(f"{path}.mountPath", place, "must be unique")
        seen.add(place)
        if mount.get("subPath") and mount.get("subPathExpr"):
            yield invalid(
                f"{path}.subPathExpr",
                mount["subPathExpr"],
                "subPathExpr and subPath are mutually exclusive",
            )
        for name in ("subPath", "subPathExpr"):
            if name in mount:
                yield from check_local_path(mount[name], f"{path}.{name}")


def _check_probe(probe: Object, field: str, name: str) -> Iterator[Cause]:
    yield from _check_handler(probe, field, _HANDLERS)
    for number in _PROBE_NUMBERS:
        if probe.get(number, 0) < 0:
            yield invalid(f"{field}.{number}", probe[number], "must be greater than or equal to 0")
    if name != "readinessProbe" and probe.get("successThreshold", 1) != 1:
        yield invalid(f"{field}.successThreshold", probe["successThreshold"], "must be 1")


def _check_handler(handler: Object, field: str, choices: tuple[str, ...]) -> Iterator[Cause]:
    chosen = [name for name in choices if name in handler]
    if not chosen:
        yield required(field, "must specify a handler type")
    for name in chosen[1:]:
        yield forbidden(f"{field}.{name}", "may not specify more than 1 handler type")
    if "exec" in handler and not handler["exec"].get("command"):
        yield required(f"{field}.exec.command")
    for name in ("httpGet", "tcpSocket", "grpc"):
        if name in handler and "port" in handler[name]:
            yield from check_port_reference(handler[name]["port"], f"{field}.{name}.port")
    scheme = handler.get("httpGet", {}).get("scheme", "HTTP")
    if scheme not in _SCHEMES:
        yield unsupported(f"{field}.httpGet.scheme", scheme, _SCHEMES)


def check_port_reference(port: int | str, field: str) -> Iterator[Cause]:
    """A port's number, or the name of one."""
    if isinstance(port, str):
        for message in names.port_name(port):
            yield invalid(field, port, message)
    elif not is_port(port):
        yield invalid(field, port, _PORT_RANGE)
