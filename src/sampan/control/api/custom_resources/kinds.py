"""A definition as kinds: one record for each version, compiled from its schema. Pure."""

from collections.abc import Callable
from typing import Any

import msgspec

from sampan.control.api.custom_resources.columns import columns_of
from sampan.control.api.custom_resources.definition import Definition, Version
from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.kind import (
    STANDARD_VERBS,
    Cause,
    Conversion,
    Kind,
    Object,
    ScalePaths,
    Subresource,
)
from sampan.kubernetes.kinds.object_metadata import check_metadata
from sampan.kubernetes.kinds.record import UPDATE_VERBS, no_defaults
from sampan.kubernetes.kinds.resource import Resource
from sampan.kubernetes.kinds.selectable_fields import SelectableFields
from sampan.kubernetes.machinery import json_path
from sampan.kubernetes.schema.custom_schema import CustomSchema, compile_schema

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode

ConversionTo = Callable[[Resource, Resource], Conversion]
"""The conversion between a version and the stored one, where a webhook does it."""


def resource_of(definition: Definition, version: str) -> Resource:
    """A version of the resource under the names that were accepted."""
    spec = definition.spec
    namespaced = spec.scope == "Namespaced"
    return Resource(spec.group, version, spec.names.plural, spec.names.kind, namespaced)


def kinds_of(definition: Definition, webhook: ConversionTo) -> tuple[Kind, ...]:
    """The stored version, then every other version that is served."""
    stored = definition.storage
    others = [it for it in definition.spec.versions if it.served and it is not stored]
    schema_of_stored = compile_schema(stored.schema.schema)
    made = [_kind(definition, stored, schema_of_stored, schema_of_stored, webhook)]
    for version in others:
        schema = compile_schema(version.schema.schema)
        made.append(_kind(definition, version, schema, schema_of_stored, webhook))
    return tuple(made)


def _kind(
    definition: Definition,
    version: Version,
    schema: CustomSchema,
    schema_of_stored: CustomSchema,
    webhook: ConversionTo,
) -> Kind:
    resource = resource_of(definition, version.name)
    fields = _fields(version, resource)
    names = definition.status.accepted_names
    return Kind(
        resource=resource,
        definition=_definition_name(resource),
        singular=names.singular,
        columns=columns_of(version.additional_printer_columns),
        default=schema.default or no_defaults,
        validate=_rules(schema, resource),
        prepare=_strategy(has_status=version.subresources.status is not None),
        prepare_status=strategies.only_status,
        selectable=fields.of,
        decode_selectable=fields.decode,
        short_names=names.short_names,
        categories=names.categories,
        verbs=_verbs(definition),
        subresources=_subresources(version, resource),
        scale=_scale(version),
        custom=schema.definition,
        deprecation=_deprecation(version, resource),
        **_storage(definition, version, schema, schema_of_stored, webhook),
    )


def _definition_name(resource: Resource) -> str:
    reverse = ".".join(reversed(resource.group.split(".")))
    return f"{reverse}.{resource.version}.{resource.kind}"


def _verbs(definition: Definition) -> tuple[str, ...]:
    """Nothing new is taken while all is being deleted."""
    if not definition.is_terminating:
        return STANDARD_VERBS
    return tuple(verb for verb in STANDARD_VERBS if verb != "create")


def _deprecation(version: Version, resource: Resource) -> str:
    if not version.deprecated:
        return ""
    usual = f"{resource.group_version} {resource.kind} is deprecated"
    return version.deprecation_warning or usual


def _subresources(version: Version, resource: Resource) -> tuple[Subresource, ...]:
    found: list[Subresource] = []
    if version.subresources.status is not None:
        entry = Subresource("status", resource.kind, resource.group_version, UPDATE_VERBS)
        found.append(entry)
    if version.subresources.scale is not None:
        found.append(Subresource("scale", "Scale", "autoscaling/v1", UPDATE_VERBS))
    return tuple(found)


def _scale(version: Version) -> ScalePaths:
    paths = version.subresources.scale
    if paths is None:
        return ScalePaths()
    return ScalePaths(
        replicas=_keys(paths.spec_replicas_path),
        replicas_now=_keys(paths.status_replicas_path),
        selector=_keys(paths.label_selector_path),
    )


def _keys(path: str) -> tuple[str, ...]:
    return json_path.parse(path).keys or ()


def _fields(version: Version, resource: Resource) -> SelectableFields:
    namespace = ("metadata.namespace",) if resource.namespaced else ()
    paths = (".".join(_keys(it.json_path)) for it in version.selectable_fields)
    return SelectableFields(("metadata.name", *namespace, *paths), {})


def _rules(
    schema: CustomSchema, resource: Resource
) -> Callable[[Object, Object | None], list[Cause]]:
    def validate(new: Object, old: Object | None) -> list[Cause]:
        found = check_metadata(new, old, "subdomain", namespaced=resource.namespaced)
        return [*found, *schema.check(new, old)]

    return validate


def _strategy(*, has_status: bool) -> Callable[[Object, Object | None], None]:
    """Generation counts changes of everything but metadata, and status where it is apart."""

    def prepare(new: Object, old: Object | None) -> None:
        if has_status:
            strategies.keep_status(new, old)
        fields = {*new, *(old or {})} - {"metadata", *(("status",) if has_status else ())}
        strategies.count_generation(new, old, *fields)

    return prepare


def _storage(
    definition: Definition,
    version: Version,
    schema: CustomSchema,
    schema_of_stored: CustomSchema,
    webhook: ConversionTo,
) -> dict[str, Any]:
    """How the objects of this version are made of what lies in the store."""
    resource = resource_of(definition, version.name)
    home = resource_of(definition, definition.storage.name)
    place = {} if resource == home else {"stored_as": home}
    if definition.spec.conversion.strategy == "Webhook":
        return {**place, "conversion": webhook(resource, home)}
    if resource == home:
        return {"from_stored": _reader(resource, schema, is_home=True)}
    return {
        **place,
        "from_stored": _reader(resource, schema, is_home=False),
        "to_stored": _reader(home, schema_of_stored, is_home=False),
    }


def _reader(resource: Resource, schema: CustomSchema, *, is_home: bool) -> Callable[[bytes], bytes]:
    """Makes values of a resource's other versions its own; only the apiVersion differs.

    Values of the stored version itself get defaults that came after them; those of others lose
    what this version's schema doesn't know.
    """
    head = {"apiVersion": resource.group_version, "kind": resource.kind}
    prefix = _encode(head)[:-1] + b","
    fill = schema.default if schema.has_defaults and is_home else None

    def read(value: bytes) -> bytes:
        if fill is None and value.startswith(prefix):
            return value
        tree = _decode(value)
        tree.update(head)
        if fill is not None:
            fill(tree)
        if not is_home:
            schema.definition.check(tree)
        return _encode(tree)

    return read
