"""The OpenAPI documents, made from the records of the kinds and the published definitions.

Version 3 has a document a group and version and an index of them; version 2 is one document.
Making one takes tens of milliseconds: whoever serves them keeps them.
"""

import hashlib
from collections.abc import Iterable, Sequence

import msgspec

from sampan.kubernetes.kinds.kind import Kind, Object
from sampan.kubernetes.machinery.openapi_custom import custom_schemas
from sampan.kubernetes.machinery.openapi_paths import paths, roots
from sampan.kubernetes.machinery.openapi_schemas import Edition, schemas
from sampan.kubernetes.schema.definitions import VERSION

_INFORMATION = {"title": "Kubernetes", "version": f"v{VERSION}.0"}
_BEARER = {
    "BearerToken": {
        "type": "apiKey",
        "name": "authorization",
        "in": "header",
        "description": "Bearer Token authentication",
    }
}


def document_names(kinds: Iterable[Kind]) -> tuple[str, ...]:
    """`api/v1`, `apis/apps/v1`, …: what there is a version 3 document for."""
    return tuple(dict.fromkeys(_document_name(kind) for kind in kinds))


def _document_name(kind: Kind) -> str:
    root = "apis" if kind.resource.group else "api"
    return f"{root}/{kind.resource.group_version}"


def index(kinds: Sequence[Kind]) -> Object:
    """The document at `/openapi/v3`."""
    return {
        "paths": {
            name: {"serverRelativeURL": f"/openapi/v3/{name}?hash={content_hash(kinds, name)}"}
            for name in document_names(kinds)
        }
    }


def content_hash(kinds: Sequence[Kind], name: str) -> str:
    """Tells one content of a document from another, without making the document."""
    digest = hashlib.sha256(VERSION.encode())
    for kind in _members(kinds, name):
        parts = (kind.definition, kind.resource.plural, *kind.verbs)
        digest.update("\n".join([*parts, *(it.name for it in kind.subresources)]).encode())
        if kind.custom is not None:
            digest.update(msgspec.json.encode(kind.custom.document))
    return digest.hexdigest().upper()


def _members(kinds: Iterable[Kind], name: str) -> list[Kind]:
    return [kind for kind in kinds if _document_name(kind) == name]


def version_3(kinds: Sequence[Kind], name: str) -> Object | None:
    """The document of a group and version, None when nothing is served there."""
    members = _members(kinds, name)
    if not members:
        return None
    return {
        "openapi": "3.0.0",
        "info": _INFORMATION,
        "paths": paths(members, 3),
        "components": {"schemas": _schemas(members, 3), "securitySchemes": _BEARER},
    }


def _schemas(kinds: Sequence[Kind], edition: Edition) -> Object:
    """Published schemas and those that custom resources bring."""
    found = schemas(roots(kinds), edition)
    for kind in kinds:
        if kind.custom is not None:
            found |= custom_schemas(kind, kind.custom.document, edition)
    return found


def version_2(kinds: Sequence[Kind]) -> Object:
    """The one document at `/openapi/v2`."""
    return {
        "swagger": "2.0",
        "info": _INFORMATION,
        "paths": paths(kinds, 2),
        "definitions": _schemas(kinds, 2),
        "securityDefinitions": _BEARER,
        "security": [{"BearerToken": []}],
    }
