"""This server's documents with what other servers serve: discovery and the index of OpenAPI.

Pure. A group that both serve has this server's versions first.
"""

from collections.abc import Iterable

from sampan.control.api.aggregation.remote_versions import RemoteVersion
from sampan.kubernetes.kinds.kind import Object


def aggregated(document: Object, versions: Iterable[RemoteVersion]) -> Object:
    """APIGroupDiscoveryList; versions whose server can't be asked are stale."""
    groups: dict[str, Object] = {it["metadata"].get("name", ""): it for it in document["items"]}
    for version in versions:
        empty: Object = {
            "metadata": {"name": version.group, "creationTimestamp": None},
            "versions": [],
        }
        found = groups.setdefault(version.group, empty)
        entry: Object = {
            "version": version.version,
            "resources": _resources(version),
            "freshness": "Current" if version.is_fresh else "Stale",
        }
        groups[version.group] = {**found, "versions": _added(found["versions"], entry)}
    return {**document, "items": list(groups.values())}


def group_list(document: Object, versions: Iterable[RemoteVersion]) -> Object:
    """APIGroupList."""
    groups: dict[str, Object] = {it["name"]: it for it in document["groups"]}
    for version in versions:
        groups[version.group] = _with_version(groups.get(version.group), version)
    return {**document, "groups": list(groups.values())}


def group(document: Object | None, name: str, versions: Iterable[RemoteVersion]) -> Object | None:
    """APIGroup; None when nobody serves such a group."""
    found = document
    for version in versions:
        if version.group == name:
            found = {
                "kind": "APIGroup",
                "apiVersion": "v1",
                **_with_version(found, version),
            }
    return found


def index(document: Object, versions: Iterable[RemoteVersion]) -> Object:
    """The index of OpenAPI v3."""
    paths = dict(document["paths"])
    for version in versions:
        if version.openapi is not None:
            address = f"/openapi/v3/{version.document_name}?hash={version.openapi.content_hash}"
            paths[version.document_name] = {"serverRelativeURL": address}
    return {**document, "paths": paths}


def _with_version(found: Object | None, version: RemoteVersion) -> Object:
    entry = {"groupVersion": version.group_version, "version": version.version}
    if found is None:
        return {"name": version.group, "versions": [entry], "preferredVersion": entry}
    return {**found, "versions": _added(found["versions"], entry)}


def _added(versions: list[Object], entry: Object) -> list[Object]:
    """The other server's entry stands in for one of this server's."""
    return [*(it for it in versions if it["version"] != entry["version"]), entry]


def _resources(version: RemoteVersion) -> list[Object]:
    """Entries of an APIResourceList in the aggregated form."""
    entries: dict[str, Object] = {}
    for listed in version.resources:
        name, _, subresource = str(listed.get("name", "")).partition("/")
        if not subresource:
            entries.setdefault(name, {}).update(_resource(version, listed))
        else:
            entry = entries.setdefault(name, {"resource": name, "verbs": []})
            entry.setdefault("subresources", []).append(
                {
                    "subresource": subresource,
                    "responseKind": _response_kind(version, listed),
                    "verbs": listed.get("verbs") or [],
                }
            )
    return list(entries.values())


def _resource(version: RemoteVersion, listed: Object) -> Object:
    entry: Object = {
        "resource": listed["name"],
        "responseKind": _response_kind(version, listed),
        "scope": "Namespaced" if listed.get("namespaced") else "Cluster",
        "singularResource": listed.get("singularName", ""),
        "verbs": listed.get("verbs") or [],
    }
    for key in ("shortNames", "categories"):
        if listed.get(key):
            entry[key] = listed[key]
    return entry


def _response_kind(version: RemoteVersion, listed: Object) -> Object:
    return {
        "group": listed.get("group") or version.group,
        "version": listed.get("version") or version.version,
        "kind": listed.get("kind", ""),
    }
