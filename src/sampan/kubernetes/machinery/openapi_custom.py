"""The schemas of custom resources as OpenAPI shows them: objects and their lists.

Version 3 shows a schema as its definition gives it. Version 2 has no word for some of it; what it
can't say is left out there, as Kubernetes does it.
"""

from typing import Any

from sampan.kubernetes.kinds.kind import Kind, Object
from sampan.kubernetes.machinery.openapi_paths import LIST_META, OBJECT_META
from sampan.kubernetes.machinery.openapi_schemas import Edition, reference

_API_VERSION = (
    "APIVersion defines the versioned schema of this representation of an object. Servers should "
    "convert recognized schemas to the latest internal value, and may reject unrecognized values."
)
_KIND = (
    "Kind is a string value representing the REST resource this object represents. Servers may "
    "infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase."
)
_METADATA = "Standard object's metadata."
_LIST_METADATA = "Standard list metadata."
_UNSAID = ("oneOf", "anyOf", "allOf", "not", "nullable", "default", "x-kubernetes-validations")


def custom_schemas(kind: Kind, document: Object, edition: Edition) -> Object:
    """The schemas of a kind and of its list, by name. `document` is the kind's own schema."""
    resource = kind.resource
    shown = document if edition == 3 else _second_edition(document)
    named = {"group": resource.group, "version": resource.version}
    properties = shown.get("properties") or {}
    whole = {
        **shown,
        "properties": {
            **properties,
            "apiVersion": {"type": "string", "description": _API_VERSION},
            "kind": {"type": "string", "description": _KIND},
            "metadata": _reference(OBJECT_META, _METADATA, edition),
        },
        "x-kubernetes-group-version-kind": [{**named, "kind": resource.kind}],
    }
    listed = {
        "description": f"{resource.kind}List is a list of {resource.kind}",
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string", "description": _API_VERSION},
            "kind": {"type": "string", "description": _KIND},
            "metadata": _reference(LIST_META, _LIST_METADATA, edition),
            "items": {
                "description": f"List of {resource.plural}.",
                "type": "array",
                "items": reference(kind.definition, edition),
            },
        },
        "x-kubernetes-group-version-kind": [{**named, "kind": f"{resource.kind}List"}],
    }
    return {kind.definition: whole, f"{kind.definition}List": listed}


def _reference(name: str, prose: str, edition: Edition) -> Object:
    target = reference(name, edition)
    if edition == 2:
        return {"description": prose, **target}
    return {"description": prose, "allOf": [target]}


def _second_edition(schema: Object) -> Object:
    """A place that may be null, or of two types, or hold anything, has no type there."""
    shown: Object = {key: value for key, value in schema.items() if key not in _UNSAID}
    keeps = schema.get("x-kubernetes-preserve-unknown-fields")
    if schema.get("nullable") or schema.get("x-kubernetes-int-or-string"):
        for key in ("type", "properties", "items", "additionalProperties"):
            shown.pop(key, None)
    if keeps:
        for key in ("properties", "items", "additionalProperties"):
            shown.pop(key, None)
    if "properties" in shown:
        shown["properties"] = {
            key: _second_edition(member) for key, member in shown["properties"].items()
        }
    for key in ("items", "additionalProperties"):
        below: Any = shown.get(key)
        if isinstance(below, dict):
            shown[key] = _second_edition(below)
    return shown
