"""The fields of Kubernetes' protobuf messages: data, read when first needed.

`messages-1.37.txt` names each message on a line of its own; below it stands a line a field: its
number, its name in JSON, its type and its presence. A type is a scalar, a message of the same
package, or the full name of another. Before it stands `*` for a repeated field, `%` for a map
with text keys (the type is its values'), and `!` for a message whose fields stand in JSON among
those of the message that holds it. Presence tells what Go's structs make of a zero value: `?` is
a pointer, so that zero differs from unset and is written only when set; the others are always
written, and in JSON `0` shows a zero while `-` leaves it out.
"""

from functools import cache
from importlib import resources
from typing import Literal, cast

import msgspec

Label = Literal["", "*", "%", "!"]
Presence = Literal["", "?", "0", "-"]

META = "k8s.io.apimachinery.pkg.apis.meta.v1."
SCALARS = frozenset(("bool", "bytes", "double", "int32", "int64", "string", "uint32", "uint64"))
_CORE = "k8s.io.api."
_LABELS = "*%!"
_ELSEWHERE = {
    "meta.k8s.io": "k8s.io.apimachinery.pkg.apis.meta",
    "apiextensions.k8s.io": "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions",
    "apiregistration.k8s.io": "k8s.io.kube_aggregator.pkg.apis.apiregistration",
    "internal.apiserver.k8s.io": "k8s.io.api.apiserverinternal",
}
_PLAIN_GROUPS = ("", "apps", "autoscaling", "batch", "extensions", "policy")
_OFFICIAL = ".k8s.io"
# Kinds of meta.k8s.io that every group version knows, and that discovery calls `v1`.
_IN_EVERY_GROUP = frozenset(
    (
        "APIGroup",
        "APIGroupList",
        "APIResourceList",
        "APIVersions",
        "CreateOptions",
        "DeleteOptions",
        "GetOptions",
        "ListOptions",
        "PatchOptions",
        "Status",
        "UpdateOptions",
        "WatchEvent",
    )
)


class UnknownMessage(KeyError):
    """No message of this name is known."""


class Field(msgspec.Struct, frozen=True):
    """One field; `type` is a scalar or a message's full name."""

    number: int
    name: str
    type: str
    label: Label
    presence: Presence

    @property
    def is_pointer(self) -> bool:
        return self.presence == "?"


@cache
def _lines_of_messages() -> dict[str, str]:
    """The lines of each message's fields, unread."""
    text = resources.files(__package__).joinpath("messages-1.37.txt").read_text()
    found: dict[str, str] = {}
    # A field's line begins with a space, a message's with its first letter.
    for block in ("\n" + text).split("\nk8s.io.")[1:]:
        name, _, lines = block.partition("\n")
        found["k8s.io." + name] = lines
    return found


def all_messages() -> tuple[str, ...]:
    """The names of every message."""
    return tuple(_lines_of_messages())


@cache
def fields_of(message: str) -> tuple[Field, ...]:
    """The fields of a message in the order of their numbers. Raises UnknownMessage."""
    lines = _lines_of_messages().get(message)
    if lines is None:
        raise UnknownMessage(message)
    package = message.rpartition(".")[0] + "."
    return tuple(_field(line, package) for line in lines.splitlines())


def _field(line: str, package: str) -> Field:
    number, name, kind, *presence = line.split()
    label = kind[0] if kind[0] in _LABELS else ""
    kind = kind[len(label) :]
    if kind not in SCALARS and "." not in kind:
        kind = package + kind
    return Field(
        int(number),
        name,
        kind,
        cast("Label", label),
        cast("Presence", presence[0] if presence else ""),
    )


def message_name(group_version: str, kind: str) -> str:
    """The message that stands for a kind. Raises UnknownMessage for one that has none, as
    those of custom resources."""
    group, _, version = group_version.rpartition("/")
    if kind in _IN_EVERY_GROUP:
        return META + kind
    if group in _ELSEWHERE:
        package = _ELSEWHERE[group]
    elif group in _PLAIN_GROUPS:
        package = _CORE + (group or "core")
    elif group.endswith(_OFFICIAL):
        package = _CORE + group.partition(".")[0]
    else:
        raise UnknownMessage(f"{group_version} {kind}")
    name = f"{package}.{version}.{kind}"
    if name not in _lines_of_messages():
        raise UnknownMessage(name)
    return name
