"""The documents by which clients find out what the API serves.

The aggregated form (apidiscovery.k8s.io/v2) and the older one a group; all are made from the
records of the kinds.
"""

import base64
import hashlib
from collections.abc import Iterable, Sequence

from sampan.kubernetes.kinds.kind import Kind, Object, Subresource
from sampan.kubernetes.kinds.resource import Resource
from sampan.kubernetes.machinery.versions import groups_in_order, preferred_first

# Groups and their versions in the order in which clients prefer them.
_GroupVersions = dict[str, dict[str, list[Kind]]]


def _grouped(kinds: Iterable[Kind]) -> _GroupVersions:
    groups: _GroupVersions = {}
    for kind in kinds:
        versions = groups.setdefault(kind.resource.group, {})
        versions.setdefault(kind.resource.version, []).append(kind)
    return {
        group: {version: groups[group][version] for version in preferred_first(groups[group])}
        for group in groups_in_order(groups)
    }


def _response_kind(group_version: str, kind: str) -> Object:
    group, _, version = group_version.rpartition("/")
    return {"group": group, "version": version, "kind": kind}


def aggregated(kinds: Sequence[Kind], *, core: bool) -> Object:
    """APIGroupDiscoveryList for `/api` (core) or `/apis` (all other groups)."""
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": [
            {
                "metadata": {"name": group, "creationTimestamp": None} if group else {},
                "versions": [
                    {
                        "version": version,
                        "resources": [_aggregated_resource(kind) for kind in members],
                        "freshness": "Current",
                    }
                    for version, members in versions.items()
                ],
            }
            for group, versions in _grouped(kinds).items()
            if (group == "") is core
        ],
    }


def _aggregated_resource(kind: Kind) -> Object:
    resource = kind.resource
    entry: Object = {
        "resource": resource.plural,
        "responseKind": _response_kind(resource.group_version, resource.kind),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": list(kind.verbs),
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    if kind.subresources:
        entry["subresources"] = [_aggregated_subresource(it) for it in kind.subresources]
    return entry


def _aggregated_subresource(subresource: Subresource) -> Object:
    return {
        "subresource": subresource.name,
        "responseKind": _response_kind(subresource.group_version, subresource.kind),
        "verbs": list(subresource.verbs),
    }


def core_versions(server_address: str) -> Object:
    """APIVersions for `/api`."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [
            {"clientCIDR": "0.0.0.0/0", "serverAddress": server_address}
        ],
    }


def group_list(kinds: Sequence[Kind]) -> Object:
    """APIGroupList for `/apis`."""
    groups = [_group(name, versions) for name, versions in _grouped(kinds).items() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(kinds: Sequence[Kind], name: str) -> Object | None:
    """APIGroup for `/apis/NAME`; None when nothing is served there."""
    versions = _grouped(kinds).get(name)
    if not versions or not name:
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)}


def _group(name: str, versions: Iterable[str]) -> Object:
    entries = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": entries, "preferredVersion": entries[0]}


def resource_list(kinds: Sequence[Kind], group_name: str, version: str) -> Object | None:
    """APIResourceList for `/api/v1` or `/apis/GROUP/VERSION`; None when nothing is there."""
    members = _grouped(kinds).get(group_name, {}).get(version)
    if not members:
        return None
    entries: list[Object] = []
    for kind in members:
        entries.append(_resource(kind))
        entries += [_subresource(kind, subresource) for subresource in kind.subresources]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": members[0].resource.group_version,
        "resources": entries,
    }


def _resource(kind: Kind) -> Object:
    entry: Object = {
        "name": kind.resource.plural,
        "singularName": kind.singular,
        "namespaced": kind.resource.namespaced,
        "kind": kind.resource.kind,
        "verbs": list(kind.verbs),
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    if kind.stored:
        entry["storageVersionHash"] = _storage_hash(kind.place)
    return entry


def _storage_hash(place: Resource) -> str:
    """Tells clients when objects are stored in another form than before."""
    text = f"{place.group}/{place.version}/{place.kind}"
    return base64.b64encode(hashlib.sha256(text.encode()).digest()[:8]).decode()


def _subresource(kind: Kind, subresource: Subresource) -> Object:
    entry: Object = {
        "name": f"{kind.resource.plural}/{subresource.name}",
        "singularName": "",
        "namespaced": kind.resource.namespaced,
        "kind": subresource.kind,
        "verbs": list(subresource.verbs),
    }
    if subresource.group_version != kind.resource.group_version:
        group_name, _, version = subresource.group_version.rpartition("/")
        entry |= {"group": group_name, "version": version}
    return entry
