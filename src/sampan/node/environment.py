"""The environment of a container: services, envFrom, env, in this order. Pure.

`$(NAME)` in values, commands and arguments is replaced as Kubernetes does: `$$` is one dollar
sign, a name that isn't known stays as it is written.
"""

import re
from collections.abc import Mapping

from sampan.node import references
from sampan.node.cluster_view import Service
from sampan.node.pod_view import Container, EnvironmentSource, EnvironmentVariable, Pod
from sampan.node.references import MissingReference, Surroundings

_REFERENCE = re.compile(r"\$\$|\$\(([^()$]*)\)")
_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")


def expand(text: str, known: Mapping[str, str]) -> str:
    """Replace each `$(NAME)` that is known."""

    def replaced(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return known.get(match[1], match[0])

    return _REFERENCE.sub(replaced, text)


def environment(pod: Pod, container: Container, around: Surroundings) -> dict[str, str]:
    """Raises MissingReference when a reference that isn't optional leads nowhere."""
    values = service_variables(pod, around.services)
    for source in container.env_from:
        values.update(_from_source(source, around))
    for variable in container.env:
        value = _value(pod, container, variable, around, values)
        if value is not None:
            values[variable.name] = value
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
