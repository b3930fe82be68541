"""The rules of a CustomResourceDefinition: names, versions, scope, conversion, subresources.

Those of k8s.io/apiextensions-apiserver `apis/apiextensions/validation`; what a version's schema
must be is judged by `schema.structural_rules`.
"""

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.object_metadata import check_immutable
from sampan.kubernetes.kinds.webhook_clients import check_client
from sampan.kubernetes.machinery import json_path, names
from sampan.kubernetes.machinery.causes import invalid, required, unsupported
from sampan.kubernetes.schema.structural_rules import check_schema

APPROVAL = "api-approved.kubernetes.io"
_APPROVAL_TEXT = (
    f'protected groups must have approval annotation "{APPROVAL}", '
    "see https://github.com/kubernetes/enhancements/pull/1111"
)
_SCOPES = ("Cluster", "Namespaced")
_STRATEGIES = ("None", "Webhook")
_REVIEWS = ("v1", "v1beta1")
_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
_MOST_SELECTABLE = 8
_LONGEST_WARNING = 256


def definition_rules(new: Object, old: Object | None) -> Iterator[Cause]:
    spec = new.get("spec") or {}
    yield from _check_name(new, spec)
    yield from _check_names(spec.get("names") or {})
    if spec.get("scope") not in _SCOPES:
        yield unsupported("spec.scope", spec.get("scope", ""), _SCOPES)
    yield from _check_versions(spec.get("versions") or ())
    yield from _check_schemas(_schemas(spec), _schemas((old or {}).get("spec") or {}))
    yield from _check_conversion(spec.get("conversion") or {})
    if spec.get("preserveUnknownFields"):
        detail = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true "
        yield invalid(
            "spec.preserveUnknownFields", True, detail + "spec.versions[*].schema instead"
        )
    yield from _check_stored(new)
    if old is None:
        yield from _check_approval(new, spec)
    elif _is_established(old):
        yield from _check_kept(spec, old.get("spec") or {})


def _check_name(new: Object, spec: Object) -> Iterator[Cause]:
    group, plural = spec.get("group") or "", (spec.get("names") or {}).get("plural") or ""
    if not group:
        yield required("spec.group")
    else:
        for message in names.subdomain(group):
            yield invalid("spec.group", group, message)
        if "." not in group:
            yield invalid("spec.group", group, "should be a domain with at least one dot")
    name = new["metadata"].get("name")
    if name and name != f"{plural}.{group}":
        detail = 'must be spec.names.plural+"."+spec.group'
        yield invalid("metadata.name", name, detail)


def _check_approval(new: Object, spec: Object) -> Iterator[Cause]:
    """Groups of the Kubernetes project are for definitions that it has agreed to."""
    if not is_protected(spec.get("group") or ""):
        return
    value = (new["metadata"].get("annotations") or {}).get(APPROVAL, "")
    field = f"metadata.annotations[{APPROVAL}]"
    if not value:
        yield required(field, _APPROVAL_TEXT)
    elif not value.startswith("unapproved") and not urlsplit(value).netloc:
        detail = f"protected groups must have approval annotation {APPROVAL!r} with either a URL "
        detail += 'or a reason starting with "unapproved", '
        yield invalid(
            field, value, detail + "see https://github.com/kubernetes/enhancements/pull/1111"
        )


def is_protected(group: str) -> bool:
    return group.endswith((".k8s.io", ".kubernetes.io")) or group in ("k8s.io", "kubernetes.io")


def _check_names(given: Object) -> Iterator[Cause]:
    for key in ("plural", "singular"):
        if not given.get(key):
            if key == "plural":
                yield required("spec.names.plural")
            continue
        for message in names.label_1035(given[key]):
            yield invalid(f"spec.names.{key}", given[key], message)
    for key in ("kind", "listKind"):
        if not given.get(key):
            yield required(f"spec.names.{key}")
            continue
        for message in names.label_1035(given[key].lower()):
            detail = f"may have mixed case, but should otherwise match: {message}"
            yield invalid(f"spec.names.{key}", given[key], detail)
    for key in ("shortNames", "categories"):
        for index, name in enumerate(given.get(key) or ()):
            for message in names.label_1035(name):
                yield invalid(f"spec.names.{key}[{index}]", name, message)
    if given.get("kind") and given.get("kind") == given.get("listKind"):
        detail = "kind and listKind may not be the same"
        yield invalid("spec.names.listKind", given["listKind"], detail)


