"""The rules of a container's environment."""

from collections.abc import Iterator

from sampan.kubernetes.kinds.core.paths import check_local_path
from sampan.kubernetes.kinds.core.references import (
    ENVIRONMENT_FIELDS,
    check_field_reference,
    check_key_reference,
    check_resource_reference,
)
from sampan.kubernetes.kinds.field_rules import check_text
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import invalid, required

_SOURCES = (
    "fieldRef",
    "resourceFieldRef",
    "configMapKeyRef",
    "secretKeyRef",
    "fileKeyRef",
)
_MORE_THAN_ONE = "may not have more than one field specified at a time"


def check_environment(variables: list[Object], field: str) -> Iterator[Cause]:
    for index, variable in enumerate(variables):
        name = variable.get("name", "")
        if not name:
            yield required(f"{field}[{index}].name")
        else:
            yield from check_text(names.environment_name, name, f"{field}[{index}].name")
        source = variable.get("valueFrom")
        if source is not None:
            yield from _check_source(source, variable, f"{field}[{index}].valueFrom")


def _check_source(source: Object, variable: Object, field: str) -> Iterator[Cause]:
    chosen = [it for it in _SOURCES if it in source]
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
        yield invalid(field, "", _MORE_THAN_ONE)
    for name in chosen:
        yield from _check_reference(name, source[name], f"{field}.{name}")


def _check_reference(name: str, reference: Object, field: str) -> Iterator[Cause]:
    if name == "fieldRef":
        yield from check_field_reference(reference, field, ENVIRONMENT_FIELDS)
    elif name == "resourceFieldRef":
        yield from check_resource_reference(reference, field, in_volume=False)
    elif name == "fileKeyRef":
        for key in ("volumeName", "path", "key"):
            if not reference.get(key):
                yield required(f"{field}.{key}")
        yield from check_local_path(reference.get("path", ""), f"{field}.path")
    else:
        yield from check_key_reference(reference, field)


def check_environment_sources(sources: list[Object], field: str) -> Iterator[Cause]:
    """`envFrom`: every key of a ConfigMap or Secret, behind a prefix."""
    for index, source in enumerate(sources):
        path = f"{field}[{index}]"
        if source.get("prefix"):
            yield from check_text(names.environment_name, source["prefix"], f"{path}.prefix")
        chosen = [it for it in ("configMapRef", "secretRef") if it in source]
        if not chosen:
            yield invalid(path, "", "must specify one of: `configMapRef` or `secretRef`")
        elif len(chosen) > 1:
            yield invalid(path, "", _MORE_THAN_ONE)
        for name in chosen:
            if not source[name].get("name"):
                yield required(f"{path}.{name}.name")
