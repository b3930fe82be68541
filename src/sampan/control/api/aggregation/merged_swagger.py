"""OpenAPI v2 of other servers as a part of this server's one document. Pure.

Of a server's document only the paths of its version count, and the definitions that they lead to.
A definition that differs from the one of its name here gets another name, as kube-openapi's
`aggregator` gives it: `NAME_v2`, `NAME_v3`.
"""

import hashlib
from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any

import msgspec

from sampan.control.api.aggregation.remote_versions import OpenApi, RemoteVersion
from sampan.control.api.protobuf import openapi_encoding
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.machinery.codecs import MAXIMUM_DEPTH, depth_exceeds

_REFERENCE = "#/definitions/"


def part_of(body: bytes, tag: str, group_version: str) -> OpenApi:
    """What a server's document says of one version. Raises msgspec.DecodeError, also for what
    could not be given to clients in every form."""
    document = msgspec.json.decode(body, type=_Document)
    if depth_exceeds([document.paths, document.definitions], MAXIMUM_DEPTH):
        raise msgspec.DecodeError("the document is nested too deeply")
    root = f"/apis/{group_version}"
    paths = {
        path: item
        for path, item in document.paths.items()
        if path == root or path.startswith(f"{root}/")
    }
    needed = _reachable(paths, document.definitions)
    definitions = {name: document.definitions[name] for name in sorted(needed)}
    part = {"paths": paths, "definitions": definitions}
    try:
        openapi_encoding.version_2(part)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise msgspec.DecodeError(f"the document is no OpenAPI: {error}") from error
    digest = hashlib.sha256(body).hexdigest().upper()
    return OpenApi(part, digest, tag)


def version_2(document: Object, versions: Iterable[RemoteVersion]) -> Object:
    """This server's document with those of others; a path that is here already stays."""
    paths, definitions = dict(document["paths"]), dict(document["definitions"])
    for version in versions:
        if version.swagger is None:
            continue
        part = version.swagger.document
        names = _free_names(part["definitions"], definitions)
        part = _renamed(part, names) if names else part
        paths = {**part["paths"], **paths}
        definitions = {
            **{names.get(name, name): it for name, it in part["definitions"].items()},
            **definitions,
        }
    return {**document, "paths": paths, "definitions": definitions}


class _Document(msgspec.Struct):
    paths: dict[str, Any] = {}
    definitions: dict[str, Any] = {}


def _free_names(found: Object, taken: Object) -> dict[str, str]:
    """Other names for definitions that mean something else here."""
    names: dict[str, str] = {}
    for name, definition in found.items():
        if name in taken and taken[name] != definition:
            tried = (f"{name}_v{number}" for number in count(2))
            names[name] = next(it for it in tried if it not in found and it not in taken)
    return names


def _reachable(paths: Object, definitions: Object) -> set[str]:
    found: set[str] = set()
    pending = list(_references(paths))
    while pending:
        name = pending.pop()
        if name in definitions and name not in found:
            found.add(name)
            pending += _references(definitions[name])
    return found


def _references(tree: Any) -> Iterator[str]:
    """The names of the definitions that a tree refers to; the tree came out of bounded JSON."""
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            reference = node.get("$ref")
            if isinstance(reference, str) and reference.startswith(_REFERENCE):
                yield reference.removeprefix(_REFERENCE)
            pending += node.values()
        elif isinstance(node, list):
            pending += node


def _renamed(tree: Any, names: dict[str, str]) -> Any:
    if isinstance(tree, dict):
        return {name: _renamed(value, names) for name, value in tree.items()}
    if isinstance(tree, list):
        return [_renamed(value, names) for value in tree]
    if isinstance(tree, str) and tree.startswith(_REFERENCE):
        name = tree.removeprefix(_REFERENCE)
        return _REFERENCE + names.get(name, name)
    return tree
