"""The paths of a group and version, as OpenAPI operations.

Clients read them for what they may send: kubectl looks for the parameters `fieldValidation` and
`dryRun` of a kind's patch before it relies on the server for validation and dry runs.
"""

from collections.abc import Iterable, Sequence

from sampan.kubernetes.kinds.kind import Kind, Object, Subresource
from sampan.kubernetes.kinds.resource import Resource
from sampan.kubernetes.machinery.openapi_schemas import Edition, reference
from sampan.kubernetes.schema.definitions import UnknownDefinition, definition_name

META = "io.k8s.apimachinery.pkg.apis.meta.v1."
STATUS = f"{META}Status"
DELETE_OPTIONS = f"{META}DeleteOptions"
PATCH = f"{META}Patch"
OBJECT_META = f"{META}ObjectMeta"
LIST_META = f"{META}ListMeta"
_JSON = "application/json"
_PATCH_TYPES = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)
_CUSTOM_PATCH_TYPES = _PATCH_TYPES[:-1]
_METHODS = {"create": "post", "delete": "delete", "get": "get", "patch": "patch", "update": "put"}
_WRITE_PARAMETERS = ("dryRun", "fieldManager", "fieldValidation")
_TEXTS = {
    "dryRun": "When present, indicates that modifications should not be persisted: All.",
    "fieldManager": "The name of the actor or entity that makes these changes.",
    "fieldValidation": "What to do about unknown and duplicate fields: Ignore, Warn or Strict.",
    "force": "Take fields over from other managers (apply patches only).",
    "continue": "Where the next piece of a list that was limited begins.",
    "fieldSelector": "Restrict the list by fields; everything by default.",
    "labelSelector": "Restrict the list by labels; everything by default.",
    "limit": "The most items that one answer may hold.",
    "resourceVersion": "Constrains which versions of the resource may answer.",
    "resourceVersionMatch": "How resourceVersion is applied to a list.",
    "sendInitialEvents": "Begin a watch with the objects that there are.",
    "timeoutSeconds": "The time after which the call ends, whether it has changes or not.",
    "watch": "Watch for changes and answer with a stream of them.",
    "allowWatchBookmarks": "Send bookmarks during a watch.",
    "gracePeriodSeconds": "The seconds before the object is deleted; zero deletes at once.",
    "propagationPolicy": "What becomes of dependents: Orphan, Background or Foreground.",
}
_TYPES = {
    "force": "boolean",
    "limit": "integer",
    "sendInitialEvents": "boolean",
    "timeoutSeconds": "integer",
    "watch": "boolean",
    "allowWatchBookmarks": "boolean",
    "gracePeriodSeconds": "integer",
}
_LIST_PARAMETERS = (
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
    "watch",
)
_PARAMETERS = {
    "create": _WRITE_PARAMETERS,
    "update": _WRITE_PARAMETERS,
    "patch": (*_WRITE_PARAMETERS, "force"),
    "delete": ("dryRun", "gracePeriodSeconds", "propagationPolicy"),
    "deletecollection": ("dryRun", "propagationPolicy", *_LIST_PARAMETERS),
    "list": _LIST_PARAMETERS,
}


def paths(kinds: Iterable[Kind], edition: Edition) -> Object:
    """All paths of kinds that share a group and version."""
    found: Object = {}
    for kind in kinds:
        found |= _Writer(kind, edition).paths()
    return found


def roots(kinds: Sequence[Kind]) -> tuple[str, ...]:
    """The published definitions that these kinds' operations speak of."""
    names = {STATUS, DELETE_OPTIONS, PATCH}
    for kind in kinds:
        if kind.custom is not None:
            names |= {OBJECT_META, LIST_META}
        else:
            names.add(kind.definition)
            if "list" in kind.verbs:
                names.add(f"{kind.definition}List")
        for subresource in kind.subresources:
            names |= {name for name in (_subresource_definition(kind, subresource),) if name}
    custom = {kind.definition for kind in kinds if kind.custom is not None}
    return tuple(sorted(names - custom))


def _subresource_definition(kind: Kind, subresource: Subresource) -> str | None:
    """Options of connections (exec, attach) have none: they are query parameters."""
    if subresource.kind == kind.resource.kind:
        return kind.definition
    group, _, version = subresource.group_version.rpartition("/")
    try:
        return definition_name(group, version, subresource.kind)
    except UnknownDefinition:
        return None


def _template(resource: Resource, *, scoped: bool, name: bool = False, tail: str = "") -> str:
    path = resource.path("{namespace}" if scoped else "", "{name}" if name else "")
    return f"{path}/{tail}" if tail else path