def _check_versions(versions: Iterable[Object]) -> Iterator[Cause]:
    versions = list(versions)
    if not versions:
        yield required("spec.versions")
        return
    listed = [it.get("name", "") for it in versions]
    stored = [it for it in versions if it.get("storage")]
    if len(set(listed)) != len(listed):
        yield invalid("spec.versions", listed, "must contain unique version names")
    if len(stored) != 1:
        detail = "must have exactly one version marked as storage version"
        yield invalid("spec.versions", listed, detail)
    for index, version in enumerate(versions):
        field = f"spec.versions[{index}]"
        for message in names.label_1035(version.get("name", "")):
            yield invalid(f"{field}.name", version.get("name", ""), message)
        yield from _check_warning(version, field)
        yield from _check_columns(version.get("additionalPrinterColumns") or (), field)
        yield from _check_scale((version.get("subresources") or {}).get("scale"), field)
        yield from _check_selectable(version, field)


def _schemas(spec: Object) -> list[Any]:
    versions = spec.get("versions") or ()
    return [(it.get("schema") or {}).get("openAPIV3Schema") for it in versions]


def _check_schemas(schemas: list[Any], before: list[Any]) -> Iterator[Cause]:
    """A schema that all versions share is judged once, at the place of such schemas; one that
    was taken before isn't judged again."""
    if schemas and all(it is not None and it == schemas[0] for it in schemas):
        if schemas[0] not in before:
            yield from check_schema(schemas[0], "spec.validation.openAPIV3Schema")
        return
    for index, schema in enumerate(schemas):
        field = f"spec.versions[{index}].schema.openAPIV3Schema"
        if schema is None:
            yield required(field, "schemas are required")
        elif schema not in before:
            yield from check_schema(schema, field)


def _check_warning(version: Object, field: str) -> Iterator[Cause]:
    warning = version.get("deprecationWarning")
    if warning is None:
        return
    path = f"{field}.deprecationWarning"
    if not version.get("deprecated"):
        yield invalid(path, warning, "can only be set for deprecated versions")
    if not warning:
        yield invalid(path, warning, "must not be empty")
    elif len(warning) > _LONGEST_WARNING:
        yield invalid(path, warning, f"must be <= {_LONGEST_WARNING} characters long")
    elif not warning.isprintable():
        yield invalid(path, warning, "must only contain printable UTF-8 characters")


def _check_columns(columns: Iterable[Object], field: str) -> Iterator[Cause]:
    for index, column in enumerate(columns):
        path = f"{field}.additionalPrinterColumns[{index}]"
        if not column.get("name"):
            yield required(f"{path}.name")
        kind, form = column.get("type") or "", column.get("format") or ""
        if not kind:
            yield required(f"{path}.type", f"must be one of {','.join(_COLUMN_TYPES)}")
        elif kind not in _COLUMN_TYPES:
            detail = f"must be one of {','.join(_COLUMN_TYPES)}"
            yield invalid(f"{path}.type", kind, detail)
        if form and form not in _COLUMN_FORMATS:
            detail = f"must be one of {','.join(_COLUMN_FORMATS)}"
            yield invalid(f"{path}.format", form, detail)
        yield from _check_path(column.get("jsonPath") or "", f"{path}.jsonPath")


def _check_path(text: str, field: str) -> Iterator[Cause]:
    if not text:
        yield required(field)
        return
    try:
        json_path.parse(text)
    except json_path.InvalidPath as error:
        yield invalid(field, text, f"is an invalid jsonpath: {error}")


def _check_scale(scale: Object | None, field: str) -> Iterator[Cause]:
    if scale is None:
        return
    for key, roots in (
        ("specReplicasPath", ("spec",)),
        ("statusReplicasPath", ("status",)),
        ("labelSelectorPath", ("spec", "status")),
    ):
        text, path = scale.get(key) or "", f"{field}.subresources.scale.{key}"
        if not text:
            if key != "labelSelectorPath":
                yield required(path)
            continue
        try:
            keys = json_path.parse(text).keys
        except json_path.InvalidPath as error:
            yield invalid(path, text, str(error))
            continue
        if not text.startswith(".") or keys is None or len(keys) < 2 or keys[0] not in roots:
            places = " or ".join(f".{root}" for root in roots)
            yield invalid(path, text, f"should be a json path under {places}")


