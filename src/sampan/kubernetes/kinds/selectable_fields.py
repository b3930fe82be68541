"""The fields of a kind that a field selector may name, and the part of an object that holds them.

An object's labels belong to that part: together they are all that selectors ask about. It must
not know selectors themselves.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypedDict

import msgspec

from sampan.kubernetes.kinds.kind import Object

_FLAGS = ("spec.unschedulable", "spec.hostNetwork")
_LABELS = ("metadata", "labels")
# The type checker knows this form with literal fields only.
_typed_dict: Any = TypedDict


class SelectableFields:
    """`paths` are such as `spec.nodeName`; `renamed` maps further names to their paths."""

    def __init__(self, paths: Iterable[str], renamed: Mapping[str, str]) -> None:
        named = {path: path for path in paths} | dict(renamed)
        self._paths = [(name, path.split(".")) for name, path in named.items()]
        self.decode: Callable[[bytes], Object] = _sparse_decoder(
            [_LABELS, *(path for _, path in self._paths)]
        )
        """Reads of an object's JSON its labels and these fields; raises msgspec.DecodeError."""

    def of(self, tree: Object) -> dict[str, str]:
        """Their values as text: flags that are not set are `false`, other fields empty."""
        found: dict[str, str] = {}
        for name, path in self._paths:
            value: Any = tree
            for key in path:
                value = value.get(key) if type(value) is dict else None
            found[name] = value if type(value) is str else _text(name, value)
        return found


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool) or name in _FLAGS:
        return "true" if value else "false"
    return "" if value is None else str(value)


def _sparse_decoder(paths: Iterable[Iterable[str]]) -> Callable[[bytes], Object]:
    """A decoder of JSON objects that passes over all that lies on none of the paths."""
    root: dict[str, Any] = {}
    for path in paths:
        node = root
        for key in path:
            node = node.setdefault(key, {})
    return msgspec.json.Decoder(_shape(root)).decode


def _shape(node: dict[str, Any]) -> Any:
    members = {key: _shape(below) | None if below else Any for key, below in node.items()}
    return _typed_dict("Part", members, total=False)
