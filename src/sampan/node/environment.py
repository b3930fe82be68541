"""The environment of a container: services, envFrom, env, in this order. Pure.

`$(NAME)` in values, commands and arguments is replaced as Kubernetes does: `$$` is one dollar
sign, a name that isn't known stays as it is written. A value may name another that names a
third twice, so what comes of it is bounded as it grows, by what execve(2) takes.
"""

import re
from collections.abc import Iterable, Mapping

from sampan.node import references
from sampan.node.cluster_view import Service
from sampan.node.pod_view import Container, EnvironmentSource, EnvironmentVariable, Pod
from sampan.node.references import MissingReference, Surroundings

_REFERENCE = re.compile(r"\$\$|\$\(([^()$]*)\)")
_LONGEST_STRING = 128 * 1024
_LONGEST_TOGETHER = 2 * 1024 * 1024
_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")


def expand(text: str, known: Mapping[str, str]) -> str:
    """Replace each `$(NAME)` that is known. Raises MissingReference when it grows too long."""
    size = 0

    def replaced(match: re.Match[str]) -> str:
        nonlocal size
        if match[0] == "$$":
            return "$"
        value = known.get(match[1], match[0])
        size += len(value)
        if size > _LONGEST_STRING:
            raise MissingReference(f"a value with $({match[1][:63]}) is too long")
        return value

    return _REFERENCE.sub(replaced, text)


def expand_all(texts: Iterable[str], known: Mapping[str, str]) -> tuple[str, ...]:
    """`expand` for a command line. Raises MissingReference when it grows too long."""
    expanded: list[str] = []
    size = 0
    for text in texts:
        expanded.append(expand(text, known))
        size = _together(size, expanded[-1])
    return tuple(expanded)


def _together(size: int, text: str) -> int:
    if size + len(text) > _LONGEST_TOGETHER:
        raise MissingReference("the values are too long together")
    return size + len(text)


def environment(pod: Pod, container: Container, around: Surroundings) -> dict[str, str]:
    """Raises MissingReference when a reference that isn't optional leads nowhere, or when the
    values grow too long."""
    values = service_variables(pod, around.services)
    for source in container.env_from:
        values.update(_from_source(source, around))
    size = 0
    for variable in container.env:
        value = _value(pod, container, variable, around, values)
        if value is not None:
            values[variable.name] = value
            size = _together(size, value)
    return values


def _from_source(source: EnvironmentSource, around: Surroundings) -> dict[str, str]:
    found: dict[str, str] = {}
    for reference, objects, kind in (
        (source.config_map_ref, around.config_maps, "configmap"),
        (source.secret_ref, around.secrets, "secret"),
    ):
        if reference is None:
            continue
        contents = objects.get(reference.name)
        if contents is None and not reference.optional:
            raise MissingReference(f'{kind} "{reference.name}" not found')
        for key, value in (contents or {}).items():
            name = source.prefix + key
            if _NAME.fullmatch(name):
                found[name] = value.decode(errors="replace")
    return found


def _value(
    pod: Pod,
    container: Container,
    variable: EnvironmentVariable,
    around: Surroundings,
    known: Mapping[str, str],
) -> str | None:
    source = variable.value_from
    if source is None:
        return expand(variable.value, known)
    if source.field_ref:
        return references.field_value(pod, source.field_ref.field_path, around)
    if source.resource_field_ref:
        return references.resource_value(pod, source.resource_field_ref, container, around)
    namespace = pod.metadata.namespace
    if source.config_map_key_ref:
        reference = source.config_map_key_ref
        return references.key_value(reference, around.config_maps, "configmap", namespace)
    if source.secret_key_ref:
        return references.key_value(source.secret_key_ref, around.secrets, "secret", namespace)
    raise MissingReference(f"the source of variable {variable.name!r} is not supported")


def service_variables(pod: Pod, services: tuple[Service, ...]) -> dict[str, str]:
    """NAME_SERVICE_HOST and the rest for each service that the pod may see by variables.

    The API's own service is always there; the namespace's others unless enableServiceLinks
    is false.
    """
    values: dict[str, str] = {}
    for service in services:
        home = (service.metadata.namespace, service.metadata.name)
        is_api = home == ("default", "kubernetes")
        is_near = pod.spec.enable_service_links and home[0] == pod.metadata.namespace
        if service.has_address and (is_api or is_near):
            values.update(_variables_of(service))
    return values


def _variables_of(service: Service) -> dict[str, str]:
    name = service.metadata.name.upper().replace("-", "_")
    host, ports = service.spec.cluster_ip, service.spec.ports
    if not ports:
        return {}
    values = {f"{name}_SERVICE_HOST": host, f"{name}_SERVICE_PORT": str(ports[0].port)}
    first = ports[0]
    values[f"{name}_PORT"] = f"{first.protocol.lower()}://{host}:{first.port}"
    for port in ports:
        if port.name:
            suffix = port.name.upper().replace("-", "_")
            values[f"{name}_SERVICE_PORT_{suffix}"] = str(port.port)
        protocol = port.protocol
        prefix = f"{name}_PORT_{port.port}_{protocol}"
        values[prefix] = f"{protocol.lower()}://{host}:{port.port}"
        values[f"{prefix}_PROTO"] = protocol.lower()
        values[f"{prefix}_PORT"] = str(port.port)
        values[f"{prefix}_ADDR"] = host
    return values
