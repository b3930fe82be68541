"""The fields of Kubernetes' protobuf messages, by number: data, read once when first needed.

`messages.json` holds, for every message that a served kind can contain, each field's JSON name
and its type: a scalar, or the full name of a message. Before the type stands `*` for a repeated
field, `%` for a map with text keys (the type is its values'), and `!` for a message whose
fields stand in JSON among those of the message that holds it.
"""

from functools import cache
from importlib import resources
from typing import Literal

import msgspec

Label = Literal["", "*", "%", "!"]
META = "k8s.io.apimachinery.pkg.apis.meta.v1."


class Field(msgspec.Struct, frozen=True):
    name: str
    type: str
    label: Label


_LABELS: dict[str, Label] = {"*": "*", "%": "%", "!": "!"}


@cache
def _all() -> dict[str, dict[str, tuple[str, str]]]:
    packed = resources.files(__package__).joinpath("messages.json").read_bytes()
    return msgspec.json.decode(packed, type=dict[str, dict[str, tuple[str, str]]])


@cache
def fields_of(message: str) -> dict[int, Field]:
    """The fields of a message by number. Raises KeyError for a message that isn't known."""
    return {int(number): _field(*given) for number, given in _all()[message].items()}


def _field(name: str, kind: str) -> Field:
    label = _LABELS.get(kind[0], "")
    return Field(name, kind[len(label) :], label)


def message_name(group_version: str, kind: str) -> str:
    """The message that stands for a kind: groups are named in it by their first word."""
    if kind == "DeleteOptions":
        return META + kind
    group, _, version = group_version.rpartition("/")
    return f"k8s.io.api.{group.partition('.')[0] or 'core'}.{version}.{kind}"