def _check_selectable(version: Object, field: str) -> Iterator[Cause]:
    chosen: list[Object] = version.get("selectableFields") or []
    schema = (version.get("schema") or {}).get("openAPIV3Schema") or {}
    if len(chosen) > _MOST_SELECTABLE:
        message = f"Too many: {len(chosen)}: must have at most {_MOST_SELECTABLE} items"
        yield Cause(f"{field}.selectableFields", "FieldValueTooMany", message)
    seen: set[str] = set()
    for index, entry in enumerate(chosen):
        path, text = f"{field}.selectableFields[{index}].jsonPath", entry.get("jsonPath") or ""
        if text in seen:
            yield Cause(path, "FieldValueDuplicate", f'Duplicate value: "{text}"')
        seen.add(text)
        try:
            keys = json_path.parse(text).keys if text.startswith(".") else None
        except json_path.InvalidPath:
            keys = None
        if not keys:
            detail = "is an invalid path: must be a simple json path starting with '.'"
            yield invalid(path, text, detail)
        elif keys[0] == "metadata":
            yield invalid(path, text, "must not point to fields in metadata")
        elif _type_at(schema, keys) not in ("boolean", "integer", "string"):
            detail = "must point to a field of type string, boolean or integer. Enum string fields "
            yield invalid(path, text, detail + "and strings with formats are allowed.")


def _type_at(schema: Any, keys: Iterable[str]) -> str:
    for key in keys:
        properties = schema.get("properties") if isinstance(schema, dict) else None
        schema = properties.get(key) if isinstance(properties, dict) else None
    return str(schema.get("type", "")) if isinstance(schema, dict) else ""


def _check_conversion(conversion: Object) -> Iterator[Cause]:
    strategy, webhook = conversion.get("strategy") or "", conversion.get("webhook")
    if strategy not in _STRATEGIES:
        yield unsupported("spec.conversion.strategy", strategy, _STRATEGIES)
    if strategy != "Webhook":
        if webhook is not None:
            detail = "should not be set when strategy is not set to Webhook"
            yield Cause("spec.conversion.webhook", "FieldValueForbidden", f"Forbidden: {detail}")
        return
    client = (webhook or {}).get("clientConfig")
    if client is None:
        detail = "required when strategy is set to Webhook"
        yield required("spec.conversion.webhook.clientConfig", detail)
    else:
        yield from check_client(client, "spec.conversion.webhook.clientConfig")
    versions = (webhook or {}).get("conversionReviewVersions") or ()
    field = "spec.conversion.webhook.conversionReviewVersions"
    if not versions:
        yield required(field)
    elif not set(versions) & set(_REVIEWS):
        yield invalid(field, list(versions), f"must include at least one of {', '.join(_REVIEWS)}")


def _check_stored(new: Object) -> Iterator[Cause]:
    stored = (new.get("status") or {}).get("storedVersions") or ()
    versions = (new.get("spec") or {}).get("versions") or ()
    present = {it.get("name") for it in versions}
    storage = next((it.get("name") for it in versions if it.get("storage")), None)
    if storage is not None and storage not in stored:
        detail = f"must have the storage version {storage}"
        yield invalid("status.storedVersions", list(stored), detail)
    for index, version in enumerate(stored):
        if version not in present:
            detail = f"missing from spec.versions; {version} was previously a storage version, and "
            detail += "must remain in spec.versions until a storage migration ensures no data "
            detail += f"remains persisted in {version} and removes {version} from "
            detail += "status.storedVersions"
            yield invalid(f"status.storedVersions[{index}]", version, detail)


def _is_established(definition: Object) -> bool:
    conditions = (definition.get("status") or {}).get("conditions") or ()
    return any(it.get("type") == "Established" and it.get("status") == "True" for it in conditions)


def _check_kept(spec: Object, before: Object) -> Iterator[Cause]:
    """What a definition that is served can't change."""
    yield from check_immutable(spec.get("scope"), before.get("scope"), "spec.scope")
    yield from check_immutable(spec.get("group"), before.get("group"), "spec.group")
    given, kept = spec.get("names") or {}, before.get("names") or {}
    yield from check_immutable(given.get("kind"), kept.get("kind"), "spec.names.kind")
    yield from check_immutable(given.get("plural"), kept.get("plural"), "spec.names.plural")