def _parameter(name: str, edition: Edition, place: str = "query") -> Object:
    schema: Object = {"type": _TYPES.get(name, "string"), "uniqueItems": True}
    shown: Object = {"name": name, "in": place, "description": _TEXTS.get(name, name)}
    if place == "path":
        shown["required"] = True
    return shown | (schema if edition == 2 else {"schema": schema})


class _Writer:
    """Writes the paths of one kind."""

    def __init__(self, kind: Kind, edition: Edition) -> None:
        self.kind = kind
        self.resource = kind.resource
        self.edition = edition

    def paths(self) -> Object:
        scoped, verbs = self.resource.namespaced, self.kind.verbs
        found: Object = {}
        collection = {
            "list": ("get", "list", f"{self.kind.definition}List"),
            "create": ("post", "post", self.kind.definition),
            "deletecollection": ("delete", "deletecollection", STATUS),
        }
        operations = {
            method: self.operation(verb, action, target, "")
            for verb, (method, action, target) in collection.items()
            if verb in verbs
        }
        self._add(found, _template(self.resource, scoped=scoped), operations, named=False)
        if scoped and "list" in verbs:
            across = {"get": self.operation("list", "list", f"{self.kind.definition}List", "All")}
            self._add(found, _template(self.resource, scoped=False), across, named=False)
        self._add(
            found,
            _template(self.resource, scoped=scoped, name=True),
            self._operations([verb for verb in verbs if verb != "create"], None),
            named=True,
        )
        for subresource in self.kind.subresources:
            path = _template(self.resource, scoped=scoped, name=True, tail=subresource.name)
            self._add(found, path, self._operations(subresource.verbs, subresource), named=True)
        return found

    def _operations(self, verbs: Iterable[str], subresource: Subresource | None) -> Object:
        target: str | None = self.kind.definition
        if subresource is not None:
            target = _subresource_definition(self.kind, subresource)
        suffix = subresource.name.capitalize() if subresource else ""
        methods = {verb: _METHODS[verb] for verb in verbs if verb in _METHODS}
        return {
            method: self.operation(
                verb, method if target else "connect", target, suffix, subresource
            )
            for verb, method in methods.items()
        }

    def _add(self, found: Object, path: str, operations: Object, *, named: bool) -> None:
        if not operations:
            return
        names = ["namespace"] if "{namespace}" in path else []
        names += ["name"] if named else []
        parameters = [_parameter(name, self.edition, "path") for name in names]
        if parameters:
            operations["parameters"] = parameters
        found[path] = operations

    def operation(
        self,
        verb: str,
        action: str,
        target: str | None,
        suffix: str,
        subresource: Subresource | None = None,
    ) -> Object:
        group = self.resource.group.partition(".")[0].capitalize() or "Core"
        scope = "Namespaced" if self.resource.namespaced else ""
        group_version = subresource.group_version if subresource else self.resource.group_version
        kind = subresource.kind if subresource else self.resource.kind
        shown: Object = {
            "operationId": f"{verb}{group}{self.resource.version.capitalize()}{scope}"
            f"{self.resource.kind}{suffix}",
            "tags": [f"{group.lower()}_{self.resource.version}"],
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": {
                "group": group_version.rpartition("/")[0],
                "version": group_version.rpartition("/")[2],
                "kind": kind,
            },
            "responses": self._responses(verb, target),
        }
        parameters = [_parameter(name, self.edition) for name in _PARAMETERS.get(verb, ())]
        return shown | self._body(verb, target, parameters)

    def _responses(self, verb: str, target: str | None) -> Object:
        codes = ["200", "401"] if verb != "create" else ["200", "201", "202", "401"]
        texts = {"200": "OK", "201": "Created", "202": "Accepted", "401": "Unauthorized"}
        shown: Object = {}
        for code in codes:
            shown[code] = {"description": texts[code]}
            if target and code != "401":
                shown[code] |= self._content(target, (_JSON,))
        return shown

    def _content(self, target: str, types: Iterable[str]) -> Object:
        schema = reference(target, self.edition)
        if self.edition == 2:
            return {"schema": schema}
        return {"content": {media_type: {"schema": schema} for media_type in types}}

    def _body(self, verb: str, target: str | None, parameters: list[Object]) -> Object:
        types: tuple[str, ...] = (_JSON,)
        if verb == "patch":
            types = _PATCH_TYPES if self.kind.custom is None else _CUSTOM_PATCH_TYPES
        expected = {"patch": PATCH, "delete": DELETE_OPTIONS}.get(verb, target)
        shown: Object = {"parameters": parameters} if parameters else {}
        if verb not in ("create", "update", "patch", "delete") or expected is None:
            return shown
        content = self._content(expected, types)
        if self.edition == 3:
            return shown | {"requestBody": {**content, "required": verb != "delete"}}
        body = {"name": "body", "in": "body", "required": verb != "delete", **content}
        return {"parameters": [*parameters, body], "consumes": list(types)}
