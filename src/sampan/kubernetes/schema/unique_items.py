"""Lists of the types set and map of custom resources hold no item twice."""

from typing import Any

import msgspec

from sampan.kubernetes.kinds.kind import Cause
from sampan.kubernetes.machinery.causes import duplicate
from sampan.kubernetes.schema.keywords import Check
from sampan.kubernetes.schema.pruning import Path
from sampan.kubernetes.schema.structural import Structural
from sampan.kubernetes.schema.structure import render


def compile_unique_items(schema: Structural) -> Check | None:
    """List types set and map hold no item twice."""
    keys = schema.list_map_keys
    if schema.list_type not in ("set", "map"):
        return None
    defaults = {
        key: member.default
        for key, member in (schema.items.properties if schema.items else {}).items()
        if key in keys and member.has_default
    }

    def identity(item: Any) -> Any:
        if schema.list_type == "set" or type(item) is not dict:
            return item
        return {key: item.get(key, defaults.get(key)) for key in keys if key in item}

    def check(value: Any, path: Path, causes: list[Cause]) -> None:
        seen: set[bytes] = set()
        for index, item in enumerate(value):
            mark = msgspec.json.encode(identity(item), order="sorted")
            if mark in seen:
                causes.append(duplicate(render((path, index)), identity(item)))
            seen.add(mark)

    return check
