"""Requests drawn from what the server publishes about itself, most of them a little wrong.

Nothing here may change what the next request meets in such a way that the server is right to
fail: no webhooks are configured and no namespace ends, other than for a dry run.
"""

import contextlib
import json
from collections.abc import Iterator
from random import Random
from typing import Any

import yaml
from tests.control.api.test_other_kinds import OBJECTS, valid
from tests.fuzz.drawn_trees import TEXTS as TEXTS_IN_BODIES
from tests.fuzz.drawn_trees import leaf, spoiled, spoiled_bytes
from tests.kubernetes.kinds.minimal_objects import MINIMAL
from tests.kubernetes.kinds.test_any_object import drawn

from sampan.control.api.protobuf.encoding import encode
from sampan.foundation.wire.message import Request
from sampan.kubernetes.kinds.all import ALL, BY_RESOURCE
from sampan.kubernetes.kinds.resource import SERVICE_ACCOUNTS
from sampan.kubernetes.schema.definitions import UnknownDefinition, definition, definition_name

# Half a surrogate pair can be written in JSON, but not in what is percent-encoded.
TEXTS = tuple(text for text in TEXTS_IN_BODIES if text != "\ud800")
JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
PATCHES = {
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
}
ACCEPTED = (
    *(JSON, YAML, PROTOBUF, "*/*", "", "text/html", "application/*;q=0.1", ";;;", "a/b, c/d"),
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
    "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
    "application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io",
    "application/vnd.kubernetes.protobuf;stream=watch,application/json;q=x",
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
    "application/json;as=Nothing;v=v9;g=a",
)
CONTENT_TYPES = (*PATCHES, JSON, YAML, PROTOBUF, "", "text/plain", "application/cbor", "json;;q=")
NAMES = (
    *("web", "web", "few-replicas", "few-replicas"),
    *("default", "kubernetes", "absent", "v1.apps", "../x", "a\0b", "é"),
)
NAMESPACES = (*("default",) * 20, "kube-system", "absent", "A_b", "..", "")
SELECTORS = (
    *("a=b", "a in (b,c)", "!a", "a notin ()", "a,,b", "a==", "=", "a in (", "x>1", "x>y", "a!=b"),
    *("metadata.name=web", "metadata.name!=web,metadata.namespace=default", "spec.nodeName=", "\\"),
    *("status.phase=Running", "nothing=here", "a\\=b=c", "metadata.name==" + "x" * 5000, "(" * 200),
)
VALUES: dict[str, tuple[str, ...]] = {
    "dryRun": ("All", "None", "", "all"),
    "fieldManager": ("me", "", "a\nb", "x" * 200),
    "fieldValidation": ("Strict", "Warn", "Ignore", "strict"),
    "force": ("true", "false", "maybe"),
    "labelSelector": SELECTORS,
    "fieldSelector": SELECTORS,
    "limit": ("1", "0", "-1", "abc", "500", str(2**63)),
    "continue": ("", "abc", "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiIuLi9hIn0"),
    "resourceVersion": ("", "0", "1", "-1", "abc", str(2**64), "1.5"),
    "resourceVersionMatch": ("Exact", "NotOlderThan", "", "Sometimes"),
    "sendInitialEvents": ("true", "false", "x"),
    "timeoutSeconds": ("1", "0", "-5", "abc", str(2**70)),
    "watch": ("true", "1", "0", "false", "x"),
    "allowWatchBookmarks": ("true", "x"),
    "gracePeriodSeconds": ("0", "30", "-1", "abc", str(2**63)),
    "propagationPolicy": ("Orphan", "Foreground", "Background", "Sideways"),
    "pretty": ("true", "x"),
    "includeObject": ("None", "Metadata", "Object", "All"),
    "orphanDependents": ("true", "x"),
}
HEADERS: dict[str, tuple[str, ...]] = {
    "accept": ACCEPTED,
    "accept-encoding": ("gzip", "gzip;q=0", "br", "*;q=x"),
    "user-agent": ("kubectl/v1.37", "", "a" * 500, "é\t"),
    "impersonate-user": ("jane", "system:serviceaccount:default:default", "", "é"),
    "impersonate-group": ("system:masters", "a", ""),
    "impersonate-uid": ("1", ""),
    "if-none-match": ('"x"', "*", "W/"),
    "audit-id": ("x", "y" * 500),
    "authorization": ("Bearer x", "Basic !", "Bearer ", "bearer a.b.c"),
    "traceparent": ("00-" + "0" * 32 + "-x", "x"),
}
# Kinds that reach beyond themselves: they are only ever tried.
ONLY_TRIED = {
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
    "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "CustomResourceDefinition",
    "APIService",
    "Namespace",
    "Node",
    "ResourceQuota",
    "LimitRange",
    "PriorityLevelConfiguration",
    "FlowSchema",
}
KINDS = {(it.resource.group, it.resource.version, it.resource.kind): it for it in ALL}


