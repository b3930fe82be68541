"""What a request is about, told from its method, path and query alone.

The rules are those of k8s.io/apiserver `endpoints/request`. Pure; it knows no kinds, so that
a request for what doesn't exist is authorized before it is found missing.
"""

import msgspec

from sampan.foundation.wire.message import Request

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "GET": "get", "HEAD": "get"}
_OF_NAMESPACES = ("status", "finalize")


class Attributes(msgspec.Struct, frozen=True):
    """Verb and object of a request; only `verb` and `path` have meaning for other paths.

    `is_deeper` says that the path goes on after the subresource, as those of proxies do.
    """

    verb: str
    path: str
    is_resource: bool = False
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    is_deeper: bool = False

    @property
    def full_resource(self) -> str:
        """`pods`, `pods/log`: as the rules of roles name it."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def attributes_of(request: Request) -> Attributes:
    """Never refuses: a path that is no resource's is told as such."""
    path, method = request.path, request.method
    other = Attributes(verb=method.lower(), path=path)
    parts = path.split("/")
    if parts[-1] == "":
        parts.pop()
    if len(parts) < 4 or parts[0] != "":
        return other
    if parts[1] == "api":
        group, version, rest = "", parts[2], parts[3:]
    elif parts[1] == "apis" and len(parts) > 4:
        group, version, rest = parts[2], parts[3], parts[4:]
    else:
        return other
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if namespace and len(rest) > 2 and rest[2] not in _OF_NAMESPACES:
            rest = rest[2:]
    if "" in rest[:3]:
        return other
    resource, name, subresource = (*rest[:3], "", "")[:3]
    return Attributes(
        verb=_verb(request, name, subresource),
        path=path,
        is_resource=True,
        group=group,
        version=version,
        resource=resource,
        subresource=subresource,
        namespace=namespace,
        name=name or _selected_name(request),
        is_deeper=len(rest) > 3,
    )


def _verb(request: Request, name: str, subresource: str) -> str:
    method = request.method
    if method == "DELETE":
        return "delete" if name else "deletecollection"
    # Running a command is a write, however the connection is opened.
    if subresource in ("exec", "attach", "portforward"):
        return "create"
    if method in ("GET", "HEAD") and not name:
        return "watch" if request.flag("watch") else "list"
    return _VERBS.get(method, method.lower())


def _selected_name(request: Request) -> str:
    """A list or watch of one name is authorized like the object of that name."""
    if request.method not in ("GET", "HEAD"):
        return ""
    selector = request.parameter("fieldSelector")
    found, separator, value = selector.partition("=")
    if separator and found == "metadata.name" and "," not in value and "=" not in value:
        return value
    return ""
