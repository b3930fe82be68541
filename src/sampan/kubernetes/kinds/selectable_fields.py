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
        paths_of = {name: path.split(".") for name, path in named.items()}
        self._sections = _by_section(paths_of)
        self.decode: Callable[[bytes], Object] = _sparse_decoder([_LABELS, *paths_of.values()])
        """Reads of an object's JSON its labels and these fields; raises msgspec.DecodeError."""

    def of(self, tree: Object) -> dict[str, str]:
        """Their values as text: flags that are not set are `false`, other fields empty."""
        found: dict[str, str] = {}
        for section, fields in self._sections:
            part = tree.get(section)
            for name, path in fields:
                value: Any = part
                for key in path:
                    value = value.get(key) if type(value) is dict else None
                found[name] = value if type(value) is str else _text(name, value)
        return found


def _by_section(paths: Mapping[str, list[str]]) -> list[tuple[str, list[tuple[str, list[str]]]]]:
    """The fields of each top-level part of an object: their names and the rest of their paths."""
    sections: dict[str, list[tuple[str, list[str]]]] = {}
    for name, (section, *rest) in paths.items():
        sections.setdefault(section, []).append((name, rest))
    return list(sections.items())


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