def request_of(operation: dict[str, Any], random: Random) -> Request:
    """One request for a published operation."""
    method = operation["method"]
    group_version_kind = operation.get("x-kubernetes-group-version-kind", {})
    content_type = _content_type(method, random)
    query = _query(operation, random)
    name = random.choice(TEXTS) if random.random() < 0.03 else random.choice(NAMES)
    tried = group_version_kind.get("kind") in ONLY_TRIED or method == "DELETE"
    if method != "GET" and (tried or random.random() < 0.4):
        query = [pair for pair in query if pair[0] != "dryRun"] + [("dryRun", "All")]
    return Request(
        method=method if random.random() > 0.02 else random.choice(("HEAD", "TRACE", "PUT", "x")),
        path=_path(operation["path"], name, random),
        query=tuple(query),
        headers={"content-type": content_type} | _headers(random),
        body=b"" if method == "GET" else _body(operation, content_type, name, random),
    )


def _content_type(method: str, random: Random) -> str:
    if random.random() < 0.05:
        return random.choice(CONTENT_TYPES)
    if method == "PATCH":
        return random.choice(sorted(PATCHES))
    return random.choice((JSON, JSON, YAML, PROTOBUF))


def _path(template: str, name: str, random: Random) -> str:
    return template.replace("{namespace}", random.choice(NAMESPACES)).replace("{name}", name)


def _query(operation: dict[str, Any], random: Random) -> list[tuple[str, str]]:
    names = [it["name"] for it in operation.get("parameters", ())] + ["pretty", "includeObject"]
    if random.random() < 0.05:
        names = [*VALUES, "nothing", ""]
    most = 3 if operation["method"] == "GET" else 1
    chosen = [random.choice(names) for _ in range(random.choice((0, 0, 1, 1, 2, 3)[: most + 3]))]
    return [
        (name, random.choice(VALUES.get(name, TEXTS) if random.random() < 0.95 else TEXTS))
        for name in chosen
    ]


def _headers(random: Random) -> dict[str, str]:
    chosen = {"accept": random.choice(ACCEPTED) if random.random() < 0.5 else JSON}
    for _ in range(random.choice((0,) * 9 + (1, 2))):
        name = random.choice(list(HEADERS))
        chosen[name] = random.choice(HEADERS[name])
    return chosen


def _body(operation: dict[str, Any], content_type: str, name: str, random: Random) -> bytes:
    """A body of the kind, spoiled as a tree or as bytes or not at all."""
    if operation["method"] == "DELETE":
        tree: Any = {"kind": "DeleteOptions", "apiVersion": "v1", "dryRun": ["All"]}
        tree |= random.choice(({}, {"gracePeriodSeconds": 0}, {"preconditions": {"uid": "x"}}))
    else:
        tree = _object(operation.get("x-kubernetes-group-version-kind", {}), random)
        if operation["method"] != "POST" and random.random() < 0.9:
            tree["metadata"] = {**tree.get("metadata", {}), "name": name}
    if content_type == "application/json-patch+json":
        tree = [_operation(tree, random) for _ in range(random.choice((1, 1, 2, 5)))]
    wrong = spoiled(tree, random, random.choice((0, 1, 1, 1, 2, 4)))
    data = _encoded(wrong, content_type) or _encoded(tree, content_type)
    return spoiled_bytes(data, random, random.choice((0,) * 9 + (1, 3)))


def _object(group_version_kind: dict[str, str], random: Random) -> Any:
    group, version = group_version_kind.get("group", ""), group_version_kind.get("version", "")
    name = group_version_kind.get("kind", "")
    kind = KINDS.get((group, version, name))
    head = {"apiVersion": f"{group}/{version}" if group else version, "kind": name}
    if kind is not None and random.random() < 0.7:
        if kind.resource in OBJECTS:
            return valid(kind.resource)
        if name in MINIMAL:
            return {**head, "metadata": {"name": random.choice(NAMES)}, **MINIMAL[name]}
    try:
        schema = definition(definition_name(group, version, name))
    except UnknownDefinition:
        return {**head, "spec": leaf(random)}
    tree: dict[str, Any] = drawn(schema, random)
    return {**tree, **head, "metadata": {"name": random.choice(NAMES)}}


def seeds() -> Iterator[tuple[str, Any]]:
    """Objects to begin with, so that what is changed is there: the path and the body of each."""
    account = BY_RESOURCE[SERVICE_ACCOUNTS]
    yield account.resource.path("default"), {"metadata": {"name": "default"}}
    for kind in ALL:
        resource, body = kind.resource, {"metadata": {"name": "web"}}
        if resource.kind in ONLY_TRIED or not kind.stored:
            continue
        if resource in OBJECTS:
            body = valid(resource)
        elif resource.kind in MINIMAL:
            body |= MINIMAL[resource.kind]
        else:
            continue
        yield resource.path("default" if resource.namespaced else ""), body


def _operation(tree: Any, random: Random) -> Any:
    pointers = ("/metadata/labels", "/spec", "/a~2", "", "/", "a", "/spec/-", "/metadata/name")
    return {
        "op": random.choice(("add", "remove", "replace", "copy", "move", "test", "spread")),
        "path": random.choice(pointers),
        "from": random.choice(pointers),
        "value": random.choice((tree.get("spec"), leaf(random))),
    }


def _encoded(tree: Any, content_type: str) -> bytes:
    if content_type in (YAML, "application/apply-patch+yaml"):
        with contextlib.suppress(RecursionError):
            return yaml.safe_dump(tree).encode("utf-8", "surrogatepass")
    if content_type == PROTOBUF and isinstance(tree, dict):
        try:
            return encode(tree)
        except Exception:  # noqa: BLE001 - what is spoiled may have no such form
            return b""
    return json.dumps(tree).encode()
